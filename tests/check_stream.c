// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_stream.c - the event stream over real sockets: what it says, who may
 * have it, how many at once, and that it ends: for slow readers, with the
 * token, with the node (REQ-39).
 */
#include <poll.h>

#include "admin_farm.h"
#include "admin_stream.h"
#include "feed.h"
#include "generation.h"
#include "stream_reader.h"

#define LIMIT_MS 400		/* less than the time between two lines */
#define BEARER "Authorization: Bearer " ADMIN_FARM_TOKEN "\r\n"
#define OTHER_TOKEN \
	"0000000000000000000000000000000000000000000000000000000000000001"

static struct admin_farm farm;
static struct admin *admin;

static void setup(void)
{
	admin = admin_farm_serve(&farm, LIMIT_MS);
}

/* Who forces a rotation waits for nobody, but to see the new key active. */
static void setup_quick(void)
{
	admin_farm_rotate_delay_ms = 400;
	setup();
}

static void teardown(void)
{
	admin_stop(admin);
	admin_farm_close(&farm);
}

static struct reader ask_unix(void)
{
	return ask_at(farm.socket, 0, "GET", "Host: stekd\r\n", LIMIT_MS);
}

static struct reader ask_tcp(const char *more)
{
	unsigned port = admin_port(admin, false);
	char headers[512];

	snprintf(headers, sizeof(headers), "Host: 127.0.0.1:%u\r\n%s", port,
		 more);
	return ask_at(NULL, port, "GET", headers, LIMIT_MS);
}

static unsigned readers(void)
{
	struct feed_counts counts;

	feed_counts(farm.node.feed, &counts);
	return counts.readers;
}

static void await_readers(unsigned n)
{
	for (int i = 0; readers() != n; i++) {
		ck_assert_int_lt(i, PATIENCE_S * 1000 / 5);
		poll(NULL, 0, 5);
	}
}

static void has_all(const struct reader *r)
{
	static const char *const members[] = {
		"now_ms", "interval_ms", "farm", "node", "version", "ready",
		"not_ready", "degraded", "store.state", "store.stores.0.url",
		"ring.epoch", "ring.digest", "ring.keys.0.id",
		"ring.revoked_before_ms", "ring.next.0.at_ms",
		"ring.next.0.key", "nodes.0.in_sync", "nodes.0.rates.60m",
		"nodes.0.clock_offset_ms", "nodes.0.started_at_ms",
		"nodes.0.resumption_rate", "nodes.0.accepted", "rates.1m",
		"rates.5m.by_version", "totals.handshakes",
		"refusals.refused_forged", "failures.closed", "heat.cells",
		"ages.bounds_s", "times.full.counts", "times.resumed.sum_s",
		"history.buckets.0.n", "history.marks", "audit",
	};
	size_t i;

	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		at(r, members[i]);
	ck_assert_ptr_nonnull(json_object_get(at(r, "rates.5m.by_version"),
					      "TLSv1.3"));
	ck_assert_uint_eq(json_array_size(at(r, "ages.counts")),
			  json_array_size(at(r, "ages.bounds_s")) + 1);
	ck_assert_uint_eq(json_array_size(at(r, "times.full.counts")),
			  json_array_size(at(r, "times.bounds_s")) + 1);
	ck_assert_str_eq(string(r, "nodes.0.state"), "live");
	ck_assert_str_eq(string(r, "nodes.0.version"), stek_version_string());
	ck_assert(json_is_true(at(r, "nodes.0.ready")));
	ck_assert_int_eq(integer(r, "nodes.0.open"), 0);
	ck_assert_uint_eq(json_array_size(at(r, "nodes.0.reasons")), 0);
	ck_assert_str_eq(string(r, "heat.nodes.0"), "node-1");
	ck_assert_str_eq(string(r, "heat.nodes.1"), "other");
}

/* First all that is known, then line after line, longer than a deadline. */
START_TEST(test_lines)
{
	struct reader r = _i ? ask_tcp(BEARER) : ask_unix();
	json_int_t seq;

	ck_assert_uint_eq(r.status, 200);
	ck_assert_str_eq(r.type, "application/x-ndjson");
	ck_assert(r.chunked);
	ck_assert(next_line(&r));
	ck_assert_str_eq(string(&r, "type"), "snapshot");
	has_all(&r);
	for (int i = 0; i < 3; i++) {
		seq = integer(&r, "seq");
		ck_assert(next_line(&r));
		ck_assert_str_eq(string(&r, "type"), "update");
		ck_assert_int_gt(integer(&r, "seq"), seq);
		has_all(&r);
		ck_assert_uint_le(json_array_size(at(&r, "history.buckets")),
				  4);
	}
	hang_up(&r);
	await_readers(0);
}
END_TEST

