package delivery

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strings"
)

// A Message is one that its sender has stamped. It is the argument of an event as it is; js/reference.mjs
// makes the same.
type Message struct {
	Sender string   `json:"sender"`
	Stream string   `json:"stream"`
	Seq    int      `json:"seq"` // from 0, in each stream of a sender
	Count  int      `json:"count"`
	Hash   uint32   `json:"hash"` // CRC-32 of Text and Parts
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
	sum := crc32.ChecksumIEEE([]byte(m.Text))
	for _, p := range m.Parts {
		sum = crc32.Update(sum, crc32.IEEETable, p)
	}
	return sum
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
	Sender, Stream string
	Seq            int
	Count, Parts   int    // attachments as stamped, and as they came
	Hash, Sum      uint32 // as stamped, and of what came
}

// Entry notes m.
func (m Message) Entry() Entry {
	return Entry{m.Sender, m.Stream, m.Seq, m.Count, len(m.Parts), m.Hash, m.sum()}
}
