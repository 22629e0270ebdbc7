package engineio_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/siokit/siokit/engineio"
)

// What was sent before Close arrives although the server is talking, too: closing a TCP connection on which
// something still comes in resets it, and what is on its way is lost.
func TestCloseLosesNothingWhileTheServerTalks(t *testing.T) {
	const n = 100
	arrived := make(chan string, 1)
	ts := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer ws.Close()
		_ = ws.WriteMessage(websocket.TextMessage, []byte(openPacketOf(25_000, 20_000)))
		for got := 0; ; got++ {
			_, data, err := ws.ReadMessage()
			if err != nil || string(data) == "1" {
				arrived <- fmt.Sprintf("%d, then %.9q, %v", got, data, err)
				_, _, _ = ws.ReadMessage() // answers the close frame
				return
			}
			_ = ws.WriteMessage(websocket.TextMessage, []byte("4seen"))
		}
	}))
	ts.Listener = smallBuffers{ts.Listener}
	ts.Start()
	defer ts.Close()
	c := dial(t, ts.URL, engineio.DialOptions{Transports: []string{engineio.WebSocket}, CloseTimeout: time.Minute}, newCollector(n))
	for range n {
		if err := c.Send(textMessage(strings.Repeat("x", 4096))); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	if got, want := <-arrived, fmt.Sprintf(`%d, then "1", <nil>`, n); got != want {
		t.Errorf("the server has got %s; want %s", got, want)
	}
}

// smallBuffers makes the bytes wait on the client's side.
type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		_ = c.(*net.TCPConn).SetReadBuffer(32 << 10)
	}
	return c, err
}
