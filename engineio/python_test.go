package engineio_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/siokit/siokit/engineio"
)

// python-engineio takes at most 16 packets in one body, and never comes back after a CLOSE packet. Others get
// everything at once, and the CLOSE.
func TestPythonClientsBodies(t *testing.T) {
	agents := map[string]int{ // to the number of packets in a body
		"python-requests/2.28.1":      16,
		"Python/3.11 aiohttp/3.8.4":   16,
		"node-XMLHttpRequest":         50,
		"Mozilla/5.0 (not a Python/)": 50,
		"":                            50,
	}
	for agent, most := range agents {
		t.Run(agent, func(t *testing.T) {
			r := serve(t, engineio.Config{})
			opened := r.request(t, "GET", polling, "User-Agent: "+agent)
			sid := parseOpen(t, opened.body).SID
			s := r.session(sid)
			var want []string
			for i := range 50 {
				want = append(want, "4"+strconv.Itoa(i))
				if err := s.send(strconv.Itoa(i)); err != nil {
					t.Fatal(err)
				}
			}
			// Two attachments count, and are not torn from what announces them.
			if err := s.conn.Send(textMessage("with two", []byte{1}, []byte{2})); err != nil {
				t.Fatal(err)
			}
			want = append(want, "4with two", "bAQ==", "bAg==")
			var got []string
			for len(got) < len(want) {
				packets := strings.Split(r.get(t, sid).body, "\x1e")
				if most == 16 && len(packets) > most {
					t.Fatalf("%d packets in one body", len(packets))
				}
				got = append(got, packets...)
				if most > 16 && len(got) < len(want) {
					t.Fatalf("%d packets in one body, all %d are wanted", len(got), len(want))
				}
			}
			if strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("got %q", got)
			}
			s.conn.Close(engineio.ForcedClose)
			if last := r.get(t, sid); most == 16 {
				last.want(t, 503, "")
			} else {
				last.want(t, 200, "1")
			}
			r.gone(t, sid)
		})
	}
}
