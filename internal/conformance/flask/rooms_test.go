package flask_test

import (
	"testing"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/siotest"
)

// 19. test_broadcast
func TestBroadcast(t *testing.T) { broadcast(t, "/", "/test") }

// 20. test_broadcast_namespace
func TestBroadcastNamespace(t *testing.T) { broadcast(t, "/test", "/") }

func broadcast(t *testing.T, here, elsewhere string) {
	each(t, func(t *testing.T, a *app) {
		one, two, other := a.connect(here), a.connect(here), a.connect(elsewhere)
		siotest.Call[client.None](one, "my custom broadcast event", map[string]string{"a": "b"})
		want(t, one, `my custom response {"a":"b"}`)
		want(t, two, `my custom response {"a":"b"}`)
		want(t, other)
	})
}

// 23. test_room
func TestRoom(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		one, two, far := a.connect("/"), a.connect("/"), a.connect("/test")
		in := room{"one"}
		siotest.Call[client.None](one, "join room", in)
		siotest.Call[client.None](far, "join room", in)
		siotest.Call[client.None](two, "my room event", in)
		want(t, one, `my room response {"room":"one"}`)
		want(t, two)
		want(t, far) // of the same name, in another namespace

		siotest.Call[client.None](one, "leave room", in)
		siotest.Call[client.None](two, "my room event", in)
		want(t, one)

		siotest.Call[client.None](two, "join room", in)
		two.Disconnect()
		wantNext(t, a.disconnected, "/ client namespace disconnect")
		if err := a.To("one").Emit("my room response"); err != nil || a.To("one").Count() != 0 {
			t.Errorf("a left-over room: %v, %d members", err, a.To("one").Count())
		}
		want(t, one)

		test := a.Of("/test")
		siotest.Call[client.None](far, "my room event", in)
		if err := test.To("one").Emit("direct"); err != nil {
			t.Error(err)
		}
		want(t, far, `my room response {"room":"one"}`, `direct`)
		for _, s := range test.To("one").Sockets() { // Flask's close_room
			s.Leave("one")
		}
		siotest.Call[client.None](far, "my room event", in)
		want(t, far)
	})
}
