// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * helper_isolation.c - the matrix of node_2_isolation.sh: a ticket of each host
 * from one node is offered to each host at another node, in both versions, in
 * whole handshakes of OpenSSL and in hellos by hand with their extensions in
 * many orders. Prints the counts; exit 1 when a ticket resumed anywhere but at
 * its own host, or did not there.
 *
 *	helper_isolation PORT OTHER-PORT CA ORDERS {HOST CERT|- KEY|-}...
 *
 * The last host is a twin of the first: tickets of the two must resume at both,
 * or the matrix would prove nothing about the other pairs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "offer.h"

#define HOSTS_MAX 16

struct host {
	const char *name;
	SSL_CTX *ctx;
	SSL_SESSION *ticket[2];
};

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static struct host hosts[HOSTS_MAX];
static unsigned n_hosts, orders;
static int from, to;

struct tally {
	unsigned pairs, whole, hellos, wrong;
};

static bool same(unsigned i, unsigned j)
{
	unsigned last = n_hosts - 1;

	return i == j || (i == 0 && j == last) || (i == last && j == 0);
}

static void get_tickets(struct host *host)
{
	for (unsigned v = 0; v < 2; v++) {
		struct offer_client client = { from, versions[v], host->name,
					       host->ctx, NULL, NULL };
		const char *page = offer_page(&client, &host->ticket[v], NULL);

		if (!page || !host->ticket[v]) {
			fprintf(stderr, "no ticket of %s\n", host->name);
			exit(1);
		}
	}
}

static void complain(struct tally *tally, unsigned i, unsigned j, unsigned v,
		     const char *what)
{
	tally->wrong++;
	fprintf(stderr, "%s -> %s, TLS 1.%u: %s\n", hosts[i].name,
		hosts[j].name, v + 2, what);
}

static void try_whole(struct tally *tally, unsigned i, unsigned j, unsigned v)
{
	struct offer_client client = { to, versions[v], hosts[j].name,
				       hosts[j].ctx, hosts[i].ticket[v], NULL };
	const char *page = offer_page(&client, NULL, NULL);

	tally->whole++;
	if (!page)
		complain(tally, i, j, v, "the handshake failed");
	else if (!strstr(page, same(i, j) ? "\"resumed_active\"" :
			 "\"refused_policy\""))
		complain(tally, i, j, v, page);
}

static void try_orders(struct tally *tally, unsigned i, unsigned j, unsigned v)
{
	static const char *const names[OFFER_ANSWERS] = {
		"full by hand", "resumed by hand", "refused by hand",
	};
	enum offer_answer wanted = same(i, j) ? OFFER_RESUMED : OFFER_FULL;
	enum offer_answer is;

	for (unsigned order = 0; order < orders; order++) {
		is = offer(&(struct offer){ .port = to, .name = hosts[j].name,
					    .session = hosts[i].ticket[v],
					    .order = order }, NULL);
		tally->hellos++;
		if (is != wanted)
			complain(tally, i, j, v, names[is]);
	}
}

int main(int argc, char **argv)
{
	struct tally off = { 0 }, diagonal = { 0 };

	if (argc < 8 || (argc - 5) % 3 != 0 || argc > 5 + 3 * HOSTS_MAX)
		return 2;
	from = atoi(argv[1]);
	to = atoi(argv[2]);
	orders = (unsigned)atoi(argv[4]);
	for (int i = 5; i < argc; i += 3) {
		const char *cert = strcmp(argv[i + 1], "-") ? argv[i + 1] : NULL;
		struct host *host = &hosts[n_hosts++];

		host->name = argv[i];
		host->ctx = offer_context(argv[3], cert, argv[i + 2]);
		get_tickets(host);
	}
	for (unsigned i = 0; i < n_hosts; i++) {
		for (unsigned j = 0; j < n_hosts; j++) {
			struct tally *tally = same(i, j) ? &diagonal : &off;

			tally->pairs++;
			for (unsigned v = 0; v < 2; v++) {
				try_orders(tally, i, j, v);
				try_whole(tally, i, j, v);
			}
		}
	}
	printf("off pairs=%u handshakes=%u hellos=%u wrong=%u\n", off.pairs,
	       off.whole, off.hellos, off.wrong);
	printf("diagonal pairs=%u handshakes=%u hellos=%u wrong=%u\n",
	       diagonal.pairs, diagonal.whole, diagonal.hellos, diagonal.wrong);
	return off.wrong + diagonal.wrong > 0;
}
