/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_reload.c - the configuration read again while the node runs: what it
 * takes, what it refuses by key and line, and that a refusal changes nothing.
 */
#include <ftw.h>
#include <pthread.h>

#include "admin_route.h"
#include "generation.h"
#include "reload.h"
#include "settings_maker.h"

#define WORLD "farm: example\nnode: node-1\nfarm_key: farm.key\n" \
	"state_dir: state\nstore: { url: \"file:%s/store\" }\n"
#define MORE "workers: 2\nlisten: [{ address: \"127.0.0.1:0\" }]\n"
#define PAIR "    certificate: a.pem\n    key: a.key\n"
#define NAME "hosts:\n  - names: [a.test]\n"
#define ADMIN "admin: { socket: a.sock, listen: \"127.0.0.1:1\", " \
	"token_file: token }\nmetrics: { listen: \"127.0.0.1:2\" }\n"
#define ALL WORLD MORE NAME PAIR ADMIN

static struct node node;
static struct reload result;

static void write_config(const char *format)
{
	char text[4096];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof(text), format, dir);
#pragma GCC diagnostic pop
	write_file("stekd.yaml", text, 0600);
}

static void open_farm(void)
{
	struct stek_farm_options options = {
		.farm = settings->farm, .node = settings->node,
		.farm_key_file = settings->farm_key,
		.state_dir = settings->state_dir,
		.store_url = settings->stores[0].url,
		.policy = settings->policy,
	};
	char why[512] = "";

	ck_assert_msg(!stek_farm_open(&node.farm, &options, why, sizeof(why)),
		      "%s", why);
	ck_assert(!stek_farm_start(node.farm));
}

static void begin(void)
{
	struct generation *first;
	uint8_t id[8];
	char why[256];

	setup();
	unlink(in_dir("farm.key"));
	ck_assert(!stek_farm_key_generate(in_dir("farm.key"), id));
	ck_assert(!mkdir(in_dir("store"), 0700));
	write_config(ALL);
	ck_assert(!settings_read(&settings, conf, stderr));
	memset(&node, 0, sizeof(node));
	memset(&result, 0, sizeof(result));
	node.fixed = settings;
	node.config = conf;
	log_setup(LOG_ERROR + 1, LOG_LOGFMT, "node-1");
	open_farm();
	ck_assert(!generation_new(&first, &node, settings, NULL, why,
				  sizeof(why)));
	ck_assert(!generation_install(&node, first, why, sizeof(why)));
}

