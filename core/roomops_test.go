package core_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/siokit/siokit/core"
)

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}

func TestBulkOperations(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		_, s := members(t, a, transport, 4)
		reached := func(room string) (got string) {
			for i, member := range s {
				if member.InRoom(room) && slices.Contains(a.To(room).Sockets(), member) {
					got += fmt.Sprint(i)
				}
			}
			return got
		}
		for _, row := range []struct {
			by   core.Broadcast
			want string
		}{
			{a.To("all").Except("r0", s[1].ID()), "23"},
			{a.To("r1", "r2", "none"), "12"},
			{a.To(s[3].ID()), "3"},
			{a.Except(), "0123"},
			{a.To(), ""},
			{a.To(""), ""},
			{s[2].Broadcast(), "013"},
		} {
			if err := row.by.Join("moved", "too"); err != nil {
				t.Error(err)
			}
			if got := reached("moved"); got != row.want || reached("too") != row.want {
				t.Errorf("joined: %q, want %q", got, row.want)
			}
			a.To("moved").Leave("moved", "too", "none")
			if got := reached("moved") + reached("too"); got != "" {
				t.Errorf("%q have not left", got)
			}
		}
		if err := a.To("all").Join("x", ""); err == nil || reached("x") != "" {
			t.Errorf("the empty room was joined: %v", err)
		}
		if got := sorted(a.Rooms()); !slices.Equal(got, []string{"all", "r0", "r1", "r2", "r3"}) {
			t.Errorf("Rooms: %q", got)
		}
		a.CloseRoom("all")
		a.CloseRoom("")
		a.CloseRoom(s[0].ID()) // cannot be left
		if got := sorted(a.Rooms()); !slices.Equal(got, []string{"r0", "r1", "r2", "r3"}) || a.To(s[0].ID()).Count() != 1 {
			t.Errorf("Rooms after CloseRoom: %q", got)
		}
	})
}

func TestBulkDisconnect(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		a.Of("/other")
		reasons := make(chan core.Reason, 10)
		a.OnDisconnect(func(_ *core.Context, r core.Reason) { reasons <- r })
		peers, _ := members(t, a, transport, 4)
		peers[1].join("/other", "")
		a.To("r0", "r1").Disconnect()
		for _, p := range peers[:2] {
			p.want("1")
			if got := receive(t, reasons); got != core.ServerNamespaceDisconnect {
				t.Errorf("reason %q", got)
			}
		}
		_ = a.Of("/other").Emit("still here")
		peers[1].want(`2/other,["still here"]`)
		a.To("all").Except("r3").DisconnectAll()
		if got := peers[2].wantClosed(); !slices.Equal(got, []string{"1"}) {
			t.Errorf("before the end: %q", got)
		}
		receive(t, reasons)
		peers[3].wantAlive()
		silent(t, reasons)
		a.To().DisconnectAll()
		peers[3].wantAlive()
	})
}

