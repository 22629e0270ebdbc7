package engineio_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/engineio"
)

// FuzzHandshake sends raw bytes to a server in memory. Whatever they are, the answers have an
// expected status, and only a good handshake makes a session.
func FuzzHandshake(f *testing.F) {
	for _, query := range []string{polling, webSocket, "", "EIO=3&transport=polling", polling + "&sid=x", polling + "&j=0", polling + "&EIO=4", polling + "&x=%zz&sid=%"} {
		f.Add([]byte(rawRequest("GET", query, "")))
		f.Add([]byte(rawRequest("GET", query, "", upgradeHeaders...)))
		f.Add([]byte(rawRequest("POST", query, "42[1]", "Origin: http://app.test")))
		f.Add([]byte(rawRequest("OPTIONS", query, "", "Origin: http://evil.test")))
	}
	f.Add([]byte(rawRequest("POST", polling, "x", "Transfer-Encoding: chunked")))
	f.Add([]byte(rawRequest("GET", polling, "", "Expect: 100-continue", "Content-Length: 100")))
	f.Add([]byte("GET / HTTP/9.9\r\n\r\n"))
	allowed := []int{100, 101, 200, 400, 403, 405, 408, 413, 415, 417, 429, 431, 501, 503, 505}
	f.Fuzz(func(t *testing.T, raw []byte) {
		synctest.Test(t, func(t *testing.T) {
			r := serve(t, engineio.Config{}, on(newMemory()))
			w := r.dial(t)
			_ = w.SetDeadline(time.Now().Add(time.Minute))
			_, _ = w.Write(raw)
			opened := 0
			for {
				resp, err := http.ReadResponse(w.br, &http.Request{Method: "GET"})
				if err != nil {
					break
				}
				if !slices.Contains(allowed, resp.StatusCode) {
					t.Fatalf("%q is answered %d", raw, resp.StatusCode)
				}
				if resp.StatusCode == 101 || resp.StatusCode == 200 {
					opened++
				}
				if resp.StatusCode == 101 {
					break
				}
				if _, err := io.Copy(io.Discard, resp.Body); err != nil {
					break
				}
			}
			synctest.Wait()
			// A HEAD in front of a second request desynchronises this reader, not the server.
			if n := r.accepted(); n > opened && !strings.Contains(string(raw), "HEAD") {
				t.Fatalf("%q made %d sessions with %d good answers", raw, n, opened)
			}
		})
	})
}

// FuzzUpgradeOps plays a client that does things in any order. The session ends closed, or alive
// and in order; nothing is left of it.
func FuzzUpgradeOps(f *testing.F) {
	for _, ops := range []string{"epwb5e", "wb5", "w5", "wbxwb5ee", "ppwbeep5e", "wbbbbbb5", "weec", "ewbp5", "nnwbn5n", "ePwb5", "wbPeee5"} {
		f.Add(ops)
	}
	f.Fuzz(func(t *testing.T, ops string) {
		if len(ops) > 64 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			r := serve(t, engineio.Config{}, on(newMemory()))
			sid, s := r.open(t)
			out, sent := newLedger(), 0
			var ws *wsock
			poll := func() bool {
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				req, _ := http.NewRequestWithContext(ctx, "GET", r.url(sid), nil)
				a, err := r.do(t, req)
				if err != nil {
					t.Fatal(err)
				}
				if a.status == 200 {
					if err := out.payload(a.body); err != nil {
						t.Fatal(err)
					}
				}
				return a.status == 200
			}
			for _, op := range ops {
				switch op {
				case 'e': // emit
					text, attachments := entry("s", sent, sent%3)
					if s.conn.Send(message(text, attachments...)) == nil {
						sent++
					}
				case 'p':
					poll()
				case 'P': // a poll that is left alone; its answer is read later
					w := r.dial(t)
					w.put(rawRequest("GET", polling+"&sid="+sid, ""))
				case 'n':
					r.post(t, sid, "6")
				case 'w':
					if next, a := r.dial(t).handshake(webSocket + "&sid=" + sid); a.status == 101 {
						ws = next
					}
				case 'b', '5', 'x', 'c':
					if ws == nil {
						continue
					}
					switch op {
					case 'x':
						_ = ws.Close()
						ws = nil
						synctest.Wait()
						continue
					case 'c':
						_, _ = ws.Write(frame(fin|opClose, ""))
					default:
						_, _ = ws.Write(frame(fin|opText, map[rune]string{'b': "2probe", '5': "5"}[op]))
					}
				}
				synctest.Wait()
			}
			synctest.Wait()
			if strings.ContainsRune(ops, 'P') {
				return // what those polls took is theirs; the server must only end cleanly
			}
			switch {
			case len(s.reasons()) > 0:
			case s.conn.Transport() == engineio.WebSocket:
				reading := make(chan struct{})
				go func() { defer close(reading); out.frames(&wsock{&wire{ws.Conn, bufio.NewReader(ws.br), t}}) }()
				out.Want(t, sent)
				_ = ws.Close()
				<-reading
			default:
				for {
					if out.Err() != nil || out.Got() == sent {
						break
					}
					if !poll() {
						t.Fatal("the session is gone")
					}
				}
				out.Want(t, sent)
			}
			if err := out.Err(); err != nil {
				t.Fatal(err)
			}
		})
	})
}
