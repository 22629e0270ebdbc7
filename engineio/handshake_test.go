package engineio_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/engineio"
)

// The rows H of the bar: hostile and bad handshakes. Rows about paths, hosts and header sizes
// (H-23 to H-27, H-33) are net/http's or the mounting layer's: the engine does not look at the path.
func TestHandshakeRefusals(t *testing.T) {
	r := serve(t, engineio.Config{})
	upgrade := upgradeHeaders
	for _, row := range []struct {
		id, method, query string
		header            []string
		code              int
		message           string
	}{
		{"H-01", "GET", "", nil, 0, "Transport unknown"},
		{"H-02 none", "GET", "transport=polling", nil, 5, "Unsupported protocol version"},
		{"H-02 3", "GET", "EIO=3&transport=polling", nil, 5, "Unsupported protocol version"},
		{"H-02 5", "GET", "EIO=5&transport=polling", nil, 5, "Unsupported protocol version"},
		{"H-02 abc", "GET", "EIO=abc&transport=polling", nil, 5, "Unsupported protocol version"},
		{"H-02 04", "GET", "EIO=04&transport=polling", nil, 5, "Unsupported protocol version"},
		{"H-02 empty", "GET", "EIO=&transport=polling", nil, 5, "Unsupported protocol version"},
		{"H-03 4,3", "GET", "EIO=4&EIO=3&transport=polling", nil, 3, "Bad request"},
		{"H-03 3,4", "GET", "EIO=3&EIO=4&transport=polling", nil, 3, "Bad request"},
		{"H-03 4,4", "GET", "EIO=4&EIO=4&transport=polling", nil, 3, "Bad request"},
		{"H-04 none", "GET", "EIO=4", nil, 0, "Transport unknown"},
		{"H-04 abc", "GET", "EIO=4&transport=abc", nil, 0, "Transport unknown"},
		{"H-04 constructor", "GET", "EIO=4&transport=constructor", nil, 0, "Transport unknown"},
		{"H-04 proto", "GET", "EIO=4&transport=__proto__", nil, 0, "Transport unknown"},
		{"H-04 webtransport", "GET", "EIO=4&transport=webtransport", nil, 0, "Transport unknown"},
		{"H-04 case", "GET", "EIO=4&transport=Polling", nil, 0, "Transport unknown"},
		{"H-05", "GET", "EIO=4&transport=polling&transport=websocket", nil, 3, "Bad request"},
		{"H-06", "GET", webSocket, nil, 3, "Bad request"},
		{"H-07", "GET", polling, upgrade, 3, "Bad request"},
		{"H-08", "GET", "transport=websocket", upgrade, 5, "Unsupported protocol version"},
		{"H-09 POST", "POST", polling, nil, 2, "Bad handshake method"},
		{"H-09 PUT", "PUT", polling, nil, 2, "Bad handshake method"},
		{"H-09 DELETE", "DELETE", polling, nil, 2, "Bad handshake method"},
		{"H-09 PATCH", "PATCH", polling, nil, 2, "Bad handshake method"},
		{"H-09 OPTIONS", "OPTIONS", polling, nil, 2, "Bad handshake method"},
		{"H-09 TRACE", "TRACE", polling, nil, 2, "Bad handshake method"},
		{"H-11 GET", "GET", polling + "&sid=nope", nil, 1, "Session ID unknown"},
		{"H-11 POST", "POST", polling + "&sid=nope", nil, 1, "Session ID unknown"},
		{"H-11 upgrade", "GET", webSocket + "&sid=nope", upgrade, 1, "Session ID unknown"},
		{"H-13", "POST", polling + "&sid=", nil, 2, "Bad handshake method"},
		{"H-20 j=0", "GET", polling + "&j=0", nil, 0, "Transport unknown"},
		{"H-20 alert", "GET", polling + "&j=alert(1)//", nil, 0, "Transport unknown"},
		{"A-05", "GET", polling + "&j=0", []string{"Cookie: session=x"}, 0, "Transport unknown"},
		{"H-22 many", "GET", polling + strings.Repeat("&a=1", 20000), nil, 0, "Transport unknown"},
		{"H-22 semicolon", "GET", "EIO=4;transport=polling", nil, 0, "Transport unknown"},
	} {
		t.Run(row.id, func(t *testing.T) {
			r.request(t, row.method, row.query, row.header...).wantRefused(t, 400, row.code, row.message)
		})
	}
	if n := r.accepted(); n != 0 {
		t.Errorf("%d sessions made by refused handshakes", n)
	}
	if n := r.srv.Stats().Connections; n != 0 {
		t.Errorf("%d connections left by refused handshakes", n)
	}
}

