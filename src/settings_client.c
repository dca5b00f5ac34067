/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settings_client.c - what a host asks of its clients' certificates: copies
 * the options, with paths made absolute, and has the files read once, so that
 * a fault in one is told before a worker meets it. Called by settings.c.
 */
#include <stdlib.h>
#include <string.h>

#include "deny.h"
#include "settings_check.h"
#include "settings_file.h"
#include "tls.h"

struct client {
	struct doc *doc;
	struct faults *faults;
	const char *dir;
	const char *host;	/* "hosts[N].", or "" for all hosts */
};

static size_t line_of(const struct client *c, const char *option)
{
	return doc_line(c->doc, "%s%s", c->host, option);
}

/* NULL without a path, without memory, or (told) when it cannot be read. */
static char *copy_file(const struct client *c, const char *path,
		       const char *option, bool *good)
{
	struct place at = { c->faults, option, line_of(c, option) };
	char *out = NULL;

	if (path == NULL)
		return NULL;
	if (path[0] == '/')
		out = strdup(path);
	else if (asprintf(&out, "%s%s", c->dir, path) < 0)
		out = NULL;
	if (out == NULL)
		fault(c->faults, 0, "out of memory");
	*good = out != NULL && check_file(&at, out, false) && *good;
	return out;
}

/* What stands beside "client_auth: none" would never be looked at. */
static void refuse_unused(const struct client *c)
{
	static const char *const options[] = {
		"client_ca", "client_crl", "client_depth", "client_decline",
		"client_reauth_s",
	};
	size_t i;

	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (line_of(c, options[i]) != 0)
			fault(c->faults, line_of(c, options[i]),
			      "found %s without client_auth, expected optional, "
			      "required or after-handshake there", options[i]);
}

/* What only a host can have that asks after the handshake. */
static void refuse_alone(const struct client *c, const char *option)
{
	if (line_of(c, option) != 0)
		fault(c->faults, line_of(c, option), "found %s without "
		      "client_auth: after-handshake, expected them together",
		      option);
}

void settings_client_read(struct settings_host *out,
			  const struct file_host *in, struct doc *doc,
			  uint32_t index, const char *dir,
			  struct faults *faults)
{
	char name[32];
	const struct client c = { doc, faults, dir, name };
	const char *option = "client_ca";
	char why[256] = "";
	bool good = true;

	snprintf(name, sizeof(name), "hosts[%u].", index);
	out->client_auth = in->client_auth;
	out->client_depth = in->client_depth;
	out->client_decline = in->client_decline;
	out->client_reauth_s = in->client_reauth_s;
	if (in->client_auth == CLIENT_NONE) {
		refuse_unused(&c);
		return;
	}
	if (in->client_auth != CLIENT_AFTER_HANDSHAKE) {
		refuse_alone(&c, "client_decline");
		refuse_alone(&c, "client_reauth_s");
	}
	if (in->client_ca == NULL)
		fault(faults, line_of(&c, "client_auth"), "found client_auth "
		      "without client_ca, expected the certificates of those "
		      "who sign for clients");
	out->client_ca = copy_file(&c, in->client_ca, "client_ca", &good);
	out->client_crl = copy_file(&c, in->client_crl, "client_crl", &good);
	if (!good || out->client_ca == NULL)
		return;
	if (tls_check_client(out, &option, why, sizeof(why)) != 0)
		fault(faults, line_of(&c, option), "found %s, expected PEM "
		      "%s", why, strcmp(option, "client_crl") == 0 ?
		      "revocation lists that these CAs have signed" :
		      "certificates of CAs");
}

char *settings_deny_read(const char *path, struct doc *doc, const char *dir,
			 struct faults *faults)
{
	const struct client c = { doc, faults, dir, "" };
	char why[512] = "";
	bool good = true;
	char *out = copy_file(&c, path, "client_deny", &good);

	if (out != NULL && good && deny_check(out, why, sizeof(why)) != 0)
		fault(faults, line_of(&c, "client_deny"), "%s", why);
	return out;
}

void settings_client_clear(struct settings_host *host)
{
	free(host->client_ca);
	free(host->client_crl);
}
