/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekprobe farm through a balancer, and in several rounds. The balancer is a
 * thread here that takes turns between the servers of probe_server.h, and says
 * who answers in the manner that the test asks for.
 */
#include <math.h>
#include <stdlib.h>

#include <openssl/rand.h>

#include "probe/farm.h"
#include "probe_server.h"

enum telling { BY_PAGE, BY_HEADER, BY_NOTHING };

static struct balancer {
	enum telling telling;
	bool fresh_keys;	/* no two tickets under one key */
	bool one_ticket;	/* for each handshake */
	unsigned without;	/* of the turns from here on, none to the last */
	unsigned rotate_at;	/* at this turn all get the other keys */
	unsigned turns;
	int fd;
	pthread_t thread;
	atomic_bool ending;
	struct address address;
} balancer;

static void tell(const struct server *server, SSL *ssl)
{
	bool resumed = SSL_session_reused(ssl) == 1;
	char text[512], request[2048];

	if (SSL_read(ssl, request, sizeof(request)) <= 0)
		return;
	if (balancer.telling == BY_PAGE)
		snprintf(text, sizeof(text), "HTTP/1.1 200 X\r\n"
			 "Connection: close\r\n\r\n"
			 "{\"node\":\"%s\",\"farm\":\"f\",\"resumed\":%s}",
			 server->name, resumed ? "true" : "false");
	else
		snprintf(text, sizeof(text), "HTTP/1.1 200 X\r\n"
			 "%s%s\r\nConnection: close\r\n\r\nhello",
			 balancer.telling == BY_HEADER ? "X-node:  " : "X: ",
			 server->name);
	SSL_write(ssl, text, (int)strlen(text));
	SSL_shutdown(ssl);
}

static void set_keys(SSL_CTX *ctx)
{
	uint8_t fresh[sizeof(ticket_keys[0])];

	if (balancer.fresh_keys) {
		ck_assert_int_eq(RAND_bytes(fresh, sizeof(fresh)), 1);
		SSL_CTX_set_tlsext_ticket_keys(ctx, fresh, sizeof(fresh));
	}
	if (balancer.rotate_at && balancer.turns == balancer.rotate_at) {
		for (size_t i = 0; i < n_servers; i++)
			SSL_CTX_set_tlsext_ticket_keys(
				servers[i].ctx, ticket_keys[1],
				sizeof(ticket_keys[1]));
	}
}

static void *take_turns(void *arg)
{
	(void)arg;
	for (;;) {
		int fd = accept(balancer.fd, NULL, NULL);
		size_t among = n_servers;
		struct server *server;
		SSL *ssl;

		if (atomic_load(&balancer.ending)) {
			close(fd);
			return NULL;
		}
		if (balancer.without && balancer.turns >= balancer.without)
			among--;
		server = &servers[balancer.turns++ % among];
		set_keys(server->ctx);
		ssl = SSL_new(server->ctx);
		SSL_set_fd(ssl, fd);
		if (balancer.one_ticket)
			SSL_set_num_tickets(ssl, 1);
		if (SSL_accept(ssl) == 1)
			tell(server, ssl);
		SSL_free(ssl);
		close(fd);
	}
}

static void balance(enum telling telling)
{
	balancer.telling = telling;
	balancer.fd = listen_somewhere(&balancer.address);
	ck_assert_int_eq(pthread_create(&balancer.thread, NULL, take_turns,
					NULL), 0);
}

static void set_up_balancer(void)
{
	set_up();
	balancer = (struct balancer){.fd = -1};
}

static void tear_down_balancer(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	atomic_store(&balancer.ending, true);
	if (balancer.fd >= 0) {
		ck_assert_int_eq(connect(fd, (const struct sockaddr *)
					 &balancer.address.addr,
					 balancer.address.len), 0);
		pthread_join(balancer.thread, NULL);
		close(balancer.fd);
	}
	close(fd);
	tear_down();
}

static struct farm_plan plan_of(struct address *addresses, size_t n)
{
	return (struct farm_plan){
		.nodes = addresses, .n = n, .tries = 5, .most = 2000,
		.versions = {true, true}, .expect = SHARE_WHOLE,
	};
}

static struct farm_result run_balanced(const char *header)
{
	struct farm_plan plan = plan_of(&balancer.address, 1);
	struct farm_result result;

	plan.balanced = true;
	plan.node_header = header;
	ck_assert_int_eq(farm_run(&plan, &result), 0);
	return result;
}

