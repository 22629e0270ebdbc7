package core_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/siokit/siokit/core"
)

func TestFirst(t *testing.T) {
	srv, err := core.New(core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	core.OnCall(srv, "echo", func(c *core.Context, in map[string]int) (map[string]int, error) { return in, nil })
	ts := httptest.NewServer(srv)
	defer ts.Close()
	ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(ts.URL, "http")+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []string{"", "40", `420["echo",{"a":1}]`} {
		if m != "" {
			ws.WriteMessage(websocket.TextMessage, []byte(m))
		}
		_, p, err := ws.ReadMessage()
		t.Log(string(p), err)
	}
	ws.Close()
	t.Log(srv.Shutdown(t.Context()))
}
