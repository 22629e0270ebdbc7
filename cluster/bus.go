package cluster

import "context"

// A Bus carries messages between all processes that use the same channel of a broker. Implementations
// import only the standard library from this contract, and must pass the suite of package clustertest.
//
// A Bus is for one user: one server, or one emitter. Its methods may be called concurrently, except that
// Subscribe is called at most once.
type Bus interface {
	// Publish sends msg to all subscribers of the channel, also back to this one: by that a user sees that
	// messages are delivered, and recognises its own. It queues and returns at once, whatever state the broker is in; what does not
	// fit into the bounded queue pushes out the oldest, which is counted. The messages of one Bus arrive
	// in the order of Publish. The bus owns msg from now on. It returns an error after Close, and
	// when the bus is configured in a way that cannot work.
	Publish(msg []byte) error

	// Subscribe begins to call receive for each message, one at a time, from one goroutine. receive does
	// not block and may keep msg. Subscribe returns once messages published elsewhere from now on will
	// arrive. If the broker cannot be reached it returns an error that says so, or, when the bus is
	// configured to start without it, nil. Later losses are the bus's to mend: it reconnects and
	// resubscribes, with growing pauses, until Close.
	Subscribe(ctx context.Context, receive func(msg []byte)) error

	// Healthy returns nil while messages go both ways, and otherwise what is wrong.
	Healthy() error

	// Dropped returns how many published messages were thrown away because the broker was away for too
	// long, or the queue was full.
	Dropped() int64

	// Close waits until what was published has been handed to the broker, at most until ctx ends, then ends
	// every goroutine of the bus. receive is not called any more after it has returned. It does not close a
	// broker client that was handed in. Further calls do nothing.
	Close(ctx context.Context) error
}
