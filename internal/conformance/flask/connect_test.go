package flask_test

import (
	"net/http"
	"testing"

	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/wire/sio"
)

var greetings = []string{`message("connected")`, `message("{}")`, `message("{\"my-custom-header\":\"\"}")`}

// 1. test_connect
func TestConnect(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		one, two := a.open("", nil), a.open("", nil)
		id1, refused1 := one.connect("/", foobar)
		id2, refused2 := two.connect("/", foobar)
		if refused1 != nil || refused2 != nil || id1 == id2 {
			t.Fatalf("%q %+v, %q %+v", id1, refused1, id2, refused2)
		}
		one.want("/", greetings...) // and nothing for the room without members
		two.want("/", greetings...)
		one.disconnect("/")
		wantNext(t, a.disconnected, "/ client namespace disconnect")
		two.want("/")
		if n := len(a.Sockets()); n != 1 {
			t.Errorf("%d sockets", n)
		}
	})
}

const query, header = "?foo=bar&foo=baz", "My-Custom-Header"

var seen = []string{`message("connected")`, `message("{\"foo\":[\"bar\",\"baz\"]}")`, `message("{\"my-custom-header\":\"Value\"}")`}

// 2. test_connect_query_string_and_headers
func TestConnectQueryStringAndHeaders(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.open(query, http.Header{header: {"Value"}})
		c.connect("/", foobar)
		c.want("/", seen...)
	})
}

// 3. test_connect_namespace
func TestConnectNamespace(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.open("", nil)
		id, _ := c.connect("/test", nil)
		c.want("/test", greetings...)
		if _, ok := a.Of("/test").Socket(id); !ok || len(a.Sockets()) != 0 {
			t.Error("not in /test alone")
		}
		c.disconnect("/test")
		wantNext(t, a.disconnected, "/test client namespace disconnect")
		if _, ok := a.Of("/test").Socket(id); ok {
			t.Error("still connected")
		}
	})
}

// 4. test_connect_namespace_query_string_and_headers
func TestConnectNamespaceQueryStringAndHeaders(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.open(query[1:], http.Header{header: {"Value"}})
		c.connect("/test", nil)
		c.want("/test", seen...)
	})
}

// 5. test_connect_rejected
func TestConnectRejected(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.open("fail=1", nil)
		if _, refused := c.connect("/", nil); refused == nil || refused.Message != "auth" || refused.Data != nil {
			t.Errorf("without auth: %+v", refused)
		}
		if _, refused := c.connect("/", foobar); refused == nil || refused.Message != "failed" || refused.Data != "query" {
			t.Errorf("with fail: %+v", refused)
		}
		if n := len(a.Sockets()); n != 0 {
			t.Errorf("%d sockets", n)
		}
	})
}

// 6. test_disconnect
func TestDisconnect(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		a.connect("/").disconnect("/")
		wantNext(t, a.disconnected, "/ client namespace disconnect")
	})
}

// 7. test_disconnect_namespace. A handler without the reason is a method of a class: see
// TestDisconnectClassBased.
func TestDisconnectNamespace(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		a.connect("/test").disconnect("/test")
		wantNext(t, a.disconnected, "/test client namespace disconnect")
	})
}

// 36. test_server_disconnected
func TestServerDisconnected(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		one, two := a.connect("/"), a.connect("/")
		one.emit("/", "exit")
		one.wantDisconnected("/")
		wantNext(t, a.disconnected, "/ server namespace disconnect")
		two.want("/")
		if n := len(a.Sockets()); n != 1 {
			t.Errorf("%d sockets", n)
		}
		one.emit("/", "my custom broadcast event", "from nobody") // reaches no handler
		two.emit("/", "exit")
		two.wantDisconnected("/")
		if events := two.received["/"]; len(events) > 0 {
			t.Errorf("%v came", events)
		}
		wantNext(t, a.disconnected, "/ server namespace disconnect")
	})
}

// 39. test_delayed_init: registration needs no running server, and a connect function need not look at
// the auth payload. Configuration is complete when New returns; there is nothing to merge later, and
// MarshalJSON of the types takes the place of a JSON module.
func TestDelayedInit(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		a.Of("/late").OnConnect(func(c *core.Context) error { return c.Emit("connected", custom{}) })
		c := a.open("", nil)
		c.connect("/late", map[string]int{"ignored": 1})
		c.want("/late", `connected("custom")`)
	})
}

type custom struct{}

func (custom) MarshalJSON() ([]byte, error) { return []byte(`"custom"`), nil }

// 42. test_background_task
func TestBackgroundTask(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.open("", nil)
		c.connect("/bgtest", nil)
		if len(c.received["/bgtest"]) == 0 {
			c.until("an event", func(p sio.Packet) bool { return p.Type == sio.Event })
		}
		c.want("/bgtest", `bgtest()`)
	})
}

// 31. test_connect_class_based
func TestConnectClassBased(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.open("", nil)
		c.connect("/ns", nil)
		c.want("/ns", greetings...)
	})
}

// 32. test_connect_class_based_query_string_and_headers
func TestConnectClassBasedQueryStringAndHeaders(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.open(query, http.Header{header: {"Value"}})
		c.connect("/ns", nil)
		c.want("/ns", seen...)
	})
}

// 33. test_disconnect_class_based
func TestDisconnectClassBased(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		a.connect("/ns").disconnect("/ns")
		wantNext(t, a.disconnected, "/ns")
	})
}
