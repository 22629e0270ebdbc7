package flask_test

import (
	"testing"
)

// 19. test_broadcast
func TestBroadcast(t *testing.T) { broadcast(t, "/", "/test") }

// 20. test_broadcast_namespace
func TestBroadcastNamespace(t *testing.T) { broadcast(t, "/test", "/") }

func broadcast(t *testing.T, here, elsewhere string) {
	each(t, func(t *testing.T, a *app) {
		one, two, other := a.connect(here), a.connect(here), a.connect(elsewhere)
		one.call(here, "my custom broadcast event", map[string]string{"a": "b"})
		one.want(here, `my custom response({"a":"b"})`)
		two.want(here, `my custom response({"a":"b"})`)
		other.want(elsewhere)
	})
}

// 23. test_room
func TestRoom(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		one, two, far := a.connect("/"), a.connect("/"), a.connect("/test")
		in := room{"one"}
		one.call("/", "join room", in)
		far.call("/test", "join room", in)
		two.call("/", "my room event", in)
		one.want("/", `my room response({"room":"one"})`)
		two.want("/")
		far.want("/test") // of the same name, in another namespace

		one.call("/", "leave room", in)
		two.call("/", "my room event", in)
		one.want("/")

		two.call("/", "join room", in)
		two.disconnect("/")
		wantNext(t, a.disconnected, "/ client namespace disconnect")
		if err := a.To("one").Emit("my room response"); err != nil || a.To("one").Count() != 0 {
			t.Errorf("a left-over room: %v, %d members", err, a.To("one").Count())
		}
		one.want("/")

		test := a.Of("/test")
		far.call("/test", "my room event", in)
		if err := test.To("one").Emit("direct"); err != nil {
			t.Error(err)
		}
		far.want("/test", `my room response({"room":"one"})`, `direct()`)
		for _, s := range test.To("one").Sockets() { // Flask's close_room
			s.Leave("one")
		}
		far.call("/test", "my room event", in)
		far.want("/test")
	})
}
