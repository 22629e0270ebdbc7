// Package exampletest drives the example applications as their users do: the official JavaScript client with a cookie
// jar, run by node. The tests of the examples call it, each with its own application, in the same process: so the race
// detector sees the server, and nothing of it may be left running.
package exampletest
