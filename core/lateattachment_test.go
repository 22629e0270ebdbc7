package core_test

import (
	"testing"
	"time"

	"github.com/siokit/siokit/core"
)

const (
	lateHeader = `51-/b,["e",{"_placeholder":true,"num":0}]`
	lateValue  = "x"
)

// Attachments that arrive for a socket that the server has ended have arrived: the connection's other
// namespaces go on.
func TestAttachmentsForAnEndedSocket(t *testing.T) {
	t.Parallel()
	ends := map[string]func(p *peer, s *core.Socket){
		"ended before the header": func(p *peer, s *core.Socket) {
			s.Disconnect()
			p.send(lateHeader, []byte(lateValue))
		},
		"ended before the attachment": func(p *peer, s *core.Socket) {
			p.send(lateHeader)
			s.Disconnect()
			p.send([]byte(lateValue))
		},
	}
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{AttachmentTimeout: 3 * time.Second}) // on a busy machine the attachment has to come in it
		b := a.Of("/b")
		peers := make(map[string]*peer)
		for name, end := range ends {
			p := a.dial(transport)
			p.join("/", "")
			s, _ := b.Socket(p.join("/b", ""))
			end(p, s)
			p.want("1/b,")
			p.wantAlive()
			peers[name] = p
		}

		late := a.dial(transport) // whose attachment is missing, since later
		late.join("/b", "")
		late.send(lateHeader)
		late.wantClosed()
		for name, p := range peers {
			t.Run(name, func(t *testing.T) {
				p.t = t
				for range 20 {
					p.wantAlive()
				}
			})
		}
	})
}
