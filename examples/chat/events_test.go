package main

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/siotest"
)

func want[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func wantCode(t *testing.T, code string, c *siotest.Client, event string, arg any) {
	t.Helper()
	if e := siotest.CallError(c, event, arg); e.Code != code || e.Message == "" {
		t.Errorf("%s %.40v: got %v, want an error with code %q", event, arg, e, code)
	}
}

func TestConnectWithoutLoginIsRefused(t *testing.T) {
	refused := serve(t, randomKey(t)).Refused()
	if refused.Message != "please log in" || string(refused.Data) != `{"code":401}` {
		t.Error(refused)
	}
}

func TestSaying(t *testing.T) {
	app := serve(t, randomKey(t))
	ann, bob := as(t, app, "ann").socket(), as(t, app, "bob").socket()
	want(t, "whoami", siotest.Call[Me](ann, "whoami"), Me{"ann"})
	want(t, "whoami", siotest.Call[Me](bob, "whoami"), Me{"bob"})

	lobby := RoomRef{"lobby"}
	wantCode(t, "not_joined", ann, "say", Say{"lobby", "hello"})
	want(t, "empty history", siotest.Call[[]Message](ann, "history", lobby), []Message{})
	want(t, "first join", siotest.Call[Members](ann, "join", lobby), Members{Members: 1})
	want(t, "second join", siotest.Call[Members](bob, "join", lobby), Members{Members: 2})
	want(t, "members", siotest.Next[Members](ann, "members"), Members{"lobby", 2})
	want(t, "joining again", siotest.Call[Members](bob, "join", lobby), Members{Members: 2})

	before := time.Now()
	ann.Emit("typing", lobby)
	id := siotest.Call[Said](ann, "say", Say{"lobby", " hello <b>bob</b> "}).ID
	for name, c := range map[string]*siotest.Client{"ann": ann, "bob": bob} {
		said := siotest.Next[Message](c, "said")
		if said.ID != id || said.Room != "lobby" || said.From != "ann" || said.Text != "hello <b>bob</b>" {
			t.Errorf("%s heard %+v", name, said)
		}
		if said.At.Before(before.Add(-time.Second)) || said.At.After(time.Now().Add(time.Second)) {
			t.Errorf("%s heard it at %v, it was said at %v", name, said.At, before)
		}
	}
	want(t, "typing", siotest.Next[Typing](bob, "typing"), Typing{"lobby", "ann"})
	siotest.ExpectNone(ann, "typing")
	past := siotest.Call[[]Message](bob, "history", lobby)
	if len(past) != 1 || past[0].ID != id || past[0].Text != "hello <b>bob</b>" {
		t.Errorf("history: %+v", past)
	}

	// Another room hears nothing: what bob says last is what ann hears next.
	siotest.Call[Members](bob, "join", RoomRef{"kitchen"})
	bob.Emit("say", Say{"kitchen", "not for ann"})
	bob.Emit("say", Say{"lobby", "for ann"})
	if said := siotest.Next[Message](ann, "said"); said.Text != "for ann" || said.ID <= id {
		t.Errorf("ann heard %+v", said)
	}
}

func TestBadArguments(t *testing.T) {
	ann := as(t, serve(t, randomKey(t)), "ann").socket()
	siotest.Call[Members](ann, "join", RoomRef{"lobby"})
	for _, text := range []string{"", " \n\t ", strings.Repeat("ä", maxText+1)} {
		wantCode(t, "bad_text", ann, "say", Say{"lobby", text})
	}
	if siotest.Call[Said](ann, "say", Say{"lobby", strings.Repeat("ä", maxText)}).ID == 0 {
		t.Error("a text of exactly the longest length is refused")
	}
	for _, room := range []string{"", "-", "a b", "../x", "chat:lobby", "a\n", strings.Repeat("r", 33)} {
		for _, event := range []string{"join", "history", "say"} {
			wantCode(t, "bad_room", ann, event, Say{room, "x"})
		}
	}
	for i := range maxJoined - 1 {
		siotest.Call[Members](ann, "join", RoomRef{"r" + strings.Repeat("x", i)})
	}
	wantCode(t, "too_many_rooms", ann, "join", RoomRef{"full"})
	want(t, "a room joined already", siotest.Call[Members](ann, "join", RoomRef{"lobby"}), Members{Members: 1})
}

func TestOnline(t *testing.T) {
	app := serve(t, randomKey(t))
	ann := as(t, app, "ann")
	tab := ann.socket()
	next := func(what string, names ...string) {
		t.Helper()
		want(t, what, siotest.Next[[]string](tab, "online"), names)
	}
	next("alone", "ann")
	second := ann.socket()
	next("two tabs are one name", "ann")
	bob := as(t, app, "bob").socket()
	next("with bob", "ann", "bob")
	second.Cut()
	next("one tab is left", "ann", "bob")
	bob.Cut()
	next("bob has left", "ann")
}

func TestAnnouncement(t *testing.T) {
	app := serve(t, randomKey(t))
	newBrowser(t, app).want(http.StatusUnauthorized, "POST", "/announce", "text", "anonymous")
	ann, bob := as(t, app, "ann"), as(t, app, "bob").socket()
	ann.want(http.StatusBadRequest, "POST", "/announce", "text", "  ")
	ann.want(http.StatusBadRequest, "POST", "/announce", "text", strings.Repeat("x", 281))
	ann.wantLargeFormRefused("/announce", "too large")
	ann.want(http.StatusNoContent, "POST", "/announce", "text", "lunch")
	want(t, "announcement", siotest.Next[Announcement](bob, "announcement"), Announcement{"ann", "lunch"})
}

// Logout ends all sockets of that login, and no others: neither bob's nor those of ann's phone.
func TestLogoutEndsSockets(t *testing.T) {
	app := serve(t, randomKey(t))
	laptop, phone := as(t, app, "ann"), as(t, app, "ann")
	tabs := []*siotest.Client{laptop.socket(), laptop.socket()}
	onPhone, bob := phone.socket(), as(t, app, "bob").socket()
	laptop.want(http.StatusSeeOther, "POST", "/logout")
	for _, tab := range tabs {
		tab.Disconnected()
	}
	want(t, "ann's phone", siotest.Call[Me](onPhone, "whoami"), Me{"ann"})
	want(t, "bob", siotest.Call[Me](bob, "whoami"), Me{"bob"})
	app.Refused(siotest.Cookies(laptop.client.Jar))

	phone.want(http.StatusSeeOther, "POST", "/logout")
	onPhone.Disconnected()
	for !reflect.DeepEqual(siotest.Next[[]string](bob, "online"), []string{"bob"}) {
		// the list forgets ann, although she is nobody by then
	}
}
