package delivery

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
)

// A Message is one that its sender has stamped. It is the argument of an event as it is; js/reference.mjs
// makes the same.
type Message struct {
	Sender string   `json:"sender"`
	Stream string   `json:"stream"`
	Seq    int      `json:"seq"` // from 0, in each stream of a sender
	Count  int      `json:"count"`
	Hash   uint32   `json:"hash"` // the first 4 bytes of the SHA-256 of Text and Parts
	Text   string   `json:"text"`
	Parts  [][]byte `json:"parts"` // Count attachments
}

// New stamps a message. What is in it depends on the arguments only.
func New(sender, stream string, seq, attachments int) Message {
	m := Message{Sender: sender, Stream: stream, Seq: seq, Count: attachments, Parts: [][]byte{}}
	m.Text = strings.Repeat("é\x1e", seq%5) + fmt.Sprint(stream, " ", seq)
	for i := range attachments {
		m.Parts = append(m.Parts, fmt.Appendf(nil, "%s %s %d #%d\x00\xff", sender, stream, seq, i))
	}
	m.Hash = m.sum()
	return m
}

func (m Message) sum() uint32 {
	h := sha256.New()
	h.Write([]byte(m.Text))
	for _, p := range m.Parts {
		h.Write(p)
	}
	return binary.BigEndian.Uint32(h.Sum(nil))
}

// Frames is m as the messages of a transport: a header, and the attachments that must follow it directly.
func (m Message) Frames() (header string, attachments [][]byte) {
	attachments, m.Parts = m.Parts, nil
	data, err := json.Marshal(m)
	if err != nil {
		panic(err) // strings and numbers
	}
	return string(data), attachments
}

// An Entry is what a receiver notes of a Message; other processes send it to the one that has the Ledger.
type Entry struct {
	Sender string `json:"sender"`
	Stream string `json:"stream"`
	Seq    int    `json:"seq"`
	Count  int    `json:"count"` // attachments as stamped
	Parts  int    `json:"parts"` // attachments as they came
	Hash   uint32 `json:"hash"`  // as stamped
	Sum    uint32 `json:"sum"`   // of what came
}

// Entry notes m.
func (m Message) Entry() Entry {
	return Entry{m.Sender, m.Stream, m.Seq, m.Count, len(m.Parts), m.Hash, m.sum()}
}
