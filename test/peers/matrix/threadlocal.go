// SPDX-License-Identifier: Apache-2.0
// Description: built with work.go, C's thread-local data beside Go's.
package main

// __thread int many[10];
// static int touch(void) { return ++many[3]; }
import "C"

func init() {
	C.touch()
}
