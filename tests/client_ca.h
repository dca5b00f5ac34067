/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client_ca.h - what the tests of clients' certificates share: a host that
 * demands them of its CA, two CAs more, and clients that show one.
 */
#ifndef TESTS_CLIENT_CA_H
#define TESTS_CLIENT_CA_H

#include <openssl/err.h>
#include <unistd.h>

#include "conn_client.h"
#include "pki.h"

static struct pki ca, other_ca, middle;
static char ca_path[128], crl_path[128];

static void in_dir(char *out, size_t cap, const char *name)
{
	snprintf(out, cap, "%s/%s", loopback->dir, name);
}

static void set_up_ca(void)
{
	const struct pki *anchors[] = { &ca };

	set_up();
	ca = pki_make(&(struct pki_wish){ .name = "CA", .ca = true });
	other_ca = pki_make(&(struct pki_wish){ .name = "Other", .ca = true });
	middle = pki_make(&(struct pki_wish){ .name = "Middle", .ca = true,
					      .issuer = &ca, .serial = 77 });
	in_dir(ca_path, sizeof(ca_path), "ca");
	in_dir(crl_path, sizeof(crl_path), "crl");
	pki_write(ca_path, anchors, 1);
	loopback->hosts[0].client_auth = CLIENT_REQUIRED;
	loopback->hosts[0].client_ca = ca_path;
	loopback->hosts[0].client_depth = 4;
}

static void tear_down_ca(void)
{
	unlink(ca_path);
	unlink(crl_path);
	tear_down();
	pki_free(&ca);
	pki_free(&other_ca);
	pki_free(&middle);
}

static struct client *client_with(const struct pki *leaf,
				  const struct pki *chain, int version)
{
	struct client *client = open_client("www.example.com", version);

	if (leaf) {
		SSL_use_certificate(client->ssl, leaf->x509);
		SSL_use_PrivateKey(client->ssl, leaf->key);
	}
	if (chain)
		SSL_add1_chain_cert(client->ssl, chain->x509);
	return client;
}

/* 0 when the page answers, else the alert that came; below 0: none did. */
static int try(const struct pki *leaf, const struct pki *chain, int version)
{
	struct client *client = client_with(leaf, chain, version);
	const char *request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
	char byte;
	bool clean;
	int alert, ret = 0;

	if (!client_handshake(client, false, &alert)) {
		ret = alert ? alert : -1;
	} else {
		/* In TLS 1.3 a client learns of a refusal when it reads. */
		SSL_write(client->ssl, request, (int)strlen(request));
		client_send(client);
		if (client_read(client, &byte, 1, &clean) != 1)
			ret = ERR_GET_REASON(ERR_peek_last_error()) -
				SSL_AD_REASON_OFFSET;
	}
	client_free(client);
	return ret;
}

static void takes(const struct pki *leaf, const struct pki *chain, int version)
{
	int alert = try(leaf, chain, version);

	ck_assert_msg(alert == 0, "alert %d", alert);
}

static void refuses(const struct pki *leaf, const struct pki *chain,
		    int version)
{
	ck_assert_int_ne(try(leaf, chain, version), 0);
}

static void refuses_with(const struct pki *leaf, const struct pki *chain,
			 int version, int alert)
{
	ck_assert_int_eq(try(leaf, chain, version), alert);
}

#endif
