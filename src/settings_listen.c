/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settings_listen.c - where a node listens, and whose PROXY headers it believes
 * there. Called by settings.c.
 */
#include <stdlib.h>
#include <string.h>

#include "settings_check.h"
#include "settings_file.h"

static bool copy_subnets(struct settings_listen *out,
			 const struct file_listen *in, struct doc *doc,
			 uint32_t index, struct faults *faults)
{
	uint32_t i;

	if (in->proxy_from_count == 0)
		return true;
	out->proxy_from = calloc(in->proxy_from_count,
				 sizeof(*out->proxy_from));
	if (out->proxy_from == NULL)
		return false;
	out->n_proxy_from = in->proxy_from_count;
	for (i = 0; i < in->proxy_from_count; i++)
		if (subnet_parse(&out->proxy_from[i], in->proxy_from[i]) != 0)
			fault(faults, doc_line(doc, "listen[%u].proxy_from[%u]",
					       index, i),
			      "found '%.64s' for proxy_from, expected IPV4, "
			      "IPV4/BITS, IPV6 or IPV6/BITS",
			      in->proxy_from[i]);
	return true;
}

/* A header is a claim about the client's address: nobody may make it unasked. */
static void check_proxy(const struct file_listen *in, struct doc *doc,
			uint32_t index, struct faults *faults)
{
	const char *key = in->proxy_protocol ? "proxy_protocol" : "proxy_from";

	if (in->proxy_protocol == (in->proxy_from_count > 0))
		return;
	fault(faults, doc_line(doc, "listen[%u].%s", index, key),
	      in->proxy_protocol ?
	      "found proxy_protocol without proxy_from, expected the addresses "
	      "of the load balancers there" :
	      "found proxy_from without proxy_protocol, expected both");
}

void settings_listen_read(struct settings *out, const struct file *in,
			  struct doc *doc, struct faults *faults)
{
	uint32_t i;

	if (in->listen_count == 0)
		return;
	out->listen = calloc(in->listen_count, sizeof(*out->listen));
	if (out->listen == NULL)
		goto no_memory;
	out->n_listen = in->listen_count;
	for (i = 0; i < in->listen_count; i++) {
		struct place at = { faults, "address",
				    doc_line(doc, "listen[%u].address", i) };

		check_address(&at, in->listen[i].address,
			      &out->listen[i].address);
		if (in->listen[i].name != NULL &&
		    (out->listen[i].name = strdup(in->listen[i].name)) == NULL)
			goto no_memory;
		out->listen[i].proxy_protocol = in->listen[i].proxy_protocol;
		check_proxy(&in->listen[i], doc, i, faults);
		if (!copy_subnets(&out->listen[i], &in->listen[i], doc, i,
				  faults))
			goto no_memory;
	}
	if (in->hosts_count == 0)
		fault(faults, doc_line(doc, "listen"),
		      "found listeners but no hosts, expected at least one");
	return;
no_memory:
	fault(faults, 0, "out of memory");
}

void settings_listen_clear(struct settings *settings)
{
	size_t i;

	for (i = 0; i < settings->n_listen; i++) {
		free(settings->listen[i].name);
		free(settings->listen[i].proxy_from);
	}
	free(settings->listen);
}