func TestFetch(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		type name string
		a := serve(t, core.Config{})
		inner := a.dial(transport, func(h http.Header, query *string) {
			h.Set("Cookie", "session=secret")
			h.Set("Authorization", "Bearer secret")
			h.Set("Proxy-Authorization", "Basic secret")
			h.Set("X-Open", "yes")
			*query = "&q=1"
		})
		sid := inner.join("/", "")
		s, _ := a.Socket(sid)
		core.SetData(s, name("Ada"))
		_ = s.Join("room")
		other := a.dial(transport)
		other.join("/", "")
		found, err := a.To("room").Fetch(t.Context())
		if err != nil || len(found) != 1 {
			t.Fatalf("Fetch: %d %v", len(found), err)
		}
		r := found[0]
		if r.ID != sid || r.Namespace != "/" || !slices.Equal(sorted(r.Rooms), sorted([]string{"room", sid})) {
			t.Errorf("found %+v", r)
		}
		if who, ok := core.Data[name](r); !ok || who != "Ada" {
			t.Errorf("data %q %t", who, ok)
		}
		if _, ok := core.Data[int](r); ok {
			t.Error("data of a type that nobody has set")
		}
		if h := r.Handshake; h.Header.Get("X-Open") != "yes" || h.Query().Get("q") != "1" || strings.Contains(fmt.Sprint(h.Header), "secret") {
			t.Errorf("handshake %+v", h)
		}
		if s.Header().Get("Cookie") == "" || s.Header().Get("Authorization") == "" {
			t.Error("Fetch took the socket's own headers")
		}
		core.SetData(s, name("later"))
		if who, _ := core.Data[name](r); who != "Ada" {
			t.Errorf("the description has changed: %q", who)
		}
		if err := r.Join("by id"); err != nil || a.To("by id").Count() != 1 {
			t.Errorf("Join: %v", err)
		}
		r.Leave("room")
		if s.InRoom("room") || !s.InRoom("by id") {
			t.Error("Leave")
		}
		if err := r.Emit("to you", 1); err != nil {
			t.Error(err)
		}
		inner.want(`2["to you",1]`)
		r.Disconnect()
		inner.want("1")
		r.Disconnect()
		_ = r.Join("gone")
		_ = r.Emit("gone")
		sid = inner.join("/", "")
		if all, _ := a.Except().Fetch(t.Context()); len(all) != 2 {
			t.Errorf("%d sockets", len(all))
		}
		inner.wantAlive()
		again, _ := a.To(sid).Fetch(t.Context())
		again[0].DisconnectAll()
		inner.wantClosed()
		other.wantAlive()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := a.Except().Fetch(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("Fetch with an ended context: %v", err)
		}
		a.OfPattern("/org/{id}")
		other.join("/org/7", "")
		other.join("/org/8", "")
		if all, _ := a.Of("/org/{id}").Except().Fetch(t.Context()); len(all) != 2 || all[0].Namespace == all[1].Namespace {
			t.Errorf("of a parent: %+v", all)
		}
	})
}

func TestRoomHooks(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		told := make(chan string, 100)
		id := func(s *core.Socket) string { return s.Query().Get("name") }
		hooks := core.RoomHooks{
			Create: func(ns *core.Namespace, room string) { told <- "create " + room },
			Join: func(s *core.Socket, room string) {
				told <- id(s) + " joins " + room
				if room == "lobby" {
					_ = s.Join("lobby too") // changes made by a hook come after this one
				}
				if room == "boom" {
					panic("boom")
				}
			},
			Leave:  func(s *core.Socket, room string) { told <- id(s) + " leaves " + room },
			Delete: func(ns *core.Namespace, room string) { told <- "delete " + room },
		}
		a.OnRoom(hooks)
		a.OnRoom(core.RoomHooks{}) // every one may be nil
		parent := a.OfPattern("/org/{id}")
		parent.OnRoom(core.RoomHooks{Create: func(ns *core.Namespace, room string) { told <- "create " + room + " in " + ns.Name() }})
		a.Use(func(ctx context.Context) error {
			c, _ := core.From(ctx)
			_ = c.Join("early")
			if id(c.Socket) == "c" {
				return &core.Error{Message: "no"}
			}
			return nil
		})
		want := func(lines ...string) {
			t.Helper()
			for _, line := range lines {
				if got := receive(t, told); got != line {
					t.Fatalf("told %q, want %q", got, line)
				}
			}
		}
		dial := func(name string) *peer {
			return a.dial(transport, func(_ http.Header, query *string) { *query = "&name=" + name })
		}
		p, q, refused := dial("a"), dial("b"), dial("c")
		s, _ := a.Socket(p.join("/", ""))
		want("create early", "a joins early")
		q.join("/", "")
		want("b joins early")
		refused.send("0")
		refused.want(`4{"message":"no"}`)
		_ = s.Join("lobby", "lobby")
		want("create lobby", "a joins lobby", "create lobby too", "a joins lobby too")
		s.Leave("never", "lobby", "lobby")
		want("a leaves lobby", "delete lobby")
		_ = s.Join("boom")
		want("create boom", "a joins boom")
		q.kill()
		want("b leaves early")
		a.CloseRoom("early")
		want("a leaves early", "delete early")
		s.Leave("boom")
		want("a leaves boom", "delete boom")
		p.send("1")
		want("a leaves lobby too", "delete lobby too")
		p.join("/org/7", "")
		_ = parent.Except().Join("x")
		want("create x in /org/7")
		silent(t, told)
		if a.Panics() != 1 {
			t.Errorf("%d panics", a.Panics())
		}
	})
}

