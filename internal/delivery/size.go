package delivery

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Soaking reports whether the tests are to run at full size: with SIOKIT_SOAK, as make soak sets it.
func Soaking() bool { return os.Getenv("SIOKIT_SOAK") != "" }

// Size is how much of something a test does: a little, or with SIOKIT_SOAK all of it, less under the race
// detector.
func Size(little, all, allRacing int) int {
	switch {
	case !Soaking():
		return little
	case racing:
		return allRacing
	}
	return all
}

// Random returns the source of a test's random choices, and logs its seed. SIOKIT_SEED repeats a run, as far
// as the scheduler does.
func Random(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("SIOKIT_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("delivery: SIOKIT_SEED must be a number: %v", err)
		}
	}
	t.Logf("SIOKIT_SEED=%d repeats this run", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
