// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_admin_route.c - what the admin endpoint answers, without sockets: every
 * route, and rotation and revocation of a real farm. What it refuses:
 * check_admin_refuse.c.
 */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "admin_ask.h"

/* State of a key by its id, from /v1/keys; "" if it is not there. */
static const char *state_of(const char *id)
{
	static char state[32];
	json_t *key;
	size_t i;

	ck_assert_uint_eq(ask("GET", "/v1/keys", NULL), 200);
	json_array_foreach(json_object_get(json, "keys"), i, key) {
		if (strcmp(json_string_value(json_object_get(key, "id")), id))
			continue;
		strcpy(state, json_string_value(json_object_get(key,
								"state")));
		return state;
	}
	return "";
}

/* The status names node, farm, ring and store. */
START_TEST(test_status_tells_node)
{
	json_t *ring, *store;

	ck_assert_uint_eq(ask("GET", "/v1/status", NULL), 200);
	ck_assert_str_eq(answer.type, "application/json");
	ck_assert_str_eq(text("node"), "node-1");
	ck_assert_str_eq(text("farm"), "test");
	ck_assert_str_eq(text("version"), stek_version_string());
	ck_assert_uint_eq(strlen(text("node_id")), 8);
	ck_assert(json_is_true(json_object_get(json, "ready")));
	ck_assert_uint_eq(json_array_size(json_object_get(json, "not_ready")),
			  0);
	ring = json_object_get(json, "ring");
	ck_assert_int_ge(integer(ring, "keys"), 3);
	ck_assert_int_gt(integer(ring, "next_activation_ms"),
			 integer(json, "now_ms"));
	ck_assert_uint_eq(json_string_length(json_object_get(ring, "active")),
			  2 * STEK_ID_LEN);
	store = json_object_get(json, "store");
	ck_assert_str_eq(json_string_value(json_object_get(store, "state")),
			 stek_store_state_name(STEK_STORE_OK));
	ck_assert_int_eq(integer(json_object_get(json, "connections"),
				 "open"), 0);
}
END_TEST

/* Keys are shown by id, times and origin; one is active, two pending. */
START_TEST(test_keys_shows_states)
{
	unsigned active = 0, pending = 0;
	const char *state;
	json_t *key;
	size_t i;

	ck_assert_uint_eq(ask("GET", "/v1/keys", NULL), 200);
	json_array_foreach(json_object_get(json, "keys"), i, key) {
		state = json_string_value(json_object_get(key, "state"));
		active += strcmp(state, "active") == 0;
		pending += strcmp(state, "pending") == 0;
		ck_assert_uint_eq(json_object_size(key), 9);
		ck_assert(json_is_null(json_object_get(key,
						       "revoked_at_ms")));
		ck_assert_int_lt(integer(key, "activate_at_ms"),
				 integer(key, "seal_until_ms"));
	}
	ck_assert_uint_eq(active, 1);
	ck_assert_uint_ge(pending, 2);
	ck_assert(json_is_null(json_object_get(json, "revoked_before_ms")));
}
END_TEST

/* The node finds itself among the nodes, and its figures among the farm's. */
START_TEST(test_nodes_and_stats_show_self)
{
	json_t *self, *of_farm;

	ck_assert_uint_eq(ask("GET", "/v1/nodes", NULL), 200);
	self = json_array_get(json_object_get(json, "nodes"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(self, "name")),
			 "node-1");
	ck_assert(json_is_true(json_object_get(self, "self")));
	ck_assert(json_is_true(json_object_get(self, "live")));
	ck_assert_uint_eq(ask("GET", "/v1/stats", NULL), 200);
	ck_assert_int_eq(integer(json_object_get(json, "node"), "open"), 0);
	ck_assert_int_eq(integer(json_object_get(json, "node"), "full"), 0);
	of_farm = json_object_get(json, "farm");
	ck_assert(json_is_object(of_farm));
	ck_assert(json_is_null(json_object_get(of_farm, "resumption_rate")));
	ck_assert_ptr_nonnull(json_object_get(
		json_object_get(json_object_get(of_farm, "handshakes"),
				"TLSv1.3"), "resumed_active"));
}
END_TEST

