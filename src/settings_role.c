/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settings_role.c - what a host with `backend: admin` must have: clients that
 * prove who they are, and a role for each of them. Called by settings.c.
 */
#include <stdlib.h>
#include <string.h>

#include "settings_check.h"
#include "settings_file.h"

#define WANTED "sha256: and a fingerprint of 64 hexadecimal digits, or dns:, " \
	"email:, uri: or cn: and a name in printable ASCII"

struct reading {
	struct settings_host *out;
	const struct file_host *in;
	struct doc *doc;
	struct faults *faults;
	uint32_t index;		/* of the host */
};

static size_t line_of(const struct reading *r, const char *key)
{
	return doc_line(r->doc, "hosts[%u].%s", r->index, key);
}

static size_t line_in(const struct reading *r, uint32_t i, const char *key)
{
	return doc_line(r->doc, "hosts[%u].roles[%u].%s", r->index, i, key);
}

/* Of two entries for one certificate only one could decide. */
static bool taken(const struct settings_host *host,
		  const struct role_entry *entry)
{
	size_t i;

	for (i = 0; i < host->n_roles; i++)
		if (role_same(&host->roles[i], entry))
			return true;
	return false;
}

/* It stands in the log and the audit between words of ours. */
static bool label_good(const char *name)
{
	for (; *name != '\0'; name++)
		if (*name <= ' ' || *name > '~' || *name == '"' ||
		    *name == '\\')
			return false;
	return true;
}

static void read_one(const struct reading *r, uint32_t i)
{
	const struct file_role *in = &r->in->roles[i];
	struct role_entry *out = &r->out->roles[r->out->n_roles];

	out->role = in->role;
	if (!role_parse(out, in->certificate))
		fault(r->faults, line_in(r, i, "certificate"),
		      "found '%.100s' for certificate, expected " WANTED,
		      in->certificate);
	else if (taken(r->out, out))
		fault(r->faults, line_in(r, i, "certificate"),
		      "found '%.100s' a second time in roles, expected it "
		      "once", in->certificate);
	if (in->name != NULL && !label_good(in->name))
		fault(r->faults, line_in(r, i, "name"), "found '%.64s' for "
		      "name, expected printable ASCII without blanks and "
		      "quotes", in->name);
	out->name = in->name != NULL ? strdup(in->name) : NULL;
	if (in->name != NULL && out->name == NULL)
		fault(r->faults, 0, "out of memory");
	r->out->n_roles++;
}

static void check_clients(const struct reading *r)
{
	size_t line = line_of(r, "client_auth");

	/* Without client_ca settings_client.c has found the fault. */
	if (r->out->client_auth != CLIENT_REQUIRED)
		fault(r->faults, line != 0 ? line : line_of(r, "backend"),
		      "found the admin backend without client_auth: required, "
		      "expected it: who may ask there proves it by a "
		      "certificate");
}

void settings_role_read(struct settings_host *out, const struct file_host *in,
			struct doc *doc, uint32_t index,
			struct faults *faults)
{
	const struct reading r = { out, in, doc, faults, index };
	uint32_t i;

	if (out->backend != BACKEND_ADMIN) {
		if (in->roles_count > 0)
			fault(faults, line_of(&r, "roles"), "found roles "
			      "without the admin backend, expected them "
			      "together");
		return;
	}
	check_clients(&r);
	if (in->roles_count == 0) {
		fault(faults, line_of(&r, "backend"), "found the admin backend "
		      "without roles, expected a list of certificates and "
		      "their roles");
		return;
	}
	out->roles = calloc(in->roles_count, sizeof(*out->roles));
	if (out->roles == NULL) {
		fault(faults, 0, "out of memory");
		return;
	}
	for (i = 0; i < in->roles_count; i++)
		read_one(&r, i);
}

void settings_role_clear(struct settings_host *host)
{
	size_t i;

	for (i = 0; i < host->n_roles; i++)
		role_clear(&host->roles[i]);
	free(host->roles);
}
