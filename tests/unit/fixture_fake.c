/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <curl/curl.h>
#include <signal.h>
#include <sys/wait.h>

#include "unit/fixture_fake.h"

static void run_fake(const struct fake *fk, int out)
{
	char port[16], cert[512], key[512], ca[512];
	char *argv[12] = { BUILD_DIR "/tests/fake_pyroscope", "--port", port };
	int n = 3;

	dup2(out, STDOUT_FILENO);
	snprintf(port, sizeof(port), "%d", fk->port);
	if (fk->tls) {
		snprintf(cert, sizeof(cert), "%s/server.pem", fk->tls);
		snprintf(key, sizeof(key), "%s/server.key", fk->tls);
		snprintf(ca, sizeof(ca), "%s/ca.pem", fk->tls);
		argv[n++] = "--tls-cert";
		argv[n++] = cert;
		argv[n++] = "--tls-key";
		argv[n++] = key;
		if (fk->client_ca) {
			argv[n++] = "--tls-client-ca";
			argv[n++] = ca;
		}
	}
	execv(argv[0], argv);
	_exit(127);
}

void fake_start(struct fake *fk)
{
	_cleanup_(fclosep) FILE *f = NULL;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	fk->pid = fork();
	assert_true(fk->pid >= 0);
	if (!fk->pid)
		run_fake(fk, ends[1]);
	close(ends[1]);
	f = fdopen(ends[0], "r");
	if (!f || fscanf(f, "%d", &fk->port) != 1)
		fail_msg("the fake server did not start");
	snprintf(fk->url, sizeof(fk->url), "%s:%d", fk->tls ? "https://localhost" : "http://127.0.0.1", fk->port);
}

void fake_stop(struct fake *fk)
{
	int status = -1;

	if (!fk->pid)
		return;
	kill(fk->pid, SIGTERM);
	waitpid(fk->pid, &status, 0);
	fk->pid = 0;
	assert_int_equal(status, 0);
}

static size_t keep(char *data, size_t size, size_t n, void *ctx)
{
	if (ctx)
		buf_append(ctx, data, n);
	return n;
}

static void ask(const struct fake *fk, const char *path, const char *text, struct buf *out)
{
	CURL *c = curl_easy_init();
	char url[128];
	long status = 0;

	snprintf(url, sizeof(url), "%s%s", fk->url, path);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, keep);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, out);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
	if (fk->client_ca) {
		char cert[512], key[512];

		snprintf(cert, sizeof(cert), "%s/client.pem", fk->tls);
		snprintf(key, sizeof(key), "%s/client.key", fk->tls);
		curl_easy_setopt(c, CURLOPT_SSLCERT, cert);
		curl_easy_setopt(c, CURLOPT_SSLKEY, key);
	}
	if (text)
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, text);
	assert_int_equal(curl_easy_perform(c), CURLE_OK);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(c);
	assert_int_equal(status, 200);
}

void fake_post(const struct fake *fk, const char *path, const char *text)
{
	ask(fk, path, text, NULL);
}

void fake_faults(const struct fake *fk, const char *faults)
{
	fake_post(fk, "/fake/faults", faults);
}

void fake_state(const struct fake *fk, struct buf *out)
{
	ask(fk, "/fake/state", NULL, out);
	buf_putc(out, '\0');
	assert_int_equal(buf_error(out), 0);
}

static long number_after(const char *text, const char *key)
{
	char quoted[64];
	const char *at;

	snprintf(quoted, sizeof(quoted), "\"%s\":", key);
	at = text ? strstr(text, quoted) : NULL;
	return at ? strtol(at + strlen(quoted), NULL, 10) : -1;
}

long fake_number(const struct fake *fk, const char *key)
{
	_cleanup_(buf_fini) struct buf state = BUF_INIT;

	fake_state(fk, &state);
	return number_after((char *)state.data, key);
}

long fake_stored(const struct fake *fk, const char *service)
{
	_cleanup_(buf_fini) struct buf state = BUF_INIT;
	char label[128];
	long n;

	snprintf(label, sizeof(label), "\"service_name\":\"%s\"", service);
	fake_state(fk, &state);
	n = number_after(strstr((char *)state.data, label), "pushes");
	return n < 0 ? 0 : n;
}
