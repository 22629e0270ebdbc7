// Package siotest tests socket handlers without a port: a server in memory, clients that go through the
// application's real handler chain, and an HTTP client that shares their cookies.
//
//	func TestSay(t *testing.T) {
//		ts := siotest.Serve(t, router, srv)              // the gin, echo, chi or net/http router, and the sockets
//		jar := siotest.Jar()
//		ts.PostForm(jar, "/login", url.Values{"name": {"ann"}})
//		ann := ts.Dial(siotest.Cookies(jar))             // logged in, as in a browser
//		bob := ts.Dial(siotest.Auth(map[string]string{"token": "t"}))
//
//		ann.Emit("say", Say{Room: "lobby", Text: "hello"})
//		said := siotest.Next[Said](bob, "said")          // fails the test if it does not come
//		n := siotest.Call[int](ann, "count")             // waits for the ack
//		siotest.ExpectNone(ann, "said")
//	}
//
// Packets really are encoded, sent and decoded, by package client, on WebSocket, on polling or with an
// upgrade between. A failure says what did arrive. Everything ends with the test, and goroutines that a
// handler has left behind fail it.
//
// # Time
//
// Inside testing/synctest, with Serve called in the bubble, time is the bubble's: heartbeats, ack timeouts,
// reconnection and recovery windows take none. core.New and the application must be made in the bubble too.
//
// # Faults
//
// Client.Cut, Down, Freeze and Delay are the network's, for one client each.
//
// # Several servers
//
// Two servers with buses of one membus.Hub are a cluster in a test: Serve each, and dial either.
//
// # Concurrency
//
// All methods and functions may be called concurrently. Those that fail the test stop it, as t.Fatal does, and
// belong on the test's own goroutine; Emit and Received may be called from any.
package siotest
