// SPDX-License-Identifier: Apache-2.0
// Description: `read`: ns of a read of one byte, the least of many batches. `server PORT`: HTTP, says hello.
package main

import (
	"fmt"
	"net/http"
	"os"
	"syscall"
	"time"
)

const calls = 5000

func read() {
	fd, err := syscall.Open("/dev/zero", syscall.O_RDONLY, 0)
	if err != nil {
		panic(err)
	}
	buf := make([]byte, 1)
	best := time.Hour
	for batch := 0; batch < 400; batch++ {
		from := time.Now()
		for i := 0; i < calls; i++ {
			syscall.Read(fd, buf)
		}
		if took := time.Since(from); took < best {
			best = took
		}
	}
	fmt.Println(float64(best.Nanoseconds()) / calls)
}

func main() {
	if os.Args[1] == "read" {
		read()
		return
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "hello world\n")
	})
	panic(http.ListenAndServe("127.0.0.1:"+os.Args[2], nil))
}
