package adapters_test

import (
	"io"
	"net/http"

	"github.com/labstack/echo/v4"
	echomw "github.com/labstack/echo/v4/middleware"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/echosio"
)

func init() {
	echoApp := func(mw ...echo.MiddlewareFunc) func(srv *core.Server) http.Handler {
		return func(srv *core.Server) http.Handler {
			e := echo.New()
			e.Logger.SetOutput(io.Discard)
			e.Use(mw...)
			echosio.Mount(e, "/socket.io/", srv)
			return e
		}
	}
	//lint:ignore SA1019 deprecated, and in use
	echoTimeout := echomw.TimeoutWithConfig(echomw.TimeoutConfig{Timeout: deadline})
	status := echomw.RequestLoggerWithConfig(echomw.RequestLoggerConfig{LogStatus: true, LogValuesFunc: func(echo.Context, echomw.RequestLoggerValues) error { return nil }})
	cells = append(cells, []cell{
		{"echo/Recover+RequestLogger", echoApp(echomw.Recover(), status), "", false},
		{"echo/Gzip", echoApp(echomw.Gzip()), "", false},
		{"echo/Gzip MinLength", echoApp(echomw.GzipWithConfig(echomw.GzipConfig{MinLength: 200})), "", false},
		{"echo/BodyDump", echoApp(echomw.BodyDump(func(echo.Context, []byte, []byte) {})), "", false},
		{"echo/Timeout", echoApp(echoTimeout), "*http.timeoutWriter", true},
		{"echo/Timeout+BodyDump", echoApp(echoTimeout, echomw.BodyDump(func(echo.Context, []byte, []byte) {})), "*http.timeoutWriter", true},
		{"echo/ContextTimeout", echoApp(echomw.ContextTimeout(deadline)), "", true},
		{"echo/all", echoApp(echomw.Recover(), status, echomw.Gzip(), echomw.BodyDump(func(echo.Context, []byte, []byte) {})), "", false},
		{"echo/in bare recorder", func(srv *core.Server) http.Handler { return bareRecorder(echoApp()(srv)) }, "*adapters_test.recorder", false},
	}...)
}
