package emitter_test

import (
	"context"
	"fmt"

	"github.com/siokit/siokit/cluster/membus"
	"github.com/siokit/siokit/emitter"
)

func Example() {
	var hub membus.Hub // in a program: redisbus.New(rdb, redisbus.Options{}), or another bus
	em := emitter.New(hub.Bus(), emitter.Options{})
	ctx := context.Background()
	orders := em.Of("/orders")
	fmt.Println(orders.To("o:42").Emit(ctx, "shipped", map[string]int{"id": 42}))
	fmt.Println(orders.To("o:42").Emit(ctx, "disconnect"))
	fmt.Println(em.Close(ctx))
	// Output:
	// <nil>
	// emitter: sio: event name "disconnect" is reserved: peers would refuse it, choose another
	// <nil>
}
