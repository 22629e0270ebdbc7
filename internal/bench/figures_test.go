//go:build linux

package main

import (
	"bytes"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestCPUTimeAgreesWithTheKernelsOtherCounts(t *testing.T) {
	pid := os.Getpid()
	for end := time.Now().Add(100 * time.Millisecond); time.Now().Before(end); {
	}
	before, err := cpuTime(pid)
	if err != nil {
		t.Fatal(err)
	}
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		t.Fatal(err)
	}
	usage := time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
	after, err := cpuTime(pid) // other threads go on, for long if this one has to wait for a processor
	if err != nil {
		t.Fatal(err)
	}
	if slip := 20*time.Millisecond + usage/20; usage < before-slip || usage > after+slip {
		t.Errorf("CPU clock says %v to %v, getrusage %v", before, after, usage)
	}
	if err := checkClocks(pid); err != nil {
		t.Error(err)
	}
	if kib, err := residentKiB(pid); err != nil || kib < 1024 {
		t.Errorf("resident: %d KiB, error %v", kib, err)
	}
}

func TestFrames(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 65_535, 65_536} {
		payload := bytes.Repeat([]byte("x"), size)
		frame := appendFrame(nil, opText, payload)
		// What a client sends is what a server sends but for the mask: its bit and its four bytes.
		head := len(frame) - size - 4
		frame[1] &^= 0x80
		server := append(append([]byte{}, frame[:head]...), frame[head+4:]...)
		for _, cut := range []int{0, 1, head, len(server) - 1} {
			if cut < len(server) {
				if _, _, _, ok, err := cutFrame(server[:cut]); ok || err != nil {
					t.Errorf("%d of %d bytes: ok %v, error %v", cut, len(server), ok, err)
				}
			}
		}
		op, got, rest, ok, err := cutFrame(append(server, "next"...))
		if op != opText || !bytes.Equal(got, payload) || string(rest) != "next" || !ok || err != nil {
			t.Errorf("size %d: opcode %d, %d bytes, rest %q, ok %v, error %v", size, op, len(got), rest, ok, err)
		}
	}
	for _, bad := range []string{"\x81\x80....", "\x01\x01x", "\xc1\x01x", "\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"} {
		if _, _, _, ok, err := cutFrame([]byte(bad)); ok || err == nil {
			t.Errorf("frame %q accepted", bad)
		}
	}
}

func TestResponses(t *testing.T) {
	whole := "HTTP/1.1 200 OK\r\nDate: x\r\ncontent-length: 2\r\n\r\nok"
	if body, ok, err := cutResponse([]byte(whole)); string(body) != "ok" || !ok || err != nil {
		t.Errorf("body %q, ok %v, error %v", body, ok, err)
	}
	for cut := range len(whole) {
		if _, ok, err := cutResponse([]byte(whole[:cut])); ok || err != nil {
			t.Errorf("%q: ok %v, error %v", whole[:cut], ok, err)
		}
	}
	for _, bad := range []string{
		whole + "more", strings.Replace(whole, "200", "400", 1), strings.Replace(whole, "content-length", "x", 1),
	} {
		if _, ok, err := cutResponse([]byte(bad)); ok || err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}

func TestMessageIsAHundredBytes(t *testing.T) {
	for _, user := range []int{0, 9_999, 12_345} {
		if m := say(user, lastNumber); len(m) != 100 {
			t.Errorf("%d bytes: %s", len(m), m)
		}
	}
	b := []byte(say(0, firstNumber))
	setNumber(b[numberAt(b):], nextNumber(firstNumber))
	if !bytes.Contains(b, []byte(`"n":100001,`)) || nextNumber(lastNumber) != firstNumber {
		t.Errorf("renumbered: %s", b)
	}
}

func values(v ...float64) (f []figure) {
	for _, x := range v {
		f = append(f, figure{Value: x, Clients: 9})
	}
	return f
}

func TestRatiosAreTakenRoundByRound(t *testing.T) {
	r := &row{Title: "work", Per: "op", Unit: "µs", Base: bare, Target: 1.2, Figures: map[string][]figure{
		bare:   values(10, 20, 40), // the machine got busier,
		siokit: values(11, 22, 60), // for both
		node:   values(20, 50, 80),
	}}
	if s, ok := r.ratio(siokit); !ok || s != (spread{1.1, 1.1, 1.5}) {
		t.Errorf("ratio %v, ok %v", s, ok)
	}
	if yes, ok := r.met(); !yes || !ok {
		t.Errorf("met: %v, %v", yes, ok)
	}
	var b strings.Builder
	if err := (&report{Rows: []*row{r}}).markdown(&b); err != nil {
		t.Fatal(err)
	}
	want := "| work, per op | 9 | 20.0 µs (10.0-40.0) | 2.00 (2.00-2.50) | 1.10 (1.10-1.50) | <= 1.2 | yes |\n"
	if !strings.Contains(b.String(), want) {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}

	r.Target = 1.05
	if yes, ok := r.met(); yes || !ok {
		t.Errorf("a target that is missed: met %v, %v", yes, ok)
	}
	delete(r.Figures, bare)
	if _, ok := r.met(); ok {
		t.Error("met without a base to compare with")
	}
	r.Base, r.Target = "", 22
	if yes, ok := r.met(); !yes || !ok {
		t.Errorf("an absolute target: met %v, %v", yes, ok)
	}
	if s, ok := spreadOf([]float64{4, 1, 2, 3}); !ok || s != (spread{2.5, 1, 4}) {
		t.Errorf("spread of an even number: %v", s)
	}
}