/* Each has rates over each window; all nodes are as they should be. */
START_TEST(test_stats_have_rates)
{
	static const char *const windows[] = { "1m", "5m", "60m" };
	json_t *self, *rates[3], *rate;

	ck_assert_uint_eq(ask("GET", "/v1/stats", NULL), 200);
	self = json_array_get(json_object_get(json, "nodes"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(self, "state")),
			 "live");
	ck_assert_int_eq(integer(self, "age_ms"), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(json, "late")), 0);
	ck_assert(json_is_array(json_object_get(json, "missing")));
	rates[0] = json_object_get(self, "rates");
	rates[1] = json_object_get(json_object_get(json, "node"), "rates");
	rates[2] = json_object_get(json_object_get(json, "farm"), "rates");
	for (size_t i = 0; i < 9; i++) {
		rate = json_object_get(rates[i / 3], windows[i % 3]);
		/* The node started a moment ago. */
		ck_assert_double_gt(json_real_value(
			json_object_get(rate, "over_s")), 0);
		ck_assert_double_eq(json_real_value(
			json_object_get(rate, "handshakes_per_s")), 0);
		ck_assert(json_is_null(json_object_get(rate,
						       "resumption_rate")));
		ck_assert_uint_eq(json_object_size(
			json_object_get(rate, "by_version")), 2);
	}
}
END_TEST

/* A rotation brings a key that every live node has, and is told in full. */
START_TEST(test_rotate_brings_key)
{
	json_t *node;
	char key[64];

	ck_assert_uint_eq(ask_type("POST", "/v1/rotate",
				   "application/json; charset=utf-8", "{}"),
			  200);
	strcpy(key, text("key"));
	node = json_array_get(json_object_get(json, "nodes"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(node, "name")),
			 "node-1");
	ck_assert(json_is_true(json_object_get(node, "acknowledged")));
	ck_assert_str_ne(state_of(key), "");
	ck_assert_str_ne(state_of(key), "revoked");
}
END_TEST

/* The next rotation waits a minute, unless it is forced. */
START_TEST(test_rotate_is_limited)
{
	ck_assert_uint_eq(ask("POST", "/v1/rotate", NULL), 200);
	ck_assert_uint_eq(ask("POST", "/v1/rotate", NULL), 429);
	is_kind(PROBLEM_RATE_LIMITED);
	ck_assert_uint_ge(answer.retry_after_s, 1);
	ck_assert_uint_le(answer.retry_after_s, 60);
	ck_assert_uint_eq(ask("POST", "/v1/rotate", "{\"force\":true}"), 200);
}
END_TEST

/* A rotation that expects another ring is refused, so a retry is harmless. */
START_TEST(test_rotate_checks_expectation)
{
	char body[256], digest[80];
	json_int_t epoch;

	ck_assert_uint_eq(ask("GET", "/v1/keys", NULL), 200);
	epoch = integer(json, "epoch");
	strcpy(digest, text("digest"));
	snprintf(body, sizeof(body), "{\"force\":true,\"expect\":{\"epoch\":%lld,"
		 "\"digest\":\"%s\"}}", (long long)epoch, digest);
	ck_assert_uint_eq(ask("POST", "/v1/rotate", body), 200);
	ck_assert_uint_eq(ask("POST", "/v1/rotate", body), 412);
	is_kind(PROBLEM_RING_MOVED);
}
END_TEST

/* A key that is named is revoked, another replaces it; an unknown is 404. */
START_TEST(test_revoke_names_key)
{
	char body[128], id[64];

	ck_assert_uint_eq(ask("GET", "/v1/status", NULL), 200);
	strcpy(id, json_string_value(json_object_get(
		json_object_get(json, "ring"), "active")));
	snprintf(body, sizeof(body), "{\"keys\":[\"%s\"]}", id);
	ck_assert_uint_eq(ask("POST", "/v1/revoke", body), 200);
	ck_assert_int_eq(integer(json, "revoked"), 1);
	ck_assert(json_is_true(json_object_get(json, "published")));
	ck_assert_uint_eq(strlen(text("key")), 2 * STEK_ID_LEN);
	ck_assert_str_eq(state_of(id), "revoked");
	ck_assert_uint_eq(ask("POST", "/v1/revoke",
			      "{\"keys\":[\"00000000000000000000000000000000"
			      "\"]}"), 404);
	is_kind(PROBLEM_NO_SUCH_KEY);
}
END_TEST

/* Revoking all leaves no older key, and a floor. */
START_TEST(test_revoke_takes_all)
{
	char id[64];

	ck_assert_uint_eq(ask("GET", "/v1/status", NULL), 200);
	strcpy(id, json_string_value(json_object_get(
		json_object_get(json, "ring"), "active")));
	ck_assert_uint_eq(ask("POST", "/v1/revoke", "{\"all\":true}"), 200);
	ck_assert_int_ge(integer(json, "revoked"), 3);
	ck_assert_str_eq(state_of(id), "revoked");
	ck_assert_int_gt(integer(json, "revoked_before_ms"), 0);
}
END_TEST