static size_t named(const struct farm_result *result, const char *name)
{
	for (size_t i = 0; i < result->n; i++) {
		if (strcmp(farm_node_name(result, i), name) == 0)
			return i;
	}
	ck_abort_msg("no node %s", name);
	return 0;
}

/* Nodes that name themselves: all found, all cells tried, one of them astray. */
START_TEST(test_named_nodes)
{
	static const char *const names[] = {"n1", "n2", "n3", "n4", "n5"};
	struct farm_coverage coverage;
	struct farm_result result;

	/* They answer first in another order than that of their names. */
	for (size_t i = 0; i < 5; i++)
		start(names[4 - i], i == 3, GOOD);
	balancer.one_ticket = _i == 2;
	balance(_i == 1 ? BY_HEADER : BY_PAGE);
	result = run_balanced(_i == 1 ? "x-NODE" : NULL);
	ck_assert_uint_eq(result.n, 5);
	for (size_t i = 0; i < 5; i++) {
		ck_assert_str_eq(farm_node_name(&result, i), names[i]);
		ck_assert_int_eq(result.nodes[named(&result, names[i])].who.evidence,
				 _i == 1 ? WHO_HEADER : WHO_PAGE);
		ck_assert(farm_is_stray(&result, named(&result, names[i])) ==
			  (i == 1));
	}
	for (int v = 0; v < TLS_VERSIONS; v++) {
		for (size_t i = 0; i < 25; i++)
			ck_assert_uint_ge(result.cells[v][i].tried, 5);
		ck_assert_uint_eq(result.classes[v], 2);
	}
	ck_assert_uint_eq(result.n_findings, 1);
	ck_assert_int_eq(result.findings[0].what, FARM_STRAY);
	ck_assert_int_eq(farm_verdict(&result, SHARE_WHOLE), 1);
	farm_coverage(&result, &coverage);
	ck_assert_uint_eq(coverage.nodes, 5);
	ck_assert_uint_ge(coverage.connections, 250);
	ck_assert(coverage.missed < 1e-9);
	/* Not for long in step with a balancer that takes turns. */
	ck_assert_uint_le(coverage.connections, 700);
	farm_clear(&result);
}
END_TEST

/* The control: all share, and nothing is found. */
START_TEST(test_named_nodes_that_share)
{
	struct farm_result result;

	start("n1", 0, GOOD);
	start("n2", 0, GOOD);
	start("n3", 0, GOOD);
	balance(BY_PAGE);
	result = run_balanced(NULL);
	ck_assert_uint_eq(result.n, 3);
	ck_assert_uint_eq(result.n_findings, 0);
	ck_assert_int_eq(farm_verdict(&result, SHARE_WHOLE), 0);
	farm_clear(&result);
}
END_TEST

/* Who names nobody is told by the key: two groups, the smaller one astray. */
START_TEST(test_groups_by_key)
{
	struct farm_result result;

	start("n1", 0, GOOD);
	start("n2", 1, GOOD);
	start("n3", 0, GOOD);
	balance(BY_NOTHING);
	result = run_balanced(NULL);
	ck_assert_uint_eq(result.n, 2);
	ck_assert_str_eq(farm_node_name(&result, 0), "key-61616161");
	ck_assert_str_eq(farm_node_name(&result, 1), "key-62626262");
	ck_assert_int_eq(result.nodes[1].who.evidence, WHO_KEY);
	for (int v = 0; v < TLS_VERSIONS; v++)
		ck_assert_uint_eq(result.classes[v], 2);
	ck_assert_int_eq(farm_verdict(&result, SHARE_WHOLE), 1);
	farm_clear(&result);
}
END_TEST

/* One group alone shares, and may be several nodes: nothing is found. */
START_TEST(test_one_group)
{
	struct farm_result result;

	start("n1", 0, GOOD);
	start("n2", 0, GOOD);
	balance(BY_NOTHING);
	result = run_balanced(NULL);
	ck_assert_uint_eq(result.n, 1);
	ck_assert_uint_eq(result.n_findings, 0);
	ck_assert_int_eq(farm_verdict(&result, SHARE_WHOLE), 0);
	farm_clear(&result);
}
END_TEST

