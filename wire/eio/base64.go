package eio

import "encoding/base64"

// decodeBase64 accepts what clients send in the wild: the standard and the URL-safe
// alphabet (even mixed), with or without padding. Unlike encoding/base64 it does not
// skip line breaks, and unlike Node's Buffer it does not skip any other byte: silently
// dropped bytes would be silently different data.
func decodeBase64(src []byte) ([]byte, error) {
	if n := len(src); n > 0 && n%4 == 0 && src[n-1] == '=' {
		src = src[:n-1]
		if src[n-2] == '=' {
			src = src[:n-2]
		}
	}
	if len(src)%4 == 1 {
		return nil, ErrBase64
	}
	urlSafe := false
	for _, c := range src {
		switch kind := base64Kinds[c]; kind {
		case badByte:
			return nil, ErrBase64
		case urlByte:
			urlSafe = true
		}
	}
	if urlSafe {
		plain := make([]byte, len(src)) // never write into the caller's input
		for i, c := range src {
			switch c {
			case '-':
				c = '+'
			case '_':
				c = '/'
			}
			plain[i] = c
		}
		src = plain
	}
	dst := make([]byte, base64.RawStdEncoding.DecodedLen(len(src)))
	n, err := base64.RawStdEncoding.Decode(dst, src)
	if err != nil {
		return nil, ErrBase64
	}
	return dst[:n], nil
}

const (
	badByte = iota
	stdByte
	urlByte
)

var base64Kinds = func() (kinds [256]byte) {
	for c := range 256 {
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '+', c == '/':
			kinds[c] = stdByte
		case c == '-', c == '_':
			kinds[c] = urlByte
		}
	}
	return kinds
}()
