package eio

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
)

// ErrForm means that the body of a JSONP POST is not a form with one field d.
var ErrForm = errors.New("eio: the body of a JSONP request must be a form with one field d")

// AppendJSONP appends the script that hands a payload to a client that polls by script tags:
//
//	___eio[<index>]("<payload>");
//
// The payload must be UTF-8. It becomes a JavaScript string as JSON.stringify writes it, with U+2028
// and U+2029 escaped, which old engines take for line ends.
func AppendJSONP(dst []byte, index string, payload []byte) []byte {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(string(payload)); err != nil {
		panic("eio: a string always has a JSON form: " + err.Error())
	}
	dst = append(dst, "___eio["...)
	dst = append(dst, index...)
	dst = append(dst, "]("...)
	dst = append(dst, bytes.TrimSuffix(text.Bytes(), []byte("\n"))...)
	return append(dst, ");"...)
}

// JSONPIndex reports whether index, the query parameter j, may stand in a script: one to ten digits.
// Anything else would be code that the client chose.
func JSONPIndex(index string) bool {
	_, ok := decimal([]byte(index), '0')
	return ok && index != "" && len(index) <= maxLengthDigits
}

// DecodeJSONP reads the payload from the body of a JSONP POST, a form whose field d holds it. Forms
// turn line ends into CRLF, so clients write a line end as \n, and what already was \n as \\n.
func DecodeJSONP(form []byte) ([]byte, error) {
	var text string
	fields := 0
	for field := range bytes.SplitSeq(form, []byte("&")) {
		value, ok := bytes.CutPrefix(field, []byte("d="))
		if !ok {
			continue
		}
		var err error
		if text, err = url.QueryUnescape(string(value)); err != nil {
			return nil, ErrForm
		}
		fields++
	}
	if fields != 1 {
		return nil, ErrForm
	}
	return unescapeLines([]byte(text)), nil
}

// unescapeLines turns \n into a line end, and takes one of several backslashes before an n away. It
// works in place.
func unescapeLines(text []byte) []byte {
	out := text[:0]
	slashes := 0
	for _, c := range text {
		switch {
		case c == '\\':
			slashes++
		case c == 'n' && slashes == 1:
			out[len(out)-1] = '\n'
			slashes = 0
			continue
		case c == 'n' && slashes > 1:
			out = out[:len(out)-1]
			slashes = 0
		default:
			slashes = 0
		}
		out = append(out, c)
	}
	return out
}
