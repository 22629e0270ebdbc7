package core_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/siokit/siokit/core"
)

var errEnded = &core.ConnectError{Message: "you were logged out", Data: map[string]string{"reason": "logged out"}}

const farewell = `2["session ended",{"message":"you were logged out","data":{"reason":"logged out"}}]`

// A client whose login ends is told why, last of all, on every namespace; the reason comes in the same
// answer as the DISCONNECT, because the next poll may be refused.
func TestEndedEvent(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		l := newLogin()
		a := serve(t, l.config())
		p := a.dial(transport, as("ann"))
		revoke := receive(t, l.cancel)
		p.join("/", "")
		revoke(errEnded)
		if got := strings.Join(p.wantClosed(), " "); got != farewell+" 1" {
			t.Errorf("the client was sent %s", got)
		}
	})
}

func TestDisconnectBecause(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		x := a.Of("/x")
		causes := make(chan error, 1)
		x.OnDisconnect(func(c *core.Context, r core.Reason) {
			if r != core.ServerNamespaceDisconnect {
				t.Errorf("reason %q", r)
			}
			causes <- context.Cause(c)
		})
		p := a.dial(transport)
		p.join("/", "")
		s, _ := x.Socket(p.join("/x", ""))
		s.DisconnectBecause(errEnded)
		s.DisconnectBecause(errEnded) // once is enough
		p.want("2/x,"+strings.TrimPrefix(farewell, "2"), "1/x,")
		if cause := receive(t, causes); !errors.Is(cause, errEnded) {
			t.Errorf("cause %v", cause)
		}
		p.wantAlive() // the other namespace goes on

		// What was not made for clients stays here.
		s, _ = x.Socket(p.join("/x", ""))
		s.DisconnectBecause(errors.New("secret"))
		p.want("1/x,")
		receive(t, causes)
		p.wantAlive()
	})
}

func TestDisconnectBecauseInMiddleware(t *testing.T) {
	for _, c := range []struct {
		cause error
		want  string
	}{
		{errEnded, `4{"message":"you were logged out","data":{"reason":"logged out"}}`},
		{errors.New("secret"), `4{"message":"disconnected by the server"}`},
	} {
		a := serve(t, core.Config{})
		a.Use(func(ctx context.Context) error {
			s, _ := core.From(ctx)
			s.DisconnectBecause(c.cause)
			return nil
		})
		p := a.dial("websocket")
		p.send("0")
		p.want(c.want)
	}
}

type badReason struct{}

func (badReason) Error() string              { return "bad" }
func (badReason) ClientError() (string, any) { return "bad", func() {} }

func TestEndedEventVariants(t *testing.T) {
	a := serve(t, core.Config{EndedEvent: "-"})
	p := a.dial("websocket")
	s, _ := a.Socket(p.join("/", ""))
	s.DisconnectBecause(errEnded)
	p.want("1")

	b := serve(t, core.Config{EndedEvent: "bye"})
	p = b.dial("websocket")
	s, _ = b.Socket(p.join("/", ""))
	s.DisconnectBecause(&core.Error{Message: "over"})
	p.want(`2["bye",{"message":"over"}]`, "1")
	p.join("/", "")
	p.wantAlive()

	failed := make(chan error, 1)
	b.OnError(func(_ *core.Context, err error) { failed <- err })
	p = b.dial("websocket")
	s, _ = b.Socket(p.join("/", ""))
	s.DisconnectBecause(badReason{}) // cannot be encoded: the socket ends all the same
	p.want("1")
	receive(t, failed)

	if _, err := core.New(core.Config{EndedEvent: "disconnect"}); err == nil || !strings.Contains(err.Error(), "EndedEvent") {
		t.Errorf("EndedEvent disconnect: %v", err)
	}
}

// Config.Guards hold for every namespace, also for one that is made after the server began.
func TestConfigGuards(t *testing.T) {
	open := make(chan struct{})
	order := make(chan string, 10)
	a := serve(t, core.Config{Guards: []core.Guard{func(context.Context) error {
		order <- "server"
		select {
		case <-open:
			return nil
		default:
			return &core.ConnectError{Message: "please log in"}
		}
	}}})
	p := a.dial("websocket")
	for _, name := range []string{"/", "/admin", "/made/later"} {
		a.Of(name).Use(func(context.Context) error { order <- name; return nil })
		prefix := name + ","
		if name == "/" {
			prefix = ""
		}
		p.send("0" + prefix)
		p.want("4" + prefix + `{"message":"please log in"}`)
		if got := receive(t, order); got != "server" {
			t.Errorf("%q ran", got)
		}
		silent(t, order)
	}
	close(open)
	p.join("/admin", "")
	if first, second := receive(t, order), receive(t, order); first != "server" || second != "/admin" {
		t.Errorf("the guards ran as %q, %q", first, second)
	}
}
