// SPDX-License-Identifier: Apache-2.0
// An HTTPS client and server in one program: ten requests, by HTTP/2 when the argument is h2.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	t := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.ParseIP("127.0.0.1")}}
	der, _ := x509.CreateCertificate(rand.Reader, &t, &t, &key.PublicKey, key)
	cert := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	protos := []string{"http/1.1"}
	h2 := len(os.Args) > 1 && os.Args[1] == "h2"
	if h2 {
		protos = []string{"h2"}
	}
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s", r.URL.Path)
	}), TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: protos}}
	go s.ServeTLS(l, "", "")
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: h2}
	c := &http.Client{Transport: tr}
	for i := 0; i < 10; i++ {
		r, err := c.Get(fmt.Sprintf("https://%s/path%d", l.Addr(), i))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		b, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if string(b) != fmt.Sprintf("hello /path%d", i) {
			panic(string(b))
		}
		if i == 0 {
			fmt.Println(r.Proto)
		}
	}
	// The server's goroutines come back from their last writes before the program ends; HTTP/2's are not waited for.
	tr.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s.Shutdown(ctx)
	time.Sleep(300 * time.Millisecond)
	fmt.Println("done")
}
