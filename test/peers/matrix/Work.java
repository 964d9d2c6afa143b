// SPDX-License-Identifier: Apache-2.0
// Description: waits for two lines, then uses files, sockets, threads and ProcessBuilder. Says "done", ends with 3.
import java.io.*;
import java.net.*;
import java.nio.file.*;
import java.util.*;

public class Work {
	static int files(int n) throws IOException {
		int sum = 0;
		for (int i = 0; i < n; i++) {
			sum += Files.readAllBytes(Path.of("/etc/hostname")).length;
			try (FileInputStream in = new FileInputStream("/etc/hostname")) {
				sum += in.read();
			}
		}
		return sum;
	}

	static void tcp() throws Exception {
		try (ServerSocket listener = new ServerSocket(0, 50, InetAddress.getByName("127.0.0.1"))) {
			Thread server = new Thread(() -> {
				try (Socket s = listener.accept()) {
					byte[] buf = new byte[8];
					for (int i = 0; i < 50; i++) {
						s.getInputStream().readNBytes(buf, 0, 8);
						s.getOutputStream().write(buf);
					}
				} catch (IOException e) {
					System.out.println(e);
				}
			});
			server.start();
			try (Socket s = new Socket("127.0.0.1", listener.getLocalPort())) {
				byte[] buf = new byte[8];
				for (int i = 0; i < 50; i++) {
					s.getOutputStream().write("12345678".getBytes());
					s.getInputStream().readNBytes(buf, 0, 8);
				}
				System.out.println(new String(buf));
			}
			server.join();
		}
	}

	public static void main(String[] args) throws Exception {
		System.out.println("ready");
		System.in.read();
		System.out.println("again");
		System.in.read();
		files(20);
		tcp();
		List<Thread> threads = new ArrayList<>();
		for (int i = 0; i < 8; i++) {
			Thread t = new Thread(() -> {
				try {
					files(50);
				} catch (IOException e) {
					System.out.println(e);
				}
			});
			t.start();
			threads.add(t);
		}
		for (Thread t : threads)
			t.join();
		for (int i = 0; i < 4; i++) {
			ProcessBuilder b = new ProcessBuilder("/bin/sh", "-c", "echo of a child; exit 7");
			if (i >= 2)
				b.environment().clear();
			Process p = b.start();
			String out = new String(p.getInputStream().readAllBytes());
			System.out.print(p.waitFor() + " " + out);
		}
		System.out.println("done");
		System.exit(3);
	}
}