/* One key under two certificates: two groups, of one class. */
START_TEST(test_groups_by_certificate)
{
	X509 *first = certificate;
	EVP_PKEY *first_key = key;
	struct farm_coverage coverage;
	unsigned resumed = 0;
	struct farm_result result;

	start("n1", 0, GOOD);
	make_certificate();
	start("n2", 0, GOOD);
	balance(BY_NOTHING);
	result = run_balanced(NULL);
	ck_assert_uint_eq(result.n, 2);
	ck_assert_str_eq(farm_node_name(&result, 0), "key-61616161");
	ck_assert_int_eq(strncmp(farm_node_name(&result, 1),
				 "key-61616161-cert-", 18), 0);
	for (int v = 0; v < TLS_VERSIONS; v++) {
		ck_assert_uint_eq(result.classes[v], 1);
		resumed += farm_whole(&result, v).resumed;
	}
	ck_assert_uint_eq(result.n_findings, 0);
	ck_assert_int_eq(farm_verdict(&result, SHARE_WHOLE), 0);
	/* Who resumes shows no certificate: only full handshakes tell. */
	farm_coverage(&result, &coverage);
	ck_assert_uint_eq(coverage.connections, balancer.turns - resumed);
	farm_clear(&result);
	X509_free(first);
	EVP_PKEY_free(first_key);
}
END_TEST

/* Tickets that begin with no name are no nodes: the certificate is left. */
START_TEST(test_names_that_are_none)
{
	struct farm_result result;

	start("n1", 0, GOOD);
	balancer.fresh_keys = true;
	balance(BY_NOTHING);
	result = run_balanced(NULL);
	ck_assert_uint_eq(result.n, 1);
	ck_assert_int_eq(strncmp(farm_node_name(&result, 0), "cert-", 5), 0);
	ck_assert_int_eq(result.findings[0].what, FARM_NOTHING);
	ck_assert_int_eq(farm_verdict(&result, SHARE_WHOLE), 1);
	farm_clear(&result);
}
END_TEST

/* Nobody there ends soon, with status 3. */
START_TEST(test_nobody)
{
	struct farm_plan plan;
	struct address address = dead_address();
	struct farm_result result;

	plan = plan_of(&address, 1);
	plan.balanced = true;
	ck_assert_int_eq(farm_run(&plan, &result), 0);
	ck_assert_uint_eq(reasons_count(&result.failures, "connect_refused"),
			  20);
	ck_assert_int_eq(farm_verdict(&result, SHARE_WHOLE), 3);
	farm_clear(&result);
}
END_TEST

static struct farm_result run_rounds(struct address *addresses, size_t n,
				     bool balanced, unsigned rounds)
{
	struct farm_plan plan = plan_of(addresses, n);
	struct farm_result result;

	plan.balanced = balanced;
	plan.every_s = 1;
	plan.rounds = rounds;
	plan.versions[TLS_V12] = false;
	ck_assert_int_eq(farm_run(&plan, &result), 0);
	ck_assert_uint_eq(result.n_rounds, rounds);
	return result;
}

/* Old tickets are offered in each later round, and nothing has changed. */
START_TEST(test_rounds)
{
	struct address nodes[] = {start("n1", 0, GOOD)->address,
				  start("n2", 0, GOOD)->address};
	struct farm_result result = run_rounds(nodes, 2, false, 3);

	for (unsigned i = 0; i < 3; i++) {
		const struct farm_round *round = &result.rounds[i];

		ck_assert(round->good);
		ck_assert_uint_eq(round->n_changes, 0);
		ck_assert_uint_eq(round->sums[TLS_V13].tried, 20);
		ck_assert_uint_eq(round->old[TLS_V13].tried, 2 * i);
		ck_assert_uint_eq(round->old[TLS_V13].resumed, 2 * i);
		ck_assert_int_eq(round->lost_s, -1);
	}
	ck_assert_int_ge(result.rounds[2].oldest_s, 1);
	ck_assert_int_eq(farm_verdict(&result, SHARE_WHOLE), 0);
	farm_clear(&result);
}
END_TEST

/* Keys that go lose the old tickets, and every node is seen to have a new one. */
START_TEST(test_rounds_over_lost_keys)
{
	struct farm_result result;
	size_t keys = 0, bad = 0;
	int64_t lost_s = -1;

	start("n1", 0, GOOD);
	start("n2", 0, GOOD);
	balancer.rotate_at = 60;
	balance(BY_PAGE);
	result = run_rounds(&balancer.address, 1, true, 4);
	ck_assert(result.rounds[0].good);
	for (size_t i = 0; i < 4; i++) {
		const struct farm_round *round = &result.rounds[i];

		bad += !round->good;
		lost_s = round->lost_s > lost_s ? round->lost_s : lost_s;
		for (size_t c = 0; c < round->n_changes; c++)
			keys += round->changes[c].key;
	}
	ck_assert_uint_gt(balancer.turns, 100);
	ck_assert_uint_ge(bad, 1);
	ck_assert_uint_eq(keys, 2);
	ck_assert_int_ge(lost_s, 0);
	ck_assert(result.rounds[3].good);
	ck_assert_int_eq(farm_verdict(&result, SHARE_WHOLE), 1);
	farm_clear(&result);
}
END_TEST

