package app_test

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/siokit/siokit/examples/login/app"
	"github.com/siokit/siokit/internal/conformance/exampletest"
)

// whether a name is known shows neither in what the login answers nor in how long that takes.
func TestLoginDoesNotTellWhoExists(t *testing.T) {
	runtime.LockOSThread() // whose work is measured: nothing in here waits, but on a busy machine for a processor
	defer runtime.UnlockOSThread()
	cost := bcrypt.MinCost
	hash := func(password string) string {
		h, err := bcrypt.GenerateFromPassword([]byte(password), cost)
		if err != nil {
			t.Fatal(err)
		}
		return string(h)
	}
	for { // some milliseconds, also under the race detector, where it takes ten times as long
		sample, quickest := []byte(hash("sample")), time.Hour
		for range 5 {
			began := worked()
			_ = bcrypt.CompareHashAndPassword(sample, []byte("wrong"))
			quickest = min(quickest, worked()-began)
		}
		if quickest > 3*time.Millisecond {
			break
		}
		cost++
	}
	accounts := app.Accounts{"ann": {Name: "ann", Hash: hash("ann-secret")}, "": {Hash: hash("nobody's")}}
	a, err := app.New(app.Config{Key: []byte("0123456789abcdef0123456789abcdef"), Accounts: accounts})
	if err != nil {
		t.Fatal(err)
	}
	login := func(name, password string) (answer string, took time.Duration) {
		w := httptest.NewRecorder()
		began := worked()
		a.Users.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			app.Fail(w, a.Login(r.Context(), name, password, ""))
		})).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/login", nil))
		took = worked() - began
		return http.StatusText(w.Code) + " " + w.Body.String(), took
	}
	known := func() time.Duration {
		answer, took := login("ann", "wrong")
		if answer != "Unauthorized wrong name or password\n" {
			t.Fatalf("answered %q", answer)
		}
		return took
	}
	unknown := func() time.Duration {
		answer, took := login("nobody", "wrong")
		if answer != "Unauthorized wrong name or password\n" {
			t.Fatalf("answered %q", answer)
		}
		return took
	}
	tries := 200
	if testing.Short() {
		tries = 50
	}
	if d := exampletest.Gap(tries, known, unknown); d >= time.Millisecond {
		t.Errorf("the answer for an unknown name differs by %v", d)
	}
	// The measure finds the mistake it is for: an unknown name whose hash costs nothing.
	accounts[""] = &app.User{}
	if d := exampletest.Gap(20, known, unknown); d < time.Millisecond {
		t.Errorf("a login that compares no hash for unknown names differs by %v only: this test proves nothing", d)
	}
}

var start = time.Now()

// worked is the processor time of this thread, where the system knows it, and else the time.
func worked() time.Duration {
	const thread = 1 // RUSAGE_THREAD of Linux
	var used syscall.Rusage
	if err := syscall.Getrusage(thread, &used); err != nil {
		return time.Since(start)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