static int drop(const char *path, const struct stat *st, int type,
		struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void end(void)
{
	reload_clear(&result);
	generation_end(&node);
	stek_farm_close(node.farm);
	ck_assert(!nftw(in_dir("store"), drop, 8, FTW_DEPTH | FTW_PHYS));
	ck_assert(!nftw(in_dir("state"), drop, 8, FTW_DEPTH | FTW_PHYS));
	teardown();
}

static void reload(void)
{
	reload_clear(&result);
	reload_run(&node, "tester", "here", &result);
	ck_assert_int_eq(result.good, result.faults == NULL);
	(void)generation_reap(&node);
}

static void taken(const char *format)
{
	write_config(format);
	reload();
	ck_assert_msg(result.good, "refused: %s", result.faults);
}

/* Refused with these words; the generation is the one before. */
static void refused(const char *format, const char *words)
{
	uint64_t before = generation_number(&node);

	write_config(format);
	reload();
	ck_assert_msg(!result.good, "taken: %s", format);
	ck_assert_msg(strstr(result.faults, words) != NULL, "not '%s': %s",
		      words, result.faults);
	ck_assert_uint_eq(generation_number(&node), before);
	ck_assert_uint_eq(result.generation, before);
	ck_assert_uint_eq(generation_count(&node), 1);
}

/* Hosts, limits, TLS, log and the flags of listeners are taken as they are. */
START_TEST(test_reload_takes)
{
	static const char *const good[] = {
		ALL,
		WORLD MORE "hosts:\n  - names: [b.test]\n" PAIR ADMIN,
		WORLD MORE "hosts:\n  - names: [a.test]\n    certificate: "
			"b.pem\n    key: b.key\n" ADMIN,
		WORLD MORE NAME PAIR "    alpn: [http/1.1]\n" ADMIN,
		WORLD MORE NAME PAIR "    tickets: 0\n" ADMIN,
		WORLD MORE NAME PAIR "    backend: tcp:127.0.0.1:9\n" ADMIN,
		ALL "limits: { idle_timeout_ms: 100, max_connections: 7 }\n",
		ALL "tls: { versions: [TLSv1.3] }\n",
		ALL "log: { level: debug, format: json }\n",
		WORLD "workers: 2\nlisten: [{ address: \"127.0.0.1:0\", "
			"proxy_protocol: true, proxy_from: [127.0.0.0/8] }]\n"
			NAME PAIR ADMIN,
	};

	taken(good[_i]);
	ck_assert_uint_eq(result.generation, 2);
	ck_assert_uint_eq(generation_number(&node), 2);
	ck_assert_uint_eq(generation_count(&node), 1);
	ck_assert_uint_eq(node.reloads_good, 1);
	ck_assert_uint_eq(node.reloads_failed, 0);
	ck_assert_int_gt(node.reloaded_at_ms, 0);
	/* And back again. */
	taken(ALL);
	ck_assert_uint_eq(result.generation, 3);
}
END_TEST

/* What it took is what the next connection gets. */
START_TEST(test_reload_installs_what_it_read)
{
	struct generation *present;

	taken(WORLD MORE "hosts:\n  - names: [b.test]\n" PAIR ADMIN
	      "limits: { idle_timeout_ms: 123 }\n");
	present = generation_take(&node);
	ck_assert_ptr_nonnull(settings_host(present->settings, "b.test"));
	ck_assert_ptr_null(settings_host(present->settings, "a.test"));
	ck_assert_uint_eq(present->settings->idle_timeout_ms, 123);
	generation_release(present);
}
END_TEST

static const struct {
	const char *text, *words;
} fixed[] = {
	{ "farm: other\nnode: node-1\nfarm_key: farm.key\nstate_dir: state\n"
	  "store: { url: \"file:%s/store\" }\n" MORE NAME PAIR ADMIN,
	  ":1: found another value for farm, expected example" },
	{ "farm: example\nnode: node-2\nfarm_key: farm.key\nstate_dir: state\n"
	  "store: { url: \"file:%s/store\" }\n" MORE NAME PAIR ADMIN,
	  ":2: found another value for node, expected node-1" },
	{ "farm: example\nnode: node-1\nfarm_key: token\nstate_dir: state\n"
	  "store: { url: \"file:%s/store\" }\n" MORE NAME PAIR ADMIN,
	  ":3: found another value for farm_key" },
	{ "farm: example\nnode: node-1\nfarm_key: farm.key\nstate_dir: store\n"
	  "store: { url: \"file:%s/store\" }\n" MORE NAME PAIR ADMIN,
	  ":4: found another value for state_dir" },
	{ "farm: example\nnode: node-1\nfarm_key: farm.key\n"
	  "store: { url: \"file:%s/store\" }\n" MORE NAME PAIR ADMIN,
	  "another value for state_dir" },
	{ "farm: example\nnode: node-1\nfarm_key: farm.key\nstate_dir: state\n"
	  "store: { url: \"file:%s/state\" }\n" MORE NAME PAIR ADMIN,
	  ":5: found another value for store.url" },
	{ "farm: example\nnode: node-1\nfarm_key: farm.key\nstate_dir: state\n"
	  "store: { url: \"file:%s/store\", user: u }\n" MORE NAME PAIR ADMIN,
	  ":5: found another value for store.user, expected none" },
	{ "farm: example\nnode: node-1\nfarm_key: farm.key\nstate_dir: state\n"
	  "store: { url: \"file:%s/store\", password_file: password }\n" MORE
	  NAME PAIR ADMIN, "store.password_file" },
	{ "farm: example\nnode: node-1\nfarm_key: farm.key\nstate_dir: state\n"
	  "store: { url: \"file:%s/store\", ca: a.pem, certificate: a.pem, "
	  "key: token, server_name: x, sentinel_user: u }\n" MORE NAME PAIR
	  ADMIN, "store.sentinel_user" },
	{ "farm: example\nnode: node-1\nfarm_key: farm.key\nstate_dir: state\n"
	  "store: { url: \"file:%s/store\", wait_replicas: 1 }\n" MORE NAME
	  PAIR ADMIN, "store.wait_replicas, expected 0" },
	{ "farm: example\nnode: node-1\nfarm_key: farm.key\nstate_dir: state\n"
	  "stores: [{ url: \"file:%s/store\" }, { url: \"file:/tmp\" }]\n"
	  MORE NAME PAIR ADMIN, ":5: found another value for stores" },
	{ ALL "keys: { period_s: 1 }\n", "keys.period_s, expected 21600" },
	{ ALL "keys: { lifetime_s: 1 }\n", "keys.lifetime_s" },
	{ ALL "keys: { chain_s: 90000 }\n", "keys.chain_s" },
	{ ALL "keys: { pending: 3 }\n", "keys.pending" },
	{ ALL "keys: { rotate_delay_ms: 100 }\n", "keys.rotate_delay_ms" },
	{ ALL "keys: { revoke_delay_ms: 100 }\n", "keys.revoke_delay_ms" },
	{ ALL "keys: { rotate_interval_s: 1 }\n", "keys.rotate_interval_s" },
	{ ALL "keys: { beat_ms: 100 }\n", "keys.beat_ms" },
	{ WORLD "workers: 3\nlisten: [{ address: \"127.0.0.1:0\" }]\n" NAME
	  PAIR ADMIN, ":6: found another value for workers, expected 2" },
	{ WORLD "workers: 2\npin_workers: true\n"
	  "listen: [{ address: \"127.0.0.1:0\" }]\n" NAME PAIR ADMIN,
	  "found another value for pin_workers, expected false" },
	{ WORLD "workers: 2\nlisten: [{ address: \"127.0.0.1:7\" }]\n" NAME
	  PAIR ADMIN, ":7: found another value for listen[0].address" },
	{ WORLD "workers: 2\nlisten: [{ address: \"127.0.0.1:0\" }, "
	  "{ address: \"127.0.0.1:7\" }]\n" NAME PAIR ADMIN,
	  ":7: found 2 addresses for listen, expected 1" },
	{ WORLD "workers: 2\nlisten: [{ address: \"127.0.0.1:0\", name: x }]\n"
	  NAME PAIR ADMIN, ":7: found another value for listen[0].name" },
	{ "user: nobody\n" ALL, ":1: found another value for user" },
	{ WORLD "workers: 2\n" NAME PAIR ADMIN, "found 0 addresses for listen" },
	{ WORLD MORE NAME PAIR "admin: { socket: b.sock, listen: "
	  "\"127.0.0.1:1\", token_file: token }\nmetrics: { listen: "
	  "\"127.0.0.1:2\" }\n", "admin.socket" },
	{ WORLD MORE NAME PAIR "admin: { socket: a.sock, listen: "
	  "\"127.0.0.1:3\", token_file: token }\nmetrics: { listen: "
	  "\"127.0.0.1:2\" }\n", "admin.listen, expected 127.0.0.1:1" },
	{ WORLD MORE NAME PAIR "admin: { socket: a.sock, listen: "
	  "\"127.0.0.1:1\", token_file: token }\n",
	  "metrics.listen, expected 127.0.0.1:2" },
};

/* What only a restart changes is refused by its key, where it has one by line. */
START_TEST(test_reload_refuses_what_is_fixed)
{
	refused(fixed[_i].text, fixed[_i].words);
	ck_assert_ptr_nonnull(strstr(result.faults, "only a restart"));
	ck_assert_uint_eq(node.reloads_failed, 1);
	ck_assert_uint_eq(node.reloads_good, 0);
	ck_assert_int_eq(node.reloaded_at_ms, 0);
	taken(ALL);
}
END_TEST

/* A file that is wrong is refused as at the start, with every line at once. */
START_TEST(test_reload_refuses_a_wrong_file)
{
	refused(ALL "bogus: 1\nmore: 2\n", ":14: found unknown key 'bogus'");
	ck_assert_ptr_nonnull(strstr(result.faults, ":15: found unknown key"));
	refused("", "an empty file");
	refused(ALL "tls: { ciphers: NO_SUCH }\n", "tls.ciphers");
	ck_assert(!unlink(in_dir("a.pem")));
	refused(ALL, ":10: found");
	ck_assert(!unlink(conf));
	reload();
	ck_assert_ptr_nonnull(strstr(result.faults, "found no file"));
	ck_assert_uint_eq(node.reloads_failed, 5);
	make_pair("a.pem", "a.key");
	taken(ALL);
}
END_TEST

/* A good configuration with a damaged farm key is refused as a whole. */
START_TEST(test_reload_refuses_a_wrong_farm_key)
{
	struct stek_farm_key_status before, after;

	stek_farm_key_status(node.farm, &before);
	write_file("farm.key", "stek-farm-key-1 xx yy\n", 0600);
	refused(WORLD MORE "hosts:\n  - names: [b.test]\n" PAIR ADMIN,
		"farm.key");
	stek_farm_key_status(node.farm, &after);
	ck_assert_mem_eq(before.ids[0], after.ids[0], STEK_FARM_KEY_ID_LEN);
}
END_TEST

/* A good one takes a farm key that was added. */
START_TEST(test_reload_takes_a_farm_key)
{
	struct stek_farm_key_status status;
	uint8_t id[8];
	char why[256];

	ck_assert(!stek_farm_key_append(in_dir("farm.key"), id, why,
					sizeof(why)));
	taken(ALL);
	stek_farm_key_status(node.farm, &status);
	ck_assert_uint_eq(status.n, 2);
}
END_TEST

/* The admin token is read again with the rest. */
START_TEST(test_reload_takes_another_token)
{
	static const char other[] = "Bearer fedcba98765432100123456789abcdef"
		"0123456789abcdef0123456789abcdef";
	struct generation *before = generation_take(&node), *after;

	write_file("token", other + 7, 0600);
	taken(ALL);
	after = generation_take(&node);
	ck_assert(auth_token_good(before->token, "Bearer " TOKEN));
	ck_assert(!auth_token_good(before->token, other));
	ck_assert(auth_token_good(after->token, other));
	ck_assert(!auth_token_good(after->token, "Bearer " TOKEN));
	generation_release(before);
	generation_release(after);
	write_file("token", "short\n", 0600);
	refused(ALL, "expected one line of at least 64 hexadecimal");
}
END_TEST

/* The newest entry of the audit that speaks of a reload. */
static char *entry(void)
{
	struct stek_audit_list list;
	char *text = NULL;
	size_t i;

	ck_assert(!stek_farm_audit(node.farm, 100, true, 30000, &list));
	ck_assert(!list.broken);
	for (i = 0; i < list.n; i++)
		if (strstr(list.entries[i].text, "\"action\":\"reload\"")) {
			free(text);
			text = strdup(list.entries[i].text);
		}
	stek_audit_clear(&list);
	ck_assert_ptr_nonnull(text);
	return text;
}

/* Who asked, from where, and what came of it stand in the audit. */
START_TEST(test_reload_is_audited)
{
	char *text;

	taken(ALL);
	text = entry();
	ck_assert_ptr_nonnull(strstr(text, "\"who\":\"tester\""));
	ck_assert_ptr_nonnull(strstr(text, "\"from\":\"here\""));
	ck_assert_ptr_nonnull(strstr(text, "\"result\":\"ok\""));
	ck_assert_ptr_nonnull(strstr(text, "generation 2"));
	free(text);
	refused(ALL "bogus: 1\n", "bogus");
	text = entry();
	ck_assert_ptr_nonnull(strstr(text, "\"result\":\"refused\""));
	ck_assert_ptr_nonnull(strstr(text, "unknown key 'bogus'"));
	free(text);
}
END_TEST

/* A note without its texts, or with an action that is no word, is refused. */
START_TEST(test_note_refuses)
{
	struct stek_note note = { .who = "w", .action = "a", .result = "r" };

	ck_assert_int_eq(stek_farm_audit_note(node.farm, &note), 0);
	note.who = NULL;
	ck_assert_int_eq(stek_farm_audit_note(node.farm, &note), STEK_EINVAL);
	note.who = "w";
	note.result = NULL;
	ck_assert_int_eq(stek_farm_audit_note(node.farm, &note), STEK_EINVAL);
	note.result = "r";
	note.action = "a\",\"b";
	ck_assert_int_eq(stek_farm_audit_note(node.farm, &note), STEK_EINVAL);
	note.action = "";
	ck_assert_int_eq(stek_farm_audit_note(node.farm, &note), STEK_EINVAL);
}
END_TEST

static unsigned ask(struct admin_answer *answer)
{
	const struct admin_request request = {
		.method = "POST", .path = "/v1/reload", .who = "uid:0",
		.from = "unix", .request = "a-name",
	};

	memset(answer, 0, sizeof(*answer));
	admin_route(&node, &request, answer);
	ck_assert_ptr_nonnull(answer->body);
	return answer->status;
}

/* POST /v1/reload answers with the generation, or with each fault's line. */
START_TEST(test_route_reloads)
{
	struct admin_answer answer;

	ck_assert_uint_eq(ask(&answer), 200);
	ck_assert_ptr_nonnull(strstr(answer.body, "\"generation\":2"));
	admin_answer_clear(&answer);
	write_config(ALL "bogus: 1\n");
	ck_assert_uint_eq(ask(&answer), 409);
	ck_assert_str_eq(answer.type, "application/problem+json");
	ck_assert_ptr_nonnull(strstr(answer.body,
				     "stekd.yaml:14: found unknown key"));
	ck_assert_ptr_nonnull(strstr(answer.body, "\"generation\":2"));
	admin_answer_clear(&answer);
}
END_TEST

static void *reload_much(void *user)
{
	struct reload one;
	unsigned i, *good = user;

	for (i = 0; i < 5; i++) {
		reload_run(&node, "thread", NULL, &one);
		*good += one.good;
		reload_clear(&one);
	}
	return NULL;
}

/* Several who ask at once are served one after the other. */
START_TEST(test_reloads_at_once)
{
	pthread_t threads[3];
	unsigned good[3] = { 0 };
	int i;

	for (i = 0; i < 3; i++)
		ck_assert(!pthread_create(&threads[i], NULL, reload_much,
					  &good[i]));
	for (i = 0; i < 3; i++)
		ck_assert(!pthread_join(threads[i], NULL));
	ck_assert_uint_eq(good[0] + good[1] + good[2], 15);
	ck_assert_uint_eq(generation_number(&node), 16);
	ck_assert_uint_eq(generation_reap(&node), 15);
	ck_assert_uint_eq(node.reloads_good, 15);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reload");
	TCase *tcase = tcase_create("reload_run");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, begin, end);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_reload_takes, 0, 10);
	tcase_add_test(tcase, test_reload_installs_what_it_read);
	tcase_add_loop_test(tcase, test_reload_refuses_what_is_fixed, 0,
			    (int)(sizeof(fixed) / sizeof(fixed[0])));
	tcase_add_test(tcase, test_reload_refuses_a_wrong_file);
	tcase_add_test(tcase, test_reload_refuses_a_wrong_farm_key);
	tcase_add_test(tcase, test_reload_takes_a_farm_key);
	tcase_add_test(tcase, test_reload_takes_another_token);
	tcase_add_test(tcase, test_reload_is_audited);
	tcase_add_test(tcase, test_note_refuses);
	tcase_add_test(tcase, test_route_reloads);
	tcase_add_test(tcase, test_reloads_at_once);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
