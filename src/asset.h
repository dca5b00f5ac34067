/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * asset.h - the dashboard's files, which the build puts into the program: each
 * plain and by gzip. Nothing in them is secret.
 */
#ifndef STEKD_ASSET_H
#define STEKD_ASSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct asset_form {
	const char *etag;	/* strong, in its quotes */
	const uint8_t *bytes;
	size_t len;
};

struct asset {
	const char *path, *type;
	struct asset_form plain, gzip;
};

/* The table is made by src/dashboard/embed.sh. */
extern const struct asset assets[];
extern const size_t assets_n;

/* A table of one: the OpenAPI document. Not among those of the dashboard. */
extern const struct asset openapi[];
extern const size_t openapi_n;

/* The file at a path, or NULL. */
const struct asset *asset_find(const char *path);

/* The form that an Accept-Encoding header (or NULL) wants; RFC 9110 s12.5.3. */
const struct asset_form *asset_choose(const struct asset *asset,
				      const char *accept_encoding);

/* True if an If-None-Match header (or NULL) has this tag; RFC 9110 s13.1.2. */
bool asset_known(const struct asset_form *form, const char *if_none_match);

#endif
