package delivery_test

import (
	"strings"
	"testing"

	"github.com/siokit/siokit/internal/delivery"
)

// A checker that overlooks something is worse than none.
func TestLedgerFindsEveryMistake(t *testing.T) {
	m := func(seq int) delivery.Message { return delivery.New("s", "t", seq, seq%3) }
	damaged := func(change func(m *delivery.Message)) func(l *delivery.Ledger) {
		return func(l *delivery.Ledger) {
			bad := m(2)
			change(&bad)
			l.Take(m(0))
			l.Take(m(1))
			l.Take(bad)
		}
	}
	take := func(seqs ...int) func(l *delivery.Ledger) {
		return func(l *delivery.Ledger) {
			for _, seq := range seqs {
				l.Take(m(seq))
			}
		}
	}
	for name, test := range map[string]struct {
		do   func(l *delivery.Ledger)
		want string
	}{
		"in order":            {take(0, 1, 2), ""},
		"a gap":               {take(0, 2), "2 came where 1 was due"},
		"twice":               {take(0, 1, 1), "1 came where 2 was due"},
		"out of order":        {take(0, 2, 1), "2 came where 1 was due"},
		"not from the start":  {take(1), "1 came where 0 was due"},
		"another text":        {damaged(func(m *delivery.Message) { m.Text += "x" }), "sum"},
		"another attachment":  {damaged(func(m *delivery.Message) { m.Parts[1] = []byte("x") }), "sum"},
		"attachments swapped": {damaged(func(m *delivery.Message) { m.Parts[0], m.Parts[1] = m.Parts[1], m.Parts[0] }), "sum"},
		"attachments missing": {damaged(func(m *delivery.Message) { m.Parts = m.Parts[:1] }), "1 attachments of 2"},
		"two streams": {func(l *delivery.Ledger) {
			take(0, 1)(l)
			l.Take(delivery.New("s", "other", 0, 0))
			take(2)(l)
		}, ""},
		"excused by a break":    {func(l *delivery.Ledger) { take(0, 1)(l); l.Break(); take(4, 5)(l) }, ""},
		"once for each break":   {func(l *delivery.Ledger) { take(0, 1)(l); l.Break(); take(4, 6)(l) }, "6 came where 5 was due"},
		"no break excuses that": {func(l *delivery.Ledger) { take(0, 1)(l); l.Break(); take(1)(l) }, "1 came where 2 was due"},
	} {
		t.Run(name, func(t *testing.T) {
			l := delivery.NewLedger()
			test.do(l)
			if err := l.Err(); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestRepeatingLedger(t *testing.T) {
	l := delivery.NewRepeating()
	for _, seq := range []int{0, 1, 0, 1, 2, 2} {
		l.Take(delivery.New("s", "t", seq, 0))
	}
	if err := l.Err(); err != nil || l.Got() != 3 || l.Repeats() != 3 {
		t.Errorf("%v, %d messages, %d repeats", err, l.Got(), l.Repeats())
	}
	l.Break()
	l.Take(delivery.New("s", "t", 4, 0))
	if l.Err() == nil {
		t.Error("a message is missing, and nobody minds")
	}
}

func TestLedgerPutsFramesTogether(t *testing.T) {
	frames := func(l *delivery.Ledger, seq int, leave int) {
		header, attachments := delivery.New("s", "t", seq, 2).Frames()
		l.Frame([]byte(header), false)
		for _, a := range attachments[:2-leave] {
			l.Frame(a, true)
		}
	}
	l := delivery.NewLedger()
	frames(l, 0, 0)
	frames(l, 1, 1)
	if err := l.Err(); err != nil || l.Got() != 1 {
		t.Fatalf("%v, %d messages", err, l.Got())
	}
	frames(l, 2, 0)
	if err := l.Err(); err == nil || !strings.Contains(err.Error(), "1 of 2 attachments") {
		t.Errorf("a header in between: %v", err)
	}
	l = delivery.NewLedger()
	l.Frame([]byte("x"), true)
	if l.Err() == nil {
		t.Error("an attachment of nothing")
	}
}
