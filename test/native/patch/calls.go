// SPDX-License-Identifier: Apache-2.0
// Makes known numbers of system calls while the collector runs all the time and stacks are deep.
package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
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

func main() {
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
	f, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	check(err)
	var wg sync.WaitGroup
	for g := 0; g < 20; g++ {
		wg.Add(1)
		go func(g int) {
			defer wg.Done()
			for i := 0; i < 50; i++ {
				deep((g*50+i)%200, func() {
					n, err := f.WriteAt([]byte("12345"), 10)
					check(err)
					if n != 5 {
						panic("short write")
					}
				})
			}
		}(g)
	}
	wg.Wait()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	check(err)
	for i := 0; i < 100; i++ {
		var buf [32]byte
		check(syscall.Sendmsg(pair[0], []byte("hello"), nil, nil, 0))
		n, _, err := syscall.Recvfrom(pair[1], buf[:], 0)
		check(err)
		if string(buf[:n]) != "hello" {
			panic("other bytes")
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				var x [8]byte
				for {
					n, err := c.Read(x[:])
					if err != nil {
						c.Close()
						return
					}
					c.Write(x[:n])
				}
			}()
		}
	}()
	for i := 0; i < 50; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c, err := net.Dial("tcp", listener.Addr().String())
			check(err)
			var x [8]byte
			for k := 0; k < 4; k++ {
				_, err = c.Write([]byte("12345678"))
				check(err)
				_, err = c.Read(x[:])
				check(err)
				if string(x[:]) != "12345678" {
					panic("other bytes")
				}
			}
			check(c.Close())
		}()
	}
	wg.Wait()
	child := exec.Command("/bin/true")
	child.Env = []string{"PATH=/bin"} // without the library
	check(child.Run())
	close(stop)
	// The server may not have closed its ends yet.
	fmt.Printf("pwrite64 1000\nwrite 400\nread 400\nclose 50\nsocketpair 1\n")
}