/* A node that the balancer gives nothing any more is absent, and no stray. */
START_TEST(test_absent)
{
	struct farm_result result;
	const struct farm_round *last;

	start("n1", 0, GOOD);
	start("n2", 0, GOOD);
	start("n3", 0, GOOD);
	balance(BY_PAGE);
	/* In the first or the second round, so that the third is without it. */
	balancer.without = 60;
	result = run_rounds(&balancer.address, 1, true, 3);
	last = &result.rounds[2];
	ck_assert_uint_eq(result.n, 3);
	ck_assert_uint_eq(result.n_findings, 1);
	ck_assert_uint_eq(result.findings[0].what, FARM_ABSENT);
	ck_assert_uint_eq(result.findings[0].row, named(&result, "n3"));
	ck_assert(last->good);
	ck_assert_uint_eq(last->strays, 0);
	farm_clear(&result);
}
END_TEST

static struct who group(uint8_t k, uint8_t c)
{
	struct who who = {.evidence = WHO_KEY, .has_key = k != 0,
			  .has_cert = c != 0};

	memset(who.key, k, sizeof(who.key));
	memset(who.cert, c, sizeof(who.cert));
	return who;
}

/* A group is of one key, and of one certificate as far as that was seen. */
START_TEST(test_same_group)
{
	struct who both = group(1, 1), bare = group(1, 0), alone = group(0, 1);
	struct who other_key = group(2, 1), other_cert = group(1, 2);
	struct who named = {.evidence = WHO_PAGE, .has_key = true};
	char name[PAGE_NAME_LEN];

	ck_assert(who_same_group(&both, &both));
	ck_assert(who_same_group(&both, &bare));
	ck_assert(who_same_group(&bare, &both));
	ck_assert(who_same_group(&alone, &alone));
	ck_assert(!who_same_group(&both, &alone));
	ck_assert(!who_same_group(&both, &other_key));
	ck_assert(!who_same_group(&both, &other_cert));
	ck_assert(!who_same_group(&named, &named));
	who_group_name(name, &both, true);
	ck_assert_str_eq(name, "key-01010101-cert-01010101");
	who_group_name(name, &alone, false);
	ck_assert_str_eq(name, "cert-01010101");
}
END_TEST

/* The coupon collector's bounds, at figures that are known. */
START_TEST(test_coverage)
{
	struct farm_node nodes[2] = {{.answered = 10}, {.answered = 19}};
	struct farm_result result = {.n = 2, .nodes = nodes, .balanced = true};
	struct farm_coverage coverage;

	farm_coverage(&result, &coverage);
	ck_assert_uint_eq(coverage.connections, 29);
	ck_assert(fabs(coverage.missed - pow(2.0 / 3, 29)) < 1e-12);
	/* Rule of three: about 3 in n. */
	ck_assert(fabs(coverage.unseen - 0.0981) < 0.0001);
	nodes[1].who.evidence = WHO_UNKNOWN;
	farm_coverage(&result, &coverage);
	ck_assert_uint_eq(coverage.connections, 10);
	ck_assert_uint_eq(coverage.nodes, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("probe_balanced");
	TCase *pure = tcase_create("pure"), *run = tcase_create("run");
	SRunner *runner;
	int failed;

	tcase_add_test(pure, test_same_group);
	tcase_add_test(pure, test_coverage);
	suite_add_tcase(suite, pure);
	tcase_set_timeout(run, 120);
	tcase_add_checked_fixture(run, set_up_balancer, tear_down_balancer);
	tcase_add_loop_test(run, test_named_nodes, 0, 3);
	tcase_add_test(run, test_named_nodes_that_share);
	tcase_add_test(run, test_groups_by_key);
	tcase_add_test(run, test_one_group);
	tcase_add_test(run, test_groups_by_certificate);
	tcase_add_test(run, test_names_that_are_none);
	tcase_add_test(run, test_nobody);
	tcase_add_test(run, test_rounds);
	tcase_add_test(run, test_rounds_over_lost_keys);
	tcase_add_test(run, test_absent);
	suite_add_tcase(suite, run);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
