// SPDX-License-Identifier: Apache-2.0
// Description: waits for two lines, then uses files, sockets, goroutines and os/exec, with the collector running all the
// time and stacks that grow. Says "done", ends with 3.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
)

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// Calls f at a depth that uses most of a grown stack.
func deep(n int, f func()) int {
	var pad [64]byte
	pad[n%64] = byte(n)
	if n == 0 {
		f()
		return int(pad[0])
	}
	return deep(n-1, f) + int(pad[n%64])
}

// Never yields by itself: only a signal takes the processor from it.
func spin(stop *int32) int {
	n := 0
	for atomic.LoadInt32(stop) == 0 {
		n++
	}
	return n
}

func files() {
	data, err := os.ReadFile("/etc/hostname")
	check(err)
	if len(data) == 0 {
		panic("empty")
	}
	_, err = os.Stat("/no such file")
	if err == nil {
		panic("no error")
	}
}

func tcp() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	var wg sync.WaitGroup
	for i := 0; i < 10; i++ {
		wg.Add(2)
		go func() {
			defer wg.Done()
			c, err := listener.Accept()
			check(err)
			defer c.Close()
			var x [8]byte
			for k := 0; k < 10; k++ {
				_, err = c.Read(x[:])
				check(err)
				_, err = c.Write(x[:])
				check(err)
			}
		}()
		go func() {
			defer wg.Done()
			c, err := net.Dial("tcp", listener.Addr().String())
			check(err)
			defer c.Close()
			var x [8]byte
			for k := 0; k < 10; k++ {
				_, err = c.Write([]byte("12345678"))
				check(err)
				_, err = c.Read(x[:])
				check(err)
				if string(x[:]) != "12345678" {
					panic("other bytes")
				}
			}
		}()
	}
	wg.Wait()
	check(listener.Close())
}

func main() {
	fmt.Println("ready")
	in := bufio.NewReader(os.Stdin)
	in.ReadString('\n')
	fmt.Println("again")
	in.ReadString('\n')
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	}()
	var over int32
	go spin(&over)
	var wg sync.WaitGroup
	for g := 0; g < 20; g++ {
		wg.Add(1)
		go func(g int) {
			defer wg.Done()
			for i := 0; i < 20; i++ {
				deep((g*50+i)%200, files)
			}
		}(g)
	}
	wg.Wait()
	close(stop)
	atomic.StoreInt32(&over, 1)
	tcp()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	check(err)
	for i := 0; i < 100; i++ {
		var buf [32]byte
		_, err = syscall.Write(pair[0], []byte("hello"))
		check(err)
		n, _, err := syscall.Recvfrom(pair[1], buf[:], 0)
		check(err)
		if string(buf[:n]) != "hello" {
			panic("other bytes")
		}
	}
	for i := 0; i < 4; i++ {
		child := exec.Command("/bin/sh", "-c", "echo of a child; exit 7")
		if i >= 2 {
			child.Env = []string{}
		}
		out, err := child.Output()
		fmt.Print(err, " ", string(out))
	}
	fmt.Println("done")
	os.Exit(3)
}
