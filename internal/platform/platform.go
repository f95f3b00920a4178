// Package platform holds what the operating systems do differently: folders,
// replacing and watching files, child processes, and other programs that run.
//
// It promises that the shared file of each concern states one contract and the
// files per system keep it; where a system cannot, the function returns a named
// error. For child processes it promises that a child gets an environment and
// descriptors it was meant to have and nothing else, that its end is noticed,
// and that no process of its tree outlives the child's owner: on Linux not even
// one that left its session, on Windows none in the job, on other systems none
// that stayed in its process group.
//
// Every program that starts children calls ShimMain before anything else. What
// is said to a child, and in which words its end is told, is left to callers.
package platform