/* What comes next is told by key and time: activations, ends, in order. */
START_TEST(test_events)
{
	struct reader r = ask_unix();
	json_t *event;
	json_int_t last = 0, now;
	unsigned kinds[3] = { 0 };
	const char *kind;
	size_t i;

	ck_assert(next_line(&r));
	now = integer(&r, "now_ms");
	json_array_foreach(at(&r, "ring.next"), i, event) {
		json_int_t ms = json_integer_value(
			json_object_get(event, "at_ms"));

		ck_assert_int_ge(ms, last);
		ck_assert_int_ge(ms, now);
		last = ms;
		kind = json_string_value(json_object_get(event, "kind"));
		kinds[0] += strcmp(kind, "activate") == 0;
		kinds[1] += strcmp(kind, "retire") == 0;
		kinds[2] += strcmp(kind, "expire") == 0;
	}
	/* One active key and two pending ones. */
	ck_assert_uint_eq(kinds[0], 2);
	ck_assert_uint_eq(kinds[1], 3);
	ck_assert_uint_eq(kinds[2], 3);
	ck_assert_str_eq(string(&r, "ring.next.0.kind"),
			 strcmp(string(&r, "ring.next.1.kind"), "retire") == 0
				 ? "activate" : "retire");
	ck_assert_int_eq(integer(&r, "ring.next.0.at_ms"),
			 integer(&r, "ring.next.1.at_ms"));
	hang_up(&r);
}
END_TEST

/* Whether the line has a key's mark of that reason. */
static bool marked_as(const char *reason, const struct reader *r)
{
	bool found = false;
	json_t *mark;
	size_t i;

	json_array_foreach(at(r, "history.marks"), i, mark)
		found |= strcmp(json_string_value(json_object_get(mark,
					"reason")), reason) == 0;
	return found;
}

/* A rotation is told as soon as it is, with its mark and audit entry. */
START_TEST(test_rotation)
{
	const struct stek_rotate options = { .force = true, .who = "test" };
	struct stek_change change = { .n_acks = 0 };
	struct reader r = ask_unix();
	json_int_t epoch;

	ck_assert(next_line(&r));
	epoch = integer(&r, "ring.epoch");
	ck_assert(!marked_as("rotate", &r));
	ck_assert_int_eq(stek_farm_rotate(farm.node.farm, &options, &change),
			 0);
	stek_change_clear(&change);
	do
		ck_assert(next_line(&r));
	while (integer(&r, "ring.epoch") == epoch ||
	       integer(&r, "nodes.0.epoch") != integer(&r, "ring.epoch") ||
	       !marked_as("rotate", &r) ||
	       json_array_size(at(&r, "audit")) == 0);
	hang_up(&r);
}
END_TEST

static const struct {
	const char *headers;
	unsigned status;
} refused[] = {
	{ "", 401 },
	{ "Authorization: Bearer " OTHER_TOKEN "\r\n", 401 },
	{ BEARER "Origin: http://evil.example\r\n", 403 },
	{ BEARER "Sec-Fetch-Site: cross-site\r\n", 403 },
};

/* Nobody has it who may not ask for the rest. */
START_TEST(test_refused)
{
	struct reader r = ask_tcp(refused[_i].headers);

	ck_assert_uint_eq(r.status, refused[_i].status);
	ck_assert_str_eq(r.type, "application/problem+json");
	ck_assert_uint_eq(readers(), 0);
	hang_up(&r);
}
END_TEST

/* Nor under another name, at the open listener, by POST; HEAD reads nothing. */
START_TEST(test_other_requests)
{
	unsigned port = admin_port(admin, false);
	struct reader r = ask_at(NULL, port, "GET",
				 BEARER "Host: evil.example\r\n", LIMIT_MS);

	ck_assert_uint_eq(r.status, 403);
	hang_up(&r);
	r = ask_at(NULL, admin_port(admin, true), "GET", "Host: x\r\n",
		   LIMIT_MS);
	ck_assert_uint_eq(r.status, 404);
	hang_up(&r);
	r = ask_at(farm.socket, 0, "POST",
		   "Host: x\r\nContent-Length: 0\r\n", LIMIT_MS);
	ck_assert_uint_eq(r.status, 405);
	hang_up(&r);
	r = ask_at(farm.socket, 0, "HEAD", "Host: x\r\n", LIMIT_MS);
	ck_assert_uint_eq(r.status, 200);
	ck_assert_str_eq(r.type, "application/x-ndjson");
	await_readers(0);
	hang_up(&r);
}
END_TEST

/* Enough is enough, and said so; who leaves makes room. */
START_TEST(test_cap)
{
	struct reader all[ADMIN_STREAMS_MAX], r;
	int i;

	for (i = 0; i < ADMIN_STREAMS_MAX; i++) {
		all[i] = ask_unix();
		ck_assert_uint_eq(all[i].status, 200);
	}
	r = ask_tcp(BEARER);
	ck_assert_uint_eq(r.status, 503);
	ck_assert_str_eq(r.type, "application/problem+json");
	ck_assert_str_eq(r.retry, "5");
	hang_up(&r);
	hang_up(&all[0]);
	await_readers(ADMIN_STREAMS_MAX - 1);
	r = ask_tcp(BEARER);
	ck_assert_uint_eq(r.status, 200);
	/* All are served. */
	ck_assert(next_line(&r));
	hang_up(&r);
	for (i = 1; i < ADMIN_STREAMS_MAX; i++) {
		ck_assert(next_line(&all[i]));
		ck_assert(next_line(&all[i]));
		hang_up(&all[i]);
	}
	await_readers(0);
}
END_TEST

