/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * role.h - what the owner of a client certificate may do at a host with
 * `backend: admin`: pure decisions over the list of its configuration.
 */
#ifndef STEKD_ROLE_H
#define STEKD_ROLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deny.h"

/* Each may do what those before it may. */
enum admin_role {
	ROLE_NONE,
	ROLE_READ,	/* all that changes nothing */
	ROLE_ROTATE,	/* and make a new key */
	ROLE_REVOKE,	/* and all other changes */
};

/* "read"; static. */
const char *role_name(enum admin_role role);

#define ROLE_NAME_MAX 48	/* of the name for the audit */

/* One of a host's `roles`. */
struct role_entry {
	bool by_fingerprint;
	uint8_t fingerprint[DENY_LEN];	/* SHA-256 of the certificate, or: */
	char *certificate;	/* a name in it, "dns:a.example", as written */
	char *name;		/* for the audit; NULL: none */
	enum admin_role role;
};

/*
 * Reads "sha256:FINGERPRINT", "dns:", "email:", "uri:" or "cn:" and a name,
 * into a zeroed entry. False if it is neither, or memory ran out.
 */
bool role_parse(struct role_entry *out, const char *text);
void role_clear(struct role_entry *entry);

/* True if both are of the same certificates. */
bool role_same(const struct role_entry *a, const struct role_entry *b);

struct host_roles {
	const struct role_entry *entries;
	size_t n;
};

/*
 * The entry that decides: that of the fingerprint, else of the entries whose
 * name is among `names` (each ended by a zero, the last by two; NULL: none) the
 * first of the highest role. NULL: it may do nothing.
 */
const struct role_entry *role_find(struct host_roles roles,
				   const uint8_t fingerprint[DENY_LEN],
				   const char *names);

/* Whether the fingerprint alone decides, as it must when a session resumes. */
bool role_is_by_fingerprint(struct host_roles roles,
			    const uint8_t fingerprint[DENY_LEN]);

#endif
