//go:build linux

package main

import (
	"fmt"
	"strings"
)

// Numbers in messages have a fixed width, so that a frame built once can be
// renumbered in place.
const (
	firstNumber = 100_000
	lastNumber  = 999_999
)

// say returns the JSON object that every workload sends, 100 bytes of it: what a
// chat message looks like. n has six digits.
func say(user, n int) string {
	const size = 100
	head := fmt.Sprintf(`{"user":"user-%04d","n":%d,"text":"`, user%10_000, n)
	return head + strings.Repeat("lorem ipsum ", size/12)[:size-len(head)-2] + `"}`
}

// setNumber writes n over the six digits at the start of b.
func setNumber(b []byte, n int) {
	for i := 5; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
}

// nextNumber returns the number after n, starting again where the width ends.
func nextNumber(n int) int {
	if n == lastNumber {
		return firstNumber
	}
	return n + 1
}
