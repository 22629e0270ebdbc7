//go:build !race

package authflow_test

const slowness = 5
