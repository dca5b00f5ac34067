// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_page.c - foreign bytes as HTTP requests, one after the other: each is
 * read within its bounds, ends, and gets an answer that fits.
 */
#include <stdlib.h>
#include <string.h>

#include "page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(int fact)
{
	if (!fact)
		abort();
}

static void write_answer(const struct page_request *request)
{
	static const uint8_t key_id[STEK_ID_LEN];
	const struct page_facts facts = {
		.node = "n", .farm = "f", .tls_version = "TLSv1.3",
		.cipher_suite = "TLS_AES_128_GCM_SHA256", .issuer = "",
		.resumed = true, .outcome = STEK_RESUMED_ACTIVE,
		.key_id = key_id, .key_state = "active",
	};
	char out[PAGE_ANSWER_MAX];

	must(page_write(out, sizeof(out), request, &facts) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *text = (const char *)data;
	struct page_request request;

	while (page_parse(&request, text, len) == PAGE_READY) {
		must(request.consumed > 0 && request.consumed <= len);
		must(request.status == 200 || request.status == 400 ||
		     request.status == 405 || request.status == 431 ||
		     request.status == 505);
		write_answer(&request);
		if (!request.keep_alive)
			return 0;
		text += request.consumed;
		len -= request.consumed;
	}
	must(len < PAGE_REQUEST_MAX);
	return 0;
}
