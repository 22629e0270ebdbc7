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
// upgrade between. Everything ends with the test.
//
// # Failures
//
// A failure says what did arrive, and what handlers have failed with; Logger adds the server's log. Panics of
// handlers and goroutines that one has left behind fail the test by themselves; see Server.Failed for those that
// it expects. A wait that is in vain ends after Server.Patience.
//
// # What has arrived
//
// When Call returns, Received has everything that the server sent to that client before the ack. In a bubble it
// has everything that anything has caused before.
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
// belong on the test's own goroutine, in a subtest on a Server that In has returned; Emit and Received may be
// called from any. Tests may be parallel.
package siotest
