package core

import (
	"context"
	"log/slog"

	"github.com/siokit/siokit/engineio"
)

// What comes and goes is logged for debugging: connections by Config.EngineLogger, without their ids, which are
// secrets; sockets by Config.Logger. Whoever does not look at it pays for one question to the handler.

func (c *client) logOpened() {
	if log := c.srv.cfg.EngineLogger; !c.quiet && log.Enabled(c.ctx, slog.LevelDebug) {
		log.DebugContext(c.ctx, "core: a connection opened", "transport", c.conn.Transport(), "revision", c.handshake.Revision, "remote", c.handshake.RemoteAddr)
	}
}

func (c *client) logClosed(reason engineio.Reason, err error) {
	ctx := context.WithoutCancel(c.ctx)
	if log := c.srv.cfg.EngineLogger; !c.quiet && log.Enabled(ctx, slog.LevelDebug) {
		log.DebugContext(ctx, "core: a connection closed", "transport", c.conn.Transport(), "remote", c.handshake.RemoteAddr, "reason", string(reason), "error", err)
	}
}

func (s *Socket) logConnected() {
	if ctx := s.client.ctx; s.ns.log.Enabled(ctx, slog.LevelDebug) {
		s.ns.log.DebugContext(ctx, "core: a client connected", "socket", s.id, "recovered", s.Recovered())
	}
}

func (s *Socket) logDisconnected(reason Reason, cause error) {
	ctx := context.WithoutCancel(s.client.ctx)
	if s.ns.log.Enabled(ctx, slog.LevelDebug) {
		s.ns.log.DebugContext(ctx, "core: a client disconnected", "socket", s.id, "reason", string(reason), "error", cause)
	}
}
