package flask_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/wire/sio"
)

// 9. test_send
func TestSend(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/")
		c.emit("/", "message", "echo this message back")
		c.want("/", `message("echo this message back")`)
	})
}

// 10. test_send_json
func TestSendJSON(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		one, two := a.connect("/"), a.connect("/")
		one.call("/", "json", map[string]string{"a": "b"})
		one.want("/", `json({"a":"b"})`)
		two.want("/", `json({"a":"b"})`)
	})
}

// 11. test_send_namespace
func TestSendNamespace(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c, other := a.connect("/test"), a.connect("/")
		c.call("/test", "message", "echo this message back")
		c.want("/test", `message("echo this message back")`)
		other.want("/")
	})
}

// 12. test_send_json_namespace
func TestSendJSONNamespace(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/test")
		c.emit("/test", "json", map[string]string{"a": "b"})
		c.want("/test", `json({"a":"b"})`)
	})
}

// 13. test_emit
func TestEmit(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/")
		c.emit("/", "my custom event", map[string]string{"a": "b"})
		c.want("/", `my custom response({"a":"b"})`)
	})
}

// 14. test_emit_binary
func TestEmitBinary(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/")
		c.emit("/", "binary", map[string][]byte{"a": []byte("\x00\x01\xff")})
		events := c.get("/")
		if len(events) != 1 || events[0].name != "binary back" {
			t.Fatalf("%v came", events)
		}
		data, _ := events[0].args[0].(map[string]any)
		if b, ok := data["a"].([]byte); !ok || string(b) != "\x00\x01\xff" {
			t.Errorf("%#v came back", data)
		}
	})
}

// 15. test_emit_catch_all_event
func TestEmitCatchAllEvent(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/")
		c.emit("/", "random event", map[string]string{"a": "b"})
		c.want("/", `caught("random event",{"a":"b"})`)
	})
}

// 16. test_send_catch_all_namespace
func TestSendCatchAllNamespace(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/test")
		c.emit("/test", "everywhere event", map[string]string{"a": "b"})
		c.want("/test", `everywhere response({"a":"b"})`)
	})
}

// 17. test_request_event_data, 30. test_on_event: there is one way to register.
func TestRequestEventData(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		for _, ns := range []string{"/", "/test"} {
			c := a.connect(ns)
			c.emit(ns, "my custom event", "foo")
			wantNext(t, a.requests, `my custom event "foo"`)
			c.emit(ns, "other custom event", map[string]int{"a": 1})
			wantNext(t, a.requests, `other custom event {"a":1}`)
			c.want(ns, `my custom response("foo")`, `my custom response({"a":1})`)
		}
	})
}

// 18. test_emit_namespace
func TestEmitNamespace(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/test")
		c.emit("/test", "my custom event", map[string]string{"a": "b"})
		c.want("/test", `my custom response({"a":"b"})`)
	})
}

// 27. test_ack
func TestAck(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/")
		c.wantAck(`"echo this message back"`, "/", "message", "echo this message back")
		c.wantAck(``, "/", "message", "test noackargs")
		c.wantAck(`{"a":"b"}`, "/", "json", map[string]string{"a": "b"})
		c.wantAck(`{"a":"b"}`, "/", "my custom event", map[string]string{"a": "b"})
	})
}

// 28. test_noack
func TestNoAck(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/")
		c.emit("/", "my custom event", "no ack")
		c.emit("/", "error testing", "no ack")
		c.want("/", `my custom response("no ack")`) // an ack that nobody asked for fails the test
	})
}

// 34. test_send_class_based
func TestSendClassBased(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/ns")
		c.wantAck(`"echo this message back"`, "/ns", "message", "echo this message back")
		c.want("/ns", `message("echo this message back")`)
	})
}

// 35. test_send_json_class_based
func TestSendJSONClassBased(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/ns")
		c.emit("/ns", "json", map[string]string{"a": "b"})
		c.want("/ns", `json({"a":"b"})`)
	})
}

// 37. test_emit_class_based, 38. test_request_event_data_class_based
func TestEmitClassBased(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c, other := a.connect("/ns"), a.connect("/ns")
		c.emit("/ns", "my_custom_event", map[string]string{"a": "b"})
		wantNext(t, a.requests, `my_custom_event {"a":"b"}`)
		c.emit("/ns", "other_custom_event", "foo")
		wantNext(t, a.requests, `other_custom_event "foo"`)
		c.want("/ns", `my custom response({"a":"b"})`, `my custom response("foo")`)
		other.want("/ns")
		c.wantNoAck("/ns", "no_such_event", "is ignored")
	})
}

// 40. test_encode_decode. The ack and what is received are snapshots: they have been on the wire.
func TestEncodeDecode(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		if _, _, err := sio.AppendEvent(nil, "/", -1, "my custom event", []any{func() {}}); err == nil {
			t.Error("a function was encoded")
		}
		c := a.connect("/")
		data := map[string]any{"foo": "bar"}
		ack := c.call("/", "my custom event", data)
		data["foo"] = "changed"
		if got := list(ack); got != `{"foo":"bar"}` {
			t.Errorf("ack %s", got)
		}
		c.want("/", `my custom response({"foo":"bar"})`)
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
		c := a.open("", nil)
		c.connect("/encode", nil)
		c.wantAck(`{"foo":"changed"}`, "/encode", "change", map[string]string{"foo": "bar"})
		c.want("/encode", `before({"foo":"bar"})`)
		for _, name := range []string{"emit", "return"} {
			c.wantAck(`{"error":{"message":"internal error"}}`, "/encode", name)
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
		core.On(a.Of("/unused_namespace"), "panic testing", func(*core.Context, any) error { panic(errTest) })
		for ns, who := range map[string]string{"/": "/", "/test": "/test", "/unused_namespace": "default"} {
			c := a.connect(ns)
			for _, event := range []string{"error testing", "panic testing"} {
				c.emit(ns, event, "data")
				wantNext(t, a.errors, fmt.Sprintf("%s %s %q", who, event, "data"))
				c.wantAck(`"error of `+who+`"`, ns, event, 1)
				wantNext(t, a.errors, fmt.Sprintf("%s %s 1", who, event))
			}
		}
	})
}

// Covers class namespaces, and refusals bypass what is no business of theirs.
func TestErrorHandlingOfClasses(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		core.Listen(a.Of("/broken"), broken{})
		c := a.open("", nil)
		if _, refused := c.connect("/broken", nil); refused != nil {
			t.Fatalf("%+v", refused)
		}
		c.wantAck(`"error of default"`, "/broken", "fail", 1)
		wantNext(t, a.errors, "default fail 1")
		a.Of("/refusing").OnConnect(func(*core.Context) error { return errors.New("secret") })
		if _, refused := c.connect("/refusing", nil); refused == nil || refused.Message != "internal error" {
			t.Errorf("%+v", refused)
		}
	})
}

type broken struct{}

func (broken) OnFail(*core.Context, int) error { return errTest }
