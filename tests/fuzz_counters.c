// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_counters.c - another node's heartbeat payload. Every number has one form
 * and issuers one place, so what unpacks is packed to the same bytes again; of
 * another build's, to the same values.
 */
#include <stdlib.h>
#include <string.h>

#include "counters.h"

/* The version, the number of runs, and how long each is. */
#define HEAD_LEN (2 + 14)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(int fact)
{
	if (!fact)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct counters once, twice;
	uint8_t packed[STEK_PAYLOAD_MAX], again[STEK_PAYLOAD_MAX];
	size_t n;

	if (counters_unpack(&once, data, len))
		return 0;
	n = counters_pack(&once, packed, sizeof(packed));
	must(n > 0);
	if (!memcmp(packed, data, HEAD_LEN))
		must(n == len);
	must(!counters_unpack(&twice, packed, n));
	must(!memcmp(&once, &twice, sizeof(once)));
	must(counters_pack(&twice, again, sizeof(again)) == n);
	must(!memcmp(packed, again, n));
	return 0;
}
