// SPDX-License-Identifier: Apache-2.0

// Description: does what lines of stdin say, as worker.c does: open PATH, run CMD ARG…
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

func main() {
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "open":
			data, _ := os.ReadFile(words[1])
			fmt.Println("open", len(data))
		case "run":
			command := exec.Command(words[1], words[2:]...)
			command.Stdin = nil
			_ = command.Run()
			fmt.Println("run", command.ProcessState.ExitCode())
		}
	}
}
