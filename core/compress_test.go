package core_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/siokit/siokit/core"
)

// What is emitted with Compress(false) leaves uncompressed, however it is addressed, and the rest as the client likes it.
func TestCompressFalse(t *testing.T) {
	a := serve(t, core.Config{})
	client := http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	ask := func(method, url, body string) (text string, zipped bool) {
		t.Helper()
		r, err := http.NewRequest(method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Encoding", "gzip")
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		content := io.Reader(resp.Body)
		if zipped = resp.Header.Get("Content-Encoding") == "gzip"; zipped {
			if content, err = gzip.NewReader(resp.Body); err != nil {
				t.Fatal(err)
			}
		}
		data, err := io.ReadAll(content)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %v", method, resp.StatusCode, err)
		}
		return string(data), zipped
	}
	url := a.ts.URL + "/socket.io/?EIO=4&transport=polling"
	open, _ := ask(http.MethodGet, url, "")
	url += "&sid=" + strings.Split(open, `"`)[3]
	ask(http.MethodPost, url, "40")
	ask(http.MethodGet, url, "")
	s := a.Sockets()[0]
	long := strings.Repeat("picture ", 1000)
	for name, row := range map[string]struct {
		emit   func(string, ...any) error
		zipped bool
	}{
		"to everybody":            {a.Emit, true},
		"to a client":             {s.Emit, true},
		"Compress(true)":          {a.Compress(false).Compress(true).Emit, true},
		"everybody, uncompressed": {a.Compress(false).Emit, false},
		"a room, uncompressed":    {a.To(s.ID()).Compress(false).Emit, false},
		"a client, uncompressed":  {s.Compress(false).Emit, false},
	} {
		if err := row.emit("e", long); err != nil {
			t.Fatal(err)
		}
		if text, zipped := ask(http.MethodGet, url, ""); zipped != row.zipped || text != `42["e","`+long+`"]` {
			t.Errorf("%s: compressed %t, %.40q", name, zipped, text)
		}
	}
	ask(http.MethodPost, url, "1") // or Shutdown would wait for its last poll
}
