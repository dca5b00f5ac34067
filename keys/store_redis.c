// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * store_redis.c - the store in Redis. The ring is a hash (epoch, digest, doc)
 * that one Lua script changes by compare-and-set; heartbeats are a hash by
 * node name, each value headed by the server's time; the audit is a stream.
 * Called by the sync thread through the table at the end.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_audit.h"

#define FORGET_AFTER_MS (24 * 3600 * 1000LL)
#define TIME_LEN 8

struct redis_store {
	struct stek_store base;
	struct stek_redis redis;
	char ring[96], nodes[96], audit[96];	/* ring: the channel too */
	struct stek_redis_hints hints;
	struct stek_redis_script publish, beat, append;
	uint32_t confirmed;	/* replicas that have the last ring */
	char tail[STEK_BEAT_TAIL];	/* of the last heartbeat sent */
	size_t tail_len;
};

/*
 * KEYS ring. ARGV expected epoch ("" for none), expected digest, next epoch,
 * next digest, document. 1: written, 0: the store holds something else. The
 * key is the channel too, so that an ACL needs one pattern.
 */
static const char publish_text[] =
	"local v = redis.call('HMGET', KEYS[1], 'epoch', 'digest') "
	"if ARGV[1] == '' then "
	"  if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end "
	"elseif v[1] ~= ARGV[1] or v[2] ~= ARGV[2] then return 0 end "
	"redis.call('HSET', KEYS[1], 'epoch', ARGV[3], 'digest', ARGV[4],"
	" 'doc', ARGV[5]) "
	"redis.call('PUBLISH', KEYS[1], ARGV[3]) "
	"return 1";

/*
 * KEYS ring, nodes. ARGV node ("": only look), heartbeat, how the one before
 * ends. Returns seconds and microseconds of the server, whether there is a
 * ring, its epoch and digest, and the heartbeat before if it ends otherwise.
 */
static const char beat_text[] =
	"local t = redis.call('TIME') "
	"local p = '' "
	"if ARGV[1] ~= '' then "
	"  local ms = t[1] * 1000 + math.floor(t[2] / 1000) "
	"  p = redis.call('HMGET', KEYS[2], ARGV[1])[1] or '' "
	"  if string.sub(p, -16) == ARGV[3] then p = '' end "
	"  redis.call('HSET', KEYS[2], ARGV[1],"
	"    struct.pack('>I8', ms) .. ARGV[2]) "
	"end "
	"local v = redis.call('HMGET', KEYS[1], 'epoch', 'digest') "
	"local there = v[1] and 1 or redis.call('EXISTS', KEYS[1]) "
	"return {t[1], t[2], there,"
	" v[1] or '', v[2] or '', p}";

static struct redis_store *of(struct stek_store *store)
{
	return (struct redis_store *)store;
}

static int redis_load(struct stek_store *store, struct stek_blob *doc)
{
	struct redis_store *s = of(store);
	struct stek_redis_args args = { 0 };
	redisReply *reply = NULL;
	int err;

	stek__redis_text(&args, "HGET");
	stek__redis_text(&args, s->ring);
	stek__redis_text(&args, "doc");
	err = stek__redis_call(&s->redis, &args, &reply);
	if (err)
		return err;
	if (reply->type == REDIS_REPLY_NIL) {
		freeReplyObject(reply);
		return STEK_EABSENT;
	}
	if (reply->type != REDIS_REPLY_STRING)
		return stek__redis_odd(&s->redis, "HGET", reply);
	if (reply->len > STEK_RECORD_MAX) {
		snprintf(s->redis.detail, sizeof(s->redis.detail),
			 "a document of %zu bytes", reply->len);
		freeReplyObject(reply);
		return STEK_EFORMAT;
	}
	doc->data = malloc(reply->len + 1);
	if (doc->data) {
		memcpy(doc->data, reply->str, reply->len);
		doc->len = reply->len;
	}
	freeReplyObject(reply);
	return doc->data ? 0 : STEK_ENOMEM;
}

static int redis_publish(struct stek_store *store,
			 const struct stek_version *expect,
			 const struct stek_version *next, const uint8_t *doc,
			 size_t len)
{
	struct redis_store *s = of(store);
	struct stek_redis_args args = { .n = 2 };
	char expect_epoch[24] = "", next_epoch[24];
	redisReply *reply = NULL;
	long long written;
	int err;

	if (expect)
		snprintf(expect_epoch, sizeof(expect_epoch), "%" PRIu64,
			 expect->epoch);
	snprintf(next_epoch, sizeof(next_epoch), "%" PRIu64, next->epoch);
	stek__redis_text(&args, "1");
	stek__redis_text(&args, s->ring);
	stek__redis_text(&args, expect_epoch);
	stek__redis_arg(&args, expect ? expect->digest : next->digest,
			expect ? STEK_DIGEST_LEN : 0);
	stek__redis_text(&args, next_epoch);
	stek__redis_arg(&args, next->digest, STEK_DIGEST_LEN);
	stek__redis_arg(&args, doc, len);
	err = stek__redis_script(&s->redis, &s->publish, &args, &reply);
	if (err)
		return err;
	if (reply->type != REDIS_REPLY_INTEGER)
		return stek__redis_odd(&s->redis, "publish", reply);
	written = reply->integer;
	freeReplyObject(reply);
	if (!written)
		return STEK_ECONFLICT;
	/* WAIT counts what its own connection wrote: nothing may come between. */
	if (s->redis.place.wait_replicas)
		s->confirmed = stek__redis_wait(&s->redis);
	return 0;
}