/* A live node that does not answer makes it 504, and is named. */
START_TEST(test_rotate_names_late_node)
{
	pid_t other = admin_farm_join(&farm, "node-2");
	json_t *node;

	ck_assert_int_eq(kill(other, SIGSTOP), 0);
	ck_assert_int_eq(waitpid(other, NULL, WUNTRACED), other);
	ck_assert_uint_eq(ask("POST", "/v1/rotate", NULL), 504);
	is_kind(PROBLEM_NODES_LATE);
	ck_assert_ptr_nonnull(strstr(text("detail"), "node-2"));
	ck_assert_ptr_null(strstr(text("detail"), "node-1"));
	ck_assert_uint_eq(json_array_size(json_object_get(json, "nodes")), 2);
	node = json_array_get(json_object_get(json, "nodes"), 1);
	ck_assert_str_eq(json_string_value(json_object_get(node, "name")),
			 "node-2");
	ck_assert(json_is_false(json_object_get(node, "acknowledged")));
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
}
END_TEST

/* Without its store a node says so; what it revokes is revoked here. */
START_TEST(test_changes_without_store)
{
	char id[64];

	ck_assert_uint_eq(ask("GET", "/v1/status", NULL), 200);
	strcpy(id, json_string_value(json_object_get(
		json_object_get(json, "ring"), "active")));
	admin_farm_lose_store(&farm);
	ck_assert_uint_eq(ask("POST", "/v1/rotate", NULL), 503);
	is_kind(PROBLEM_UNAVAILABLE);
	ck_assert_uint_eq(ask("GET", "/v1/nodes", NULL), 503);
	is_kind(PROBLEM_UNAVAILABLE);
	ck_assert_uint_eq(ask("GET", "/v1/stats", NULL), 200);
	ck_assert(json_is_null(json_object_get(json, "farm")));
	ck_assert(json_is_object(json_object_get(json, "node")));
	ck_assert_uint_eq(json_array_size(json_object_get(json, "nodes")), 1);
	ck_assert_uint_eq(ask("POST", "/v1/revoke", "{\"all\":true}"), 503);
	is_kind(PROBLEM_REVOKED_HERE);
	ck_assert(json_is_false(json_object_get(json, "published")));
	ck_assert_str_eq(state_of(id), "revoked");
	ck_assert_uint_eq(ask("GET", "/readyz", NULL), 200);
	ck_assert_str_eq(answer.body, "ready\ndegraded: no key may seal\n"
				      "degraded: store not reached\n");
}
END_TEST

static bool audit_has(const char *action)
{
	json_t *row;
	size_t i;

	ck_assert_uint_eq(ask("GET", "/v1/audit", NULL), 200);
	json_array_foreach(json_object_get(json, "entries"), i, row) {
		json_t *entry = json_object_get(row, "entry");
		const char *is = json_string_value(
			json_object_get(entry, "action"));

		if (is && strcmp(is, action) == 0)
			return strcmp(json_string_value(json_object_get(
				entry, "detail")), ID32 ID32) == 0;
	}
	return false;
}

/* Denied certificates are listed, changed one by one, and audited. */
START_TEST(test_deny)
{
	uint8_t fingerprint[DENY_LEN];

	ck_assert(deny_parse(fingerprint, ID32 ID32, 64));
	ck_assert_uint_eq(ask("GET", "/v1/deny", NULL), 200);
	ck_assert_int_eq(integer(json, "n"), 0);
	ck_assert(json_is_null(json_object_get(json, "file")));
	ck_assert(!audit_has("deny add"));
	ck_assert_uint_eq(ask("POST", "/v1/deny",
			      "{\"add\":\"" ID32 ID32 "\"}"), 200);
	ck_assert(json_is_true(json_object_get(json, "changed")));
	ck_assert(json_is_true(json_object_get(json, "denied")));
	ck_assert(deny_has(farm.node.deny, fingerprint));
	ck_assert(audit_has("deny add"));
	ck_assert_uint_eq(ask("POST", "/v1/deny",
			      "{\"add\":\"" ID32 ID32 "\"}"), 200);
	ck_assert(json_is_false(json_object_get(json, "changed")));
	ck_assert_uint_eq(ask("GET", "/v1/deny", NULL), 200);
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(
				 json, "fingerprints"), 0)), ID32 ID32);
	ck_assert(!audit_has("deny remove"));
	ck_assert_uint_eq(ask("POST", "/v1/deny",
			      "{\"remove\":\"" ID32 ID32 "\"}"), 200);
	ck_assert(!deny_has(farm.node.deny, fingerprint));
	ck_assert(audit_has("deny remove"));
}
END_TEST

