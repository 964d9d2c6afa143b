// SPDX-License-Identifier: Apache-2.0
// `scope watch -i INTERVAL [flags] -- CMD…`: runs a command again and again in one session. Layer 5, one thread.
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "launch/launch.h"

#define NS_PER_S 1000000000ull

int sc_duration_parse(const char *text, uint64_t *ns)
{
	static const struct {
		const char *name;
		double ns;
	} unit[] = {{"ns", 1},   {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"ms", 1e6},
		    {"s", 1e9}, {"m", 6e10}, {"h", 3.6e12}};
	double sum = 0;

	while (*text) {
		char *end;
		double n;
		size_t len = 0, best = 0;

		if (*text < '0' || *text > '9')
			return -EINVAL;
		n = strtod(text, &end);
		for (size_t i = 0; i < sizeof(unit) / sizeof(*unit); i++) {
			size_t l = strlen(unit[i].name);

			if (strncmp(end, unit[i].name, l) == 0 && l > len) {
				len = l;
				best = i;
			}
		}
		if (len == 0)
			return -EINVAL;
		sum += n * unit[best].ns;
		text = end + len;
	}
	if (sum < 1 || sum > 1e18)
		return -EINVAL;
	*ns = (uint64_t)sum;
	return 0;
}

/* Takes -i out of the flags, which it compacts. 0, or an exit status after a message. */
static int take_interval(int *flagc, char **flags, uint64_t *interval)
{
	const char *text = NULL;
	int kept = 0;

	for (int i = 0; i < *flagc; i++) {
		if (strcmp(flags[i], "-i") == 0 || strcmp(flags[i], "--interval") == 0) {
			if (++i == *flagc) {
				fprintf(stderr, "scope watch: %s needs a value\n", flags[i - 1]);
				return 2;
			}
			text = flags[i];
		} else if (strncmp(flags[i], "--interval=", 11) == 0) {
			text = flags[i] + 11;
		} else if (strncmp(flags[i], "-i", 2) == 0) {
			text = flags[i] + 2;
		} else {
			flags[kept++] = flags[i];
		}
	}
	*flagc = kept;
	if (!text) {
		fprintf(stderr, "scope watch: an interval is missing: -i 5s\n"
				"Usage: scope watch -i INTERVAL [flags] [--] COMMAND [ARGUMENT…]\n");
		return 1;
	}
	if (sc_duration_parse(text, interval) < 0) {
		fprintf(stderr,
			"scope watch: error parsing time duration string \"%s\": expected a duration such as 5s, 1m or 1h500ms\n",
			text);
		return 2;
	}
	return 0;
}

/* One run of the command; what it writes is recorded, not shown. */
static void run_once(const struct sc_install *in, const struct sc_session *s, const char *path, char **argv)
{
	pid_t child = fork();

	if (child == 0) {
		int null = open("/dev/null", O_RDWR);

		if (null >= 0) {
			dup2(null, 0);
			dup2(null, 1);
			dup2(null, 2);
			if (null > 2)
				close(null);
		}
		_exit(sc_run_exec(in, s, path, argv));
	}
	if (child < 0)
		fprintf(stderr, "scope watch: fork: %s\n", strerror(errno));
	else
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t when)
{
	struct timespec t = {(time_t)(when / NS_PER_S), (long)(when % NS_PER_S)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

int sc_watch(const struct sc_install *in, int flagc, char **flags, int argc, char **argv)
{
	char path[PATH_MAX];
	struct sc_session s;
	uint64_t interval = 0, next;
	int status = take_interval(&flagc, flags, &interval);

	if (status == 0)
		status = sc_run_begin(in, &s, flagc, flags, argc, argv, path);
	if (status != 0)
		return status;
	next = now_ns();
	for (;;) {
		run_once(in, &s, path, argv);
		next += interval;
		if (next < now_ns())
			next = now_ns();
		sleep_until(next);
	}
}
