// Package cluster is what the processes of one application tell each other, so that rooms, broadcasts,
// acks and disconnects reach clients wherever they are connected.
//
// Applications need little of it. They hand a [Bus] to the server, and to nothing else:
//
//	srv, err := core.New(core.Config{Bus: redisbus.New(rdb, redisbus.Options{})})
//
// Packages redisbus, rabbitbus, natsbus and kafkabus are buses over a broker, membus is one inside a
// process, for tests. A process without clients uses package emitter with the same bus.
//
// # The wire
//
// A [Node] speaks the JSON of python-socketio 5.15.1 and newer, so that a Flask-SocketIO fleet and its
// workers can share the channel: emit, callback, disconnect, enter_room, leave_room and close_room. What
// Python has no message for goes in messages of siokit's own, whose methods begin with "go.": Python
// ignores them. The channel is trusted: whoever can publish on it can send anything to every client. Give
// it credentials of its own, and a channel per environment.
//
// # What is promised
//
// Delivery is local first: the clients of the emitting process get an event whether or not the broker is
// there. To other processes it is at most once, in the order of the emitting process. What is lost while a
// broker is away is counted, see [Stats].
package cluster
