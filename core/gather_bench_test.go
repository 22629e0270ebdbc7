package core_test

import (
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/core"
)

// BenchmarkGather asks 1,000 clients and gets no answer: what asking costs.
func BenchmarkGather(b *testing.B) {
	a := serve(b, core.Config{OutboxPackets: 1 << 20, OutboxBytes: 1 << 28})
	for range 1000 {
		p := a.dial("websocket")
		p.join("/", "")
		go func() {
			for range p.in {
			}
		}()
	}
	arg := map[string]any{"text": strings.Repeat("x", 100), "n": 1}
	b.Run("Gather", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for range core.Gather[core.None](b.Context(), a.Timeout(time.Nanosecond), "vote", arg) {
			}
		}
	})
	b.Run("Emit", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = a.Emit("vote", arg)
		}
	})
}
