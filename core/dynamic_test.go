package core_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/siokit/siokit/core"
)

func names(children []*core.Namespace) []string {
	var names []string
	for _, ns := range children {
		names = append(names, ns.Name())
	}
	slices.Sort(names)
	return names
}

// orgs registers a pattern whose guard, handlers and rooms all children use.
func orgs(a *app) *core.Namespace {
	orgs := a.OfPattern("/org/{id}")
	orgs.Use(func(ctx context.Context) error {
		c, _ := core.From(ctx)
		_, err := core.Param[int](c, "id")
		return err
	})
	orgs.OnConnect(func(c *core.Context) error { return c.Join("all", "of "+c.Param("id")) })
	core.OnCall(orgs, "where", func(c *core.Context, _ core.None) (string, error) {
		return c.Namespace().Name() + " " + c.Param("id"), nil
	})
	return orgs
}

func TestDynamicNamespaces(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		parent := orgs(a)
		p, q := a.dial(transport), a.dial(transport)
		for _, peer := range []*peer{p, q} {
			peer.join("/", "")
		}
		seven := p.join("/org/7", "")
		p.join("/org/8", "")
		q.join("/org/7", "")
		if got := names(parent.Children()); !slices.Equal(got, []string{"/org/7", "/org/8"}) {
			t.Errorf("Children: %q", got)
		}
		p.send(`2/org/7,0["where"]`)
		p.want(`3/org/7,0["/org/7 7"]`)
		p.send(`2/org/8,1["where"]`)
		p.want(`3/org/8,1["/org/8 8"]`)
		q.send(`2/org/7,0["where"]`)
		q.want(`3/org/7,0["/org/7 7"]`)

		// A handle by name is the namespace that clients are in.
		handle := a.Of("org/7")
		if !slices.Contains(parent.Children(), handle) {
			t.Error("Of does not return the existing child")
		}
		if handle.Parent() != parent || parent.Parent() != nil || a.Of("/").Parent() != nil || a.Of("/").Children() != nil || a.Of("/org/{id}") != parent {
			t.Error("Parent or Children are wrong")
		}
		if handle.Param("id") != "7" || handle.Param("none") != "" {
			t.Error("Param of a namespace")
		}
		_ = handle.Emit("one")
		p.want(`2/org/7,["one"]`)
		q.want(`2/org/7,["one"]`)

		// The parent reaches all children, each under its own name.
		if err := parent.To("of 7", "of 8", "none").Emit("every", []byte("x")); err != nil {
			t.Error(err)
		}
		two := []string{}
		for range 2 {
			m, _ := p.next()
			two = append(two, m.text)
			p.wantBinary("x")
		}
		slices.Sort(two)
		if want := []string{`51-/org/7,["every",{"_placeholder":true,"num":0}]`, `51-/org/8,["every",{"_placeholder":true,"num":0}]`}; !slices.Equal(two, want) {
			t.Errorf("received %q", two)
		}
		q.want(`51-/org/7,["every",{"_placeholder":true,"num":0}]`)
		q.wantBinary("x")
		if err := parent.Emit("bad", make(chan int)); err == nil {
			t.Error("what cannot be encoded is no error on a parent")
		}
		if n := parent.Except().Count(); n != 3 || len(parent.Sockets()) != 3 || parent.To("all").Except(seven).Count() != 2 {
			t.Errorf("%d sockets in all children", n)
		}
		if s, ok := parent.Socket(seven); !ok || s.Namespace().Name() != "/org/7" || s.Param("id") != "7" {
			t.Error("Socket on the parent")
		}
		if found, err := parent.To("of 8").Fetch(t.Context()); err != nil || len(found) != 1 || found[0].Namespace != "/org/8" {
			t.Errorf("Fetch on the parent: %+v %v", found, err)
		}
		if got := parent.Rooms(); len(got) != 3 {
			t.Errorf("Rooms of all children: %q", got)
		}
		q.send(`1/org/7,`)
		eventually(t, "one has left", func() bool { return handle.Except().Count() == 1 })
		answers := make(chan string, 10)
		go func() {
			for r, err := range core.Gather[string](t.Context(), parent.To("all"), "where are you?") {
				answers <- fmt.Sprint(r.Answer, err)
			}
			close(answers)
		}()
		for range 2 {
			m, _ := p.next()
			id := strings.TrimSuffix(strings.TrimPrefix(m.text, "2"), `["where are you?"]`)
			p.send("3" + id + `["` + id[:len("/org/7")] + `"]`)
		}
		if got := sorted([]string{receive(t, answers), receive(t, answers), receive(t, answers)}); !slices.Equal(got, []string{"", "/org/7<nil>", "/org/8<nil>"}) {
			t.Errorf("answers of all children: %q", got)
		}
		q.join("/org/7", "")
		p.wantAlive()
		q.wantAlive()

		// The last one takes the namespace with it; its handle finds the next one of that name.
		p.send("1/org/8,")
		eventually(t, "the empty child is gone", func() bool { return slices.Equal(names(parent.Children()), []string{"/org/7"}) })
		p.send("1/org/7,")
		q.kill()
		eventually(t, "both are gone", func() bool { return len(parent.Children()) == 0 })
		if got := a.NamespaceNames(); !slices.Equal(got, []string{"/"}) {
			t.Errorf("namespaces left: %q", got)
		}
		_ = handle.Emit("nobody")
		p.join("/org/7", "")
		_ = handle.To("all").Emit("again")
		_ = handle.To(seven).Emit("nobody")
		p.want(`2/org/7,["again"]`)
		if len(handle.Sockets()) != 1 || len(handle.Rooms()) != 2 {
			t.Error("an old handle does not see the new namespace")
		}
		p.wantAlive()
	})
}

