/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * schedule.h - which key may do what, and which keys are missing: pure
 * functions of ring, policy and time. DESIGN.md, "Keys".
 */
#ifndef STEK_SCHEDULE_H
#define STEK_SCHEDULE_H

#include "ring.h"

/* Zero fields become defaults; STEK_EINVAL names the field in `why`. */
int stek__policy_check(struct stek_policy *policy, char *why, size_t why_len)
	STEK_CHECKED;

/* How many keys of the schedule alone a ring comes to hold at once, at most. */
size_t stek__schedule_held(const struct stek_policy *policy);

int64_t stek__schedule_seal_until(const struct stek_policy *policy,
				  const struct stek_key *key);
int64_t stek__schedule_expire_at(const struct stek_policy *policy,
				 int64_t activate_at_ms);

/*
 * The one key whose turn it is to seal at `now`, or NULL when nobody may: the
 * greatest activate_at <= now (tie: greater id) among keys and tombstones,
 * leaving out what was revoked before its activation; NULL if that one is
 * revoked or past seal_until. An older key never becomes active again.
 */
const struct stek_key *stek__schedule_due(const struct stek_ring *ring,
					  const struct stek_policy *policy,
					  int64_t now_ms);

/*
 * The one that seals on this node, whose snapshot `ring` is: the same, but that
 * a key which yields leaves it to the latest one that does not and may seal.
 * NULL exactly when the other is.
 */
const struct stek_key *stek__schedule_sealing(const struct stek_ring *ring,
					      const struct stek_policy *policy,
					      int64_t now_ms);

/* PENDING is also a key whose time has come and that yields. */
enum stek_state stek__schedule_state(const struct stek_ring *ring,
				     const struct stek_policy *policy,
				     const struct stek_key *key,
				     int64_t now_ms);

/* The next time > now at which some state changes; INT64_MAX if none. */
int64_t stek__schedule_next_event(const struct stek_ring *ring,
				  const struct stek_policy *policy,
				  int64_t now_ms);

#define STEK_MISSING_MAX 10

/*
 * activate_at of the keys that the ring lacks at `now`: one to seal with if
 * there is none and none is about to be, or if the one there is ends before the
 * next slot and none follows it; and one for each of the next `policy->pending`
 * slots of the period that has no unrevoked key. Slots are multiples of the
 * period since 1970. Returns their number.
 */
size_t stek__schedule_missing(const struct stek_ring *ring,
			      const struct stek_policy *policy, int64_t now_ms,
			      int64_t out[STEK_MISSING_MAX]);

/* Fills what stek_farm_ring() reports. */
void stek__schedule_info(const struct stek_ring *ring,
			 const struct stek_policy *policy, int64_t now_ms,
			 struct stek_ring_info *out);

#endif
