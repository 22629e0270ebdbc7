// Package client is a Socket.IO client (protocol 5 over Engine.IO 4): it talks to siokit, to the Node
// server 3 and 4, and to Flask-SocketIO 5 and python-socketio 5.
//
//	c, err := client.New("https://chat.example", client.Options{Auth: token})
//	client.On(c, "said", func(ctx context.Context, in Said) error { ... })
//	err = c.Connect(ctx)
//	members, err := client.Call[[]string](ctx, c, "join", "lobby")
//	err = c.Wait() // until Close, or until there is nothing left to wait for
//
// [Listen] registers the methods of a value, [EmitFunc] takes an ack in a function.
//
// Register handlers before Connect, so that they see what the server sends first. [Dial] is New and
// Connect for programs that only send and ask, [DialSimple] a blocking form for scripts.
//
// # Connections
//
// A [Client] holds one connection and reconnects it: after 1 s, 2 s, 4 s, then every 5 s, each up to half
// longer or shorter, without end unless Options say otherwise. A [Socket] is one namespace on it, with an
// id of its own. What is emitted while there is no connection waits for one, within bounds, except with
// Volatile. What was under way when a connection broke may be lost and nobody is told, unless it asked for
// an ack: Call then returns ErrDisconnected, and so hears the function of EmitFunc. Options.Retries sends again until there is an ack.
//
// A namespace that the server has refused or ended ("io server disconnect") is not joined again by
// itself, as in JavaScript: Socket.Connect does. When no namespace is left the client ends, and Wait says
// why; Client.Connect begins again, with the same handlers. Client.Flush before Close waits for the acks of
// what was emitted.
//
// # Goroutines
//
// One goroutine opens and reopens the connection, from Connect until the client has ended. The connection
// has one reader and one writer. Each namespace's handlers run one after another, in the order of its
// events, on a goroutine that lives while events are queued; namespaces run in parallel. Acks never queue
// behind handlers, so a handler may Call; the functions of EmitFunc do, because they run among them. Close waits
// for all of them.
package client
