package core_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"

	"github.com/siokit/siokit/core"
)

type cart struct{ Items int }

// Per-socket data is typed, of one namespace and one socket, and visible from outside of handlers.
func TestData(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		a.Of("/shop")
		core.On(a, "put", func(c *core.Context, n int) error { core.SetData(c, cart{n}); return nil })
		read := func(c *core.Context, _ core.None) (int, error) {
			got, ok := core.Data[cart](c)
			if !ok {
				return -1, nil
			}
			return got.Items, nil
		}
		core.OnCall(a, "get", read)
		core.OnCall(a.Of("/shop"), "get", read)
		ended := make(chan cart, 2)
		a.OnDisconnect(func(c *core.Context, _ core.Reason) {
			got, _ := core.Data[cart](c)
			ended <- got
		})
		p, other := a.dial(transport), a.dial(transport)
		id := p.join("/", `{"items":99,"Items":99}`) // nothing of the client's becomes data
		p.join("/shop", "")
		other.join("/", "")
		p.send(`20["get"]`)
		p.want(`30[-1]`)
		p.send(`21["put",7]`)
		p.want(`31[]`)
		p.send(`22["get"]`)
		p.want(`32[7]`)
		p.send(`2/shop,3["get"]`)
		p.want(`3/shop,3[-1]`)
		other.send(`24["get"]`)
		other.want(`34[-1]`)
		s, _ := a.Socket(id)
		core.SetData(s, cart{8})
		p.send(`25["get"]`)
		p.want(`35[8]`)
		if _, ok := core.Data[*cart](s); ok {
			t.Error("a *cart was found where a cart was kept")
		}
		core.SetData[error](s, nil)
		if err, ok := core.Data[error](s); err != nil || !ok {
			t.Errorf("a nil interface came back as %v, %t", err, ok)
		}
		p.kill()
		if got := receive(t, ended); got.Items != 8 {
			t.Errorf("OnDisconnect found %+v", got)
		}
	})
}

func TestDataConcurrently(t *testing.T) {
	a := serve(t, core.Config{})
	core.OnCall(a, "sum", func(c *core.Context, _ core.None) (sum int, _ error) {
		for i := range 8 {
			n, _ := c.Value(i).(int)
			sum += n
		}
		return sum, nil
	})
	p := a.dial("websocket")
	s, _ := a.Socket(p.join("/", ""))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 200 {
				s.SetValue(i, n)
				core.SetData(s, cart{n})
				if _, ok := core.Data[cart](s); !ok {
					t.Error("the data is gone")
				}
			}
		})
	}
	wg.Wait()
	p.send(`20["sum"]`) // no write of one key has lost another
	p.want(`30[1592]`)
}

type identityKey struct{}

// What a guard sets is seen by the namespace's handlers instead of the handshake's value, and not by others.
func TestGuardSetsValues(t *testing.T) {
	a := serve(t, core.Config{Authenticate: func(r *http.Request) (context.Context, string, error) {
		return context.WithValue(r.Context(), identityKey{}, "cookie"), "", nil
	}})
	ask := func(c *core.Context, _ core.None) (string, error) {
		deep, cancel := context.WithCancel(c)
		defer cancel()
		who, _ := deep.Value(identityKey{}).(string)
		return who, nil
	}
	core.OnCall(a, "who", ask)
	core.OnCall(a.Of("/api"), "who", ask)
	a.Of("/api").Use(func(ctx context.Context) error {
		s, ok := ctx.(interface{ SetValue(key, value any) })
		if !ok {
			return errors.New("a guard's context has no SetValue")
		}
		s.SetValue(identityKey{}, "token")
		return nil
	})
	p := a.dial("websocket")
	p.join("/", "")
	p.join("/api", "")
	p.send(`20["who"]`)
	p.want(`30["cookie"]`)
	p.send(`2/api,0["who"]`)
	p.want(`3/api,0["token"]`)
}
