/* SPDX-License-Identifier: Apache-2.0 */
/*
 * debuginfod_get DIR [HEX@SECONDS]...: fetches each at that time, prints "ok BYTES" or the error's name, then the
 * counters. The environment has DEBUGINFOD_*, CACHE_BYTES, and CANCEL_MS: when the flag is set.
 */
#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "symbolize/debuginfod.h"

static atomic_bool cancel;

static void on_alarm(int sig)
{
	atomic_store(&cancel, true);
}

static void set_alarm(const char *ms)
{
	struct itimerval t = { 0 };

	if (!ms)
		return;
	signal(SIGALRM, on_alarm);
	t.it_value.tv_usec = atoi(ms) * 1000;
	setitimer(ITIMER_REAL, &t, NULL);
}

static struct build_id parse_id(const char *hex)
{
	struct build_id id = { .kind = BUILD_ID_GNU };
	unsigned int byte;

	for (; id.len < BUILD_ID_MAX && sscanf(hex, "%2x", &byte) == 1; hex += 2)
		id.bytes[id.len++] = (uint8_t)byte;
	return id;
}

static void get(struct debuginfod *d, const char *what)
{
	const char *at = strchr(what, '@');
	struct build_id id = parse_id(what);
	_cleanup_(closep) int fd = debuginfod_fetch(d, &id, at ? strtoull(at + 1, NULL, 10) : 1, &cancel);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) >= 0)
		printf("ok %lld\n", (long long)st.st_size);
	else
		printf("%s\n", strerrorname_np(-fd));
}

int main(int argc, char **argv)
{
	struct debuginfod_opts o = { .dir = argc > 1 ? argv[1] : "" };
	const char *cache = getenv("CACHE_BYTES");
	struct debuginfod_stats st;
	struct debuginfod *d;
	int r;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	debuginfod_opts_env(&o, getenv);
	o.cache_bytes = cache ? strtoull(cache, NULL, 10) : 0;
	r = debuginfod_new(&o, &d);
	if (r < 0) {
		printf("new %s\n", strerrorname_np(-r));
		return 0;
	}
	set_alarm(getenv("CANCEL_MS"));
	for (int i = 2; i < argc; i++)
		get(d, argv[i]);
	debuginfod_stats(d, &st);
	printf("hits %lu fetched %lu missing %lu failed %lu held off %lu bytes %lu\n", st.hits, st.fetched, st.missing, st.failed, st.held_off, st.bytes);
	debuginfod_free(d);
	curl_global_cleanup();
	return 0;
}
