package adapters_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/core"
)

// deadline is that of timeout middleware, and parked how long a poll must wait behind it, in milliseconds.
const (
	deadline = 4 * time.Second // a quarter of it is what a busy machine may lose
	parked   = 5000
)

// A cell is the server behind something that applications commonly have.
type cell struct {
	name    string
	app     func(srv *core.Server) http.Handler
	culprit string // the type that WebSockets are refused for; "": they work
	slow    bool   // there is a deadline: let a poll wait for longer
}

// cells are filled by the files that know a framework's middleware.
var cells []cell

// TestMiddleware: each cell works on all transports, or WebSockets are refused with an error in the log that names
// the writer that is to blame, and clients stay on polling. Check says the same beforehand, and nothing where all is well.
func TestMiddleware(t *testing.T) {
	for _, cell := range cells {
		t.Run(cell.name, func(t *testing.T) {
			t.Parallel()
			for _, transport := range transports {
				t.Run(transport, func(t *testing.T) {
					t.Parallel()
					app := &late{}
					s := serve(t, app)
					srv, logged := newServer(t, core.Config{})
					app.Handler = cell.app(srv)
					p, err := s.tryDial(transport, "/socket.io/", nil)
					if transport != "polling" && cell.culprit != "" {
						wantCulprit(t, err, logged, cell.culprit)
						if transport == "websocket" {
							return
						}
						err = nil // the session goes on polling
					}
					if err != nil {
						t.Fatalf("%v; Check says: %v", err, srv.Check(t.Context(), app, "", nil))
					}
					p.wantCall("small", "echo", "small")
					big := strings.Repeat("big ", 3000) // is worth compressing
					p.wantCall(big, "echo", big)
					wait := 10
					if cell.slow {
						wait = parked
					}
					if err := p.raw(fmt.Sprintf(`42["later",%d]`, wait)); err != nil { // no ack: on a busy machine it may come after
						t.Fatal(err)
					}
					p.want(`2["now"]`)
				})
			}
			t.Run("Check", func(t *testing.T) {
				t.Parallel()
				srv, logged := newServer(t, core.Config{})
				err := srv.Check(t.Context(), cell.app(srv), "", nil)
				if cell.culprit == "" {
					if err != nil {
						t.Error(err)
					}
				} else if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), cell.culprit+": the last one") {
					t.Errorf("got %v, want one line that names %s", err, cell.culprit)
				}
				if text := logged.String(); text != "" {
					t.Errorf("logged: %s", text)
				}
			})
		})
	}
}

// late is a handler that is made after its listener.
type late struct{ http.Handler }

func wantCulprit(t *testing.T, err error, logged *lines, culprit string) {
	t.Helper()
	var refused *refusal
	if !errors.As(err, &refused) || refused.status != http.StatusBadRequest {
		t.Fatalf("got %v, want 400", err)
	}
	for _, want := range []string{"cannot take over the connection", culprit + ": the last one"} {
		if !strings.Contains(logged.String(), want) {
			t.Errorf("the log lacks %q: %s", want, logged)
		}
	}
}
