// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_proxy.c - foreign bytes where a PROXY header is due. One that passes is
 * incomplete one byte earlier, and its addresses survive being written again.
 */
#include <stdlib.h>
#include <string.h>

#include "proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(int fact)
{
	if (!fact)
		abort();
}

static void write_again(const struct proxy_in *in, enum proxy_form form)
{
	struct proxy_out out = {
		.form = form,
		.from = (const struct sockaddr *)&in->from,
		.to = (const struct sockaddr *)&in->to,
		.tls_version = "TLSv1.3",
		.authority = "www.example.com",
	};
	uint8_t buf[PROXY_OUT_MAX];
	struct proxy_in again;
	size_t n = proxy_write(&out, buf);

	must(n > 0);
	must(proxy_parse(&again, buf, n) == PROXY_PASS);
	must(again.consumed == n);
	/* An IPv4 address in IPv6's clothes is written as IPv4. */
	if (again.from.ss_family == in->from.ss_family)
		must(!memcmp(&again.from, &in->from, sizeof(in->from)) &&
		     !memcmp(&again.to, &in->to, sizeof(in->to)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct proxy_in in, cut;

	if (proxy_parse(&in, data, len) != PROXY_PASS)
		return 0;
	must(in.consumed <= len && in.consumed <= PROXY_HEADER_MAX);
	must(proxy_parse(&cut, data, in.consumed - 1) == PROXY_MORE);
	write_again(&in, PROXY_FORM_V1);
	write_again(&in, PROXY_FORM_V2);
	write_again(&in, PROXY_FORM_TLS_CRC);
	return 0;
}
