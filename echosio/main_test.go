package echosio_test

import (
	"testing"

	"github.com/siokit/siokit/internal/leaks"
)

func TestMain(m *testing.M) { leaks.Main(m) }
