// SPDX-License-Identifier: Apache-2.0
// Description: does what lines of stdin say, as worker.c does: open PATH, run CMD ARG…
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

class Parent {
	public static void main(String[] args) throws Exception {
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
		System.out.println("ready");
		for (String line = in.readLine(); line != null; line = in.readLine()) {
			String[] words = line.split(" ");
			if (words[0].equals("open"))
				System.out.println("open " + Files.readAllBytes(Path.of(words[1])).length);
			else if (words[0].equals("run"))
				System.out.println("run " + new ProcessBuilder(Arrays.copyOfRange(words, 1, words.length))
						.redirectInput(ProcessBuilder.Redirect.PIPE).start().waitFor());
		}
	}
}
