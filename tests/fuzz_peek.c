// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_peek.c - what a TLS 1.2 client sends in the clear. However the bytes
 * come in pieces, the verdict is the same.
 */
#include <stdlib.h>
#include <string.h>

#include "tls_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool passes(const uint8_t *data, size_t len, size_t piece)
{
	struct tls_peek peek;
	size_t at, n;

	memset(&peek, 0, sizeof(peek));
	for (at = 0; at < len; at += n) {
		n = len - at < piece ? len - at : piece;
		if (!tls__peek(&peek, data + at, n))
			return false;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	bool whole = passes(data, len, len ? len : 1);

	if (passes(data, len, 1) != whole || passes(data, len, 5) != whole)
		abort();
	return 0;
}
