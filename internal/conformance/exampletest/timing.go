package exampletest

import (
	"slices"
	"time"
)

// MedianGap is the difference between the medians of what a and b take. They take turns, tries in all, so that whatever
// else the machine does hits both; and if the gap is wider than a millisecond the smallest of three rounds counts: noise
// comes and goes, a leak stays.
func MedianGap(tries int, a, b func() time.Duration) time.Duration {
	smallest := time.Hour
	for round := 0; round < 3 && smallest >= time.Millisecond; round++ {
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
		smallest = min(smallest, (as[len(as)/2] - bs[len(bs)/2]).Abs())
	}
	return smallest
}
