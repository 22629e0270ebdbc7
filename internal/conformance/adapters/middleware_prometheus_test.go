package adapters_test

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func init() {
	for _, f := range frameworks {
		cells = append(cells, []cell{
			{f.name + "/prometheus", behind(f.new, prometheusMetrics), "", false},
			{f.name + "/prometheus+scs", behind(f.new, func() func(http.Handler) http.Handler {
				outer, inner := prometheusMetrics(), scsSession()
				return func(next http.Handler) http.Handler { return outer(inner(next)) }
			}), "", false},
		}...)
	}
}

// prometheusMetrics observes requests as the documentation of promhttp shows it.
func prometheusMetrics() func(http.Handler) http.Handler {
	registry := prometheus.NewRegistry()
	labels := []string{"code", "method"}
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "request_seconds"}, labels)
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests_total"}, labels)
	size := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "response_bytes"}, labels)
	registry.MustRegister(duration, requests, size)
	return func(next http.Handler) http.Handler {
		return promhttp.InstrumentHandlerDuration(duration,
			promhttp.InstrumentHandlerCounter(requests,
				promhttp.InstrumentHandlerResponseSize(size, next)))
	}
}
