package main

import (
	"math"
	"testing"
)

func TestQuantileIsTheNearestRank(t *testing.T) {
	s := []float64{5, 1, 4, 2, 3}
	for q, want := range map[float64]float64{0: 1, 0.2: 1, 0.21: 2, 0.5: 3, 0.99: 5, 1: 5} {
		if got := quantile(s, q); got != want {
			t.Errorf("quantile %v = %v, want %v", q, got, want)
		}
	}
	if s[0] != 5 {
		t.Error("quantile sorted its argument in place")
	}
	if !math.IsNaN(quantile(nil, 0.5)) || median(nil) != 0 || sample(nil).summarise() != nil {
		t.Error("nothing has a quantile")
	}
}

func TestSummaryOfNothingReadsAsZero(t *testing.T) {
	var s *summary
	if s.p50() != 0 || s.p99() != 0 {
		t.Errorf("p50 %v p99 %v, want zeros", s.p50(), s.p99())
	}
}
