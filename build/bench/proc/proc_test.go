package proc

import (
	"os"
	"slices"
	"testing"
)

func TestMeasureReadsThisProcess(t *testing.T) {
	if !Known() {
		t.Skip("no /proc here")
	}
	u := Measure(os.Getpid())
	if u.Procs < 1 || u.RSS <= 0 || u.PSS <= 0 || u.Peak < u.RSS/2 || u.CPU <= 0 || u.Threads < 1 || u.Files < 3 {
		t.Errorf("usage of the running test: %+v", u)
	}
	if !slices.Contains(Tree(os.Getpid()), os.Getpid()) {
		t.Error("the tree lacks its root")
	}
}

func TestNumberReadsStatusLines(t *testing.T) {
	status := []byte("Name:\tVmRSS: 1\nVmHWM:\t  2048 kB\nVmRSS:\t   1024 kB\n")
	for key, want := range map[string]float64{"VmRSS:": 1024, "VmHWM:": 2048, "Pss:": 0} {
		if got := number(status, key); got != want {
			t.Errorf("number(%q) = %v, want %v", key, got, want)
		}
	}
}

func TestLeftNamesTheLiving(t *testing.T) {
	if !Known() {
		t.Skip("no /proc here")
	}
	if left := Left([]int{os.Getpid(), 1 << 30}, 0); !slices.Equal(left, []int{os.Getpid()}) {
		t.Errorf("left = %v, want this process alone", left)
	}
}
