package engineio_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/siokit/siokit/engineio"
)

func TestClientIP(t *testing.T) {
	srv, err := engineio.NewServer(engineio.Config{
		Accept:         func(*engineio.Conn, *http.Request) (engineio.Receiver, error) { return nil, nil },
		TrustedProxies: []string{"10.0.0.0/8", "192.0.2.1", "2001:db8::/32"},
	})
	if err != nil {
		t.Fatal(err)
	}
	const proxy, stranger = "10.0.0.2:5000", "198.51.100.9:5000"
	for _, test := range []struct {
		name, remote string
		forwarded    []string
		realIP       []string
		want         string
	}{
		{"direct", stranger, nil, nil, "198.51.100.9"},
		{"a stranger's claims", stranger, []string{"203.0.113.7"}, []string{"203.0.113.8"}, "198.51.100.9"},
		{"a proxy that says nothing", proxy, nil, nil, "10.0.0.2"},
		{"one hop", proxy, []string{"203.0.113.7"}, nil, "203.0.113.7"},
		{"what the client claimed comes first", proxy, []string{"8.8.8.8, 203.0.113.7"}, nil, "203.0.113.7"},
		{"proxies behind proxies", proxy, []string{"8.8.8.8, 203.0.113.7, 192.0.2.1,10.9.9.9"}, nil, "203.0.113.7"},
		{"a line for each hop", proxy, []string{"8.8.8.8", "203.0.113.7", "192.0.2.1"}, nil, "203.0.113.7"},
		{"a client inside", proxy, []string{"10.3.3.3, 10.0.0.3"}, nil, "10.3.3.3"},
		{"nonsense before", proxy, []string{"<script>, 203.0.113.7"}, nil, "203.0.113.7"},
		{"nonsense between", proxy, []string{"8.8.8.8, unknown, 10.0.0.3"}, nil, "10.0.0.3"},
		{"nonsense last", proxy, []string{"203.0.113.7, "}, nil, "10.0.0.2"},
		{"nonsense alone", proxy, []string{"unknown"}, []string{"203.0.113.7"}, "10.0.0.2"},
		{"with a port", proxy, []string{"203.0.113.7:4711"}, nil, "203.0.113.7"},
		{"IPv6", proxy, []string{"2001:DB9::7, 2001:db8::1"}, nil, "2001:db9::7"},
		{"IPv6 with a port", proxy, []string{"[2001:db9::7]:4711"}, nil, "2001:db9::7"},
		{"IPv6 in brackets", proxy, []string{"[2001:db9::7]"}, nil, "2001:db9::7"},
		{"IPv4 in IPv6", "[::ffff:10.0.0.2]:5000", []string{"::ffff:203.0.113.7, ::ffff:10.0.0.3"}, nil, "203.0.113.7"},
		{"X-Real-IP", proxy, nil, []string{"203.0.113.7"}, "203.0.113.7"},
		{"both", proxy, []string{"203.0.113.7"}, []string{"203.0.113.8"}, "203.0.113.7"},
		{"no port", "203.0.113.7", nil, nil, "203.0.113.7"},
		{"unix socket", "@", []string{"203.0.113.7"}, nil, "@"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = test.remote
		r.Header["X-Forwarded-For"], r.Header["X-Real-Ip"] = test.forwarded, test.realIP
		if got := srv.ClientIP(r); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}