/* A version that names nothing is left zero: nobody can expect it. */
static void parse_version(const redisReply *epoch, const redisReply *digest,
			  struct stek_version *out)
{
	char canonical[24];
	uint64_t value;

	memset(out, 0, sizeof(*out));
	if (epoch->len == 0 || epoch->len > 20 ||
	    digest->len != STEK_DIGEST_LEN)
		return;
	value = strtoull(epoch->str, NULL, 10);
	snprintf(canonical, sizeof(canonical), "%" PRIu64, value);
	if (strcmp(canonical, epoch->str))
		return;
	out->epoch = value;
	memcpy(out->digest, digest->str, STEK_DIGEST_LEN);
}

static int64_t be64(const char *p)
{
	uint64_t value = 0;
	int i;

	for (i = 0; i < TIME_LEN; i++)
		value = value << 8 | (uint8_t)p[i];
	return (int64_t)value;
}

/* One heartbeat of the hash; false when it is no heartbeat at all. */
static bool raw_member(struct stek_raw_member *out, const char *name,
		       size_t name_len, const redisReply *value)
{
	if (value->type != REDIS_REPLY_STRING || name_len > STEK_NAME_MAX ||
	    value->len < TIME_LEN || value->len > TIME_LEN + STEK_BEAT_MAX)
		return false;
	memcpy(out->name, name, name_len);
	out->name[name_len] = '\0';
	out->seen_at_ms = be64(value->str);
	if (out->seen_at_ms < 0)
		return false;
	out->len = value->len - TIME_LEN;
	memcpy(out->data, value->str + TIME_LEN, out->len);
	return true;
}

static int beat_run(struct redis_store *s, const char *node,
		    const uint8_t *data, size_t len, const char *tail,
		    size_t tail_len, struct stek_pulse *out)
{
	struct stek_redis_args args = { .n = 2 };
	redisReply *reply = NULL, **e;
	long long sec, us;
	int err;

	stek__redis_text(&args, "2");
	stek__redis_text(&args, s->ring);
	stek__redis_text(&args, s->nodes);
	stek__redis_text(&args, node);
	stek__redis_arg(&args, data, len);
	stek__redis_arg(&args, tail, tail_len);
	err = stek__redis_script(&s->redis, &s->beat, &args, &reply);
	if (err)
		return err;
	e = reply->element;
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 6 ||
	    e[0]->type != REDIS_REPLY_STRING ||
	    e[1]->type != REDIS_REPLY_STRING ||
	    e[2]->type != REDIS_REPLY_INTEGER ||
	    e[3]->type != REDIS_REPLY_STRING ||
	    e[4]->type != REDIS_REPLY_STRING ||
	    e[5]->type != REDIS_REPLY_STRING)
		return stek__redis_odd(&s->redis, "beat", reply);
	sec = strtoll(e[0]->str, NULL, 10);
	us = strtoll(e[1]->str, NULL, 10);
	out->store_now_ms = sec * 1000 + us / 1000;
	out->store_now_us_part = us % 1000;
	out->has_ring = e[2]->integer != 0;
	parse_version(e[3], e[4], &out->version);
	out->has_before = e[5]->len && raw_member(&out->before, node,
						  strlen(node), e[5]);
	freeReplyObject(reply);
	return 0;
}

static int redis_beat(struct stek_store *store, const char *node,
		      const uint8_t *data, size_t len, struct stek_pulse *out)
{
	struct redis_store *s = of(store);
	char before[STEK_BEAT_TAIL];
	size_t before_len = s->tail_len;

	/* Whether it gets there is not known before the answer. */
	memcpy(before, s->tail, sizeof(before));
	s->tail_len = len < STEK_BEAT_TAIL ? len : STEK_BEAT_TAIL;
	if (s->tail_len)
		memcpy(s->tail, data + len - s->tail_len, s->tail_len);
	return beat_run(s, node, data, len, before, before_len, out);
}

static int redis_pulse(struct stek_store *store, struct stek_pulse *out)
{
	return beat_run(of(store), "", NULL, 0, "", 0, out);
}