// every name is judged for itself, and the server's guards see dynamic ones too.
func TestGuardsOfDynamicNamespaces(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{Guards: []core.Guard{func(ctx context.Context) error {
			c, _ := core.From(ctx)
			var given struct{ Key string }
			if err := c.Auth(&given); err != nil || given.Key != "yes" {
				return &core.ConnectError{Message: "who are you?"}
			}
			return nil
		}}})
		told := make(chan string, 10)
		a.OnNamespace(func(ns *core.Namespace) { told <- ns.Name() })
		orgs(a)
		a.OfFunc(func(context.Context, string, json.RawMessage) (bool, error) {
			t.Error("a function was asked about a stranger")
			return true, nil
		})
		p := a.dial(transport)
		p.join("/", `{"Key":"yes"}`)
		for _, name := range []string{"/org/7", "/org/8", "/made-up", "/org/7?x=1", "/Org/7"} {
			p.send("0" + name + ",")
			p.want("4" + name + `,{"message":"who are you?"}`)
		}
		for _, name := range []string{"/org/07", "/org/x"} {
			p.send("0" + name + `,{"Key":"yes"}`)
			p.want("4" + name + `,{"message":"Invalid namespace"}`)
		}
		p.wantAlive()
		silent(t, told)
		eventually(t, "nothing is left", func() bool { return slices.Equal(a.NamespaceNames(), []string{"/"}) })
		p.join("/org/7", `{"Key":"yes"}`)
		if got := receive(t, told); got != "/org/7" {
			t.Errorf("told of %q", got)
		}
	})
}

func TestPrecedence(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		answer := func(ns *core.Namespace, by string) {
			core.OnCall(ns, "who", func(*core.Context, core.None) (string, error) { return by, nil })
		}
		answer(a.Of("/org/before"), "static")
		first, second := a.OfPattern("/org/{id}"), a.OfPattern("/{kind}/{id}")
		function := a.OfFunc(func(_ context.Context, name string, _ json.RawMessage) (bool, error) {
			return strings.HasPrefix(name, "/f"), nil
		})
		answer(first, "first")
		answer(second, "second")
		answer(function, "function")
		if a.OfPattern("/org/{id}") != first {
			t.Error("the same pattern is another parent")
		}
		address, twin := a.Of("/org/after"), a.Of("/org/after")
		_ = a.Of("/org/address").Emit("nobody") // creates nothing
		group := twin.Group()
		answer(address, "static too")
		core.OnCall(group, "twin", func(*core.Context, core.None) (string, error) { return "twin", nil })
		p := a.dial(transport)
		p.join("/", "")
		for name, want := range map[string]string{
			"/org/before": "static", "/org/after": "static too", "/org/7": "first", "/org/address": "first",
			"/team/7": "second", "/f/7": "second", "/f7": "function",
		} {
			p.join(name, "")
			p.send(`2` + name + `,0["who"]`)
			p.want(`3` + name + `,0["` + want + `"]`)
		}
		p.send(`2/org/after,0["twin"]`)
		p.want(`3/org/after,0["twin"]`)
		p.send("0/x7,")
		p.want(`4/x7,{"message":"Invalid namespace"}`)
		for _, ns := range []*core.Namespace{a.Of("/org/7"), a.Of("/f7")} {
			func() {
				defer func() {
					if text := fmt.Sprint(recover()); !strings.Contains(text, "share their handlers") {
						t.Errorf("registering on a child: %s", text)
					}
				}()
				ns.OnConnect(func(*core.Context) error { return nil })
			}()
		}
		p.wantAlive()
	})
}

