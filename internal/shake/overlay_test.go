package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestInsert(t *testing.T) {
	var o overlay
	pkg, got, err := o.insert("a.go", []byte(`package a

func f(c chan int) func() {
	switch x := <-c; x {
	case 1:
		fallthrough
	default:
		select {
		case c <- 1:
		case <-c: return nil
		}
	}
again:
	for range 2 { if len(c) > 0 { goto again } }
	return func() { close(c) }
}
`))
	const want = `package a

func f(c chan int) func() {
	! switch x := <-c; x {
	case 1:
		! fallthrough
	default:
		! select {
		case c <- 1:
		case <-c: ! return nil
		}
	}
! again:
	for range 2 { ! if len(c) > 0 { ! goto again } }
	! return func() { ! close(c) }
}
`
	for place := range o.places {
		got = strings.ReplaceAll(got, strings.TrimSpace(fmt.Sprintf(call, place)), "!")
	}
	if err != nil || pkg != "a" || got != want {
		t.Errorf("%v, package %s:\n%s", err, pkg, got)
	}
	if _, got, err := o.insert("b.go", []byte("//go:build linux\n\npackage b\nfunc f() { f() }\n")); err != nil || got != "" {
		t.Errorf("a file for Linux only: %q, %v", got, err)
	}
}

// A test that takes for granted that a goroutine is quick passes without pauses, and fails with them.
func TestShake(t *testing.T) {
	dir := t.TempDir()
	for file, source := range map[string]string{
		"go.mod": "module hasty\n\ngo 1.26\n",
		"a.go":   "package hasty\n\nfunc work() (n int) {\n" + strings.Repeat("\tn++\n", 300) + "\treturn n\n}\n",
		"a_test.go": `package hasty

import (
	"testing"
	"time"
)

func TestHasty(t *testing.T) {
	done := make(chan int)
	go func() { done <- work() }()
	select {
	case <-done:
	case <-time.After(3 * time.Second):
		t.Error("late")
	}
}
`,
		"b_test.go": `package hasty_test

import "testing"

func TestOutside(t *testing.T) { t.Log("has a function of its own") }
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	if err := shake(plan{every: 1_000_000_000, pause: time.Millisecond}, nil, []string{"."}); err != nil {
		t.Errorf("without pauses: %v", err)
	}
	if err := shake(plan{every: 1, pause: 200 * time.Millisecond}, nil, []string{"."}); err == nil {
		t.Error("with 300 pauses of up to 200 ms it passes")
	}
	if err := shake(plan{every: 1, places: 1, pause: 200 * time.Millisecond}, nil, []string{"."}); err == nil {
		t.Error("with 300 places of up to 200 ms it passes")
	}
}
