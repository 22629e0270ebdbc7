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
	for name, end := range map[string]func(p *peer, s *core.Socket){
		"ended before the header": func(p *peer, s *core.Socket) {
			s.Disconnect()
			p.send(lateHeader, []byte(lateValue))
		},
		"ended before the attachment": func(p *peer, s *core.Socket) {
			p.send(lateHeader)
			s.Disconnect()
			p.send([]byte(lateValue))
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, transport string) {
				a := serve(t, core.Config{AttachmentTimeout: 100 * time.Millisecond})
				b := a.Of("/b")
				p := a.dial(transport)
				p.join("/", "")
				s, _ := b.Socket(p.join("/b", ""))
				end(p, s)
				p.want("1/b,")
				p.wantAlive()

				late := a.dial(transport) // whose attachment is missing, since later
				late.join("/b", "")
				late.send(lateHeader)
				late.wantClosed()
				for range 20 {
					p.wantAlive()
				}
			})
		})
	}
}
