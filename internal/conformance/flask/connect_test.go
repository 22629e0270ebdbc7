package flask_test

import (
	"testing"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/siotest"
)

var greetings = []string{`message "connected"`, `message "{}"`, `message "{\"my-custom-header\":\"\"}"`}

// 1. test_connect
func TestConnect(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		one, two := a.dial(), a.dial()
		if one.ID() == two.ID() {
			t.Fatalf("both have id %s", one.ID())
		}
		want(t, one, greetings...) // and nothing for the room without members
		want(t, two, greetings...)
		one.Disconnect()
		wantNext(t, a.disconnected, "/ client namespace disconnect")
		want(t, two)
		if n := len(a.Sockets()); n != 1 {
			t.Errorf("%d sockets", n)
		}
	})
}

// custom is a connection with a query and a header.
func custom(namespace string) []siotest.Option {
	return []siotest.Option{siotest.Namespace(namespace), siotest.Query("foo", "bar"), siotest.Query("foo", "baz"),
		siotest.Header("My-Custom-Header", "Value")}
}

var seen = []string{`message "connected"`, `message "{\"foo\":[\"bar\",\"baz\"]}"`, `message "{\"my-custom-header\":\"Value\"}"`}

// 2. test_connect_query_string_and_headers
func TestConnectQueryStringAndHeaders(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		want(t, a.dial(custom("/")...), seen...)
	})
}

// 3. test_connect_namespace
func TestConnectNamespace(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.dial(siotest.Namespace("/test"))
		id := c.ID()
		want(t, c, greetings...)
		if _, ok := a.Of("/test").Socket(id); !ok || len(a.Sockets()) != 0 {
			t.Error("not in /test alone")
		}
		c.Disconnect()
		wantNext(t, a.disconnected, "/test client namespace disconnect")
		if _, ok := a.Of("/test").Socket(id); ok {
			t.Error("still connected")
		}
	})
}

// 4. test_connect_namespace_query_string_and_headers
func TestConnectNamespaceQueryStringAndHeaders(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		want(t, a.dial(custom("/test")...), seen...)
	})
}

// 5. test_connect_rejected
func TestConnectRejected(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		if refused := a.refused(siotest.Auth(nil)); refused.Message != "auth" || refused.Data != nil {
			t.Errorf("without auth: %+v", refused)
		}
		if refused := a.refused(siotest.Query("fail", "1")); refused.Message != "failed" || string(refused.Data) != `"query"` {
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
		a.connect("/").Disconnect()
		wantNext(t, a.disconnected, "/ client namespace disconnect")
	})
}

// 7. test_disconnect_namespace. A handler without the reason is a method of a class: see
// TestDisconnectClassBased.
func TestDisconnectNamespace(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		a.connect("/test").Disconnect()
		wantNext(t, a.disconnected, "/test client namespace disconnect")
	})
}

// 36. test_server_disconnected
func TestServerDisconnected(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		one, two := a.connect("/"), a.connect("/")
		one.Emit("exit")
		one.Disconnected()
		wantNext(t, a.disconnected, "/ server namespace disconnect")
		want(t, two)
		if n := len(a.Sockets()); n != 1 {
			t.Errorf("%d sockets", n)
		}
		two.Emit("exit")
		if reason := two.Disconnected(); reason != client.ServerDisconnect {
			t.Errorf("left for %q", reason)
		}
		wantNext(t, a.disconnected, "/ server namespace disconnect")
	})
}

// 39. test_delayed_init: registration needs no running server, and a connect function need not look at
// the auth payload. Configuration is complete when New returns; there is nothing to merge later, and
// MarshalJSON of the types takes the place of a JSON module.
func TestDelayedInit(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		a.Of("/late").OnConnect(func(c *core.Context) error { return c.Emit("connected", encoded{}) })
		want(t, a.dial(siotest.Namespace("/late"), siotest.Auth(map[string]int{"ignored": 1})), `connected "custom"`)
	})
}

type encoded struct{}

func (encoded) MarshalJSON() ([]byte, error) { return []byte(`"custom"`), nil }

// 42. test_background_task
func TestBackgroundTask(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		want(t, a.dial(siotest.Namespace("/bgtest")), `bgtest`)
	})
}

// 31. test_connect_class_based
func TestConnectClassBased(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		want(t, a.dial(siotest.Namespace("/ns")), greetings...)
	})
}

// 32. test_connect_class_based_query_string_and_headers
func TestConnectClassBasedQueryStringAndHeaders(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		want(t, a.dial(custom("/ns")...), seen...)
	})
}

// 33. test_disconnect_class_based
func TestDisconnectClassBased(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		a.connect("/ns").Disconnect()
		wantNext(t, a.disconnected, "/ns")
	})
}
