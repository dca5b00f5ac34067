/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper_flow.c - load that never ends and whose targets change under it: one
 * connection after another, both TLS versions, each with a session taken at
 * random from all that were ever given and are still fresh, whoever issued
 * them. So a ticket is spent minutes and faults after it was made, which a load
 * generator that spends the newest first does not do. Called by
 * tests/keys_2_faults.sh, which says on standard input which nodes are
 * connected before it harms the others.
 *
 *	helper_flow CA SNI ADDRESS...
 *
 * Each line of input is a list of 0 and 1, one for each address: the nodes to
 * use from now on. "using LIST" answers it once no connection to another is
 * left. The line "end" ends the flow, which then prints its figures as JSON.
 * Every loss is told on standard error when it happens. Exit 0: none.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "conn.h"

#define NODES_MAX 16
#define SESSIONS 4096	/* of a version: spent only tens of seconds later */
#define PACE_MS 2	/* between connections: time, not number, is wanted */
#define FULL_ONE_IN 16	/* such a share of full handshakes brings new tickets */

struct kept {
	SSL_SESSION *session;
	size_t issuer;
	int64_t made_us;
};

struct flow {
	struct tls_options options;
	struct address nodes[NODES_MAX];
	size_t n;
	bool used[NODES_MAX];
	size_t n_used;
	SSL_CTX *ctx[TLS_VERSIONS];
	struct kept kept[TLS_VERSIONS][SESSIONS];
	size_t n_kept[TLS_VERSIONS];
	struct conn conn;

	uint64_t connections, failed, offered, resumed, elsewhere;
	uint64_t by_node[NODES_MAX];
	int64_t oldest_us;	/* of the sessions that were resumed */
};

/* Chance that a seed repeats; nothing secret hangs on it. */
static uint32_t below(uint32_t bound)
{
	return (uint32_t)random() % bound;
}

static void keep(struct flow *flow, enum tls_version version,
		 const struct kept *what)
{
	size_t *n = &flow->n_kept[version];
	size_t i = *n < SESSIONS ? (*n)++ : below(SESSIONS);
	struct kept *kept = &flow->kept[version][i];

	SSL_SESSION_free(kept->session);
	*kept = *what;
}

/* Any session still fresh, taken out of the pool; false if there is none. */
static bool take(struct flow *flow, enum tls_version version, struct kept *out)
{
	struct kept *all = flow->kept[version];
	size_t *n = &flow->n_kept[version], i;

	while (*n > 0) {
		i = below((uint32_t)*n);
		*out = all[i];
		all[i] = all[--*n];
		all[*n].session = NULL;
		if (tls_session_fresh(out->session, time(NULL)))
			return true;
		SSL_SESSION_free(out->session);
	}
	return false;
}

static void converse(struct conn *conn)
{
	enum conn_want want;

	for (;;) {
		struct pollfd wait = {.fd = conn->fd};

		want = conn_step(conn, conn_now_us());
		if (want == CONN_DONE)
			return;
		wait.events = want == CONN_WRITE ? POLLOUT : POLLIN;
		poll(&wait, 1, 100);
	}
}

/* Tells of a loss at once, so that it can be found among the faults. */
static void tell(const struct flow *flow, size_t node, const struct kept *offer,
		 const char *what)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	fprintf(stderr, "%lld.%03ld %s at %s, %s: ", (long long)now.tv_sec,
		now.tv_nsec / 1000000, tls_version_name(flow->conn.version),
		flow->nodes[node].text, what);
	if (offer->session)
		fprintf(stderr, "offered a ticket of %s, %.1f s old\n",
			flow->nodes[offer->issuer].text,
			(double)(conn_now_us() - offer->made_us) / 1e6);
	else
		fputs("nothing offered\n", stderr);
}

static void judge(struct flow *flow, size_t node, const struct kept *offer)
{
	const struct conn *conn = &flow->conn;
	int64_t age_us = conn_now_us() - offer->made_us;

	flow->connections++;
	flow->by_node[node]++;
	flow->offered += offer->session != NULL;
	if (conn->failure[0]) {
		flow->failed++;
		tell(flow, node, offer, conn->failure);
		return;
	}
	if (!offer->session)
		return;
	if (!conn->resumed) {
		tell(flow, node, offer, "not resumed");
		return;
	}
	flow->resumed++;
	flow->elsewhere += offer->issuer != node;
	if (age_us > flow->oldest_us)
		flow->oldest_us = age_us;
}

