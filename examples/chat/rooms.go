package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/siokit/siokit/core"
)

const (
	keptMessages = 50   // of each room
	keptRooms    = 1000 // rooms with a history; the one that was silent longest is forgotten first
	maxText      = 2000 // characters of a message
	maxJoined    = 32   // rooms of one connection
)

// Message is one message of a room: the event "said", and an entry of its history.
type Message struct {
	ID   int64     `json:"id"`
	Room string    `json:"room"`
	From string    `json:"from"`
	Text string    `json:"text"`
	At   time.Time `json:"at"`
}

// history keeps the last messages of each room in memory. All methods may be called concurrently.
type history struct {
	mu     sync.Mutex
	lastID int64                // guarded by mu
	rooms  map[string][]Message // guarded by mu; oldest first
}

// Ids start at the time of the start, in microseconds: so they rise across restarts, and pages that stayed open
// never take a new message for one they know. JavaScript holds them exactly (below 2^53).
func newHistory() *history {
	return &history{lastID: time.Now().UnixMicro(), rooms: map[string][]Message{}}
}

func (h *history) add(room, from, text string) Message {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lastID++
	m := Message{ID: h.lastID, Room: room, From: from, Text: text, At: time.Now().UTC()}
	if _, known := h.rooms[room]; !known && len(h.rooms) >= keptRooms {
		h.forgetLocked()
	}
	kept := append(h.rooms[room], m)
	if len(kept) > keptMessages {
		kept = slices.Clone(kept[1:]) // a clone, because last hands the old one out
	}
	h.rooms[room] = kept
	return m
}

// forgetLocked drops the room whose last message is the oldest. h.mu must be held.
func (h *history) forgetLocked() {
	oldest, oldestID := "", h.lastID
	for room, kept := range h.rooms {
		if id := kept[len(kept)-1].ID; id < oldestID {
			oldest, oldestID = room, id
		}
	}
	delete(h.rooms, oldest)
}

// last returns the kept messages of a room, oldest first. The caller must not change them.
func (h *history) last(room string) []Message {
	h.mu.Lock()
	defer h.mu.Unlock()
	if kept := h.rooms[room]; kept != nil {
		return kept
	}
	return []Message{} // null in JSON otherwise
}

var roomName = regexp.MustCompile(`^[\pL\pN][\pL\pN_-]{0,31}$`)

// roomKey returns the server's name for a room that a client has named. The prefix keeps clients out of rooms
// that are not chat rooms: without it, "user:bob" would be one more room to listen in.
func roomKey(name string) (string, error) {
	if !roomName.MatchString(name) {
		return "", &core.Error{Code: "bad_room", Message: "a room's name has 1 to 32 letters, digits, - and _"}
	}
	return "chat:" + name, nil
}

// cleanText trims a text and refuses one that is empty or longer than limit characters.
func cleanText(text string, limit int) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", &core.Error{Code: "bad_text", Message: "the text is empty"}
	}
	if n := utf8.RuneCountInString(text); n > limit {
		return "", &core.Error{Code: "bad_text", Message: fmt.Sprintf("the text has %d characters, %d are allowed", n, limit)}
	}
	return text, nil
}
