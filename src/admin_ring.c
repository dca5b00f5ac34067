/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_ring.c - GET /v1/ring, and the entity tags of the ring: what If-Match
 * and If-None-Match say (RFC 9110 s13). The tag is the ring's version, so that
 * the library can compare it where the ring is written. Called by
 * admin_route.c and admin_change.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_route.h"
#include "asset.h"
#include "text.h"

void admin_ring_tag(char out[ADMIN_TAG_LEN],
		    const struct stek_version *version)
{
	char digest[2 * STEK_DIGEST_LEN + 1];

	text_hex(digest, version->digest, STEK_DIGEST_LEN);
	snprintf(out, ADMIN_TAG_LEN, "\"%" PRIu64 "-%s\"", version->epoch,
		 digest);
}

json_t *admin_ring_version(const struct stek_version *version)
{
	return json_pack("{s:I, s:o}", "epoch", (json_int_t)version->epoch,
			 "digest", admin_hex(version->digest,
					     STEK_DIGEST_LEN));
}

bool admin_ring_expected(const struct admin_call *call,
			 const struct stek_version *version)
{
	if (!call->has_expect)
		return true;
	if (call->epoch_only)
		return call->expect.epoch == version->epoch;
	return stek_version_equal(&call->expect, version);
}

/* RFC 9110 s8.8.3: any bytes but blanks, quotes and controls, quoted. */
static size_t tag_len(const char *text)
{
	size_t i;

	if (text[0] != '"')
		return 0;
	for (i = 1; text[i] != '"'; i++)
		if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f)
			return 0;
	return i + 1;
}

/* "EPOCH-DIGEST" or "EPOCH", as we write them; others are of no ring. */
static bool tag_version(const char *tag, struct admin_call *call)
{
	char again[ADMIN_TAG_LEN];
	char *end;

	if (tag[1] < '0' || tag[1] > '9')
		return false;
	call->expect.epoch = strtoull(tag + 1, &end, 10);
	call->epoch_only = *end == '"';
	if (call->epoch_only) {
		snprintf(again, sizeof(again), "\"%" PRIu64 "\"",
			 call->expect.epoch);
		return strcmp(again, tag) == 0;
	}
	if (*end != '-' || strlen(end + 1) != 2 * STEK_DIGEST_LEN + 1 ||
	    !text_unhex(call->expect.digest, end + 1, STEK_DIGEST_LEN))
		return false;
	admin_ring_tag(again, &call->expect);
	return strcmp(again, tag) == 0;
}

static bool takes_tags(const struct admin_call *call)
{
	return call->run == admin_ring_show ||
	       call->run == admin_change_rotate ||
	       call->run == admin_change_revoke;
}

bool admin_ring_match(const struct admin_request *request,
		      struct admin_call *call, struct admin_answer *answer)
{
	const char *text = request->if_match;
	bool weak;

	if (text == NULL || strcmp(text, "*") == 0 ||
	    call->run == admin_asset_show || call->run == admin_openapi_show)
		return true;
	weak = strncmp(text, "W/", 2) == 0;
	text += weak ? 2 : 0;
	if (tag_len(text) == 0 || text[tag_len(text)] != '\0') {
		admin_problem(answer, 400, NULL, "If-Match must be * or one "
			      "entity tag, say \"7-...\" as in the ETag of "
			      "/v1/ring");
		return false;
	}
	/* A weak one matches nothing here (RFC 9110 s13.1.1). */
	if (!takes_tags(call) || weak || !tag_version(text, call)) {
		admin_problem_of(answer, PROBLEM_PRECONDITION, NULL,
				 "nothing here has ever had this entity tag");
		return false;
	}
	call->has_expect = true;
	return true;
}

/*
 * Nothing that time alone changes, so that the tag is a strong one: neither
 * the hour nor the keys' states.
 */
static json_t *key_json(const struct stek_key_info *key)
{
	json_t *json = admin_show_key(key);

	json_object_del(json, "state");
	return json;
}

void admin_ring_show(struct node *node, const struct admin_call *call,
		     struct admin_answer *answer)
{
	struct stek_ring_info ring;
	json_t *keys, *json;
	size_t i;

	stek_farm_ring(node->farm, &ring);
	if (!admin_ring_expected(call, &ring.version)) {
		admin_problem_of(answer, PROBLEM_RING_MOVED,
				 admin_ring_version(&ring.version),
				 "the ring is another than the expected one");
		return;
	}
	admin_ring_tag(answer->tag, &ring.version);
	answer->etag = answer->tag;
	if (asset_known(&(struct asset_form){ .etag = answer->tag },
			call->if_none_match)) {
		admin_empty(answer, 304);
		return;
	}
	keys = json_array();
	for (i = 0; i < ring.n_keys; i++)
		json_array_append_new(keys, key_json(&ring.keys[i]));
	json = admin_ring_version(&ring.version);
	json_object_set_new(json, "revoked_before_ms",
			    admin_time_or_null(ring.revoked_before_ms));
	json_object_set_new(json, "keys", keys);
	admin_json(answer, json);
}
