package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/siokit/siokit/internal/conformance/exampletest"
	"github.com/siokit/siokit/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// Clients of both servers hear each other and the worker, and the program ends in order while they are connected.
func TestCluster(t *testing.T) {
	var listeners []net.Listener
	var urls []string
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners, urls = append(listeners, l), append(urls, "http://"+l.Addr().String())
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan error, 1)
	dist := os.DirFS(filepath.Join("..", "..", "node_modules", "socket.io-client", "dist"))
	go func() { done <- run(ctx, listeners, overMemory(), dist, 10*time.Millisecond) }()

	exampletest.Node(t, "cluster", "cluster.test.mjs", "EXAMPLE_URL="+urls[0], "OTHER_URL="+urls[1])
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	for _, url := range urls {
		for _, path := range []string{"/", "/assets/page.js", "/socket.io/socket.io.min.js", "/healthz"} {
			resp, err := client.Get(url + path)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("%s: %d", path, resp.StatusCode)
			}
		}
	}
	stop()
	select {
	case err := <-done:
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the program does not end")
	}
}
