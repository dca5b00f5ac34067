/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * role.c - finds the role of a client certificate in a host's list. Asked by
 * admin_peer.c for every request, and by tls_verify.c for every ticket; read
 * by settings_role.c.
 */
#include "role.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FINGERPRINT "sha256:"
#define DNS "dns:"

const char *role_name(enum admin_role role)
{
	static const char *const names[] = {
		[ROLE_NONE] = "none", [ROLE_READ] = "read",
		[ROLE_ROTATE] = "rotate", [ROLE_REVOKE] = "revoke",
	};

	return names[role];
}

/* As der_names() writes them: der.h. */
static bool name_good(const char *text)
{
	static const char *const kinds[] = { DNS, "email:", "uri:", "cn:" };
	size_t i, len;

	for (i = 0; text[i] != '\0'; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		len = strlen(kinds[i]);
		if (strncmp(text, kinds[i], len) == 0)
			return text[len] != '\0';
	}
	return false;
}

bool role_parse(struct role_entry *out, const char *text)
{
	size_t len = sizeof(FINGERPRINT) - 1;

	if (strncmp(text, FINGERPRINT, len) == 0) {
		out->by_fingerprint = true;
		return deny_parse(out->fingerprint, text + len,
				  strlen(text + len));
	}
	if (!name_good(text))
		return false;
	out->certificate = strdup(text);
	return out->certificate != NULL;
}

void role_clear(struct role_entry *entry)
{
	free(entry->certificate);
	free(entry->name);
}

/* DNS names have no case (RFC 5280 s7.2); all else is compared as it stands. */
static bool same_name(const char *entry, const char *name)
{
	if (strncmp(entry, DNS, sizeof(DNS) - 1) == 0)
		return strcasecmp(entry, name) == 0;
	return strcmp(entry, name) == 0;
}

bool role_same(const struct role_entry *a, const struct role_entry *b)
{
	if (a->by_fingerprint || b->by_fingerprint)
		return a->by_fingerprint && b->by_fingerprint &&
			memcmp(a->fingerprint, b->fingerprint, DENY_LEN) == 0;
	return a->certificate != NULL && b->certificate != NULL &&
		same_name(a->certificate, b->certificate);
}

static bool is_among(const struct role_entry *entry, const char *names)
{
	const char *name;

	for (name = names; *name != '\0'; name += strlen(name) + 1)
		if (same_name(entry->certificate, name))
			return true;
	return false;
}

static const struct role_entry *
find_fingerprint(struct host_roles roles, const uint8_t fingerprint[DENY_LEN])
{
	size_t i;

	for (i = 0; i < roles.n; i++)
		if (roles.entries[i].by_fingerprint &&
		    memcmp(roles.entries[i].fingerprint, fingerprint,
			   DENY_LEN) == 0)
			/* The copy ends here, what it points to does not. */
			/* cppcheck-suppress returnDanglingLifetime */
			return &roles.entries[i];
	return NULL;
}

const struct role_entry *role_find(struct host_roles roles,
				   const uint8_t fingerprint[DENY_LEN],
				   const char *names)
{
	const struct role_entry *found = find_fingerprint(roles, fingerprint);
	size_t i;

	if (found != NULL || names == NULL)
		return found;
	for (i = 0; i < roles.n; i++)
		if (!roles.entries[i].by_fingerprint &&
		    (found == NULL || roles.entries[i].role > found->role) &&
		    is_among(&roles.entries[i], names))
			found = &roles.entries[i];
	return found;
}

bool role_is_by_fingerprint(struct host_roles roles,
			    const uint8_t fingerprint[DENY_LEN])
{
	return find_fingerprint(roles, fingerprint) != NULL;
}
