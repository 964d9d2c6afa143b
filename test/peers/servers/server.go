// SPDX-License-Identifier: Apache-2.0
// Description: Go's HTTP server, each request with a system call of its own: `server PORT`.
package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		data, err := os.ReadFile("/etc/hostname")
		if err != nil || len(data) == 0 {
			http.Error(w, "read", 500)
			return
		}
		fmt.Fprintf(w, "hello world\n")
	})
	if err := http.ListenAndServe("127.0.0.1:"+os.Args[1], nil); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
