package engineio_test

import (
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/engineio"
)

// An error names the field and the limit, so that it can be mended without reading the code.
func TestConfigErrors(t *testing.T) {
	accept := func(*engineio.Conn, *http.Request) (engineio.Receiver, error) { return nil, nil }
	for want, cfg := range map[string]engineio.Config{
		"PingInterval 100ms":                             {PingInterval: 99 * time.Millisecond},
		"PingTimeout 100ms":                              {PingTimeout: -1},
		"UpgradeTimeout 100ms":                           {UpgradeTimeout: 1},
		"BodyTimeout 100ms":                              {BodyTimeout: 1},
		"WriteTimeout 10ms":                              {WriteTimeout: 1},
		"CloseTimeout 10ms":                              {CloseTimeout: -time.Second},
		"MaxPayload 1 -5":                                {MaxPayload: -5},
		"OutboxBytes 1024 1023":                          {OutboxBytes: 1023},
		"OutboxPackets 1 -1":                             {OutboxPackets: -1},
		"Transports nil":                                 {Transports: []string{}},
		`Transports "webtransport"`:                      {Transports: []string{"webtransport"}},
		`Origins "app.test" "https://app.test"`:          {Origins: []string{"app.test"}},
		`Origins "https://app.test/" "https://app.test"`: {Origins: []string{"https://app.test/"}},
		`Origins "ftp://app.test"`:                       {Origins: []string{"ftp://app.test"}},
		`Origins "https://*app.test"`:                    {Origins: []string{"https://*app.test"}},
		`TrustedProxies "10.0.0.0/33" address CIDR`:      {TrustedProxies: []string{"10.0.0.0/33"}},
		`TrustedProxies "proxy.local" neither`:           {TrustedProxies: []string{"proxy.local"}},
	} {
		cfg.Accept = accept
		wantError(t, cfg, want)
	}
	wantError(t, engineio.Config{}, "Config.Accept Receiver")
}

func wantError(t *testing.T, cfg engineio.Config, words string) {
	t.Helper()
	_, err := engineio.NewServer(cfg)
	if err == nil {
		t.Errorf("no error; want one with %s", words)
		return
	}
	if !strings.HasPrefix(err.Error(), "engineio: ") {
		t.Errorf("%q does not begin with the package", err)
	}
	for word := range strings.FieldsSeq(words) {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %s", err, word)
		}
	}
}

func TestConfigLimitsThemselvesAreLegal(t *testing.T) {
	_, err := engineio.NewServer(engineio.Config{
		Accept:       func(*engineio.Conn, *http.Request) (engineio.Receiver, error) { return nil, nil },
		PingInterval: 100 * time.Millisecond, PingTimeout: 100 * time.Millisecond, UpgradeTimeout: 100 * time.Millisecond, BodyTimeout: 100 * time.Millisecond,
		WriteTimeout: 10 * time.Millisecond, CloseTimeout: 10 * time.Millisecond, MaxPayload: 1, OutboxBytes: 1024, OutboxPackets: 1, CompressFrom: -1,
		Transports: []string{engineio.WebSocket}, Origins: []string{"*", "https://*.app.test", "http://[::1]:3000"}, TrustedProxies: []string{"::1", "10.0.0.0/8"},
	})
	if err != nil {
		t.Error(err)
	}
}

// MaxInt64 is how programs say "any".
func TestMaxPayloadOfAnySize(t *testing.T) {
	r := serve(t, engineio.Config{MaxPayload: math.MaxInt64, PerMessageDeflate: &engineio.Deflate{}}, receiving(echo))
	sid, s := r.open(t)
	r.post(t, sid, "4x").want(t, 200, "ok")
	s.wantMessages(t, "x")
	ws, _ := r.ws(t)
	ws.wantEcho("y")
	ws, _ = r.compressing(t)
	ws.wantEcho("z")
}