/* Who does not take a line in time is cut off; the others go on. */
START_TEST(test_slow_reader)
{
	struct reader slow = ask_unix(), quick = ask_unix();
	size_t len = 16 * 1024 * 1024;
	struct feed_counts counts;
	char *text = malloc(len);

	ck_assert_uint_eq(slow.status, 200);
	ck_assert(next_line(&quick));
	ck_assert(next_line(&quick));
	ck_assert_ptr_nonnull(text);
	memset(text, ' ', len);
	text[len - 1] = '\n';
	hang_up(&quick);
	await_readers(1);
	feed_publish(farm.node.feed, text, len);
	await_readers(0);
	feed_counts(farm.node.feed, &counts);
	ck_assert_uint_eq(counts.dropped, 1);
	quick = ask_unix();
	ck_assert(next_line(&quick));
	ck_assert(next_line(&quick));
	hang_up(&quick);
	hang_up(&slow);
}
END_TEST

static void to_the_end(struct reader *r)
{
	while (next_line(r))
		;
	hang_up(r);
}

/* The end of the endpoint is a clean end of the stream, at once. */
START_TEST(test_stop)
{
	struct reader one = ask_unix(), two = ask_tcp(BEARER);

	ck_assert(next_line(&one));
	ck_assert(next_line(&two));
	ck_assert(next_line(&two));
	admin_stop(admin);
	admin = NULL;
	to_the_end(&one);
	to_the_end(&two);
}
END_TEST

/* A node that drains ends them, and opens no more. */
START_TEST(test_draining)
{
	struct reader r = ask_unix();

	ck_assert(next_line(&r));
	farm.node.draining = true;
	to_the_end(&r);
	r = ask_unix();
	ck_assert_uint_eq(r.status, 503);
	hang_up(&r);
}
END_TEST

static void take_other_token(void)
{
	FILE *file = fopen(farm.token_file, "w");
	struct generation *generation;
	char why[256] = "";

	ck_assert_ptr_nonnull(file);
	fputs(OTHER_TOKEN "\n", file);
	fclose(file);
	ck_assert_int_eq(generation_new(&generation, &farm.node,
					&farm.settings, NULL, why,
					sizeof(why)), 0);
	ck_assert_int_eq(generation_install(&farm.node, generation, why,
					    sizeof(why)), 0);
}

/* A token that is no longer the node's reads no further; a peer does. */
START_TEST(test_other_token)
{
	struct reader token = ask_tcp(BEARER), peer = ask_unix();

	ck_assert(next_line(&token));
	ck_assert(next_line(&token));
	take_other_token();
	to_the_end(&token);
	ck_assert(next_line(&peer));
	ck_assert(next_line(&peer));
	ck_assert(next_line(&peer));
	hang_up(&peer);
	token = ask_tcp(BEARER);
	ck_assert_uint_eq(token.status, 401);
	hang_up(&token);
	token = ask_tcp("Authorization: Bearer " OTHER_TOKEN "\r\n");
	ck_assert_uint_eq(token.status, 200);
	hang_up(&token);
}
END_TEST

/* The line of a node whose store is away: what was last known. */
START_TEST(test_store_away)
{
	struct reader r = ask_unix();

	ck_assert(next_line(&r));
	admin_farm_lose_store(&farm);
	do
		ck_assert(next_line(&r));
	while (strcmp(string(&r, "store.state"), "ok") == 0 ||
	       !json_is_null(at(&r, "totals")));
	ck_assert(json_is_null(at(&r, "audit")));
	ck_assert_str_eq(string(&r, "nodes.0.state"), "live");
	ck_assert_int_gt(integer(&r, "ring.epoch"), 0);
	hang_up(&r);
}
END_TEST

static Suite *stream_suite(void)
{
	Suite *suite = suite_create("stream");
	TCase *tcase = tcase_create("stream");
	TCase *quick = tcase_create("rotation");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(quick, setup_quick, teardown);
	tcase_set_timeout(quick, 120);
	tcase_add_loop_test(tcase, test_lines, 0, 2);
	tcase_add_test(tcase, test_events);
	tcase_add_test(quick, test_rotation);
	tcase_add_loop_test(tcase, test_refused, 0, 4);
	tcase_add_test(tcase, test_other_requests);
	tcase_add_test(tcase, test_cap);
	tcase_add_test(tcase, test_slow_reader);
	tcase_add_test(tcase, test_stop);
	tcase_add_test(tcase, test_draining);
	tcase_add_test(tcase, test_other_token);
	tcase_add_test(tcase, test_store_away);
	suite_add_tcase(suite, tcase);
	suite_add_tcase(suite, quick);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(stream_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