func TestOfFunc(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		by := func(prefix, key string) *core.Namespace {
			ns := a.OfFunc(func(ctx context.Context, name string, auth json.RawMessage) (bool, error) {
				c, ok := core.From(ctx)
				if !ok || c.Namespace().Name() != name {
					t.Error("the function does not get the client's Context")
				}
				switch {
				case !strings.HasPrefix(name, prefix):
					return false, nil
				case string(auth) == `{"boom":1}`:
					panic("boom")
				case string(auth) == `{"plain":1}`:
					return false, errors.New("secret")
				case string(auth) == `{"banned":1}`:
					return false, &core.ConnectError{Message: "banned", Data: 7}
				}
				return string(auth) == key, nil
			})
			core.OnCall(ns, "key", func(*core.Context, core.None) (string, error) { return key, nil })
			return ns
		}
		one, two := by("/room", `{"key":1}`), by("/room", `{"key":2}`)
		p, q := a.dial(transport), a.dial(transport)
		p.join("/", "")
		q.join("/", "")
		for auth, want := range map[string]string{
			``: "Invalid namespace", `{"key":3}`: "Invalid namespace", `{"boom":1}`: "internal error", `{"plain":1}`: "internal error",
		} {
			p.send(`0/room1,` + auth)
			p.want(`4/room1,{"message":"` + want + `"}`)
		}
		p.send(`0/room1,{"banned":1}`)
		p.want(`4/room1,{"message":"banned","data":7}`)
		p.send(`0/other,{"key":1}`)
		p.want(`4/other,{"message":"Invalid namespace"}`)
		if a.Panics() != 1 {
			t.Errorf("%d panics", a.Panics())
		}
		p.join("/room1", `{"key":2}`)
		p.send(`2/room1,0["key"]`)
		p.want(`3/room1,0["{\"key\":2}"]`)
		if len(one.Children()) != 0 || !slices.Equal(names(two.Children()), []string{"/room1"}) {
			t.Error("the child has the wrong parent")
		}
		// Somebody is in it, yet everybody is asked; and by the function that it belongs to.
		for _, auth := range []string{``, `{"key":1}`} {
			q.send(`0/room1,` + auth)
			q.want(`4/room1,{"message":"Invalid namespace"}`)
		}
		q.join("/room1", `{"key":2}`)
		_ = two.Emit("both")
		p.want(`2/room1,["both"]`)
		q.want(`2/room1,["both"]`)
		p.send("1/room1,")
		q.send("1/room1,")
		eventually(t, "the empty one is gone", func() bool { return slices.Equal(a.NamespaceNames(), []string{"/"}) })
		q.join("/room1", `{"key":1}`) // and with it, whose it was
		if !slices.Equal(names(one.Children()), []string{"/room1"}) {
			t.Error("the name still belongs to the other function")
		}
		if err := one.Remove(); err != nil {
			t.Error(err)
		}
		q.want("1/room1,")
		q.send(`0/room1,{"key":1}`)
		q.want(`4/room1,{"message":"Invalid namespace"}`)
		q.wantAlive()
		p.wantAlive()
	})
}

func TestOnNamespace(t *testing.T) {
	a := serve(t, core.Config{})
	a.Of("/before")
	told, release := make(chan string, 10), make(chan struct{})
	a.OnNamespace(func(ns *core.Namespace) {
		told <- ns.Name()
		if ns.Name() == "/org/7" {
			<-release
		}
	})
	a.OnNamespace(func(*core.Namespace) { panic("must not stop anything") })
	connected := make(chan string, 10)
	parent := a.OfPattern("/org/{id}")
	parent.OnConnect(func(c *core.Context) error { connected <- c.ID(); return nil })
	a.Of("/static")
	a.Of("/static")
	if got := receive(t, told); got != "/static" {
		t.Errorf("told of %q", got)
	}
	p, q, gone := a.dial("websocket"), a.dial("polling"), a.dial("websocket")
	p.send("0/org/7,")
	if got := receive(t, told); got != "/org/7" {
		t.Errorf("told of %q", got)
	}
	q.send("0/org/7,") // waits too
	gone.send("0/org/7,")
	eventually(t, "three ask", func() bool { return a.Clients() == 3 })
	gone.kill()
	eventually(t, "one has given up", func() bool { return a.Clients() == 2 })
	silent(t, connected)
	close(release)
	receive(t, connected)
	receive(t, connected)
	silent(t, connected)
	silent(t, told)
	p.want(`0/org/7,{"sid":"*"}`)
	q.want(`0/org/7,{"sid":"*"}`)
	if err := a.RemoveNamespace("/org/7"); err != nil {
		t.Error(err)
	}
	p.want("1/org/7,")
	p.send("0/org/7,")
	if got := receive(t, told); got != "/org/7" {
		t.Errorf("told of %q when it came again", got)
	}
	eventually(t, "every call has panicked", func() bool { return a.Panics() == 3 })
}

