package chisio_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/gorilla/websocket"
	"github.com/siokit/siokit/chisio"
	"github.com/siokit/siokit/core"
)

// A socket handler reads what chi's middleware and the route said when the connection was opened.
func Example() {
	srv, err := core.New(core.Config{})
	if err != nil {
		panic(err)
	}
	core.OnCall(srv, "where", func(c *core.Context, _ core.None) (string, error) {
		return fmt.Sprint(c.Value("tenant"), "/", chisio.Param(c, "room")), nil
	})

	r := chi.NewRouter()
	r.Route("/rooms/{room}", func(r chi.Router) {
		r.Use(middleware.WithValue("tenant", "acme"))
		chisio.Mount(r, "/socket.io/", srv)
	})

	app := httptest.NewServer(r)
	defer app.Close()
	defer func() { _ = srv.Shutdown(context.Background()) }()
	fmt.Println(ask(app.URL+"/rooms/lobby/socket.io/", nil, "where"))
	// Output: ["acme/lobby"]
}

// ask connects as a client does, calls one event and returns the ack.
func ask(url string, header http.Header, event string) string {
	ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(url, "http")+"?EIO=4&transport=websocket", header)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = ws.Close() }()
	next := "40" // join "/", and once that is answered, emit
	for {
		if err := ws.WriteMessage(websocket.TextMessage, []byte(next)); err != nil {
			return err.Error()
		}
		for next = ""; next == ""; {
			_, packet, err := ws.ReadMessage()
			if err != nil {
				return err.Error()
			}
			if ack, ok := strings.CutPrefix(string(packet), "430"); ok {
				return ack
			}
			if strings.HasPrefix(string(packet), "40") {
				next = `420["` + event + `"]`
			}
		}
	}
}
