/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/retry.h"

#include <curl/curl.h>

#include "base/units.h"

#define FIRST_NS (NSEC_PER_SEC / 2)
#define LAST_NS (30 * NSEC_PER_SEC)

static struct retry_verdict judge_grpc(int status, bool retry_said)
{
	switch (status) {
	case 0:
		return (struct retry_verdict){ PARCEL_OK, RETRY_NONE, false };
	case 1:  /* cancelled */
	case 10: /* aborted */
	case 11: /* out of range */
		return (struct retry_verdict){ PARCEL_RETRY, RETRY_SERVER, false };
	case 4:  /* deadline exceeded */
	case 14: /* unavailable */
	case 15: /* data loss */
		return (struct retry_verdict){ PARCEL_RETRY, retry_said ? RETRY_THROTTLED : RETRY_SERVER, true };
	case 7:  /* permission denied */
	case 16: /* unauthenticated */
		return (struct retry_verdict){ PARCEL_RETRY, RETRY_CREDENTIALS, true };
	case 8: /* resource exhausted: this one is too large, unless they say when there is room again */
		if (retry_said)
			return (struct retry_verdict){ PARCEL_RETRY, RETRY_THROTTLED, true };
	}
	return (struct retry_verdict){ PARCEL_DROP, RETRY_REFUSED, false };
}

/* What came in gRPC's place. */
static struct retry_verdict judge_no_grpc(long http_status)
{
	int status = http_status == 401 ? 16 : http_status == 403 ? 7 : http_status == 404 ? 12 : 2;

	if (http_status == 429 || (http_status >= 502 && http_status <= 504) || http_status == 200)
		status = 14;
	return judge_grpc(status, false);
}

static struct retry_verdict judge_status(long status, bool otlp)
{
	if (otlp && (status == 500 || status == 409 || status == 408))
		return (struct retry_verdict){ PARCEL_DROP, RETRY_REFUSED, false };
	if (status >= 200 && status < 300)
		return (struct retry_verdict){ PARCEL_OK, RETRY_NONE, false };
	if (status >= 300 && status < 400)
		return (struct retry_verdict){ PARCEL_RETRY, RETRY_MOVED, true };
	if (status == 401 || status == 403)
		return (struct retry_verdict){ PARCEL_RETRY, RETRY_CREDENTIALS, true };
	if (status == 429)
		return (struct retry_verdict){ PARCEL_RETRY, RETRY_THROTTLED, true };
	if (status == 500) /* Pyroscope says so of profiles it cannot decode too: that one's trouble */
		return (struct retry_verdict){ PARCEL_RETRY, RETRY_SERVER, false };
	if (status == 409) /* Connect's "aborted": this one lost a race */
		return (struct retry_verdict){ PARCEL_RETRY, RETRY_SERVER, false };
	if (status == 408 || (status > 501 && status < 600))
		return (struct retry_verdict){ PARCEL_RETRY, RETRY_SERVER, true };
	return (struct retry_verdict){ PARCEL_DROP, RETRY_REFUSED, false };
}

static bool is_tls(int code)
{
	return code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CERTPROBLEM ||
	       code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_CIPHER || code == CURLE_SSL_ISSUER_ERROR ||
	       code == CURLE_SSL_INVALIDCERTSTATUS;
}

struct retry_verdict retry_judge(const struct retry_result *result)
{
	if (result->grpc && result->grpc_status >= 0)
		return judge_grpc(result->grpc_status, result->retry_said);
	/* Of gRPC, headers without a status behind them are no answer, if the connection ended there. */
	if (result->grpc && result->http_status >= 200 && !result->curl_code)
		return judge_no_grpc(result->http_status);
	/* An answer cut short still has its status. */
	if (result->http_status >= 200 && !result->grpc)
		return judge_status(result->http_status, result->otlp);
	if (is_tls(result->curl_code))
		return (struct retry_verdict){ PARCEL_RETRY, RETRY_TLS, true };
	if (result->sent_whole && result->curl_code == CURLE_OPERATION_TIMEDOUT && !result->otlp)
		return (struct retry_verdict){ PARCEL_UNANSWERED, RETRY_SILENCE, true };
	if (result->sent_whole)
		return (struct retry_verdict){ PARCEL_RETRY, RETRY_SILENCE, true };
	return (struct retry_verdict){ PARCEL_RETRY, RETRY_CONNECT, true };
}

const char *retry_cause_name(enum retry_cause cause)
{
	static const char *const names[RETRY_CAUSES] = {
		[RETRY_NONE] = "none", [RETRY_CONNECT] = "connect", [RETRY_TLS] = "tls", [RETRY_CREDENTIALS] = "credentials",
		[RETRY_THROTTLED] = "throttled", [RETRY_SERVER] = "server", [RETRY_MOVED] = "moved",
		[RETRY_REFUSED] = "refused", [RETRY_SILENCE] = "silence", [RETRY_DISK_FULL] = "disk_full", [RETRY_DISK] = "disk",
	};

	return cause < RETRY_CAUSES ? names[cause] : "unknown";
}

uint64_t retry_delay_ns(uint32_t tries, uint64_t random)
{
	uint64_t delay = tries > 6 ? LAST_NS : FIRST_NS << (tries ? tries - 1 : 0);

	if (delay > LAST_NS)
		delay = LAST_NS;
	return delay - random % (delay / 2);
}
