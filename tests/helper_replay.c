// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * helper_replay.c - the attacker of node_4_replay.sh. It has seen everything
 * that Alice and Bob sent and received in the clear, holds no certificate, and
 * tries it all at every host of two nodes: session ids, tickets, whole streams,
 * hellos with two tickets. Prints the counts; exit 1 when it was once taken for
 * somebody, or one of them for the other.
 *
 *	helper_replay PORT OTHER-PORT CA ALICE.pem ALICE.key FINGERPRINT
 *		BOB.pem BOB.key FINGERPRINT HOST... -- ATTACKED-HOST...
 *
 * Hosts before -- are those where Alice and Bob are known; the others too are
 * attacked.
 */
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "offer.h"

#define HOSTS_MAX 8

struct person {
	SSL_CTX *ctx;
	const char *fingerprint;	/* NULL: the attacker */
};

/* What one person did at one host, in one version. */
struct seen {
	SSL_SESSION *ticket;
	struct offer_trace full, resumed;
};

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static struct person alice, bob, nobody;
static const char *hosts[HOSTS_MAX];
static unsigned n_known, n_hosts;
static int ports[2];
static unsigned tries, wrong;
static struct seen seen;

static void complain(const char *what, const char *host, int version)
{
	wrong++;
	fprintf(stderr, "%s, %s, TLS 1.%d\n", what, host,
		version == TLS1_2_VERSION ? 2 : 3);
}

/* NULL: the page knows no certificate. */
static bool page_names(const char *page, const char *fingerprint)
{
	return strstr(page, fingerprint ? fingerprint : "\"client\":null") !=
		NULL;
}

static void expect(const char *page, const struct person *who,
		   const char *what, const char *host, int version)
{
	tries++;
	if (!page || !page_names(page, who->fingerprint))
		complain(what, host, version);
}

/* May be refused; but whoever is served is served as nobody. */
static void expect_nobody(const char *page, const char *what, const char *host,
			  int version)
{
	tries++;
	if (page && !page_names(page, NULL))
		complain(what, host, version);
}

static void watch(const struct person *who, const char *host, int version)
{
	struct offer_client client = { ports[0], version, host, who->ctx, NULL,
				       NULL };

	expect(offer_page(&client, &seen.ticket, &seen.full), who, "a full "
	       "handshake", host, version);
	client.port = ports[1];
	client.session = seen.ticket;
	if (!seen.ticket)
		exit(1);
	expect(offer_page(&client, NULL, &seen.resumed), who, "a resumption",
	       host, version);
}

/* The ticket as it went over the wire, with a secret that is made up. */
static SSL_SESSION *stolen(void)
{
	SSL_SESSION *made = SSL_SESSION_dup(seen.ticket);
	unsigned char secret[48];
	size_t len = SSL_SESSION_get_master_key(made, NULL, 0);

	if (RAND_bytes(secret, sizeof(secret)) != 1 ||
	    SSL_SESSION_set1_master_key(made, secret, len) != 1)
		exit(1);
	return made;
}

/* The id that the server may look up, alone and with a ticket of one's own. */
static void try_id(int port, const char *host, int version)
{
	struct offer_client client = { port, version, host, nobody.ctx, NULL,
				       NULL };
	SSL_SESSION *own = NULL, *with_id;
	struct offer alone = { .port = port, .name = host, .version = version,
			       .id = seen.full.id };

	if (seen.full.id_len != OFFER_ID_LEN)
		alone.id = NULL;
	tries++;
	if (offer(&alone, NULL) == OFFER_RESUMED)
		complain("a session id alone resumed", host, version);
	expect_nobody(offer_page(&client, &own, NULL), "without anything",
		      host, version);
	if (!own)
		return;
	with_id = SSL_SESSION_dup(own);
	SSL_SESSION_set1_id(with_id, seen.full.id, (unsigned)seen.full.id_len);
	client.session = with_id;
	expect_nobody(offer_page(&client, NULL, NULL), "an own ticket with "
		      "another's session id", host, version);
	alone.session = own;
	tries++;
	if (version == TLS1_3_VERSION &&
	    offer(&alone, NULL) == OFFER_REFUSED)
		complain("an own ticket with another's id was refused", host,
			 version);
	SSL_SESSION_free(with_id);
	SSL_SESSION_free(own);
}

/* In TLS 1.2 the server learns only by the Finished that the secret is wrong. */
static void try_ticket(int port, const char *host, int version)
{
	SSL_SESSION *session = stolen();
	struct offer_client client = { port, version, host, nobody.ctx, session,
				       NULL };
	struct offer hello = { .port = port, .name = host, .session = session };

	expect_nobody(offer_page(&client, NULL, NULL), "another's ticket",
		      host, version);
	tries++;
	if (version == TLS1_3_VERSION &&
	    offer(&hello, NULL) == OFFER_RESUMED)
		complain("a ticket without its secret resumed", host, version);
	SSL_SESSION_free(session);
}