static void connect_once(struct flow *flow, size_t node,
			 enum tls_version version)
{
	struct conn *conn = &flow->conn;
	struct kept offer = {0};

	if (below(FULL_ONE_IN) && !take(flow, version, &offer))
		offer.session = NULL;
	if (offer.session)
		SSL_SESSION_up_ref(offer.session);
	conn_start(conn, flow->ctx[version], version, &flow->options,
		   &flow->nodes[node], offer.session, conn_now_us());
	converse(conn);
	judge(flow, node, &offer);
	for (size_t i = 0; i < conn->n_tickets; i++) {
		keep(flow, version, &(struct kept){conn->tickets[i], node,
						   conn_now_us()});
		conn->tickets[i] = NULL;
	}
	/* A TLS 1.2 ticket serves until the server renews it, RFC 5077 s3.3. */
	if (version == TLS_V12 && conn->resumed && conn->n_tickets == 0)
		keep(flow, version, &offer);
	else
		SSL_SESSION_free(offer.session);
	conn_end(conn);
}

/* Does what a line says; false when that is "end", or there are no more. */
static bool obey(struct flow *flow)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	char line[2 * NODES_MAX + 2];
	size_t i;

	/* While no node is connected there is nothing but to wait. */
	if (poll(&input, 1, flow->n_used ? PACE_MS : -1) <= 0)
		return true;
	if (!fgets(line, sizeof(line), stdin) || line[0] == 'e')
		return false;
	flow->n_used = 0;
	for (i = 0; i < flow->n; i++) {
		flow->used[i] = line[2 * i] == '1';
		flow->n_used += flow->used[i];
	}
	printf("using %s", line);
	fflush(stdout);
	return true;
}

static void run(struct flow *flow)
{
	for (uint64_t turn = 0; obey(flow); turn++) {
		if (flow->n_used == 0)
			continue;
		size_t node = below((uint32_t)flow->n);

		while (!flow->used[node])
			node = (node + 1) % flow->n;
		connect_once(flow, node, (enum tls_version)(turn % 2));
	}
}

static void report(const struct flow *flow)
{
	json_t *nodes = json_array();
	json_t *all;

	for (size_t i = 0; i < flow->n; i++)
		json_array_append_new(nodes,
				      json_integer((json_int_t)flow->by_node[i]));
	all = json_pack("{s:I, s:I, s:I, s:I, s:I, s:f, s:o}", "connections",
			(json_int_t)flow->connections, "failed",
			(json_int_t)flow->failed, "offered",
			(json_int_t)flow->offered, "resumed",
			(json_int_t)flow->resumed, "elsewhere",
			(json_int_t)flow->elsewhere, "oldest_s",
			(double)flow->oldest_us / 1e6, "by_node", nodes);
	json_dumpf(all, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(all);
}

static int begin(struct flow *flow, int argc, char **argv)
{
	if (argc < 4 || argc > 3 + NODES_MAX)
		return -1;
	flow->options.ca = argv[1];
	flow->options.sni = argv[2];
	flow->n = (size_t)argc - 3;
	for (size_t i = 0; i < flow->n; i++) {
		if (address_parse(&flow->nodes[i], argv[3 + i]) != 0)
			return -1;
		address_resolve(&flow->nodes[i]);
	}
	for (int v = 0; v < TLS_VERSIONS; v++) {
		flow->ctx[v] = tls_context((enum tls_version)v, &flow->options,
					   conn_on_ticket);
		if (!flow->ctx[v])
			return -1;
	}
	/* Unbuffered: poll() must see what fgets() would still get. */
	setvbuf(stdin, NULL, _IONBF, 0);
	return 0;
}

int main(int argc, char **argv)
{
	struct flow *flow = calloc(1, sizeof(*flow));

	if (!flow || begin(flow, argc, argv) != 0) {
		fputs("helper_flow: see its head\n", stderr);
		return 2;
	}
	run(flow);
	report(flow);
	return flow->failed > 0 || flow->resumed != flow->offered;
}
