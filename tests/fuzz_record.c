// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_record.c - foreign bytes into every parser of record.c and farmkey.c.
 * The first byte chooses: 0 a sealed ring, 1 an opened ring (only a holder of
 * the farm key gets so far), 2 a sealed heartbeat, 3 an opened heartbeat, 4 a
 * farm-key file. What a parser takes must be sound: it is written, merged and
 * scheduled, and an accepted ring must come back from its own document.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "farmkey.h"
#include "schedule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct stek_farm_keys *farm_keys(void)
{
	static struct stek_farm_keys *keys;

	if (keys)
		return keys;
	keys = stek__secret_alloc(sizeof(*keys));
	if (!keys)
		abort();
	keys->n = 1;
	memset(keys->keys[0].id, 'i', sizeof(keys->keys[0].id));
	memset(keys->keys[0].secret, 's', sizeof(keys->keys[0].secret));
	return keys;
}

static void use_schedule(const struct stek_ring *ring)
{
	static struct stek_ring_info info;
	struct stek_policy policy = { .period_s = 0 };
	int64_t missing[STEK_MISSING_MAX];
	int64_t now_ms = 1;

	if (stek__policy_check(&policy, NULL, 0) < 0)
		abort();
	for (int i = 0; i < 8 && now_ms != INT64_MAX; i++) {
		stek__schedule_info(ring, &policy, now_ms, &info);
		if (stek__schedule_missing(ring, &policy, now_ms, missing) >
		    STEK_MISSING_MAX)
			abort();
		now_ms = stek__schedule_next_event(ring, &policy, now_ms);
	}
}

/* Seals, opens and merges: the version must be the same each time. */
static void use_ring(const struct stek_ring *ring)
{
	struct stek_blob blob = { .data = NULL };
	struct stek_ring *again = NULL;
	struct stek_ring *merged = NULL;

	if (stek__record_seal(&blob, farm_keys(), "fuzz", ring) < 0 ||
	    stek__record_open(&again, farm_keys(), "fuzz", blob.data,
			      blob.len) < 0 ||
	    stek__ring_merge(&merged, again, ring) < 0)
		abort();
	if (!stek_version_equal(&ring->version, &again->version) ||
	    !stek_version_equal(&ring->version, &merged->version))
		abort();
	use_schedule(merged);
	stek__blob_free(&blob);
	stek__ring_unref(again);
	stek__ring_unref(merged);
}

static void open_ring(const uint8_t *data, size_t len)
{
	struct stek_ring *ring = NULL;

	if (stek__record_open(&ring, farm_keys(), "fuzz", data, len) == 0)
		use_ring(ring);
	stek__ring_unref(ring);
}

static void parse_ring(const uint8_t *data, size_t len)
{
	struct stek_ring *ring = NULL;

	if (stek__record_parse(&ring, 1, data, len) == 0)
		use_ring(ring);
	stek__ring_unref(ring);
}

static void use_beat(const struct stek_beat *beat)
{
	uint8_t sealed[STEK_BEAT_MAX];
	struct stek_beat again;
	size_t len;

	if (stek__beat_seal(sealed, &len, farm_keys(), "fuzz", "n", beat) < 0 ||
	    stek__beat_open(&again, farm_keys(), "fuzz", "n", sealed, len) < 0)
		abort();
	if (again.payload_len != beat->payload_len ||
	    !stek_version_equal(&again.version, &beat->version))
		abort();
}

static void open_beat(const uint8_t *data, size_t len)
{
	struct stek_beat beat;

	if (stek__beat_open(&beat, farm_keys(), "fuzz", "n", data, len) == 0)
		use_beat(&beat);
}

static void parse_beat(const uint8_t *data, size_t len)
{
	struct stek_beat beat;

	if (stek__beat_parse(&beat, data, len) == 0)
		use_beat(&beat);
}

static void parse_farm_key(const uint8_t *data, size_t len)
{
	struct stek_farm_keys *keys = NULL;
	char why[64];

	if (stek__farm_keys_parse(&keys, "fuzz", (const char *)data, len, why,
				  sizeof(why)) == 0 &&
	    (keys->n < 1 || keys->n > STEK_FARM_KEYS_MAX))
		abort();
	stek__farm_keys_free(keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static void (*const targets[])(const uint8_t *data, size_t len) = {
		open_ring, parse_ring, open_beat, parse_beat, parse_farm_key,
	};

	if (len < 1)
		return 0;
	targets[data[0] % (sizeof(targets) / sizeof(targets[0]))](data + 1,
								  len - 1);
	return 0;
}
