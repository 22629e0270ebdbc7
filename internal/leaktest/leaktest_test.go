package leaktest

import (
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

// A goroutine that ends late is no leak, one that does not end is one.
func TestFind(t *testing.T) {
	go time.Sleep(1500 * time.Millisecond) // goleak alone would not wait for so long
	if err := Find(); err != nil {
		t.Errorf("it would have ended: %v", err)
	}
	end := make(chan struct{})
	go func() { <-end }()
	if err := find(time.Millisecond); err == nil || !strings.Contains(err.Error(), "TestFind") {
		t.Errorf("a goroutine that does not end: %v", err)
	}
	close(end)
}
