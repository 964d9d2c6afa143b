// SPDX-License-Identifier: Apache-2.0

// Description: opens the file it is given and ends.
package main

import "os"

func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		os.Exit(1)
	}
	file.Close()
}
