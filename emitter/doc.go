// Package emitter emits from a process that serves no clients: a worker, a cron job, a command. It speaks
// to the servers over their message bus, and links none.
//
//	em := emitter.New(redisbus.New(rdb, redisbus.Options{}), emitter.Options{})
//	defer em.Close(ctx)
//	err := em.Of("/orders").To("o:42").Emit(ctx, "shipped", order)
//
// The bus must be configured as those of the servers: the same broker, the same channel, and the same
// Key if they have one. Servers are those of package core with Config.Bus, and those of python-socketio
// and Flask-SocketIO for Emit, and for Join, Leave and Disconnect of single sockets and CloseRoom.
//
// Nothing waits for the broker or the clients. What is emitted while the broker is away waits in the bus,
// which is bounded; [Emitter.Dropped] counts what did not fit. A worker that ends calls [Emitter.Close], or
// what it said last may be lost. There are no answers: acks and questions to servers need a server.
package emitter
