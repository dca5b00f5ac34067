/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * asset.c - finds the dashboard's files, and reads the two headers by which a
 * browser says which form of them it takes and has. Called by admin_asset.c and
 * admin.c; the files themselves are in asset_data.c, which the build makes.
 */
#include <string.h>
#include <strings.h>

#include "asset.h"

#define BLANK " \t"

const struct asset *asset_find(const char *path)
{
	size_t i;

	for (i = 0; i < assets_n; i++)
		if (strcmp(assets[i].path, path) == 0)
			return &assets[i];
	return NULL;
}

/* "q=0", "q=0.0" and so on; any other weight takes the coding. */
static bool refused(const char *parameters, size_t len)
{
	const char *q = memchr(parameters, '=', len);
	size_t i;

	if (q == NULL)
		return false;
	for (i = (size_t)(q - parameters) + 1; i < len; i++)
		if (strchr("0. \t", parameters[i]) == NULL)
			return false;
	return true;
}

const struct asset_form *asset_choose(const struct asset *asset,
				      const char *accept_encoding)
{
	const char *at = accept_encoding;
	size_t len, name;

	while (at != NULL && *at != '\0') {
		at += strspn(at, BLANK ",");
		len = strcspn(at, ",");
		name = strcspn(at, BLANK ",;");
		if (name == 4 && strncasecmp(at, "gzip", 4) == 0)
			return refused(at + name, len - name) ? &asset->plain
							      : &asset->gzip;
		at += len;
	}
	return &asset->plain;
}

bool asset_known(const struct asset_form *form, const char *if_none_match)
{
	const char *at = if_none_match;
	size_t len;

	while (at != NULL && *at != '\0') {
		at += strspn(at, BLANK ",");
		len = strcspn(at, BLANK ",");
		if (len == 1 && *at == '*')
			return true;
		/* The comparison is the weak one. */
		if (len > 2 && strncmp(at, "W/", 2) == 0) {
			at += 2;
			len -= 2;
		}
		if (len == strlen(form->etag) &&
		    strncmp(at, form->etag, len) == 0)
			return true;
		at += len;
	}
	return false;
}
