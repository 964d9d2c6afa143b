/* SPDX-License-Identifier: Apache-2.0 */
/* The words that are subcommands; every other first word is a command to run. src/cli registers the same list (tested). */
#ifndef SCOPE_LAUNCH_SUBCOMMANDS_H
#define SCOPE_LAUNCH_SUBCOMMANDS_H

/* Handled by the launcher itself: run, watch, attach, detach. Handled by the CLI in Node: the rest. */
#define SC_SUBCOMMAND_LIST(X) \
	X("run") X("attach") X("detach") \
	X("metrics") X("events") X("history") X("hist") X("flows") X("dash") X("prune") X("logs") \
	X("ps") X("inspect") X("update") X("snapshot") X("watch") X("extract") X("excrete") X("expunge") \
	X("extricate") X("exorcise") X("doctor") X("relay") \
	X("completion") X("version") X("help")

/* Used between our own processes; not shown. */
#define SC_HIDDEN_LIST(X) X("session") X("prepare")

/* The launcher's own: `inject-exec PATH ARGV…` becomes PATH with the library in it (native/probe/exec_static.c). */
#define SC_INJECT_EXEC_WORD "inject-exec"
/* `facts-of [FILE]`: what Node cannot ask the kernel, for `scope doctor`: one word a line (facts.c). */
#define SC_FACTS_WORD "facts-of"

#endif
