// Package flask holds the behaviours that Flask-SocketIO's own test suite asserts, as tests of this
// module over real transports: one for each of its 42 tests, with its name in the comment. Where siokit
// does otherwise on purpose the test says so and checks what it does instead. gaps_test.go has what that
// suite leaves out.
//
// Test 8, test_message_queue_options, is about Python constructors of a message queue's client; what
// it is for is tested with the buses. Static files and the queue's delivery are tested elsewhere too.
package flask
