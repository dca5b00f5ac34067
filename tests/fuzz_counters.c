// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_counters.c - another node's heartbeat payload. Every number has one form
 * and issuers one place, so what unpacks is packed to the same bytes again; of
 * another build's, to the same values.
 */
#include <stdlib.h>
#include <string.h>

#include "counters.h"

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
	size_t n, head;

	if (counters_unpack(&once, data, len))
		return 0;
	n = counters_pack(&once, packed, sizeof(packed));
	must(n > 0);
	/* The version, the number of runs, and how long each is. */
	head = 2u + packed[1];
	if (len >= head && !memcmp(packed, data, head))
		must(n == len);
	must(!counters_unpack(&twice, packed, n));
	must(counters_pack(&twice, again, sizeof(again)) == n);
	must(!memcmp(packed, again, n));
	return 0;
}
