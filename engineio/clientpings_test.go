package engineio_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/engineio"
)

// A server that pings without end and takes nothing does not fill the client's memory: one pong is enough for all the
// pings that wait for one.
func TestPongsDoNotPileUp(t *testing.T) {
	const pings = 10_000
	again, bodies := make(chan struct{}), make(chan string, pings)
	gets := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			body, _ := io.ReadAll(r.Body)
			select {
			case <-again: // all pings have been read
			case <-r.Context().Done():
			}
			_, _ = io.WriteString(w, "ok")
			bodies <- string(body)
			return
		}
		switch gets++; gets { // one after the other
		case 1:
			_, _ = io.WriteString(w, `0{"sid":"s","upgrades":[],"pingInterval":60000,"pingTimeout":60000,"maxPayload":1000000}`)
		case 2:
			_, _ = io.WriteString(w, strings.Repeat("2\x1e", pings-1)+"2")
		case 3:
			close(again)
			fallthrough
		default:
			<-r.Context().Done()
		}
	}))
	t.Cleanup(srv.Close)
	c := dial(t, srv.URL+"/engine.io/", engineio.DialOptions{}, newCollector(10))
	if err := c.Send(textMessage("first")); err != nil { // perhaps between two pings
		t.Fatal(err)
	}
	patience := time.After(30 * time.Second)
	select {
	case <-again:
	case <-patience:
		t.Fatal("the pings are not read while a POST is under way")
	}
	if err := c.Send(textMessage("last")); err != nil { // after all pongs
		t.Fatal(err)
	}
	pongs := 0
	for last := false; !last; {
		select {
		case body := <-bodies:
			pongs += strings.Count(body, "3")
			last = strings.Contains(body, "4last")
		case <-patience:
			t.Fatalf("%d pongs, and the last message does not come", pongs)
		}
	}
	if pongs == 0 || pongs > 3 {
		t.Errorf("%d pongs answer %d pings", pongs, pings)
	}
}
