// Package archtest proves the shape of the module in go test: which package may import which, what
// core may depend on, and what no file may contain. It has no code of its own; its tests read the
// module with the go command, so they see what the compiler sees.
//
// A new package fails the test until it has a floor. Give it one in floors_test.go, and read "Floors"
// in docs/architecture.md first: the floor is a decision.
package archtest
