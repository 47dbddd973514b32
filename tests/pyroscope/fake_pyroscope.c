/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_pyroscope - a server that answers pushes as a real one was seen to, for our tests.
 *
 * Listens on loopback only; the first line on standard output is the port. Ends on SIGTERM, or with
 * the process that started it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <gnutls/gnutls.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/units.h"
#include "pyroscope/server.h"

enum { MAX_PEM = 1 << 20 };

struct options {
	uint64_t port;
	struct buf cert, key, client_ca;
	struct server *server;
};

static const char usage[] = "Usage: fake_pyroscope [--port N] [--tls-cert FILE --tls-key FILE [--tls-client-ca FILE]]\n"
			    "       [--tenant-required] [--basic USER:PASSWORD] [--any-time]\n";

static int read_pem(const char *path, struct buf *ret)
{
	int r = file_read_path(AT_FDCWD, path, MAX_PEM, ret);

	if (r < 0)
		fprintf(stderr, "fake_pyroscope: cannot read %s: %s\n", path, strerror(-r));
	buf_putc(ret, '\0');
	return r;
}

/* "Basic " and the base64 of user:password. */
static char *basic_header(const char *credentials)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = (const uint8_t *)credentials;
	size_t len = strlen(credentials);
	struct buf b = BUF_INIT;

	buf_puts(&b, "Basic ");
	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < len ? p[i + 1] << 8 : 0) | (i + 2 < len ? p[i + 2] : 0);

		buf_putc(&b, digits[v >> 18]);
		buf_putc(&b, digits[v >> 12 & 63]);
		buf_putc(&b, i + 1 < len ? digits[v >> 6 & 63] : '=');
		buf_putc(&b, i + 2 < len ? digits[v & 63] : '=');
	}
	buf_putc(&b, '\0');
	return (char *)b.data;
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{ "port", required_argument, NULL, 'p' },	 { "tls-cert", required_argument, NULL, 'c' },
		{ "tls-key", required_argument, NULL, 'k' },	 { "tls-client-ca", required_argument, NULL, 'a' },
		{ "tenant-required", no_argument, NULL, 't' },	 { "basic", required_argument, NULL, 'b' },
		{ "any-time", no_argument, NULL, 'y' },		 { 0 },
	};
	int c, r = 0;

	while (r >= 0 && (c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (c == 'p')
			r = parse_u64(optarg, 0, 65535, &o->port);
		else if (c == 'c')
			r = read_pem(optarg, &o->cert);
		else if (c == 'k')
			r = read_pem(optarg, &o->key);
		else if (c == 'a')
			r = read_pem(optarg, &o->client_ca);
		else if (c == 't')
			o->server->tenant_required = true;
		else if (c == 'b')
			o->server->basic = basic_header(optarg);
		else if (c == 'y')
			o->server->any_time = true;
		else
			r = -EINVAL;
	}
	o->server->client_certificate = o->client_ca.len > 0;
	return r < 0 || optind < argc || !o->cert.len != !o->key.len ? -EINVAL : 0;
}

/* MHD only asks for a client's certificate: refuse one that is missing or wrong, with the alert real servers send. */
static int verify_client(gnutls_session_t session)
{
	unsigned n = 0, status = 0;

	if (!gnutls_certificate_get_peers(session, &n) || !n) {
		gnutls_alert_send(session, GNUTLS_AL_FATAL, GNUTLS_A_CERTIFICATE_REQUIRED);
		return -1;
	}
	if (gnutls_certificate_verify_peers2(session, &status) < 0 || status) {
		gnutls_alert_send(session, GNUTLS_AL_FATAL, GNUTLS_A_UNKNOWN_CA);
		return -1;
	}
	return 0;
}

static void on_connection(void *cls, struct MHD_Connection *c, void **socket_ctx, enum MHD_ConnectionNotificationCode toe)
{
	const struct server *s = cls;
	const union MHD_ConnectionInfo *info;

	if (toe != MHD_CONNECTION_NOTIFY_STARTED || !s->client_certificate)
		return;
	info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	gnutls_session_set_verify_function(info->tls_session, verify_client);
}

static struct MHD_Daemon *listen_on(const struct options *o)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons((uint16_t)o->port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, o->cert.data },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, o->key.data },
		{ o->client_ca.len ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0, o->client_ca.data },
		{ MHD_OPTION_END, 0, NULL },
	};
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL |
			 (o->cert.len ? MHD_USE_TLS : 0u);

	return MHD_start_daemon(flags, 0, NULL, NULL, server_handle, o->server, MHD_OPTION_SOCK_ADDR, &addr,
				MHD_OPTION_NOTIFY_COMPLETED, server_completed, o->server, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
				o->server, MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_ARRAY, o->cert.len ? tls : &tls[3],
				MHD_OPTION_END);
}

/* Until SIGTERM or SIGINT. */
static int serve(const struct options *o)
{
	struct MHD_Daemon *d;
	sigset_t ends;
	int sig;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	d = listen_on(o);
	if (!d) {
		fprintf(stderr, "fake_pyroscope: cannot listen on 127.0.0.1:%llu\n", (unsigned long long)o->port);
		return 1;
	}
	printf("%u\n", MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port);
	fflush(stdout);
	sigwait(&ends, &sig);
	atomic_store(&o->server->stopping, true);
	MHD_stop_daemon(d);
	return 0;
}

int main(int argc, char **argv)
{
	struct server server = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct options o = { .server = &server };
	int status = 2;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGPIPE, SIG_IGN);
	if (parse(argc, argv, &o) < 0)
		fputs(usage, stderr);
	else
		status = serve(&o);
	store_reset(&server.store);
	faults_fini(&server.faults);
	free(server.basic);
	buf_fini(&o.cert);
	buf_fini(&o.key);
	buf_fini(&o.client_ca);
	return status;
}