static long handshakes(int port)
{
	struct offer_client client = { port, TLS1_3_VERSION, hosts[n_hosts - 1],
				       nobody.ctx, NULL, NULL };
	const char *page = offer_page(&client, NULL, NULL);
	const char *at = page ? strstr(page, "\"handshakes\":") : NULL;

	if (!at)
		exit(1);
	return strtol(at + strlen("\"handshakes\":"), NULL, 10);
}

/* Whole streams again: none of them ends in a handshake. */
static void try_streams(int port, int version)
{
	long before = handshakes(port);

	(void)offer_replay(port, &seen.full);
	(void)offer_replay(port, &seen.resumed);
	tries += 2;
	if (handshakes(port) != before + 1)
		complain("a replayed stream completed a handshake", "", version);
}

static void attack(int version)
{
	for (unsigned p = 0; p < 2; p++) {
		for (unsigned h = 0; h < n_hosts; h++) {
			try_id(ports[p], hosts[h], version);
			try_ticket(ports[p], hosts[h], version);
		}
		try_streams(ports[p], version);
	}
}

static SSL_SESSION *ticket_of(const struct person *who, const char *host)
{
	struct offer_client client = { ports[0], TLS1_3_VERSION, host,
				       who->ctx, NULL, NULL };
	SSL_SESSION *ticket = NULL;

	if (!offer_page(&client, &ticket, NULL) || !ticket)
		exit(1);
	return ticket;
}

/* Both honest, one behind the other: whose comes first is the one. */
static void try_two(const struct person *first, const struct person *second,
		    const char *host)
{
	SSL_SESSION *one = ticket_of(first, host);
	SSL_SESSION *two = ticket_of(second, host);
	struct offer_client client = { ports[1], TLS1_3_VERSION, host,
				       nobody.ctx, one, two };
	struct offer hello = { .port = ports[1], .name = host, .session = one,
			       .second = two };
	unsigned selected = 9;

	expect(offer_page(&client, NULL, NULL), first, "two tickets", host,
	       TLS1_3_VERSION);
	tries++;
	if (offer(&hello, &selected) != OFFER_RESUMED || selected != 0)
		complain("the first of two tickets was not selected", host,
			 TLS1_3_VERSION);
	SSL_SESSION_free(one);
	SSL_SESSION_free(two);
}

/* Another's in front of one's own: there is no secret for the one selected. */
static void try_in_front(const char *host)
{
	SSL_SESSION *own = ticket_of(&nobody, host);
	SSL_SESSION *other = NULL;
	struct offer hello = { .port = ports[1], .name = host, .second = own };
	unsigned selected = 9;

	watch(&alice, host, TLS1_3_VERSION);
	hello.session = other = stolen();
	tries++;
	if (offer(&hello, &selected) == OFFER_RESUMED && selected == 0)
		complain("another's ticket in front of one's own", host,
			 TLS1_3_VERSION);
	SSL_SESSION_free(seen.ticket);
	SSL_SESSION_free(other);
	SSL_SESSION_free(own);
}

static void read_arguments(int argc, char **argv)
{
	if (argc < 12)
		exit(2);
	ports[0] = atoi(argv[1]);
	ports[1] = atoi(argv[2]);
	alice = (struct person){ offer_context(argv[3], argv[4], argv[5]),
				 argv[6] };
	bob = (struct person){ offer_context(argv[3], argv[7], argv[8]),
			       argv[9] };
	nobody = (struct person){ offer_context(argv[3], NULL, NULL), NULL };
	for (int i = 10; i < argc && n_hosts < HOSTS_MAX; i++) {
		if (!strcmp(argv[i], "--"))
			n_known = n_hosts;
		else
			hosts[n_hosts++] = argv[i];
	}
}

int main(int argc, char **argv)
{
	read_arguments(argc, argv);
	for (unsigned h = 0; h < n_known; h++) {
		for (unsigned v = 0; v < 2; v++) {
			watch(&alice, hosts[h], versions[v]);
			attack(versions[v]);
			SSL_SESSION_free(seen.ticket);
		}
		try_two(&alice, &bob, hosts[h]);
		try_two(&bob, &alice, hosts[h]);
	}
	/* The first known host lets those in who have no certificate. */
	try_two(&nobody, &alice, hosts[0]);
	try_two(&alice, &nobody, hosts[0]);
	try_in_front(hosts[0]);
	printf("tries=%u wrong=%u\n", tries, wrong);
	return wrong > 0;
}
