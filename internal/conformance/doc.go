// Package conformance judges siokit by the official JavaScript clients: the suite in js runs against
// a Node server first (reference.mjs, the yardstick) and against the [Fixture] of this package, which
// answers the same events with siokit. The same clients drive the chat example in a browser.
package conformance
