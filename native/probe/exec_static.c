/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A static program reads no LD_PRELOAD: its exec goes through the launcher, which becomes the same
 * program with the library put in by ptrace. Pid, descriptors, environment, working directory,
 * argv[0] and signal mask stay what they are. Layer 4.
 *
 *	execve(path, argv, envp)  ->  execve(launcher, [launcher, "inject-exec", path, argv…], envp)
 */
#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "probe/probe.h"
#include "sys/process.h"

#define HEADERS 16
#define XATTR_CAPS "security.capability"

/* 1: a static x86-64 program that this process may execute with its own rights. */
static int is_static(const char *path)
{
	struct {
		Elf64_Ehdr eh;
		Elf64_Phdr ph[HEADERS];
	} file;
	struct stat st;
	long n = sc_file_read(path, &file, sizeof(file));

	if (n < (long)sizeof(file.eh) || memcmp(file.eh.e_ident, ELFMAG, SELFMAG) != 0 ||
	    file.eh.e_ident[EI_CLASS] != ELFCLASS64 || file.eh.e_machine != EM_X86_64 ||
	    file.eh.e_phoff != sizeof(file.eh) || file.eh.e_phnum > HEADERS ||
	    n < (long)(sizeof(file.eh) + file.eh.e_phnum * sizeof(file.ph[0])))
		return 0;
	for (int i = 0; i < file.eh.e_phnum; i++)
		if (file.ph[i].p_type == PT_INTERP)
			return 0;
	/* With rights of its own the kernel would refuse our ptrace, and rightly. */
	return sc_sys_stat(path, &st) == 0 && S_ISREG(st.st_mode) && !(st.st_mode & (S_ISUID | S_ISGID)) &&
	       sc_sys2(__NR_access, (long)path, X_OK) == 0 &&
	       sc_sys4(__NR_getxattr, (long)path, (long)XATTR_CAPS, 0, 0) < 0;
}

/*
 * /proc/self/exe is the launcher once the launcher runs, and /proc/self/fd/N may be gone: what such a
 * path leads to is taken. 0: no name that lasts.
 */
static int lasting(const char **path, char *name, size_t size)
{
	long n;

	if (!sc_starts(*path, "/proc/"))
		return 1;
	n = sc_sys4(__NR_readlinkat, AT_FDCWD, (long)*path, (long)name, (long)size - 1);
	if (n <= 0 || name[0] != '/')
		return 0;
	name[n] = 0;
	*path = name;
	return 1;
}

/* The launcher itself is static, too: `scope` in a scoped shell runs as it is. */
int sc_exec_through_launcher(const char **path, char ***argv, uint64_t tp)
{
	static const char word[] = "inject-exec";
	const char *launcher = sc_hub_path(sc_chan.hub ? sc_chan.hub->launcher : "");
	const char *real = *path;
	char name[256], **out;
	size_t argc = 0, len;

	if (sc_chan.quiet || !launcher[0] || !lasting(&real, name, sizeof(name)) ||
	    sc_streq(real, launcher) || !is_static(real) ||
	    sc_sys2(__NR_access, (long)launcher, X_OK) < 0)
		return 0;
	while (*argv && (*argv)[argc])
		argc++;
	len = sc_strlen(real) + 1;
	out = sc_exec_allocate((argc + 4) * sizeof(*out) + len, tp);
	if (!out)
		return 0;
	memcpy(out + argc + 4, real, len);
	real = (char *)(out + argc + 4);
	out[0] = (char *)launcher;
	out[1] = (char *)word;
	out[2] = (char *)real;
	memcpy(out + 3, *argv, argc * sizeof(*out));
	out[argc + 3] = NULL;
	*path = launcher;
	*argv = out;
	return 1;
}
