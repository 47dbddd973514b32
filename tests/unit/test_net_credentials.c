/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens, passwords and certificates: ours for the server, and the server's for us. */
#include "unit/fixture_net.h"

#include <fcntl.h>

#include "base/file.h"

static void write_file(const char *path, const char *text)
{
	_cleanup_(closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
}

static void a_token_is_read_again_when_its_file_changes(void **state)
{
	struct receiver_opts o = to("prod", fake.url);
	char path[128];

	snprintf(path, sizeof(path), "%s/token", dir);
	unlink(path);
	o.bearer_token_file = path;
	set(&o, 1);
	fake_faults(&fake, "authorization=Bearer right");
	send_one("web", 0);
	WAIT(2, s.failed_tries[RETRY_CREDENTIALS] == 1);
	assert_true(told(NET_TROUBLE, "cannot read ", "token: No such file or directory"));
	write_file(path, "wrong\n");
	WAIT(3, s.failed_tries[RETRY_CREDENTIALS] >= 2 && fake_number(&fake, "401") > 0);
	write_file(path, "right\n");
	WAIT(8, s.delivered == 1);
	assert_int_equal(fake_stored(&fake, "web"), 1);
	assert_int_equal(fake_number(&fake, "Bearer right"), 1);
}

static void a_password_is_sent(void **state)
{
	struct receiver_opts o = to("prod", fake.url);

	o.username = "user";
	o.password = "pass word";
	set(&o, 1);
	send_one("web", 0);
	assert_int_equal(net_flush(net, 5 * SEC), 0);
	assert_int_equal(fake_number(&fake, "Basic dXNlcjpwYXNzIHdvcmQ="), 1);
}

static const char *path_of(char *out, const char *file)
{
	snprintf(out, 128, "%s/%s", dir, file);
	return out;
}

/* Certificates for the name "localhost", and one authority nobody asked. */
static void make_certificates(void)
{
	char command[2048];

	snprintf(command, sizeof(command),
		 "cd %s && exec >log 2>&1 && set -ex\n"
		 "new='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'\n"
		 "for ca in ca other; do openssl req -x509 $new -days 2 -subj /CN=$ca -keyout $ca.key -out $ca.pem; done\n"
		 "echo subjectAltName=DNS:localhost,DNS:fake.test >ext\n"
		 "for who in server client; do\n"
		 "openssl req $new -subj /CN=$who -keyout $who.key -out $who.csr\n"
		 "openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out $who.pem\n"
		 "done\n", dir);
	if (system(command))
		fail_msg("openssl failed, see %s/log", dir);
}

static void a_certificate_is_checked_and_set_right(void **state)
{
	char other[128], ca[128];
	struct fake tls = { .tls = dir };
	struct receiver_opts o;

	make_certificates();
	fake_start(&tls);
	o = to("prod", tls.url);
	o.ca_file = (char *)path_of(other, "other.pem");
	set(&o, 1);
	send_one("web", 0);
	WAIT(3, s.failed_tries[RETRY_TLS] > 0);
	assert_true(told(NET_TROUBLE, "receiver prod: https://localhost:", "certificate"));
	o.ca_file = "/nonexistent/ca.pem";
	set(&o, 1);
	WAIT(3, s.failed_tries[RETRY_TLS] > 1);
	assert_int_equal(stats().delivered, 0);
	o.ca_file = (char *)path_of(ca, "ca.pem");
	set(&o, 1);
	WAIT(3, s.delivered == 1);
	assert_int_equal(fake_stored(&tls, "web"), 1);
	fake_stop(&tls);
}

static void a_name_other_than_the_urls_is_checked(void **state)
{
	char ca[128], url[64];
	struct fake tls = { .tls = dir };
	struct receiver_opts o;

	fake_start(&tls);
	snprintf(url, sizeof(url), "https://127.0.0.1:%d", tls.port);
	o = to("prod", url);
	o.ca_file = (char *)path_of(ca, "ca.pem");
	set(&o, 1);
	send_one("web", 0);
	WAIT(3, s.failed_tries[RETRY_TLS] > 0);
	o.server_name = "fake.test";
	set(&o, 1);
	WAIT(3, s.delivered == 1);
	o.server_name = NULL;
	o.insecure_skip_verify = true;
	set(&o, 1);
	send_one("web", 0);
	WAIT(3, s.delivered == 2);
	fake_stop(&tls);
}

/* Under TLS 1.3 the server complains only after the client has begun to talk; its alert may be
 * lost in the reset. */
static void a_missing_client_certificate_loses_nothing(void **state)
{
	char ca[128], cert[128], key[128];
	struct fake tls = { .tls = dir, .client_ca = true };
	struct receiver_opts o;

	fake_start(&tls);
	o = to("prod", tls.url);
	o.ca_file = (char *)path_of(ca, "ca.pem");
	set(&o, 1);
	send_one("web", 0);
	WAIT(3, s.failed_tries[RETRY_TLS] + s.failed_tries[RETRY_SILENCE] + s.failed_tries[RETRY_CONNECT] > 0);
	assert_int_equal(stats().queued, 1);
	o.cert_file = (char *)path_of(cert, "client.pem");
	o.key_file = (char *)path_of(key, "client.key");
	set(&o, 1);
	WAIT(3, s.delivered == 1);
	assert_int_equal(fake_stored(&tls, "web"), 1);
	fake_stop(&tls);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_token_is_read_again_when_its_file_changes),
		TEST(a_password_is_sent),
		TEST(a_certificate_is_checked_and_set_right),
		TEST(a_name_other_than_the_urls_is_checked),
		TEST(a_missing_client_certificate_loses_nothing),
	};

	return net_main(argc, argv, tests);
}
