package main

import (
	"strconv"
	"testing"
)

func TestHistoryKeepsTheLastMessages(t *testing.T) {
	h := newHistory()
	for i := range keptMessages + 3 {
		h.add("lobby", "ann", strconv.Itoa(i))
	}
	kept := h.last("lobby")
	if len(kept) != keptMessages || kept[0].Text != "3" || kept[keptMessages-1].Text != strconv.Itoa(keptMessages+2) {
		t.Errorf("kept %d messages, from %q to %q", len(kept), kept[0].Text, kept[len(kept)-1].Text)
	}
	for i := 1; i < len(kept); i++ {
		if kept[i].ID <= kept[i-1].ID {
			t.Fatalf("ids do not rise: %d after %d", kept[i].ID, kept[i-1].ID)
		}
	}
	h.add("lobby", "ann", "new")
	if kept[0].Text != "3" || len(kept) != keptMessages {
		t.Error("what last returned has changed afterwards")
	}
}

func TestHistoryForgetsTheMostSilentRoom(t *testing.T) {
	h := newHistory()
	for i := range keptRooms {
		h.add("room"+strconv.Itoa(i), "ann", "first")
	}
	h.add("room0", "ann", "again")
	h.add("another", "ann", "first")
	if len(h.rooms) != keptRooms {
		t.Errorf("%d rooms are kept, want %d", len(h.rooms), keptRooms)
	}
	if got := len(h.last("room0")); got != 2 {
		t.Errorf("room0 has %d messages, want 2", got)
	}
	if got := len(h.last("room1")); got != 0 {
		t.Error("room1 was silent longest and is still there")
	}
}

// A page that stayed open over a restart must not take a new message for one it knows.
func TestIDsRiseAcrossRestarts(t *testing.T) {
	before := newHistory().add("lobby", "ann", "x").ID
	after := newHistory()
	if after.lastID < before-1 { // both in the same microsecond at worst
		t.Errorf("a restart begins at %d, before it was %d", after.lastID, before)
	}
	if id := after.add("lobby", "ann", "y").ID; id >= 1<<53 {
		t.Errorf("JavaScript cannot hold id %d", id)
	}
}
