package core_test

import (
	"context"
	"errors"
	"testing"

	"github.com/siokit/siokit/core"
)

// Panics of what other servers cause are counted as those of what clients cause, and their text stays here.
func TestPanicsCausedByOtherServers(t *testing.T) {
	boom := func() { panic(&core.Error{Message: "secret"}) }
	apps := nodes(t, 2, core.Config{OnAnnounced: func([]byte) error { boom(); return nil }}, func(_ int, a *app) {
		core.OnServer(a, "boom", func(context.Context, core.None) (int, error) { boom(); return 0, nil })
	})
	a, b := apps[0], apps[1]
	var errs []error
	for _, err := range core.AskServers[int](t.Context(), a, "boom") {
		errs = append(errs, err)
	}
	if len(errs) != 1 || errs[0] == nil || errs[0].Error() != "core: internal error" {
		t.Errorf("the answers are %v", errors.Join(errs...))
	}
	if n := b.Panics(); n != 1 {
		t.Errorf("%d panics are counted after OnServer", n)
	}
	a.Announce([]byte("x"))
	eventually(t, "the panic of OnAnnounced is counted", func() bool { return b.Panics() == 2 })
}