func TestRemoveNamespace(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		ended := make(chan string, 10)
		watch := func(ns *core.Namespace) {
			ns.OnDisconnect(func(c *core.Context, r core.Reason) {
				if r != core.ServerNamespaceDisconnect || len(c.Rooms()) != 2 {
					t.Errorf("%s: %s %q", c.Namespace().Name(), r, c.Rooms())
				}
				_ = a.RemoveNamespace(c.Namespace().Name()) // #311: must not deadlock
				ended <- c.Namespace().Name()
			})
			ns.OnConnect(func(c *core.Context) error { return c.Join("room") })
		}
		static, parent := a.Of("/static"), a.OfPattern("/org/{id}")
		watch(static)
		watch(parent)
		p := a.dial(transport)
		for _, name := range []string{"/", "/static", "/org/7", "/org/8"} {
			p.join(name, "")
		}
		for _, name := range []string{"/", "", "/none", "/org/none"} {
			if err := a.RemoveNamespace(name); err == nil || !strings.HasPrefix(err.Error(), "core: ") {
				t.Errorf("RemoveNamespace(%q): %v", name, err)
			}
		}
		remove := func(name string, want ...string) {
			t.Helper()
			if err := a.RemoveNamespace(name); err != nil {
				t.Error(err)
			}
			var got, said []string
			for range want {
				m, _ := p.next()
				said = append(said, strings.TrimSuffix(m.text[1:], ","))
				got = append(got, receive(t, ended))
			}
			slices.Sort(got)
			slices.Sort(said)
			if !slices.Equal(got, want) || !slices.Equal(said, want) {
				t.Errorf("%q: disconnected %q, told %q", name, got, said)
			}
		}
		remove("static", "/static")
		p.send("0/static,")
		p.want(`4/static,{"message":"Invalid namespace"}`)
		static.OnConnect(func(*core.Context) error { t.Error("a removed namespace came back"); return nil })
		p.send("0/static,")
		p.want(`4/static,{"message":"Invalid namespace"}`)
		remove("/org/8", "/org/8")
		p.join("/org/8", "") // the pattern is there
		remove("/org/{id}", "/org/7", "/org/8")
		p.send("0/org/7,")
		p.want(`4/org/7,{"message":"Invalid namespace"}`)
		a.Of("/static") // a new one, with nothing registered
		p.join("/static", "")
		p.wantAlive()
		silent(t, ended)
	})
}

// Who is being decided about when the namespace is removed is refused, and leaves nothing behind.
func TestRemoveWhileConnecting(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		entered, release := make(chan struct{}), make(chan struct{})
		parent := a.OfPattern("/org/{id}")
		parent.Use(func(context.Context) error { entered <- struct{}{}; <-release; return nil })
		parent.OnConnect(func(*core.Context) error { t.Error("OnConnect ran"); return nil })
		p := a.dial(transport)
		p.join("/", "")
		p.send("0/org/7,")
		receive(t, entered)
		if err := a.RemoveNamespace("/org/7"); err != nil {
			t.Error(err)
		}
		close(release)
		p.want(`4/org/7,{"message":"Invalid namespace"}`)
		p.wantAlive()
		if got := a.NamespaceNames(); !slices.Equal(got, []string{"/"}) || len(parent.Children()) != 0 {
			t.Errorf("left: %q", got)
		}
	})
}

// S-39, S-40: names that a client makes up are bounded for each connection.
func TestNamespacesOfOneConnection(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		parent := a.OfPattern("/dyn-/{n}")
		p := a.dial(transport)
		p.join("/", "")
		for n := range 99 {
			p.join(fmt.Sprintf("/dyn-/%d", n), "")
		}
		p.send("0/dyn-/99,")
		if got := p.wantClosed(); len(got) != 0 {
			t.Errorf("the 101st namespace was answered: %q", got)
		}
		eventually(t, "all are gone", func() bool { return len(parent.Children()) == 0 && len(a.NamespaceNames()) == 1 })
		p = a.dial(transport)
		p.join("/", "")
		for n := range 20 {
			p.send(fmt.Sprintf("0/none%d,", n))
			p.want(fmt.Sprintf(`4/none%d,{"message":"Invalid namespace"}`, n))
		}
		p.wantClosed()
	})
}
