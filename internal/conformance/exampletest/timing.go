package exampletest

import (
	"slices"
	"time"
)

// Gap is the difference between what a and b take at their quickest: the fastest twentieth of their tries, so that what
// else the machine does, which only ever adds, hardly counts. They take turns, tries in all; and if the gap is wider than
// a millisecond the smallest of eight rounds counts: noise comes and goes, a leak stays.
func Gap(tries int, a, b func() time.Duration) time.Duration {
	smallest := time.Hour
	for round := 0; round < 8 && smallest >= time.Millisecond; round++ {
		as, bs := make([]time.Duration, 0, tries/2), make([]time.Duration, 0, tries/2)
		for i := range tries / 2 {
			if i%2 == 0 {
				as, bs = append(as, a()), append(bs, b())
			} else {
				bs, as = append(bs, b()), append(as, a())
			}
		}
		slices.Sort(as)
		slices.Sort(bs)
		smallest = min(smallest, (as[len(as)/20] - bs[len(bs)/20]).Abs())
	}
	return smallest
}
