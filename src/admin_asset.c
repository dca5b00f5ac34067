/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_asset.c - the dashboard's files and the OpenAPI document as answers,
 * and the headers of every answer by which a browser keeps other sites' pages
 * away from it. Called by admin_route.c and, for the headers, by
 * admin_exchange.c.
 */
#include <stdio.h>

#include "admin_route.h"
#include "asset.h"
#include "page_policy.h"

static void show(const struct asset *asset, const struct admin_call *call,
		 struct admin_answer *answer)
{
	const struct asset_form *form = asset_choose(asset,
						     call->accept_encoding);

	answer->status = 200;
	answer->type = asset->type;
	answer->etag = form->etag;
	answer->fixed = form->bytes;
	answer->len = form->len;
	if (form == &asset->gzip)
		answer->encoding = "gzip";
	if (asset_known(form, call->if_none_match)) {
		answer->status = 304;
		answer->len = 0;
	}
}

void admin_asset_show(struct node *node, const struct admin_call *call,
		      struct admin_answer *answer)
{
	(void)node;
	show(asset_find(call->path), call, answer);
}

void admin_openapi_show(struct node *node, const struct admin_call *call,
			struct admin_answer *answer)
{
	(void)node;
	show(&openapi[0], call, answer);
}

static void add(struct admin_headers *headers, const char *name,
		const char *value)
{
	if (value == NULL)
		return;
	headers->list[headers->n].name = name;
	headers->list[headers->n++].value = value;
}

void admin_headers(const struct admin_answer *answer,
		   struct admin_headers *headers)
{
	headers->n = 0;
	add(headers, "Content-Type", answer->type);
	/* A file is asked for again each time, and is mostly unchanged. */
	add(headers, "Cache-Control", answer->fixed ? "no-cache" : "no-store");
	add(headers, "ETag", answer->etag);
	add(headers, "Content-Encoding", answer->encoding);
	add(headers, "Vary", answer->fixed ? "Accept-Encoding" : NULL);
	add(headers, "X-Content-Type-Options", "nosniff");
	add(headers, "Content-Security-Policy", PAGE_POLICY);
	add(headers, "Referrer-Policy", "no-referrer");
	add(headers, "Cross-Origin-Opener-Policy", "same-origin");
	add(headers, "Cross-Origin-Resource-Policy", "same-origin");
	add(headers, "Allow", answer->allow);
	add(headers, "WWW-Authenticate", answer->challenge);
	if (answer->retry_after_s != 0) {
		snprintf(headers->seconds, sizeof(headers->seconds), "%u",
			 answer->retry_after_s);
		add(headers, "Retry-After", headers->seconds);
	}
}
