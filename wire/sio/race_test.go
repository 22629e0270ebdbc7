//go:build race

package sio_test

// Under the race detector sync.Pool drops items on purpose.
const raceEnabled = true
