package flask_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/siotest"
)

// 9. test_send
func TestSend(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/")
		c.Emit("message", "echo this message back")
		want(t, c, `message "echo this message back"`)
	})
}

// 10. test_send_json
func TestSendJSON(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		one, two := a.connect("/"), a.connect("/")
		siotest.Call[client.None](one, "json", map[string]string{"a": "b"})
		want(t, one, `json {"a":"b"}`)
		want(t, two, `json {"a":"b"}`)
	})
}

// 11. test_send_namespace
func TestSendNamespace(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c, other := a.connect("/test"), a.connect("/")
		siotest.Call[client.None](c, "message", "echo this message back")
		want(t, c, `message "echo this message back"`)
		want(t, other)
	})
}

// 12. test_send_json_namespace
func TestSendJSONNamespace(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/test")
		c.Emit("json", map[string]string{"a": "b"})
		want(t, c, `json {"a":"b"}`)
	})
}

// 13. test_emit
func TestEmit(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/")
		c.Emit("my custom event", map[string]string{"a": "b"})
		want(t, c, `my custom response {"a":"b"}`)
	})
}

// 14. test_emit_binary
func TestEmitBinary(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/")
		c.Emit("binary", map[string][]byte{"a": []byte("\x00\x01\xff")})
		if data := siotest.Next[map[string][]byte](c, "binary back"); string(data["a"]) != "\x00\x01\xff" {
			t.Errorf("%#v came back", data)
		}
		want(t, c)
	})
}

// 15. test_emit_catch_all_event
func TestEmitCatchAllEvent(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/")
		c.Emit("random event", map[string]string{"a": "b"})
		want(t, c, `caught "random event" {"a":"b"}`)
	})
}

// 16. test_send_catch_all_namespace
func TestSendCatchAllNamespace(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/test")
		c.Emit("everywhere event", map[string]string{"a": "b"})
		want(t, c, `everywhere response {"a":"b"}`)
	})
}

// 17. test_request_event_data, 30. test_on_event: there is one way to register.
func TestRequestEventData(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		for _, ns := range []string{"/", "/test"} {
			c := a.connect(ns)
			c.Emit("my custom event", "foo")
			wantNext(t, a.requests, `my custom event "foo"`)
			c.Emit("other custom event", map[string]int{"a": 1})
			wantNext(t, a.requests, `other custom event {"a":1}`)
			want(t, c, `my custom response "foo"`, `my custom response {"a":1}`)
		}
	})
}

// 18. test_emit_namespace
func TestEmitNamespace(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/test")
		c.Emit("my custom event", map[string]string{"a": "b"})
		want(t, c, `my custom response {"a":"b"}`)
	})
}

// 27. test_ack
func TestAck(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/")
		wantAck(t, `"echo this message back"`, c, "message", "echo this message back")
		wantAck(t, ``, c, "message", "test noackargs")
		wantAck(t, `{"a":"b"}`, c, "json", map[string]string{"a": "b"})
		wantAck(t, `{"a":"b"}`, c, "my custom event", map[string]string{"a": "b"})
	})
}

// 28. test_noack
func TestNoAck(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		got := a.packets(`40{"foo":"bar"}`, `42["my custom event","no ack"]`, `42["error testing","no ack"]`)
		const greeted = 1 + 3
		if len(got) != greeted+1 || got[greeted] != `42["my custom response","no ack"]` {
			t.Errorf("the server said %q", got)
		}
	})
}

// 34. test_send_class_based
func TestSendClassBased(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/ns")
		wantAck(t, `"echo this message back"`, c, "message", "echo this message back")
		want(t, c, `message "echo this message back"`)
	})
}

// 35. test_send_json_class_based
func TestSendJSONClassBased(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/ns")
		c.Emit("json", map[string]string{"a": "b"})
		want(t, c, `json {"a":"b"}`)
	})
}

// 37. test_emit_class_based, 38. test_request_event_data_class_based
func TestEmitClassBased(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c, other := a.connect("/ns"), a.connect("/ns")
		c.Emit("my_custom_event", map[string]string{"a": "b"})
		wantNext(t, a.requests, `my_custom_event {"a":"b"}`)
		c.Emit("other_custom_event", "foo")
		wantNext(t, a.requests, `other_custom_event "foo"`)
		want(t, c, `my custom response {"a":"b"}`, `my custom response "foo"`)
		want(t, other)
		if answer, err := client.Call[any](t.Context(), c, "no_such_event", "is ignored"); err != client.ErrTimeout {
			t.Errorf("an unknown event was answered with %v, %v", answer, err)
		}
	})
}

// 40. test_encode_decode. The ack and what is received are snapshots: they have been on the wire.
func TestEncodeDecode(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/")
		if err := c.Client.Emit("my custom event", func() {}); err == nil {
			t.Error("a function was encoded")
		}
		data := map[string]any{"foo": "bar"}
		ack := siotest.Call[map[string]any](c, "my custom event", data)
		data["foo"] = "changed"
		if ack["foo"] != "bar" {
			t.Errorf("ack %s", ack)
		}
		want(t, c, `my custom response {"foo":"bar"}`)
	})
}

// 41. test_encode_decode_2
func TestEncodeDecode2(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		ns := a.Of("/encode")
		errs := make(chan error, 10)
		ns.OnError(func(_ *core.Context, err error) { errs <- err })
		core.OnCall(ns, "change", func(c *core.Context, data map[string]any) (any, error) {
			err := c.Emit("before", data)
			data["foo"] = "changed"
			return data, err
		})
		core.On(ns, "emit", func(c *core.Context, _ core.None) error { return c.Emit("x", func() {}) })
		core.OnCall(ns, "return", func(*core.Context, core.None) (any, error) { return func() {}, nil })
		c := a.dial(siotest.Namespace("/encode"))
		wantAck(t, `{"foo":"changed"}`, c, "change", map[string]string{"foo": "bar"})
		want(t, c, `before {"foo":"bar"}`)
		for _, name := range []string{"emit", "return"} {
			wantAck(t, `{"error":{"message":"internal error"}}`, c, name)
			if err := receive(t, errs); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
	})
}

// 24. test_error_handling, 25. test_error_handling_namespace, 26. test_error_handling_default and
// 29. test_error_handling_ack, for a returned error and for a panic, which is what a Python exception is.
func TestErrorHandling(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		a.web.AllowPanics = true
		core.On(a.Of("/unused_namespace"), "panic testing", func(*core.Context, any) error { panic(errTest) })
		for ns, who := range map[string]string{"/": "/", "/test": "/test", "/unused_namespace": "default"} {
			c := a.connect(ns)
			for _, event := range []string{"error testing", "panic testing"} {
				c.Emit(event, "data")
				wantNext(t, a.errors, fmt.Sprintf("%s %s %q", who, event, "data"))
				wantAck(t, `"error of `+who+`"`, c, event, 1)
				wantNext(t, a.errors, fmt.Sprintf("%s %s 1", who, event))
			}
		}
	})
}

// Covers class namespaces, and refusals bypass what is no business of theirs.
func TestErrorHandlingOfClasses(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		core.Listen(a.Of("/broken"), broken{})
		c := a.dial(siotest.Namespace("/broken"))
		wantAck(t, `"error of default"`, c, "fail", 1)
		wantNext(t, a.errors, "default fail 1")
		a.Of("/refusing").OnConnect(func(*core.Context) error { return errors.New("secret") })
		if refused := c.RefusedOf("/refusing"); refused.Message != "internal error" {
			t.Errorf("%+v", refused)
		}
	})
}

type broken struct{}

func (broken) OnFail(*core.Context, int) error { return errTest }