static int forget(struct redis_store *s, const char *node, size_t len)
{
	struct stek_redis_args args = { 0 };
	redisReply *reply = NULL;
	int err;

	stek__redis_text(&args, "HDEL");
	stek__redis_text(&args, s->nodes);
	stek__redis_arg(&args, node, len);
	err = stek__redis_call(&s->redis, &args, &reply);
	if (!err)
		freeReplyObject(reply);
	return err;
}

/* Whoever reads the members removes the heartbeats of those long gone. */
static int collect(struct redis_store *s, const redisReply *all,
		   int64_t now_ms, struct stek_raw_member **out, size_t *n)
{
	size_t i, pairs = all->elements / 2, used = 0;
	struct stek_raw_member *list;
	const redisReply *name;

	if (pairs > STEK_MEMBERS_MAX)
		pairs = STEK_MEMBERS_MAX;
	list = calloc(pairs ? pairs : 1, sizeof(*list));
	if (!list)
		return STEK_ENOMEM;
	for (i = 0; i < pairs; i++) {
		name = all->element[2 * i];
		if (name->type != REDIS_REPLY_STRING ||
		    !raw_member(&list[used], name->str, name->len,
				all->element[2 * i + 1]))
			continue;
		if (now_ms - list[used].seen_at_ms <= FORGET_AFTER_MS) {
			used++;
			continue;
		}
		if (forget(s, name->str, name->len) == STEK_EUNAVAILABLE) {
			free(list);
			return STEK_EUNAVAILABLE;
		}
	}
	*out = list;
	*n = used;
	return 0;
}

static int redis_members(struct stek_store *store, struct stek_raw_member **out,
			 size_t *n, int64_t *store_now_ms)
{
	struct redis_store *s = of(store);
	struct stek_redis_args args = { 0 };
	struct stek_pulse pulse = { .store_now_ms = 0 };
	redisReply *reply = NULL;
	int err;

	stek__redis_text(&args, "HGETALL");
	stek__redis_text(&args, s->nodes);
	err = stek__redis_call(&s->redis, &args, &reply);
	if (err)
		return err;
	if (reply->type != REDIS_REPLY_ARRAY)
		return stek__redis_odd(&s->redis, "HGETALL", reply);
	err = redis_pulse(store, &pulse);
	if (!err)
		err = collect(s, reply, pulse.store_now_ms, out, n);
	if (!err)
		*store_now_ms = pulse.store_now_ms;
	freeReplyObject(reply);
	return err;
}

static int redis_forget(struct stek_store *store, const char *node)
{
	return forget(of(store), node, strlen(node));
}

static int redis_audit(struct stek_store *store, const char *after,
		       const char *line)
{
	struct redis_store *s = of(store);

	return stek__redis_audit(&s->redis, &s->append, s->audit, after, line);
}

static int redis_audit_read(struct stek_store *store, size_t limit,
			    struct stek_blob *out)
{
	return stek__redis_audit_read(&of(store)->redis, of(store)->audit,
				      limit, out);
}

static int redis_hint_fd(struct stek_store *store)
{
	return stek__redis_hints_fd(&of(store)->hints);
}

static bool redis_hint_take(struct stek_store *store)
{
	return stek__redis_hints_take(&of(store)->hints);
}

static const char *redis_detail(struct stek_store *store)
{
	return of(store)->redis.detail;
}

static void redis_replicas(struct stek_store *store, struct stek_replicas *out)
{
	struct redis_store *s = of(store);

	out->wanted = s->redis.place.wait_replicas;
	out->confirmed = s->confirmed;
}

static void redis_close(struct stek_store *store)
{
	struct redis_store *s = of(store);

	stek__redis_close(&s->redis);
	stek__redis_hints_close(&s->hints);
	free(s);
}

static const struct stek_store_ops redis_ops = {
	.load = redis_load,
	.publish = redis_publish,
	.beat = redis_beat,
	.pulse = redis_pulse,
	.members = redis_members,
	.forget = redis_forget,
	.audit = redis_audit,
	.audit_read = redis_audit_read,
	.hint_fd = redis_hint_fd,
	.hint_take = redis_hint_take,
	.detail = redis_detail,
	.replicas = redis_replicas,
	.close = redis_close,
};

int stek__store_redis_open(struct stek_store **out,
			   const struct stek_store_options *options, char *why,
			   size_t why_len)
{
	struct redis_store *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return STEK_ENOMEM;
	err = stek__redis_place(&s->redis.place, options, why, why_len);
	if (err) {
		free(s);
		return err;
	}
	s->base.ops = &redis_ops;
	s->publish.text = publish_text;
	s->beat.text = beat_text;
	s->append.text = stek__redis_audit_text;
	s->hints.redis = &s->redis;
	s->hints.channel = s->ring;
	snprintf(s->ring, sizeof(s->ring), "stek:{%s}:ring", options->farm);
	snprintf(s->nodes, sizeof(s->nodes), "stek:{%s}:nodes", options->farm);
	snprintf(s->audit, sizeof(s->audit), "stek:{%s}:audit", options->farm);
	*out = &s->base;
	return 0;
}
