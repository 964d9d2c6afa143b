# SPDX-License-Identifier: Apache-2.0
"""A client of any libssl, by its C interface: tls_client.py LIBRARY fd|memory PORT [system]

The library is loaded when the program already talks; `memory`: it moves the ciphertext itself.
`system`: Python's own ssl asks first, so that the process has two copies of the library.
"""

import ctypes
import socket
import sys

library, how, port = sys.argv[1:4]
GET = b"GET /%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

if "system" in sys.argv[4:]:
    import ssl

    with socket.create_connection(("127.0.0.1", int(port))) as plain:
        with ssl._create_unverified_context().wrap_socket(plain) as tls:
            tls.sendall(GET % b"1k.txt?system")
            while tls.recv(4096):
                pass

sock = socket.create_connection(("127.0.0.1", int(port)))
lib = ctypes.CDLL(library)


def function(name, result=ctypes.c_void_p):
    found = getattr(lib, name)
    found.restype = result
    return found


def pointer(value):
    return ctypes.c_void_p(value)


if hasattr(lib, "SSL_library_init"):
    lib.SSL_library_init()
method = "TLS_client_method" if hasattr(lib, "TLS_client_method") else "SSLv23_client_method"
context = function("SSL_CTX_new")(pointer(function(method)()))
session = pointer(function("SSL_new")(pointer(context)))

if how == "fd":
    lib.SSL_set_fd(session, sock.fileno())
    assert lib.SSL_connect(session) == 1
else:
    memory = function("BIO_s_mem")
    incoming = pointer(function("BIO_new")(pointer(memory())))
    outgoing = pointer(function("BIO_new")(pointer(memory())))
    lib.SSL_set_bio(session, incoming, outgoing)
    lib.SSL_set_connect_state(session)

buffer = ctypes.create_string_buffer(65536)


def flush():
    while (n := lib.BIO_read(outgoing, buffer, len(buffer))) > 0:
        sock.sendall(buffer.raw[:n])


def fill():
    data = sock.recv(65536)
    if data:
        lib.BIO_write(incoming, data, len(data))
    return bool(data)


if how == "memory":
    while lib.SSL_do_handshake(session) != 1:
        flush()
        assert fill()
    flush()

request = GET % b"1k.txt?late"
assert lib.SSL_write(session, request, len(request)) == len(request)
if how == "memory":
    flush()
answer = b""
while True:
    n = lib.SSL_read(session, buffer, len(buffer))
    if n > 0:
        answer += buffer.raw[:n]
    elif how == "fd" or not fill():
        break
assert answer.endswith(b"a" * 1024), answer
