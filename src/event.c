/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event.c - the farm's events, which stekd hands on from libstek, as lines of
 * the log: how loud each is and how it reads.
 */
#include "event.h"

#include <string.h>

#include "log.h"
#include "text.h"

static const struct {
	enum log_level level;
	const char *message;
} lines[] = {
	[STEK_EVENT_RING] = { LOG_INFO, "ring installed" },
	[STEK_EVENT_STORE_UP] = { LOG_INFO, "store reached" },
	[STEK_EVENT_STORE_DOWN] = { LOG_WARN, "store unreachable" },
	[STEK_EVENT_STORE_REFUSED] = { LOG_WARN, "store refuses us" },
	[STEK_EVENT_RECORD_BAD] = { LOG_ERROR,
		"the store's ring is refused, the last good one kept" },
	[STEK_EVENT_MINTED] = { LOG_INFO, "new key made" },
	[STEK_EVENT_RESTORED] = { LOG_WARN, "lost ring put back in the store" },
	[STEK_EVENT_REVOKED] = { LOG_WARN, "keys revoked" },
	[STEK_EVENT_NO_ACTIVE_KEY] = { LOG_WARN, "no key may seal now" },
	[STEK_EVENT_ACTIVE_KEY] = { LOG_INFO, "another key seals now" },
	[STEK_EVENT_CLOCK] = { LOG_WARN, "clock differs from the farm's" },
	[STEK_EVENT_STATE_FILE] = { LOG_WARN,
		"the kept copy of the ring fails" },
	[STEK_EVENT_UNCONFIRMED] = { LOG_WARN,
		"too few replicas hold the ring" },
	[STEK_EVENT_FARM_KEY] = { LOG_INFO, "farm keys" },
	[STEK_EVENT_LAGGING] = { LOG_ERROR,
		"a live node does not take the ring" },
	[STEK_EVENT_SAME_NAME] = { LOG_ERROR, "node name used twice" },
};

#define N_LINES (sizeof(lines) / sizeof(lines[0]))

void event_log(const struct stek_event *event)
{
	static const uint8_t none[STEK_ID_LEN];
	const char *message = "something happened in the farm";
	enum log_level level = LOG_WARN;
	char id[2 * STEK_ID_LEN + 1] = "";

	if ((size_t)event->kind < N_LINES && lines[event->kind].message) {
		level = lines[event->kind].level;
		message = lines[event->kind].message;
	}
	if (memcmp(event->key_id, none, STEK_ID_LEN) != 0)
		text_hex(id, event->key_id, STEK_ID_LEN);
	log_event(level, message, "event", LOG_STR,
		  stek_event_name(event->kind),
		  "epoch", LOG_INT, (int64_t)event->version.epoch,
		  "key", LOG_SOME, id, "detail", LOG_SOME, event->detail,
		  "error", LOG_SOME,
		  event->error ? stek_strerror(event->error) : NULL, NULL);
}
