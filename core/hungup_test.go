package core_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"github.com/siokit/siokit/core"
)

// A handshake that waits for its turn gives its place up when the client hangs up: in a storm of reconnects the queue
// would otherwise be full of clients that have gone.
func TestAHandshakeThatHungUpLeavesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		srv, err := core.New(core.Config{
			Handshakes: 1, HandshakeQueue: 1, Logger: slog.New(slog.DiscardHandler),
			Authenticate: func(r *http.Request) (context.Context, string, error) {
				<-hold
				return r.Context(), "", nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		open := func(ctx context.Context) (answer chan int) {
			answer = make(chan int, 1)
			go func() {
				w := httptest.NewRecorder()
				srv.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/socket.io/?EIO=4&transport=polling", nil))
				answer <- w.Code
			}()
			synctest.Wait()
			return answer
		}
		first := open(t.Context())
		ctx, hangUp := context.WithCancel(t.Context())
		second := open(ctx)
		if code := <-open(t.Context()); code != http.StatusServiceUnavailable {
			t.Errorf("with a full queue: %d", code)
		}
		hangUp()
		synctest.Wait()
		select {
		case <-second:
		default:
			t.Error("the handshake that hung up is still waiting")
		}
		third := open(t.Context())
		close(hold)
		if a, b := <-first, <-third; a != http.StatusOK || b != http.StatusOK {
			t.Errorf("%d and %d", a, b)
		}
		if n := srv.Stats().Connections; n != 2 {
			t.Errorf("%d connections", n)
		}
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
