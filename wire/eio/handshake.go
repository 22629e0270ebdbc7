package eio

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// Handshake is the data of the Open packet, the first thing that a server sends.
type Handshake struct {
	// SID is the session's id on the transport. It is a secret: whoever knows it can
	// speak for the session. It must not be shown, logged or used as a socket's id.
	SID string `json:"sid"`
	// Upgrades names the transports that the client may move to, such as "websocket".
	Upgrades []string `json:"upgrades"`
	// PingInterval is the time between two pings in milliseconds.
	PingInterval int64 `json:"pingInterval"`
	// PingTimeout is how long a peer waits for the other in milliseconds.
	PingTimeout int64 `json:"pingTimeout"`
	// MaxPayload is the largest message or polling body in bytes that the server takes.
	MaxPayload int64 `json:"maxPayload"`
}

// AppendOpen appends the Open packet, "0{...}". Nil Upgrades become []. Invalid UTF-8
// in SID or Upgrades becomes U+FFFD.
func AppendOpen(dst []byte, h Handshake) []byte {
	dst = append(dst, '0'+byte(Open))
	dst = append(dst, `{"sid":`...)
	dst = appendString(dst, h.SID)
	dst = append(dst, `,"upgrades":[`...)
	for i, u := range h.Upgrades {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, u)
	}
	dst = append(dst, `],"pingInterval":`...)
	dst = strconv.AppendInt(dst, h.PingInterval, 10)
	dst = append(dst, `,"pingTimeout":`...)
	dst = strconv.AppendInt(dst, h.PingTimeout, 10)
	dst = append(dst, `,"maxPayload":`...)
	dst = strconv.AppendInt(dst, h.MaxPayload, 10)
	return append(dst, '}')
}

func appendString(dst []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil {
		panic("eio: a string always has a JSON form: " + err.Error())
	}
	return append(dst, quoted...)
}

// Bounds on what DecodeOpen believes. A hostile server must not be able to make a
// client overflow a time.Duration or keep a huge id.
const (
	maxSID          = 1024
	maxUpgrades     = 16
	maxMilliseconds = math.MaxInt64 / 1_000_000 / 4 // two of them added still fit a time.Duration
)

// DecodeOpen reads the data of an Open packet (without its type digit) on the client's
// side. It refuses what would harm a client: no sid, or one longer than 1,024 bytes;
// ping times that are missing, zero, negative, fractional or beyond a time.Duration; a
// negative maxPayload. A missing maxPayload is 0 and means that the server did not say.
func DecodeOpen(data []byte) (Handshake, error) {
	var h Handshake
	if err := json.Unmarshal(data, &h); err != nil {
		return Handshake{}, fmt.Errorf("eio: the server's handshake is not the JSON of Engine.IO 4 (is this a Socket.IO server?): %w", err)
	}
	switch {
	case h.SID == "":
		return Handshake{}, errors.New("eio: the server's handshake has no sid")
	case len(h.SID) > maxSID:
		return Handshake{}, fmt.Errorf("eio: the server's handshake has a sid of %d bytes, at most %d are accepted", len(h.SID), maxSID)
	case len(h.Upgrades) > maxUpgrades:
		return Handshake{}, fmt.Errorf("eio: the server's handshake names %d upgrades, at most %d are accepted", len(h.Upgrades), maxUpgrades)
	case h.PingInterval <= 0 || h.PingInterval > maxMilliseconds:
		return Handshake{}, fmt.Errorf("eio: the server's handshake has pingInterval %d, want a positive number of milliseconds", h.PingInterval)
	case h.PingTimeout <= 0 || h.PingTimeout > maxMilliseconds:
		return Handshake{}, fmt.Errorf("eio: the server's handshake has pingTimeout %d, want a positive number of milliseconds", h.PingTimeout)
	case h.MaxPayload < 0:
		return Handshake{}, fmt.Errorf("eio: the server's handshake has maxPayload %d, want bytes", h.MaxPayload)
	}
	return h, nil
}
