package cluster

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	signatureStart = `,"go_mac":"`
	signatureEnd   = `"}`
	signatureLen   = len(signatureStart) + 2*sha256.Size + len(signatureEnd)
	signedFor      = time.Minute
)

var errSignature = errors.New("cluster: a message without the signature that Options.Key asks for")

// signer is the key that signs messages, none if it is empty.
type signer []byte

// encode makes a message's bytes, signed if there is a key.
func (key signer) encode(m *message) ([]byte, error) {
	if len(key) > 0 {
		m.Go.At = time.Now().UnixMilli()
	}
	data, err := jsonv2.Marshal(m, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if err != nil || len(key) == 0 {
		return data, err
	}
	return append(append(append(data[:len(data)-1], signatureStart...), key.signature(data[:len(data)-1])...), signatureEnd...), nil
}

func (key signer) signature(data []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write(data)
	return hex.EncodeToString(mac.Sum(nil))
}

// verify checks a message's signature, if there is a key, before anything else is done with it.
func (key signer) verify(data []byte) error {
	if len(key) == 0 {
		return nil
	}
	at := len(data) - signatureLen
	if at < 0 || !bytes.HasPrefix(data[at:], []byte(signatureStart)) || !bytes.HasSuffix(data, []byte(signatureEnd)) {
		return errSignature
	}
	got := data[at+len(signatureStart) : len(data)-len(signatureEnd)]
	if !hmac.Equal(got, []byte(key.signature(data[:at]))) {
		return errSignature
	}
	return nil
}

// fresh reports whether a signed message is recent; one that somebody recorded is not.
func (key signer) fresh(m *message) error {
	if len(key) == 0 {
		return nil
	}
	if m.Go == nil || time.Since(time.UnixMilli(m.Go.At)).Abs() > signedFor {
		return errors.New("cluster: a signed message that is not of this minute: a replay, or clocks that disagree")
	}
	return nil
}
