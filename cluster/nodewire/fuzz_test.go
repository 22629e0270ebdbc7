package nodewire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/siokit/siokit/wire/sio"
)

// Whatever is in a broadcast, what is taken is fit for clients, and comes back the same when it is written
// and read again.
func FuzzBroadcast(f *testing.F) {
	for _, vector := range []string{
		"93a7656d697474657283a47479706502a46461746193a26869a5746865726501a36e7370a12f83a5726f6f6d7390a5666c61677380a665786365707490",
		"93a7656d697474657283a47479706502a46461746192a362696ec403010203a36e7370a12f83a5726f6f6d7392a27231a27232a5666c61677382a8766f6c6174696c65c3a8636f6d7072657373c2a665786365707490",
		"93a644707157715283a47479706502a46461746198a568656c6c6fa177c0c0cb3ff8000000000000ffc4027a7ad6ff00000000a36e7370a12f83a5726f6f6d7391a5726f6f6d31a665786365707490a5666c61677380",
		"93c082a47479706505a46461746191a16581a5726f6f6d739105", "93a17882a47479706502a4646174619201c0c0",
		"93a17882a47479706502a46461746193a165c4016181ac5f706c616365686f6c646572c380",
	} {
		msg, err := hex.DecodeString(vector)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(msg)
	}
	c := newCodec(sio.Limits{})
	f.Fuzz(func(t *testing.T, msg []byte) {
		before := bytes.Clone(msg)
		uid, rest, err := c.sender(msg)
		if err != nil {
			return
		}
		e, err := c.broadcast(rest)
		if !bytes.Equal(msg, before) {
			t.Fatal("the message was changed")
		}
		if err != nil {
			return
		}
		if n, err := sio.CheckArgs(e.Data, len(e.Attachments), sio.Limits{}); err != nil || !json.Valid(e.Data) {
			t.Fatalf("%d arguments %q: %v", n, e.Data, err)
		}
		if sio.Reserved(e.Event) || e.All == (len(e.Rooms) > 0) {
			t.Fatalf("%+v", e)
		}
		e.Rooms, e.Except = unique(e.Rooms), unique(e.Except)
		out, err := appendBroadcast(nil, uid, e)
		if err != nil {
			t.Fatal(err)
		}
		uid2, rest, err := c.sender(out)
		if err != nil || uid2 != uid {
			t.Fatalf("%q became %q: %v", uid, uid2, err)
		}
		again, err := c.broadcast(rest)
		if diff := cmp.Diff(e, again, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Fatalf("%v\n%s", err, diff)
		}
	})
}

// Requests and responses of any encoding are read or refused.
func FuzzRequest(f *testing.F) {
	for _, msg := range []string{
		`{"uid":"DpqWqR","requestId":"9SoYcI","type":5,"opts":{"rooms":[],"except":[]}}`, `{"type":8,"requestId":"Z7nTjK","clientCount":0}`,
		`{"requestId":"9SoYcI","sockets":[{"id":"S","handshake":{"issued":"x","url":5},"rooms":["S",5],"data":null}]}`,
		`{"uid":"DpqWqR","requestId":"4pUnU2","type":6,"data":["sse",5]}`, "\x84\xa4type\x02\xa3uid\xa1x\xa4opts\x81\xa5rooms\x91\xa1r\xa5rooms\x91\xa1z",
		"\x83\xa4type\x09\xa9requestId\xa1x\xa6packet\xc4\x01\x07",
	} {
		f.Add([]byte(msg))
	}
	c := newCodec(sio.Limits{})
	f.Fuzz(func(t *testing.T, msg []byte) {
		if r, err := c.request(msg); err == nil {
			r.Opts.audience("/")
			if _, err := c.event(r.Data); err == nil && !json.Valid(r.Data) {
				t.Fatalf("%q", r.Data)
			}
			if r.Packet != nil {
				_, _ = c.emit(r.Packet, r.attachments, &options{})
			}
		}
		r, err := c.response(msg)
		if err != nil {
			return
		}
		if got := reply(r.Packet, r.attachments); !json.Valid(got.Data) {
			t.Fatalf("%q", got.Data)
		}
		if r.Sockets == nil {
			return
		}
		for _, v := range *r.Sockets {
			if s, err := heard(v, "/"); err == nil && s.ID == "" {
				t.Fatalf("%+v", s)
			}
		}
	})
}
