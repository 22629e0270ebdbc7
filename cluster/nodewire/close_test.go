package nodewire_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/siokit/siokit/cluster/internal/brokertest"
	"github.com/siokit/siokit/cluster/nodewire"
)

// Answers that cannot be read, and the end of the member at the same time, do not wait for each other.
func TestBadAnswersWhileClosing(t *testing.T) {
	addr := brokertest.Redis(t).Addr
	stranger := client(t, addr)
	requests := stranger.Subscribe(t.Context(), "socket.io-request#/#") // counts as a member
	t.Cleanup(func() { _ = requests.Close() })
	_, err := requests.Receive(t.Context())
	check(t, err)
	for range 50 {
		a, _ := member(t, addr, nodewire.Options{})
		var asking sync.WaitGroup
		asking.Go(func() { _, _ = a.Fetch(context.Background(), all("/")) })
		m, err := requests.ReceiveMessage(t.Context())
		check(t, err)
		_, rest, _ := strings.Cut(m.Payload, `"requestId":"`)
		id, _, _ := strings.Cut(rest, `"`)
		bad := `{"requestId":"` + id + `","sockets":[1` + strings.Repeat(",1", 20_000) + `]}`
		check(t, stranger.Publish(t.Context(), "socket.io-response#/#", bad).Err())
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		closed := make(chan error, 1)
		go func() { closed <- a.Close(ctx) }()
		select {
		case err := <-closed:
			check(t, err)
		case <-ctx.Done():
			t.Fatal("Close does not return")
		}
		cancel()
		asking.Wait()
	}
}
