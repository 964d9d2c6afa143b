# SPDX-License-Identifier: Apache-2.0
"""Waits for two lines, then uses files, sockets, threads and subprocess. Says "done", ends with 3."""
import os, socket, subprocess, sys, threading

print("ready", flush=True)
sys.stdin.readline()
print("again", flush=True)
sys.stdin.readline()


def files(n):
    for _ in range(n):
        with open("/etc/hostname") as f:
            f.read()
        os.path.exists("/no such file")


files(20)
threads = [threading.Thread(target=files, args=(50,)) for _ in range(8)]
for t in threads:
    t.start()
for t in threads:
    t.join()
with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as c:
    s, _ = listener.accept()
    for _ in range(50):
        c.sendall(b"12345678")
        s.sendall(s.recv(8))
        c.recv(8)
    s.close()
for env in (None, {}):
    done = subprocess.run(["/bin/sh", "-c", "echo of a child; exit 7"], capture_output=True, env=env)
    print(done.returncode, done.stdout)
print("done", flush=True)
sys.exit(3)
