// Package nodewire makes a siokit server a member of a cluster of Node servers that use
// @socket.io/redis-adapter 8 (createAdapter, not createShardedAdapter), and lets @socket.io/redis-emitter
// reach it:
//
//	rdb := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
//	srv, err := core.New(core.Config{Link: nodewire.New(rdb, nodewire.Options{})})
//
// Rooms, broadcasts, acks, fetchSockets, socketsJoin, socketsLeave, disconnectSockets and serverSideEmit
// work both ways. Several siokit servers may be members too. A cluster of siokit servers alone does better
// with core.Config.Bus, whose wire knows who is there and who does not answer.
//
// # What the wire cannot do
//
// Of a client's ack only the first argument is carried, and nobody is told whose it is: the replies of
// Gather have no socket id. Nor are the servers that do not answer known by name; they are counted, as the
// Node servers do it, by PUBSUB NUMSUB. Arguments and answers of server-to-server events are JSON: a binary
// value becomes {"type":"Buffer","data":[...]}. Node tells more about its sockets than [cluster.Socket] has;
// headers, with their cookies, queries and auth payloads are neither sent nor kept.
//
// Revocation of logins has no form in Node. siokit servers tell each other on a channel of their own,
// <prefix>-siokit#.
//
// # Safety
//
// Whoever can publish in Redis is a member. The number of a Redis database does not separate channels:
// give staging and production different prefixes, and Redis users with rules for channels.
package nodewire
