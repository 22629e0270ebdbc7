package engineio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/engineio"
)

// silence is a server that says nothing. asked tells of each connection that has begun to talk.
func silence(t *testing.T) (url string, asked <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	came, served := make(chan struct{}, 100), make(chan struct{})
	go func() {
		defer close(served)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			if _, err := c.Read(make([]byte, 1)); err == nil {
				came <- struct{}{}
			}
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-served })
	return "http://" + l.Addr().String() + "/", came
}

// A handshake that nobody answers ends with its context: also when that is cancelled, not only at its deadline.
func TestDialEndsWhenItIsCancelled(t *testing.T) {
	for _, transport := range []string{engineio.Polling, engineio.WebSocket} {
		for _, scheme := range []string{"http", "https"} {
			t.Run(transport+" "+scheme, func(t *testing.T) {
				url, asked := silence(t)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				failed := make(chan error, 1)
				go func() {
					_, err := engineio.Dial(ctx, scheme+strings.TrimPrefix(url, "http"), engineio.DialOptions{
						Transports: []string{transport},
						Open:       func(*engineio.ClientConn) engineio.Receiver { return newCollector(1) },
					})
					failed <- err
				}()
				<-asked
				cancel()
				select {
				case err := <-failed:
					if !errors.Is(err, context.Canceled) {
						t.Errorf("Dial: %v", err)
					}
				case <-time.After(patience):
					t.Fatal("Dial still waits for an answer, long after it was cancelled")
				}
			})
		}
	}
}

// So does the WebSocket of an upgrade, when the session ends.
func TestCloseDoesNotWaitForAnUpgrade(t *testing.T) {
	asked, over := make(chan struct{}), make(chan struct{})
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Query().Get("transport") == engineio.WebSocket:
			close(asked)
			<-over
		case r.Method == http.MethodPost:
			_, _ = io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, "ok")
		case r.URL.Query().Get("sid") == "":
			fmt.Fprint(w, openPacketOf(25_000, 20_000))
		default:
			<-r.Context().Done()
		}
	}))
	defer ts.Close()
	defer close(over)
	c := dial(t, ts.URL, engineio.DialOptions{UpgradeTimeout: time.Minute}, newCollector(1))
	<-asked
	c.Close()
	ended := make(chan struct{})
	go func() { c.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the connection has ended, and Wait waits for the answer to its upgrade")
	}
}

func openPacketOf(pingInterval, pingTimeout int) string {
	return fmt.Sprintf(`0{"sid":"x","upgrades":["websocket"],"pingInterval":%d,"pingTimeout":%d,"maxPayload":1000000}`, pingInterval, pingTimeout)
}

// A WebSocket takes the jar's cookies along, beside those of Header, as a poll does: one of them may be the load
// balancer's.
func TestWebSocketsSendTheJarsCookiesToo(t *testing.T) {
	for _, transport := range []string{engineio.Polling, engineio.WebSocket} {
		t.Run(transport, func(t *testing.T) {
			seen := make(chan string, 100)
			srv, err := engineio.NewServer(engineio.Config{Accept: func(*engineio.Conn, *http.Request) (engineio.Receiver, error) { return newCollector(1), nil }})
			if err != nil {
				t.Fatal(err)
			}
			ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				seen <- r.Header.Get("Cookie")
				srv.ServeHTTP(w, r)
			}))
			t.Cleanup(func() { _ = srv.Shutdown(context.Background()); ts.Close() })
			jar, _ := cookiejar.New(nil)
			req, _ := http.NewRequest(http.MethodGet, ts.URL, nil)
			jar.SetCookies(req.URL, []*http.Cookie{{Name: "sticky", Value: "b"}})
			dial(t, ts.URL, engineio.DialOptions{
				Transports: []string{transport}, HTTP: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Jar: jar}, Header: http.Header{"Cookie": {"login=a"}},
			}, newCollector(1))
			if got := <-seen; got != "login=a; sticky=b" {
				t.Errorf("the server sees the cookies %q", got)
			}
		})
	}
}

// No limit is a limit that works.
func TestDialWithoutALimit(t *testing.T) {
	for _, transport := range []string{engineio.Polling, engineio.WebSocket} {
		t.Run(transport, func(t *testing.T) {
			here := newCollector(1)
			url, conns := serveConns(t, engineio.Config{}, newCollector(1))
			dial(t, url, engineio.DialOptions{Transports: []string{transport}, MaxMessage: math.MaxInt64}, here)
			_ = (<-conns).Send(textMessage("hello"))
			if got := <-here.got; got != "false hello" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// The heartbeat that a server names may be over before Open has returned.
func TestAHeartbeatShorterThanOpen(t *testing.T) {
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("sid") == "" {
			fmt.Fprint(w, openPacketOf(1, 1))
			return
		}
		<-r.Context().Done()
	}))
	defer ts.Close()
	here := newCollector(1)
	c, err := engineio.Dial(t.Context(), ts.URL, engineio.DialOptions{DisableUpgrade: true, Open: func(*engineio.ClientConn) engineio.Receiver {
		time.Sleep(20 * time.Millisecond)
		return here
	}})
	if err != nil {
		t.Fatal(err)
	}
	if reason := <-here.closed; reason != engineio.PingTimeout {
		t.Errorf("closed: %s", reason)
	}
	c.Wait()
}