// Hooks see for each room a history that makes sense, whoever joins and leaves at the same time.
func TestRoomHooksInOrder(t *testing.T) {
	a := serve(t, core.Config{})
	var mu sync.Mutex
	members := map[string]int{}
	exists := map[string]bool{}
	fail := func(what, room string) {
		t.Errorf("%s of %s: %d members, exists %t", what, room, members[room], exists[room])
	}
	step := func(what string, is bool, by int) func(string) {
		return func(room string) {
			mu.Lock()
			defer mu.Unlock()
			switch what {
			case "create", "delete":
				if exists[room] == is || members[room] != 0 {
					fail(what, room)
				}
				exists[room] = is
			default:
				if !exists[room] {
					fail(what, room)
				}
				members[room] += by
			}
		}
	}
	create, remove, join, leave := step("create", true, 0), step("delete", false, 0), step("join", true, 1), step("leave", true, -1)
	a.OnRoom(core.RoomHooks{
		Create: func(_ *core.Namespace, room string) { create(room) },
		Delete: func(_ *core.Namespace, room string) { remove(room) },
		Join:   func(_ *core.Socket, room string) { join(room) },
		Leave:  func(_ *core.Socket, room string) { leave(room) },
	})
	var wg sync.WaitGroup
	for range 8 {
		p := a.dial("websocket")
		s, _ := a.Socket(p.join("/", ""))
		wg.Go(func() {
			for i := range 500 {
				room := fmt.Sprint("r", i%3)
				_ = s.Join(room)
				if i%2 == 0 {
					s.Leave(room)
				} else {
					a.To(room).Leave(room)
				}
			}
			p.kill()
		})
	}
	wg.Wait()
	eventually(t, "everything has been told", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return a.Clients() == 0 && !exists["r0"] && !exists["r1"] && !exists["r2"]
	})
}

// rooms that clients ask for.
func TestJoinRequest(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		custom := serve(t, core.Config{ReservedRooms: []string{"staff/"}})
		for _, app := range []*app{a, custom} {
			core.On(app, "join", func(c *core.Context, room string) error { return c.JoinRequest(room) })
		}
		victim, p := a.dial(transport), a.dial(transport)
		id := victim.join("/", "")
		s, _ := a.Socket(p.join("/", ""))
		ask := func(p *peer, room, want string) {
			t.Helper()
			p.send(fmt.Sprintf(`25["join",%q]`, room))
			p.want("35[" + want + "]")
		}
		const forbidden = `{"error":{"code":"room_forbidden","message":"you may not join this room"}}`
		const reserved = `{"error":{"code":"room_reserved","message":"this room cannot be joined by name"}}`
		ask(p, "chat", forbidden) // nobody allows anything
		a.CanJoin(func(c *core.Context, room string) error {
			switch room {
			case "closed":
				return core.ErrRoomForbidden
			case "plain":
				return errors.New("secret")
			case "panic":
				panic("secret")
			}
			return nil
		})
		a.CanJoin(func(_ *core.Context, room string) error {
			if strings.HasPrefix(room, "x") {
				return &core.Error{Message: "not x"}
			}
			return nil
		})
		ask(p, "chat", "")
		ask(p, "userland", "")
		ask(p, "closed", forbidden)
		ask(p, "xyz", `{"error":{"message":"not x"}}`)
		ask(p, "plain", `{"error":{"message":"internal error"}}`)
		for _, room := range []string{"", "user:7", "#", "#x", id, s.ID(), "AAAAAAAAAAAAAAAAAAAA", "a-b_c0123456789ABCDE", "a\nb", strings.Repeat("x", 513)} {
			ask(p, room, reserved)
		}
		if got := sorted(s.Rooms()); !slices.Equal(got, sorted([]string{"chat", "userland", s.ID()})) {
			t.Errorf("rooms: %q", got)
		}
		p.send(`2["join","panic"]`) // no ack
		p.wantAlive()
		if s.InRoom("panic") {
			t.Error("a panic let it in")
		}
		if err := s.Join("user:7"); err != nil {
			t.Errorf("the server may: %v", err)
		}
		custom.CanJoin(func(*core.Context, string) error { return nil })
		q := custom.dial(transport)
		q.join("/", "")
		ask(q, "staff/x", reserved)
		ask(q, "user:7", "")
	})
	if _, err := core.New(core.Config{ReservedRooms: []string{""}}); err == nil || !strings.Contains(err.Error(), "ReservedRooms") {
		t.Errorf("an empty prefix: %v", err)
	}
}
