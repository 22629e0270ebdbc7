//go:build race

package authflow_test

// slowness is how many times longer things may take under the race detector.
const slowness = 10
