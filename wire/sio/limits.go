package sio

// Limits bounds what one packet may cost. The zero value means all defaults, and any
// field that is zero or negative means its default.
type Limits struct {
	// Attachments is the most binary attachments a packet may have. Default 10, as in
	// the reference implementation. More makes every peer able to park more memory.
	Attachments int
	// Depth is how deep arrays and objects may nest in a payload, the outer array of
	// an event included. Default and maximum 10,000, which is what encoding/json allows.
	Depth int
	// Args is the most arguments an event or ack may have. Default 1,024.
	Args int
	// Namespace is the longest namespace name in bytes. Default 512. Names are echoed
	// to the peer and kept in logs.
	Namespace int
	// AttachmentBytes is the most bytes that the attachments of one packet may have
	// together. Default 10,000,000: ten messages of the default maximum size.
	AttachmentBytes int64
}

// Defaults of Limits.
const (
	DefaultAttachments     = 10
	DefaultDepth           = 10_000
	DefaultArgs            = 1_024
	DefaultNamespace       = 512
	DefaultAttachmentBytes = 10_000_000
)

// The methods take a pointer so that a Decoder without limits of its own has none to store.

func (l *Limits) attachments() int {
	if l == nil || l.Attachments <= 0 {
		return DefaultAttachments
	}
	return l.Attachments
}

func (l *Limits) depth() int {
	if l == nil || l.Depth <= 0 || l.Depth > DefaultDepth {
		return DefaultDepth
	}
	return l.Depth
}

func (l *Limits) args() int {
	if l == nil || l.Args <= 0 {
		return DefaultArgs
	}
	return l.Args
}

func (l *Limits) namespace() int {
	if l == nil || l.Namespace <= 0 {
		return DefaultNamespace
	}
	return l.Namespace
}

func (l *Limits) attachmentBytes() int64 {
	if l == nil || l.AttachmentBytes <= 0 {
		return DefaultAttachmentBytes
	}
	return l.AttachmentBytes
}
