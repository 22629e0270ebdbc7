//go:build linux

package main // a command cannot be imported, so its tests are inside

import (
	"testing"

	"github.com/siokit/siokit/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }
