//go:build linux

package main // a command cannot be imported, so its tests are inside

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
