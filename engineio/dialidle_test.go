package engineio_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/engineio"
)

// A server that closes idle HTTP connections after 5 s, as Node's do, must not end the session of a client that posts
// at that very moment: the client has given the connection up before.
func TestPostsMissTheServersIdleClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, atServer := newMemory(), newCollector(100)
		srv, err := engineio.NewServer(engineio.Config{Accept: func(*engineio.Conn, *http.Request) (engineio.Receiver, error) {
			return atServer, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		web := &http.Server{Handler: srv, IdleTimeout: 5 * time.Second}
		served := make(chan struct{})
		go func() { defer close(served); _ = web.Serve(network) }()

		transport, atClient := engineio.NewTransport(), newCollector(100)
		transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return network.Dial() }
		c := dial(t, "http://memory/", engineio.DialOptions{HTTP: &http.Client{Transport: transport}, DisableUpgrade: true}, atClient)
		const posts = 4
		for range posts {
			if err := c.Send(textMessage("x")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
		}
		c.Close()
		c.Wait()
		if reason := <-atClient.closed; reason != engineio.ForcedClose || len(atServer.got) != posts {
			t.Errorf("the session ended with %q after %d of %d messages", reason, len(atServer.got), posts)
		}
		transport.CloseIdleConnections()
		_ = srv.Shutdown(context.Background())
		_ = web.Close()
		<-served
	})
}