func TestHandshake(t *testing.T) {
	r := serve(t, engineio.Config{})
	for id, query := range map[string]string{
		"H-12": polling + "&sid=", "H-21 b64": polling + "&b64=1", "H-21 malformed": polling + "&x=%zz%", // A fragment on the wire is part of the query for net/http, as for every Go server.
		"H-21 fragment": polling + "&x=1#frag",
		"H-22":          polling + strings.Repeat("&a=1", 3000), "H-23": polling + "&a=" + strings.Repeat("x", 8<<10),
	} {
		t.Run(id, func(t *testing.T) {
			a := r.request(t, "GET", query)
			if a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			o := parseOpen(t, a.body)
			if o.PingInterval != 25000 || o.PingTimeout != 20000 || o.MaxPayload != 1_000_000 || fmt.Sprint(o.Upgrades) != "[websocket]" {
				t.Errorf("OPEN %+v", o)
			}
		})
	}
	t.Run("H-10", func(t *testing.T) {
		if a := r.request(t, "HEAD", polling); a.status != 400 || a.body != "" {
			t.Errorf("%d %q", a.status, a.body)
		}
	})
	t.Run("H-21 body", func(t *testing.T) {
		w := r.dial(t)
		w.put("GET /?" + polling + " HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\n\r\nhello")
		if a := w.answer("GET"); a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("H-21 body that never comes", func(t *testing.T) { // the leak of finding 1, on a GET
		w := r.dial(t)
		w.put("GET /?" + polling + " HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\n\r\n")
		if a := w.answer("GET"); a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
		w.wantEOF()
	})
	t.Run("H-21 b64 on WebSocket", func(t *testing.T) {
		ws, s := r.ws(t, "b64=1")
		_ = s.send("bin", []byte{1, 2, 3, 4})
		ws.wantText("4bin")
		ws.wantText("bAQIDBA==")
	})
	t.Run("H-14", func(t *testing.T) {
		sid, s := r.open(t)
		for _, method := range []string{"PUT", "DELETE", "OPTIONS", "PATCH"} {
			r.request(t, method, polling+"&sid="+sid).wantBadRequest(t)
		}
		if a := r.request(t, "HEAD", polling+"&sid="+sid); a.status != 400 || a.body != "" {
			t.Errorf("HEAD: %d %q", a.status, a.body)
		}
		s.wantOpen(t)
		r.alive(t, sid)
	})
	t.Run("H-15 H-16 H-17 V-07", func(t *testing.T) {
		sid, s := r.open(t)
		r.request(t, "GET", webSocket+"&sid="+sid).wantBadRequest(t) // H-15
		for _, eio := range []string{"EIO=3&", "", "EIO=04&", "EIO=&"} {
			r.request(t, "GET", eio+"transport=polling&sid="+sid).wantBadRequest(t)
			r.request(t, "POST", eio+"transport=polling&sid="+sid).wantBadRequest(t)
			r.request(t, "GET", eio+"transport=websocket&sid="+sid, upgradeHeaders...).wantBadRequest(t) // U-11
		}
		r.request(t, "GET", polling+"&sid="+sid+"&sid=zzz").wantBadRequest(t)
		r.request(t, "GET", polling+"&sid=zzz&sid="+sid).wantBadRequest(t)
		s.wantOpen(t)
		r.alive(t, sid)
	})
	t.Run("H-18", func(t *testing.T) {
		if a := r.request(t, "GET", polling, "Origin: http://a\x01b"); a.status != 400 {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("H-28", func(t *testing.T) {
		w := r.dial(t)
		w.put("GET /?" + polling + " HTTP/1.0\r\n\r\n")
		if a := w.answer("GET"); a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
		w.wantEOF()
	})
	t.Run("H-29", func(t *testing.T) {
		for _, raw := range []string{
			"POST /?" + polling + "&sid=x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
			"GET /?" + polling + " HTTP/1.1\r\n\r\n",
		} {
			w := r.dial(t)
			w.put(raw)
			if a := w.answer("GET"); a.status != 400 {
				t.Errorf("%.60q: %d %s", raw, a.status, a.body)
			}
			w.wantEOF()
		}
		// Both lengths: net/http lets Transfer-Encoding win, as the RFC allows, and answers 400 for
		// the unknown session; it does not read a second request out of the body.
		w := r.dial(t)
		w.put("POST /?" + polling + "&sid=x HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /?" + polling + " HTTP/1.1\r\nHost: a\r\n\r\n")
		if a := w.answer("GET"); a.status != 400 {
			t.Errorf("%d %s", a.status, a.body)
		}
		w.wantEOF()
	})
	t.Run("A-43", func(t *testing.T) {
		for _, a := range []answer{r.request(t, "GET", polling), r.request(t, "GET", "")} {
			for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"} {
				if got := a.header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		}
	})
}

func TestAcceptRefuses(t *testing.T) {
	var refusal error
	r := serve(t, engineio.Config{Accept: func(*engineio.Conn, *http.Request) (engineio.Receiver, error) { return nil, refusal }})
	t.Run("H-30", func(t *testing.T) {
		refusal = engineio.Forbidden("not you")
		r.request(t, "GET", polling).wantForbidden(t)
		r.request(t, "GET", webSocket, upgradeHeaders...).wantForbidden(t)
	})
	t.Run("503", func(t *testing.T) {
		refusal = fmt.Errorf("the store at 10.0.0.1 is down")
		a := r.request(t, "GET", polling)
		if a.status != 503 || a.header.Get("Retry-After") == "" || strings.Contains(a.body, "10.0.0.1") {
			t.Errorf("%d %v %s", a.status, a.header, a.body)
		}
	})
	t.Run("the message is JSON whatever it holds", func(t *testing.T) {
		refusal = &engineio.Error{Status: 403, Code: 4, Message: "a\x01\"b\xff"}
		if a := r.request(t, "GET", polling); a.body != `{"code":4,"message":"a\u0001\"b\ufffd"}` {
			t.Errorf("%s", a.body)
		}
	})
	if n := r.srv.Stats(); n.Connections != 0 || n.Refused != 4 {
		t.Errorf("%+v", n)
	}
}

func TestAcceptPanics(t *testing.T) {
	srv, err := engineio.NewServer(engineio.Config{Accept: func(*engineio.Conn, *http.Request) (engineio.Receiver, error) { panic("user code") }})
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		defer func() {
			if recover() != nil {
				w.WriteHeader(500)
			}
		}()
		srv.ServeHTTP(w, req)
	}))
	defer ts.Close()
	resp, err := http.Get(ts.URL + "/?" + polling)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if n := srv.Stats().Connections; n != 0 || resp.StatusCode != 500 {
		t.Errorf("%d, and %d connections left behind a panic", resp.StatusCode, n)
	}
}

func TestHTTP2(t *testing.T) { // H-35
	r := serve(t, engineio.Config{}, receiving(echo))
	ts := httptest.NewUnstartedServer(r.srv)
	ts.EnableHTTP2 = true
	ts.StartTLS()
	defer ts.Close()
	get := func(query string) answer {
		req, _ := http.NewRequest("GET", ts.URL+"/?"+query, nil)
		resp, err := ts.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.ProtoMajor != 2 {
			t.Fatalf("spoke %s", resp.Proto)
		}
		return readAnswer(t, resp)
	}
	get(webSocket).wantBadRequest(t)
	sid := parseOpen(t, get(polling).body).SID
	resp, err := ts.Client().Post(ts.URL+"/?"+polling+"&sid="+sid, "text/plain", strings.NewReader("4over h2"))
	if err != nil {
		t.Fatal(err)
	}
	readAnswer(t, resp).want(t, 200, "ok")
	get(polling+"&sid="+sid).want(t, 200, "4over h2")
}

// H-34, F-04: limits that are meant for requests which do not wait.
func TestServerTimeouts(t *testing.T) {
	const limit = 2 * time.Second // which a request may not take on the busiest machine
	r := serve(t, engineio.Config{PingInterval: limit * 9 / 8, PingTimeout: time.Minute}, receiving(echo), httpServer(func(s *http.Server) {
		s.WriteTimeout, s.ReadTimeout, s.IdleTimeout = limit, limit, limit
	}))
	ws, _ := r.ws(t)
	sid, s := r.open(t)
	for range 2 {
		if a := r.get(t, sid); a.status != 200 || a.body != "2" { // parked for longer than the limits
			t.Fatalf("%d %q", a.status, a.body)
		}
		r.post(t, sid, "3").want(t, 200, "ok")
	}
	s.wantOpen(t)
	for range 2 {
		ws.wantText("2")
		ws.send("3")
	}
	ws.wantEcho("still here")
}

// Accept sees the transport that the handshake asked for, although the WebSocket comes after it.
func TestTransportInAccept(t *testing.T) {
	seen := make(chan string, 1)
	r := serve(t, engineio.Config{Accept: func(c *engineio.Conn, _ *http.Request) (engineio.Receiver, error) {
		seen <- c.Transport()
		return nothing{}, nil
	}})
	for query, want := range map[string]string{polling: engineio.Polling, webSocket: engineio.WebSocket} {
		header := upgradeHeaders
		if want == engineio.Polling {
			header = nil
		}
		r.request(t, "GET", query, header...)
		if got := <-seen; got != want {
			t.Errorf("%s: %q", query, got)
		}
	}
}
