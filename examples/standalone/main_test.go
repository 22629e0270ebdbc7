package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/internal/conformance/exampletest"
	"github.com/siokit/siokit/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// The page and everything it names is there, the official client hears the clock and what an HTTP route says, and the
// program ends in order while a client is connected.
func TestStandalone(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan error, 1)
	dist := os.DirFS(filepath.Join("..", "..", "node_modules", "socket.io-client", "dist"))
	go func() { done <- run(ctx, l, dist, 10*time.Millisecond) }()
	base := "http://" + l.Addr().String()

	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr, Timeout: 30 * time.Second}
	get := func(path string) string {
		t.Helper()
		resp, err := client.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
		return string(body)
	}
	links := regexp.MustCompile(`src="([^"]+)"`).FindAllStringSubmatch(get("/"), -1)
	if len(links) != 2 {
		t.Errorf("the page has %d scripts", len(links))
	}
	for _, link := range links {
		if !strings.Contains(get(link[1]), "io") {
			t.Errorf("%s is something else", link[1])
		}
	}
	if resp, err := client.PostForm(base+"/say", url.Values{"text": {"nobody listens"}}); err != nil || resp.StatusCode != http.StatusNoContent {
		t.Errorf("POST /say: %v %v", resp, err)
	}
	exampletest.Node(t, "standalone", "standalone.test.mjs", "EXAMPLE_URL="+base)
	stop()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the program does not end")
	}
}
