/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settings_backend.c - where a host's plaintext goes: one backend, or another
 * one for a protocol that ALPN chose. settings.c reads them here, and the
 * workers ask for each connection.
 */
#include <stdlib.h>
#include <string.h>

#include "settings_check.h"
#include "settings_file.h"

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

const struct settings_address *
settings_backend(const struct settings_host *host, const char *alpn)
{
	size_t i;

	for (i = 0; i < host->n_by_alpn; i++)
		if (strcmp(host->by_alpn[i].alpn, alpn) == 0)
			return &host->by_alpn[i].address;
	return host->backend == BACKEND_SOCKET ? &host->backend_address : NULL;
}

static bool offered(const struct file_host *in, const char *alpn)
{
	uint32_t i;

	for (i = 0; i < in->alpn_count; i++)
		if (strcmp(in->alpn[i], alpn) == 0)
			return true;
	return false;
}

static void read_one(struct reading *r, uint32_t i)
{
	const struct file_backend *in = &r->in->backends[i];
	struct settings_backend *out = &r->out->by_alpn[r->out->n_by_alpn];
	struct place at = { r->faults, "backend",
			    doc_line(r->doc, "hosts[%u].backends[%u].backend",
				     r->index, i) };
	size_t line = doc_line(r->doc, "hosts[%u].backends[%u].alpn",
			       r->index, i);
	enum backend_kind kind = BACKEND_SOCKET;
	size_t j;

	if (!offered(r->in, in->alpn))
		fault(r->faults, line, "found '%.64s' for alpn, expected one "
		      "of the host's own list", in->alpn);
	for (j = 0; j < r->out->n_by_alpn; j++)
		/* Counted when set: NOLINTNEXTLINE(clang-analyzer-core.*) */
		if (strcmp(r->out->by_alpn[j].alpn, in->alpn) == 0)
			fault(r->faults, line, "found '%.64s' a second time "
			      "in backends, expected it once", in->alpn);
	check_backend(&at, in->backend, &kind, &out->address);
	if (kind != BACKEND_SOCKET)
		fault(r->faults, at.line, "found %s in backends, expected a "
		      "tcp: or unix: one", in->backend);
	out->alpn = strdup(in->alpn);
	if (out->alpn == NULL)
		fault(r->faults, 0, "out of memory");
	else
		r->out->n_by_alpn++;
}

static void read_by_alpn(struct reading *r)
{
	uint32_t i;

	if (r->in->backends_count == 0)
		return;
	r->out->by_alpn = calloc(r->in->backends_count,
				 sizeof(*r->out->by_alpn));
	if (r->out->by_alpn == NULL) {
		fault(r->faults, 0, "out of memory");
		return;
	}
	for (i = 0; i < r->in->backends_count; i++)
		read_one(r, i);
}

static void read_alpn(struct reading *r)
{
	struct settings_host *out = r->out;
	uint32_t i;

	if (r->in->alpn_count == 0)
		return;
	out->alpn = calloc(r->in->alpn_count, sizeof(char *));
	for (i = 0; out->alpn != NULL && i < r->in->alpn_count; i++) {
		out->alpn[i] = strdup(r->in->alpn[i]);
		if (out->alpn[i] == NULL)
			break;
		out->n_alpn++;
	}
	if (out->n_alpn < r->in->alpn_count)
		fault(r->faults, 0, "out of memory");
}

/*
 * The built-in page and the admin endpoint speak HTTP/1.1 and nothing else, and
 * read no header.
 */
static void check_own(struct reading *r)
{
	bool admin = r->out->backend == BACKEND_ADMIN;
	const char *name = admin ? "admin" : "builtin";
	size_t i;

	if (r->out->backend == BACKEND_SOCKET)
		return;
	for (i = 0; i < r->out->n_alpn; i++)
		if (strcmp(r->out->alpn[i], "http/1.1") != 0 &&
		    settings_backend(r->out, r->out->alpn[i]) == NULL)
			fault(r->faults,
			      doc_line(r->doc, "hosts[%u].alpn[%zu]", r->index,
				       i),
			      "found '%s' for alpn, expected http/1.1: the "
			      "%s backend speaks no other",
			      r->out->alpn[i], name);
	if (r->out->send_proxy != PROXY_FORM_NONE && r->out->n_by_alpn == 0)
		fault(r->faults, line_of(r, "send_proxy"),
		      "found send_proxy with the %s backend, expected a "
		      "tcp: or unix: one", name);
	if (admin && r->in->backends_count > 0)
		fault(r->faults, line_of(r, "backends"),
		      "found backends with the admin backend, expected none: "
		      "all of the host's connections are the admin's");
}

/* What a browser is to speak there must be said, or it may try another. */
static void offer_http(struct reading *r)
{
	struct settings_host *out = r->out;

	if (out->backend != BACKEND_ADMIN || r->in->alpn_count > 0)
		return;
	out->alpn = calloc(1, sizeof(char *));
	if (out->alpn != NULL)
		out->alpn[0] = strdup("http/1.1");
	if (out->alpn == NULL || out->alpn[0] == NULL)
		fault(r->faults, 0, "out of memory");
	else
		out->n_alpn = 1;
}

void settings_backend_read(struct settings_host *out,
			   const struct file_host *in, struct doc *doc,
			   uint32_t index, struct faults *faults)
{
	struct reading r = { out, in, doc, faults, index };
	struct place at = { faults, "backend", line_of(&r, "backend") };

	out->send_proxy = in->send_proxy;
	check_backend(&at, in->backend ? in->backend : "builtin",
		      &out->backend, &out->backend_address);
	read_alpn(&r);
	read_by_alpn(&r);
	check_own(&r);
	offer_http(&r);
}

void settings_backend_clear(struct settings_host *host)
{
	size_t i;

	for (i = 0; i < host->n_alpn; i++)
		free(host->alpn[i]);
	for (i = 0; i < host->n_by_alpn; i++)
		free(host->by_alpn[i].alpn);
	free(host->alpn);
	free(host->by_alpn);
}
