package engineio_test

import (
	"encoding/base64"
	"encoding/binary"
	"math/bits"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/siokit/siokit/engineio"
)

// V-03: clients that vanish during a refused upgrade.
func TestResetDuringRefusedUpgrade(t *testing.T) {
	r := serve(t, engineio.Config{}, receiving(echo))
	n := 500
	for i := range n {
		w := r.dial(t)
		w.put(rawRequest("GET", webSocket+"&sid=nope", "", upgradeHeaders...))
		if i%3 == 0 {
			w.answer("GET").wantUnknownSession(t)
		}
		_ = w.Conn.(*net.TCPConn).SetLinger(0) // RST
		_ = w.Close()
	}
	eventually(t, "all refused", func() bool { return r.srv.Stats().Refused >= int64(n/3) })
	ws, _ := r.ws(t)
	ws.wantEcho("alive")
}

// V-04, V-05: names that are something in other languages.
func TestOddNames(t *testing.T) {
	r := serve(t, engineio.Config{})
	for _, name := range []string{"constructor", "__proto__", "toString", "", "Polling", strings.Repeat("x", 10<<10)} {
		r.request(t, "GET", "EIO=4&transport="+name).wantRefused(t, 400, 0, "Transport unknown")
		r.request(t, "GET", "EIO=4&transport="+name, upgradeHeaders...).wantRefused(t, 400, 0, "Transport unknown")
	}
	for _, sid := range []string{"__proto__", "toString", "constructor", "%00", strings.Repeat("x", 10<<10), "%FF%FE", "%C0%80", "%zz", "a%"} {
		r.request(t, "GET", polling+"&sid="+sid).wantUnknownSession(t)
		r.request(t, "POST", polling+"&sid="+sid).wantUnknownSession(t)
		r.request(t, "GET", webSocket+"&sid="+sid, upgradeHeaders...).wantUnknownSession(t)
	}
	if r.accepted() > 0 {
		t.Error("a session was made")
	}
}

// V-17, A-20: session ids are 144 bits that nobody can guess.
func TestSessionIDs(t *testing.T) {
	n := 1_000_000
	if slack > 5 {
		n = 50_000 // sorting a million takes the race detector 20 s
	}
	type id [3]uint64
	ids := make([]id, n)
	ones := 0
	for i := range ids {
		s := engineio.NewID()
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil || len(b) != 18 || url.QueryEscape(s) != s {
			t.Fatalf("%q is not 18 bytes in URL-safe characters", s)
		}
		ids[i] = id{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), uint64(b[16])<<8 | uint64(b[17])}
		for _, w := range ids[i] {
			ones += bits.OnesCount64(w)
		}
		if i > 0 && bits.LeadingZeros64(ids[i][0]^ids[i-1][0]) > 40 {
			t.Errorf("two ids in a row share more than 40 bits")
		}
	}
	if mean := float64(ones) / float64(n); mean < 71.5 || mean > 72.5 {
		t.Errorf("%.2f of 144 bits are set on average: not all are random", mean)
	}
	slices.SortFunc(ids, func(a, b id) int { return slices.Compare(a[:], b[:]) })
	if len(slices.Compact(ids)) != n {
		t.Error("an id came twice")
	}
}

// V-25: our close frames hold the code and nothing else.
func TestCloseFramesAreExact(t *testing.T) {
	r := serve(t, engineio.Config{})
	for reason, code := range map[engineio.Reason]int{
		engineio.ServerClose: 1000, engineio.ServerShutdown: 1001, engineio.ParseError: 1002, engineio.TransportError: 1002, engineio.ForcedClose: 1000,
	} {
		ws, s := r.ws(t)
		s.conn.Close(reason)
		if got := ws.closed(); got != closePayload(code, "") {
			t.Errorf("%s: close payload %q, want %d alone", reason, got, code)
		}
	}
}
