/* SPDX-License-Identifier: Apache-2.0 */
/* Who this process is: the strings of struct sc_info, read once when a program starts. Layer 2. */
#include <sys/stat.h>
#include <sys/utsname.h>
#include "base/mem.h"
#include "channel/chan.h"
#include "sys/process.h"

/* Reads a file's first line into to[size]. */
static void read_line(const char *path, char *to, size_t size)
{
	long n = sc_file_read(path, to, size - 1);
	long i = 0;

	while (i < n && to[i] && to[i] != '\n')
		i++;
	to[n < 0 ? 0 : i] = 0;
}

static void put_exe(struct sc_info *info)
{
	long n = sc_sys_readlink("/proc/self/exe", info->exe, sizeof(info->exe) - 1);
	const char *name = info->exe;

	info->exe[n < 0 ? 0 : n] = 0;
	for (const char *p = info->exe; *p; p++)
		if (*p == '/')
			name = p + 1;
	sc_strcpy(info->name, sizeof(info->name), name);
}

/* The line "0::/path" of /proc/self/cgroup. */
static void put_cgroup(struct sc_info *info)
{
	char buf[1024];
	long n = sc_file_read("/proc/self/cgroup", buf, sizeof(buf) - 1);
	char *p = buf;

	buf[n < 0 ? 0 : n] = 0;
	while (*p && !sc_starts(p, "0::")) {
		while (*p && *p != '\n')
			p++;
		if (*p)
			p++;
	}
	if (!*p)
		return;
	p += 3;
	for (char *q = p; *q; q++)
		if (*q == '\n')
			*q = 0;
	sc_strcpy(info->cgroup, sizeof(info->cgroup), p);
}

/* The text is real up to `end`: behind the first page it is made when it is needed. */
static int reach(struct sc_info *info, size_t end)
{
	char *page = (char *)info - SC_INFO_OFF + SC_PAGE;

	return info->text + end <= page || sc_chan_populate(page, SC_SHARD_OFF - SC_PAGE, SC_PAGE, ".chan");
}

static void put_args(struct sc_info *info, int argc, char **argv)
{
	size_t at = 0;

	info->argc = (uint32_t)argc;
	for (int i = 0; i < argc && argv[i] && at + 1 < SC_ARGV_MAX; i++) {
		size_t n = sc_strnlen(argv[i], SC_ARGV_MAX - at - 1) + 1;

		if (!reach(info, at + n))
			break;
		at += sc_strcpy(info->text + at, n, argv[i]) + 1;
		if (i == 0 && !info->exe[0])
			sc_strcpy(info->exe, sizeof(info->exe), argv[i]);
	}
	info->argv_len = (uint32_t)at;
}

/* Variables the relay reads. */
static int wanted(const char *var)
{
	return sc_starts(var, "OTEL_") || sc_starts(var, "SCOPE_") ||
	       sc_starts(var, "CRIBL_K8S_POD=") || sc_starts(var, "KUBERNETES_") ||
	       sc_starts(var, "HOSTNAME=");
}

static void put_env(struct sc_info *info, char **envp)
{
	size_t at = 0;

	for (; envp && *envp; envp++) {
		size_t n;

		if (!wanted(*envp))
			continue;
		n = sc_strlen(*envp) + 1;
		if (at + n > SC_ENV_MAX || !reach(info, info->argv_len + at + n))
			continue;
		memcpy(info->text + info->argv_len + at, *envp, n);
		at += n;
	}
	info->env_len = (uint32_t)at;
}

void sc_info_copy(struct sc_info *to, const struct sc_info *from)
{
	size_t n = (size_t)from->argv_len + from->env_len;

	memcpy(to, from, offsetof(struct sc_info, argv_len));
	if (n > sizeof(to->text) || !reach(to, n))
		return;
	to->argv_len = from->argv_len;
	to->env_len = from->env_len;
	memcpy(to->text, from->text, n);
}