/* A file that cannot be written is told, and the change in force all the same. */
START_TEST(test_deny_tells_what_is_not_written)
{
	uint8_t fingerprint[DENY_LEN];
	char path[128], why[256];
	FILE *file;

	ck_assert(deny_parse(fingerprint, ID32 ID32, 64));
	snprintf(path, sizeof(path), "%s/deny", farm.dir);
	file = fopen(path, "w");
	fclose(file);
	ck_assert_int_eq(deny_load(farm.node.deny, path, why, sizeof(why)), 0);
	unlink(path);
	ask("POST", "/v1/deny", "{\"remove\":\"" ID32 ID32 "\"}");
	is_kind(PROBLEM_INTERNAL);
	ask("POST", "/v1/deny", "{\"add\":\"" ID32 ID32 "\"}");
	is_kind(PROBLEM_DENY_NOT_STORED);
	ck_assert_ptr_nonnull(strstr(text("detail"), "refused from now on"));
	ck_assert(deny_has(farm.node.deny, fingerprint));
}
END_TEST

/* The three probes; readiness tells why not. */
START_TEST(test_probes_answer)
{
	ck_assert_uint_eq(ask("GET", "/healthz", NULL), 200);
	ck_assert_str_eq(answer.body, "ok\n");
	ck_assert_uint_eq(ask("HEAD", "/readyz", NULL), 200);
	farm.node.draining = true;
	ck_assert_uint_eq(ask("GET", "/readyz", NULL), 503);
	ck_assert_str_eq(answer.body, "draining\n");
	ck_assert_uint_eq(ask("GET", "/healthz", NULL), 200);
	ck_assert_uint_eq(ask("GET", "/v1/status", NULL), 200);
	ck_assert(json_is_false(json_object_get(json, "ready")));
	ck_assert_uint_eq(ask("GET", "/metrics", NULL), 200);
	ck_assert_ptr_nonnull(strstr(answer.body, "\nstekd_draining 1\n"));
}
END_TEST

/* The tokenless listener has the probes and nothing else. */
START_TEST(test_open_listener_shows_probes_only)
{
	static const char *const paths[] = {
		"/metrics", "/healthz", "/readyz", "/v1/status", "/v1/keys",
		"/v1/nodes", "/v1/stats", "/v1/rotate", "/v1/revoke",
	};
	struct admin_request request = { .method = "GET", .who = "",
					 .open_only = true };
	size_t i;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		request.path = paths[i];
		request.method = i < 7 ? "GET" : "POST";
		forget();
		admin_route(&farm.node, &request, &answer);
		ck_assert_uint_eq(answer.status, i < 3 ? 200 : 404);
	}
}
END_TEST

/* A node without a ring serves full handshakes, and says so. */
START_TEST(test_readyz_without_ring)
{
	admin_farm_open(&farm);
	ck_assert_uint_eq(ask("GET", "/readyz", NULL), 200);
	ck_assert_str_eq(answer.body, "ready\ndegraded: no ring\n"
				      "degraded: no key may seal\n"
				      "degraded: store not reached\n");
	ck_assert_uint_eq(ask("GET", "/v1/status", NULL), 200);
	ck_assert(json_is_true(json_object_get(json, "ready")));
	ck_assert_uint_eq(json_array_size(json_object_get(json, "degraded")),
			  3);
	teardown();
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite = suite_create("admin_route");
	TCase *tcase = tcase_create("admin_route");
	SRunner *runner;
	int failed;

	if (argc == 3 && strcmp(argv[0], "member") == 0)
		return admin_farm_member(argv);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, test_status_tells_node);
	tcase_add_test(tcase, test_keys_shows_states);
	tcase_add_test(tcase, test_nodes_and_stats_show_self);
	tcase_add_test(tcase, test_stats_have_rates);
	tcase_add_test(tcase, test_rotate_brings_key);
	tcase_add_test(tcase, test_rotate_is_limited);
	tcase_add_test(tcase, test_rotate_checks_expectation);
	tcase_add_test(tcase, test_revoke_names_key);
	tcase_add_test(tcase, test_revoke_takes_all);
	tcase_add_test(tcase, test_rotate_names_late_node);
	tcase_add_test(tcase, test_changes_without_store);
	tcase_add_test(tcase, test_deny);
	tcase_add_test(tcase, test_deny_tells_what_is_not_written);
	tcase_add_test(tcase, test_probes_answer);
	tcase_add_test(tcase, test_open_listener_shows_probes_only);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("not_started");
	tcase_add_test(tcase, test_readyz_without_ring);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
