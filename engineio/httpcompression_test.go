package engineio_test

import (
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/siokit/siokit/engineio"
)

// decoded undoes the compression that the answer says it has.
func (a answer) decoded(t testing.TB) string {
	t.Helper()
	var r io.Reader = strings.NewReader(a.body)
	var err error
	switch coding := a.header.Get("Content-Encoding"); coding {
	case "":
	case "gzip":
		r, err = gzip.NewReader(r)
	case "deflate":
		r, err = zlib.NewReader(r)
	default:
		t.Fatalf("Content-Encoding %q", coding)
	}
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestCompression(t *testing.T) {
	big := strings.Repeat("compress me ", 100)
	poll := func(t *testing.T, r *rig, accept string, messages ...*engineio.Message) answer {
		t.Helper()
		sid, s := r.open(t)
		want := ""
		for _, m := range messages {
			if err := s.conn.Send(m); err != nil {
				t.Fatal(err)
			}
			want += "\x1e" + string(engineio.Text(m))
		}
		header := []string{"X-None: 1"}
		if accept != "" {
			header = strings.Split("Accept-Encoding: "+accept, "\n")
		}
		a := r.request(t, "GET", polling+"&sid="+sid, header...)
		if got := a.decoded(t); a.status != 200 || got != want[1:] {
			t.Errorf("%d %.80q, want %.80q", a.status, got, want[1:])
		}
		return a
	}
	t.Run("Accept-Encoding", func(t *testing.T) {
		r := serve(t, engineio.Config{})
		for accept, want := range map[string]string{
			"":                                     "",
			"gzip, deflate, br, zstd":              "gzip", // browsers
			"br":                                   "",
			"deflate":                              "deflate",
			"deflate, gzip":                        "gzip",
			"gzip;q=0.5, deflate;q=0.8":            "deflate",
			"GZIP ; Q=0.5":                         "gzip",
			"x-gzip":                               "gzip",
			"gzip;q=0":                             "",
			"gzip;q=0, deflate":                    "deflate",
			"gzip;q=0.000, *":                      "deflate",
			"*":                                    "gzip",
			"*;q=0":                                "",
			"*;q=0, deflate;q=0.1":                 "deflate",
			"identity":                             "",
			"identity;q=1, gzip;q=0.5":             "",
			"identity;q=0.2, gzip;q=0.5":           "gzip",
			"gzip;q=2":                             "",
			"gzip;q=NaN":                           "",
			"gzip;q=":                              "",
			"gzip;level=9;q=0.3":                   "gzip",
			",, ;q=1, gzip":                        "gzip",
			"br\nAccept-Encoding: deflate;q=0.001": "deflate",
		} {
			a := poll(t, r, accept, message(big))
			if got := a.header.Get("Content-Encoding"); got != want {
				t.Errorf("%q: encoding %q, want %q", accept, got, want)
			}
			// A shared cache must know even when this answer is not compressed.
			if got := a.header.Values("Vary"); len(got) != 1 || got[0] != "Accept-Encoding" {
				t.Errorf("%q: Vary %q", accept, got)
			}
		}
	})
	plain := func(t *testing.T, a answer) {
		t.Helper()
		if a.header.Get("Content-Encoding") != "" || a.header.Get("Vary") != "" {
			t.Errorf("headers %v", a.header)
		}
	}
	t.Run("small", func(t *testing.T) {
		r := serve(t, engineio.Config{})
		plain(t, poll(t, r, "gzip", message(strings.Repeat("x", 1022))))
		if a := poll(t, r, "gzip", message(strings.Repeat("x", 1023))); a.header.Get("Content-Encoding") != "gzip" {
			t.Errorf("1,024 bytes are not compressed: %v", a.header)
		}
	})
	t.Run("off", func(t *testing.T) {
		plain(t, poll(t, serve(t, engineio.Config{CompressFrom: -1}), "gzip", message(big)))
	})
	t.Run("Uncompressed", func(t *testing.T) {
		r := serve(t, engineio.Config{})
		plain(t, poll(t, r, "gzip", message(big).Uncompressed()))
		plain(t, poll(t, r, "gzip", message(big), message("secret").Uncompressed(), message(big)))
	})
	t.Run("a middleware compresses", func(t *testing.T) {
		r := serve(t, engineio.Config{})
		sid, s := r.open(t)
		_ = s.send(big)
		inner := r.http.Handler
		front := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Vary", "Origin, Accept-Encoding")
			inner.ServeHTTP(w, r)
		})
		rec := newRecorder()
		req, _ := http.NewRequest("GET", r.url(sid), nil)
		req.Header.Set("Accept-Encoding", "gzip")
		req.RequestURI, req.Body = req.URL.RequestURI(), http.NoBody
		front.ServeHTTP(rec, req)
		if rec.Header().Get("Content-Encoding") != "" || rec.body.String() != "4"+big {
			t.Errorf("%v %.60q", rec.Header(), rec.body.String())
		}
	})
}

// recorder is a ResponseWriter that can do nothing else.
type recorder struct {
	header http.Header
	body   strings.Builder
	status int
}

func newRecorder() *recorder                    { return &recorder{header: http.Header{}} }
func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }
