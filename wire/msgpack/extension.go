package msgpack

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tinylib/msgp/msgp"
)

// The extensions of notepack 2.2, on which the JavaScript parser stands, all have type 0: undefined is
// fixext1, a Date is fixext8 with the milliseconds since 1970, an ArrayBuffer is any ext8, ext16 or ext32.
// Its older versions used the other fixexts for ArrayBuffers. -1 is the timestamp of the specification.
const (
	extNotepack  = 0
	extTimestamp = -1
)

// extension is one extension value. Data aliases the message.
type extension struct {
	kind  int8
	fixed bool // a fixext, whose length is in its lead
	data  []byte
}

func (e extension) isUndefined() bool { return e.kind == extNotepack && e.fixed && len(e.data) == 1 }
func (e extension) isDate() bool      { return e.kind == extNotepack && e.fixed && len(e.data) == 8 }

// readExtension splits without trust in the claimed length.
func readExtension(b []byte) (e extension, rest []byte, err error) {
	if len(b) == 0 {
		return e, b, errShort
	}
	var size, head uint64 // of the data, and of what is before it
	switch lead := b[0]; {
	case lead >= 0xd4 && lead <= 0xd8:
		e.fixed, size, head = true, 1<<(lead-0xd4), 2
	case lead == 0xc7 && len(b) > 1:
		size, head = uint64(b[1]), 3
	case lead == 0xc8 && len(b) > 2:
		size, head = uint64(binary.BigEndian.Uint16(b[1:])), 4
	case lead == 0xc9 && len(b) > 4:
		size, head = uint64(binary.BigEndian.Uint32(b[1:])), 6
	case lead >= 0xc7 && lead <= 0xc9:
		return e, b, errShort
	default:
		return e, b, fmt.Errorf("0x%02x is no extension", lead)
	}
	if uint64(len(b)) < head+size {
		return e, b, errShort
	}
	e.kind, e.data = int8(b[head-1]), b[head:head+size]
	return e, b[head+size:], nil
}

// extension writes one of the extensions above.
func (t *transcoder) extension(b []byte) (undefined bool, rest []byte, err error) {
	e, rest, err := readExtension(b)
	switch {
	case err != nil:
	case e.isUndefined():
		return true, rest, nil
	case e.isDate():
		ms := int64(binary.BigEndian.Uint64(e.data))
		sec, left := ms/1000, ms%1000
		if left < 0 {
			sec, left = sec-1, left+1000
		}
		err = t.time(sec, uint32(left)*1e6)
	case e.kind == extNotepack:
		err = t.binary(e.data)
	case e.kind == extTimestamp:
		err = t.timestamp(e.data)
	default:
		err = fmt.Errorf("unknown extension %d of %d bytes", e.kind, len(e.data))
	}
	return false, rest, err
}

func (t *transcoder) timestamp(data []byte) error {
	switch len(data) {
	case 4:
		return t.time(int64(binary.BigEndian.Uint32(data)), 0)
	case 8:
		v := binary.BigEndian.Uint64(data)
		return t.time(int64(v&(1<<34-1)), uint32(v>>34))
	case 12:
		return t.time(int64(binary.BigEndian.Uint64(data[4:])), binary.BigEndian.Uint32(data))
	}
	return fmt.Errorf("a timestamp of %d bytes: want 4, 8 or 12", len(data))
}

// time writes a point in time as Date.toISOString does, with nanoseconds if there are any.
func (t *transcoder) time(sec int64, nsec uint32) error {
	const most = 8_640_000_000_000 // seconds: a JavaScript Date reaches no further, and years have six digits
	if sec < -most || sec > most || sec == most && nsec > 0 || nsec > 999_999_999 {
		return errors.New("a time outside of what a Date holds")
	}
	// In the form that msgp reads, because package time is not for the wire's packages: it has the clock.
	form := [15]byte{0xc7, 12, 0xff}
	binary.BigEndian.PutUint32(form[3:], nsec)
	binary.BigEndian.PutUint64(form[7:], uint64(sec))
	at, _, err := msgp.ReadTimeUTCBytes(form[:])
	if err != nil {
		return err
	}
	t.out = append(t.out, '"')
	if year := at.Year(); year >= 0 && year <= 9999 {
		t.out = fmt.Appendf(t.out, "%04d", year)
	} else {
		t.out = fmt.Appendf(t.out, "%+07d", year)
	}
	layout := "-01-02T15:04:05.000Z"
	if nsec%1e6 != 0 {
		layout = "-01-02T15:04:05.000000000Z"
	}
	t.out = append(at.AppendFormat(t.out, layout), '"')
	return nil
}
