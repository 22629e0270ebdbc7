package core_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/siokit/siokit/core"
)

// addressLog finds out from the log where Run listens.
type addressLog struct {
	mu    sync.Mutex
	text  bytes.Buffer // guarded by mu
	found chan string
}

var servingAt = regexp.MustCompile(`core: serving" address=(\S+)`)

func (l *addressLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := servingAt.FindSubmatch(p); m != nil {
		l.found <- string(m[1])
	}
	return l.text.Write(p)
}

func newRunner(t *testing.T, cfg core.Config) (*core.Server, *addressLog) {
	t.Helper()
	log := &addressLog{found: make(chan string, 4)}
	cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
	srv, err := core.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return srv, log
}

func read(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

func newHTTPClient(t *testing.T) *http.Client {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

// The endpoint, static files, the application, 404: in this order. Sockets end with ctx, requests under way do not.
func TestRun(t *testing.T) {
	srv, log := newRunner(t, core.Config{Client: fstest.MapFS{"socket.io.js": {Data: []byte("the client")}}})
	entered, release := make(chan struct{}), make(chan struct{})
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			close(entered)
			<-release
			_, _ = fmt.Fprintf(w, "slow %v", r.Context().Err())
		case "/app", "/prefix/socket.io/", "/socket.iox":
			_, _ = fmt.Fprint(w, "app")
		default:
			http.NotFound(w, r)
		}
	})
	files := fstest.MapFS{"index.html": {Data: []byte("index")}, "stolen.js": {Data: []byte("not this")}}
	static := core.Static(files, map[string]core.StaticFile{"/": {Name: "index.html"}, "/socket.io/socket.io.js": {Name: "stolen.js"}, "/app": {Name: "gone"}}, app)
	disconnected := make(chan core.Reason, 1)
	srv.OnDisconnect(func(_ *core.Context, r core.Reason) { disconnected <- r })

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx, "127.0.0.1:0", static) }()
	base := "http://" + receive(t, log.found)
	client := newHTTPClient(t)
	for path, want := range map[string]string{
		"/": "index", "/app": "app", "/socket.iox": "app", "/prefix/socket.io/": "app", "/socket.io/socket.io.js": "the client",
		"/socket.io/": `{"code":0,"message":"Transport unknown"}`, "/socket.io": `{"code":0,"message":"Transport unknown"}`,
		"/nowhere": "404 page not found\n", "/socket.io/nothing": "404 page not found\n",
	} {
		if _, got := read(t, client, base+path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}

	ws, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(base, "http")+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		t.Fatal(err, resp)
	}
	defer func() { _ = ws.Close() }()
	if err := ws.WriteMessage(websocket.TextMessage, []byte("40")); err != nil {
		t.Fatal(err)
	}
	for range 2 { // OPEN and the answer to CONNECT
		if _, _, err := ws.ReadMessage(); err != nil {
			t.Fatal(err)
		}
	}
	slow := make(chan string, 1)
	go func() {
		resp, err := client.Get(base + "/slow")
		if err != nil {
			slow <- err.Error()
			return
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		slow <- string(body)
	}()
	receive(t, entered)
	stop()
	if reason := receive(t, disconnected); reason != core.ServerShutdown {
		t.Errorf("the socket ended with %q", reason)
	}
	if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Errorf("the WebSocket ended with %v", err)
	}
	silent(t, done)
	close(release)
	if got := receive(t, slow); got != "slow <nil>" {
		t.Errorf("the request under way: %s", got)
	}
	if err := receive(t, done); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", strings.TrimPrefix(base, "http://")); err == nil {
		t.Error("the listener is still open")
	}
	if err := srv.Run(context.Background(), "127.0.0.1:0", nil); err != core.ErrShutdown {
		t.Errorf("a second Run: %v", err)
	}
}

func TestRunEndsWithShutdown(t *testing.T) {
	srv, log := newRunner(t, core.Config{})
	done := make(chan error, 2)
	for range 2 { // on two addresses
		go func() { done <- srv.Run(context.Background(), "127.0.0.1:0", nil) }()
		base := "http://" + receive(t, log.found)
		if code, _ := read(t, newHTTPClient(t), base+"/"); code != http.StatusNotFound {
			t.Errorf("without an app: %d", code)
		}
	}
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := receive(t, done); err != nil {
			t.Error(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Serve(context.Background(), l, nil); err != core.ErrShutdown {
		t.Errorf("Serve after Shutdown: %v", err)
	}
	if _, err := l.Accept(); err == nil {
		t.Error("Serve left its listener open")
	}
}

func TestRunWithAnEndedContext(t *testing.T) {
	srv, _ := newRunner(t, core.Config{})
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if err := srv.Run(ctx, "127.0.0.1:0", nil); err != nil {
		t.Error(err)
	}
}

func TestRunThatDoesNotEndInTime(t *testing.T) {
	srv, log := newRunner(t, core.Config{ShutdownTimeout: 50 * time.Millisecond})
	release := make(chan struct{})
	_ = srv.Go(func(context.Context) { <-release })
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx, "127.0.0.1:0", nil) }()
	receive(t, log.found)
	stop()
	if err := receive(t, done); err == nil || !strings.Contains(err.Error(), "deadline") {
		t.Errorf("got %v, want the deadline", err)
	}
	close(release)
}

func TestRunCannotListen(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	srv, _ := newRunner(t, core.Config{})
	if err := srv.Run(t.Context(), l.Addr().String(), nil); err == nil || !strings.Contains(err.Error(), "in use") || !strings.Contains(err.Error(), `like "127.0.0.1:5000"`) {
		t.Errorf("got %v", err)
	}
	_ = l.Close()
	if err := srv.Serve(t.Context(), l, nil); err == nil || !strings.Contains(err.Error(), "core: Run") {
		t.Errorf("a closed listener: %v", err)
	}
	if err := srv.RunTLS(t.Context(), "127.0.0.1:0", "gone.pem", "gone.key", nil); err == nil {
		t.Error("no certificate, and no error")
	}
}

func TestRunTLS(t *testing.T) {
	srv, log := newRunner(t, core.Config{})
	certFile, keyFile, pool := certificate(t)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.RunTLS(ctx, "127.0.0.1:0", certFile, keyFile, nil) }()
	address := receive(t, log.found)
	trust := &tls.Config{RootCAs: pool}
	client := newHTTPClient(t)
	client.Transport.(*http.Transport).TLSClientConfig = trust
	if code, body := read(t, client, "https://"+address+"/socket.io/?EIO=4&transport=nothing"); code != http.StatusBadRequest {
		t.Errorf("%d %s", code, body)
	}
	dialer := websocket.Dialer{TLSClientConfig: trust}
	ws, _, err := dialer.Dial("wss://"+address+"/socket.io/?EIO=4&transport=websocket", http.Header{"Origin": {"https://" + address}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ws.Close() }()
	if _, open, err := ws.ReadMessage(); err != nil || !strings.HasPrefix(string(open), "0{") {
		t.Errorf("%s %v", open, err)
	}
	stop()
	if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Errorf("the WebSocket ended with %v", err)
	}
	if err := receive(t, done); err != nil {
		t.Error(err)
	}
}

// certificate makes one for 127.0.0.1 that nobody signed.
func certificate(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(certFile, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600); err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return certFile, keyFile, pool
}
