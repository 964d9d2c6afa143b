// SPDX-License-Identifier: Apache-2.0
// Description: 30 threads that read files: 4 all the time, 26 once a millisecond, and the collector. Says "ready", until killed.
package main

import (
	"fmt"
	"os"
	"runtime"
	"time"
)

func main() {
	runtime.GOMAXPROCS(8)
	for i := 0; i < 30; i++ {
		go func(i int) {
			runtime.LockOSThread()
			for {
				os.ReadFile("/etc/hostname")
				if i < 26 {
					time.Sleep(time.Millisecond)
				}
			}
		}(i)
	}
	fmt.Println("ready")
	for {
		runtime.GC()
		time.Sleep(5 * time.Millisecond)
	}
}
