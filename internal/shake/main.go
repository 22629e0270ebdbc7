// Shake runs Go tests with pauses at random places of the program and of the tests. It finds what only a
// busy machine would: tests that take something for granted which is merely quick, and races between two
// goroutines that no data race shows.
//
//	go run ./internal/shake ./core ./engineio
//	go run ./internal/shake -every 3000 -pause 30ms -run TestShutdown -count 10 ./core
//	go run ./internal/shake -places 50 -pause 30ms ./core
//
// It pauses in front of one statement in -every, each time another; or at one place in -places, nearly every
// time that the program comes there, which finds what takes two goroutines meeting in a narrow gap. The
// places come from -seed, and are printed as such: the same seed and source shake the same places.
//
// Pauses block the thread, so clocks of testing/synctest do not see them. A test that allows for a time
// which the pauses of a long loop exceed fails, too: raise -every for that one.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// plan says where to pause, and for how long.
type plan struct {
	every  int           // in front of one statement in so many, by chance
	places int           // or, if it is not 0, at one place in so many, each time
	seed   uint64        // of the choice of places
	pause  time.Duration // the longest, but for one in thirty of those by chance, which are up to twenty times as long
}

func main() {
	var p plan
	flag.IntVar(&p.every, "every", 400, "pause in front of one statement in `n`, by chance")
	flag.IntVar(&p.places, "places", 0, "instead, pause at one place in `n`, each time")
	flag.Uint64Var(&p.seed, "seed", 0, "which places; 0 is by chance")
	flag.DurationVar(&p.pause, "pause", 3*time.Millisecond, "how `long` pauses last at most; of those by chance one in thirty is up to twenty times as long")
	count := flag.Int("count", 1, "run each test `n` times")
	run := flag.String("run", "", "run only the tests that match the `pattern`")
	flag.Parse()
	if flag.NArg() == 0 || p.every < 1 || p.places < 0 || p.pause <= 0 {
		fmt.Fprintln(os.Stderr, "shake: name packages, as for go test; -every and -pause are positive")
		os.Exit(2)
	}
	if p.places > 0 {
		if p.seed == 0 {
			p.seed = rand.Uint64N(1_000_000)
		}
		fmt.Println("shake: -seed", p.seed)
	}
	if err := shake(p, []string{"-run", *run, "-count", strconv.Itoa(*count)}, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "shake:", err)
		os.Exit(1)
	}
}

// shake runs go test on packages of this module. All other packages of the module that they are made of are shaken too.
func shake(p plan, args, packages []string) error {
	dir, err := os.MkdirTemp("", "shake")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "./...").Output()
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	o := overlay{dir: dir, pauses: pauses(p), Replace: make(map[string]string)}
	for at := range strings.Lines(string(out)) {
		if at = strings.TrimSpace(at); calm(at) {
			continue
		}
		if err := o.addPackage(at); err != nil {
			return err
		}
	}
	list, err := json.Marshal(o)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, list, 0o600); err != nil {
		return err
	}
	args = append([]string{"test", "-race", "-vet=off", "-timeout", "1h", "-overlay", file}, args...)
	test := exec.Command("go", append(args, packages...)...)
	test.Env = append(os.Environ(), seedVariable+"="+strconv.FormatUint(p.seed, 10))
	test.Stdout, test.Stderr = os.Stdout, os.Stderr
	return test.Run()
}

// calm reports whether a package is left as it is: pauses in code without goroutines show nothing and
// take long, and the bench measures.
func calm(dir string) bool {
	for _, part := range []string{"wire", "bench", "shake", "archtest", "docs"} {
		if strings.Contains(filepath.ToSlash(dir)+"/", "/"+part+"/") {
			return true
		}
	}
	return false
}
