/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * who.h - which node has answered a connection, as far as the answer, the
 * certificate and the ticket tell.
 */
#ifndef PROBE_WHO_H
#define PROBE_WHO_H

#include "conn.h"

/* By what a node is told from the others; the surest first. */
enum who_evidence {
	WHO_ADDRESS,		/* it has one of its own */
	WHO_HEADER,		/* --node-header */
	WHO_PAGE,		/* stekd's page */
	WHO_KEY,		/* certificate and key: maybe several nodes */
	WHO_UNKNOWN,
};

#define WHO_CERT_LEN 8		/* of SHA-256 */

struct who {
	enum who_evidence evidence;
	char name[PAGE_NAME_LEN];	/* "" unless it was told */
	bool has_key, has_cert;
	uint8_t key[KEY_NAME_LEN];
	uint8_t cert[WHO_CERT_LEN];
};

const char *who_evidence_name(enum who_evidence evidence);

/* Of a connection that has ended well; `header` may be NULL. */
void who_read(struct who *out, const struct conn *conn, const char *header);

/*
 * True if a group known by `group` is the one that `seen` belongs to: the same
 * ticket key, and no other certificate. Neither may have a name.
 */
bool who_same_group(const struct who *group, const struct who *seen);

/* "key-5e6f7a8b", with the certificate too if `both`. */
void who_group_name(char out[PAGE_NAME_LEN], const struct who *who, bool both);

#endif
