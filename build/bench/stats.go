package main

import (
	"math"
	"slices"
)

// sample is a set of measurements in milliseconds.
type sample []float64

// summary is what is reported of a sample.
type summary struct {
	N   int     `json:"n"`
	Min float64 `json:"min"`
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// quantile returns the q quantile by nearest rank, NaN of nothing.
func quantile(s []float64, q float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	i := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

// median is the 0.5 quantile, 0 of nothing.
func median(s []float64) float64 {
	if len(s) == 0 {
		return 0
	}
	return quantile(s, 0.5)
}

// summarise returns nil of nothing.
func (s sample) summarise() *summary {
	if len(s) == 0 {
		return nil
	}
	return &summary{len(s), quantile(s, 0), quantile(s, 0.5), quantile(s, 0.9), quantile(s, 0.99), quantile(s, 1)}
}

// p50 of a summary that may be nil.
func (s *summary) p50() float64 {
	if s == nil {
		return 0
	}
	return s.P50
}

// p99 of a summary that may be nil.
func (s *summary) p99() float64 {
	if s == nil {
		return 0
	}
	return s.P99
}
