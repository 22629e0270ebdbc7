package engineio_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/siokit/siokit/engineio"
)

// atEOF calls a function between the last byte of a body and the answer.
type atEOF struct {
	io.ReadCloser
	call func()
}

func (b atEOF) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.call()
	}
	return n, err
}

// A session that ends just when its POST has been read leaves nothing behind on the HTTP connection: the
// next request there may be anybody's, through a proxy.
func TestSessionEndsBehindTheBody(t *testing.T) {
	conns := make(chan *engineio.Conn, 2)
	srv, err := engineio.NewServer(engineio.Config{Accept: func(c *engineio.Conn, _ *http.Request) (engineio.Receiver, error) {
		conns <- c
		return nothing{}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			c := <-conns
			r.Body = atEOF{r.Body, func() { c.Fail(engineio.TransportError, errors.New("two POSTs at once")) }}
		}
		srv.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		for _, c := range srv.Conns() {
			c.Fail(engineio.TransportClose, nil) // nobody polls any more
		}
		if err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		ts.Close()
	})
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	t.Cleanup(client.CloseIdleConnections)
	do := func(method, query, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequest(method, ts.URL+"/?EIO=4&transport=polling"+query, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	status, open := do("GET", "", "")
	if status != http.StatusOK {
		t.Fatalf("handshake: %d %s", status, open)
	}
	if status, body := do("POST", "&sid="+parseOpen(t, open).SID, "4a"); status != http.StatusOK || body != "ok" {
		t.Errorf("the POST: %d %s", status, body)
	}
	if status, body := do("GET", "", ""); status != http.StatusOK {
		t.Errorf("another client's handshake on that connection: %d %s", status, body)
	}
}
