/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conformance [-v] [SCRIPT|DIRECTORY...]: run scripts, each in a process of its own. Without arguments,
 * all of tests/conformance/scripts, and those of tests/conformance/failing, which must fail in the
 * way that their first line tells ("// fails: TEXT"). -v shows the packets that leave the stack.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

enum { LIMIT_S = 20 }; /* of real time, for a script */

static char **paths;
static unsigned npaths;

static void add_path(const char *path)
{
	char **more = realloc(paths, (npaths + 1) * sizeof(*paths));

	if (!more)
		exit(2);
	paths = more;
	paths[npaths++] = strdup(path);
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *f)
{
	size_t n = strlen(path);

	if (type == FTW_F && n > 4 && !strcmp(path + n - 4, ".pkt"))
		add_path(path);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void collect(const char *path)
{
	unsigned first = npaths;

	if (nftw(path, visit, 8, FTW_PHYS)) {
		perror(path);
		exit(2);
	}
	qsort(paths + first, npaths - first, sizeof(*paths), by_name);
}

static void put(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, text, strlen(text)) < 0)
			perror(file);
		close(fd);
	}
}

/*
 * Listening sockets have a kernel half: in a network of its own, which lets them bind to addresses
 * that nobody has.
 */
static void own_network(void)
{
	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
		perror("a network namespace is needed");
		exit(2);
	}
	put("/proc/sys/net/ipv4/ip_nonlocal_bind", "1");
	put("/proc/sys/net/ipv6/ip_nonlocal_bind", "1");
}

/* Runs it; what it says goes into `text`. The exit status. */
static int run_child(const char *path, char *text, size_t room)
{
	size_t n = 0;
	ssize_t got;
	int p[2], status;
	pid_t pid;

	if (pipe(p))
		exit(2);
	pid = fork();
	if (!pid) {
		alarm(LIMIT_S);
		signal(SIGPIPE, SIG_IGN);
		dup2(p[1], 2);
		close(p[0]);
		run_script(script_load(path));
		_exit(0);
	}
	close(p[1]);
	while ((got = read(p[0], text + n, room - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = 0;
	close(p[0]);
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		snprintf(text + n, room - n, "%s: %s\n", path, strsignal(WTERMSIG(status)));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* What a failing script must say: the text of its first line. */
static void expected_failure(const char *path, char *want, size_t room)
{
	FILE *f = fopen(path, "r");

	want[0] = 0;
	if (f && fgets(want, (int)room, f) && !strncmp(want, "// fails: ", 10)) {
		want[strcspn(want, "\n")] = 0;
		memmove(want, want + 10, strlen(want + 10) + 1);
	} else {
		strcpy(want, "no first line that tells how it fails");
	}
	if (f)
		fclose(f);
}

static bool run_one(const char *path, bool must_fail)
{
	char text[4096], want[256];
	int status = run_child(path, text, sizeof(text));

	if (!must_fail) {
		if (status || run_verbose)
			printf("%s%s", status ? "FAIL " : "", text[0] ? text : path);
		return !status;
	}
	expected_failure(path, want, sizeof(want));
	if (status == 1 && strstr(text, want))
		return true;
	printf("FAIL %s: expected to fail with '%s', got %s\n", path, want,
	       text[0] ? text : "no failure");
	return false;
}

static unsigned run_all(const char *name, bool must_fail)
{
	unsigned failed = 0;

	for (unsigned i = 0; i < npaths; i++) {
		failed += !run_one(paths[i], must_fail);
		free(paths[i]);
	}
	printf("# %s: %u passed, %u failed\n", name, npaths - failed, failed);
	npaths = 0;
	return failed;
}

int main(int argc, char **argv)
{
	unsigned failed;

	setvbuf(stdout, NULL, _IOLBF, 0);
	own_network();
	if (argc > 1 && !strcmp(argv[1], "-v")) {
		run_verbose = true;
		argv++;
		argc--;
	}
	for (int i = 1; i < argc; i++)
		collect(argv[i]);
	if (argc > 1)
		return run_all("conformance", false) > 0;
	collect("tests/conformance/scripts");
	failed = run_all("conformance", false);
	collect("tests/conformance/failing");
	return failed + run_all("conformance runner", true) > 0;
}
