//go:build !race

package engineio_test

// slack stretches the bars of rows that name a duration.
const slack = 5
