// Package delivery is the one checker of the delivery tests. Senders stamp their messages with New; a Ledger
// takes what a receiver gets, and knows at once what is missing, doubled, out of order, damaged, or separated
// from its attachments.
package delivery
