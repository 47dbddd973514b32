/* SPDX-License-Identifier: Apache-2.0 */
#include "base/url.h"

#include <stdio.h>
#include <string.h>

const char *url_shown(const char *url, char *out, size_t len)
{
	const char *scheme = strstr(url, "://"), *from = scheme ? scheme + 3 : url;
	const char *at = memrchr(from, '@', strcspn(from, "/?#"));

	if (at)
		snprintf(out, len, "%.*s***%s", (int)(from - url), url, at);
	else
		snprintf(out, len, "%s", url);
	return out;
}