void sc_info_fill(struct sc_info *info, const struct sc_chan_options *options)
{
	struct utsname name;

	put_exe(info);
	if (sc_sys1(__NR_uname, (long)&name) == 0)
		sc_strcpy(info->host, sizeof(info->host), name.nodename);
	put_cgroup(info);
	read_line("/etc/machine-id", info->machine_id, sizeof(info->machine_id));
	if (sc_sys2(__NR_getcwd, (long)info->cwd, sizeof(info->cwd)) < 0)
		info->cwd[0] = 0;
	sc_strcpy(info->libc, sizeof(info->libc), options->libc ? options->libc : "");
	sc_strcpy(info->runtime, sizeof(info->runtime), options->runtime ? options->runtime : "");
	put_args(info, options->argc, options->argv);
	put_env(info, options->envp);
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void read_boot_id(uint8_t id[16])
{
	char text[40];
	uint32_t n = 0;

	read_line("/proc/sys/kernel/random/boot_id", text, sizeof(text));
	for (const char *p = text; *p && n < 32; p++) {
		int v = hex_digit(*p);

		if (v < 0)
			continue;
		id[n / 2] = (uint8_t)(id[n / 2] << 4 | v);
		n++;
	}
}

/* The folder is on tmpfs, so its hub never sees another boot: read once, by whoever comes first. */
void sc_info_boot_id(uint8_t id[16])
{
	struct sc_hub *hub = sc_chan.hub;

	if (atomic_load_explicit(&hub->boot_id_known, memory_order_acquire)) {
		memcpy(id, hub->boot_id, 16);
		return;
	}
	read_boot_id(id);
	if (sc_chan.hub_readonly)
		return;
	memcpy(hub->boot_id, id, 16);
	atomic_store_explicit(&hub->boot_id_known, 1, memory_order_release);
}

/* "pid:[4026531836]" */
static uint64_t read_pid_ns(void)
{
	char text[40];
	long n = sc_sys_readlink("/proc/self/ns/pid", text, sizeof(text));
	uint64_t v = 0;

	for (long i = 0; i < n; i++)
		if (text[i] >= '0' && text[i] <= '9')
			v = v * 10 + (uint64_t)(text[i] - '0');
	return v;
}

/*
 * Which /proc this process sees, when it is of our own pid namespace: its device, which another mount may get
 * when this one is gone, and the time it was made. 0: of another namespace, or not to be had.
 */
static uint64_t own_proc(void)
{
	struct stat st;
	char text[24];
	long n = sc_sys_readlink("/proc/self", text, sizeof(text));
	int64_t pid = 0;

	for (long i = 0; i < n; i++)
		pid = pid * 10 + (text[i] - '0');
	if (pid != sc_chan.pid || sc_sys_stat("/proc", &st) < 0)
		return 0;
	return ((uint64_t)st.st_ctim.tv_sec * 1000000000u + (uint64_t)st.st_ctim.tv_nsec) ^ (uint64_t)st.st_dev << 40;
}

/*
 * Asking the kernel makes two entries of /proc for each process that asks, 10 us: once a folder. One /proc is of one
 * namespace, and who finds its own pid there is in it.
 */
uint64_t sc_info_pid_ns(void)
{
	struct sc_hub *hub = sc_chan.hub;
	uint64_t root = own_proc();
	uint32_t known = 0;

	/* A hub for all users is root's relay's, which knows no other process' /proc. */
	if (!root || sc_chan.hub_readonly)
		return read_pid_ns();
	if (atomic_compare_exchange_strong_explicit(&hub->proc_known, &known, 1, memory_order_acquire,
						    memory_order_acquire)) {
		hub->proc_root = root;
		hub->proc_pid_ns = read_pid_ns();
		/* Pairs with the acquire above: both are there. */
		atomic_store_explicit(&hub->proc_known, 2, memory_order_release);
		return hub->proc_pid_ns;
	}
	return known == 2 && hub->proc_root == root ? hub->proc_pid_ns : read_pid_ns();
}
