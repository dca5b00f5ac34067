/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deny.h - the client certificates that this node refuses although they are
 * good: SHA-256 fingerprints, read from a file and changed while connections
 * ask. Asking takes no lock and never waits; changes wait for each other.
 */
#ifndef STEKD_DENY_H
#define STEKD_DENY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DENY_LEN 32	/* of a fingerprint */
#define DENY_MAX 1000000

struct deny;

/* Empty. NULL without memory. */
struct deny *deny_new(void);
void deny_free(struct deny *deny);

/* True if the fingerprint is refused. Any thread; `deny` may be NULL. */
bool deny_has(struct deny *deny, const uint8_t fingerprint[DENY_LEN]);

/*
 * One fingerprint: hexadecimal of either case, with or without ':' between
 * bytes, as OpenSSL prints it. `len` bytes, all of them.
 */
bool deny_parse(uint8_t out[DENY_LEN], const char *text, size_t len);

/*
 * Proves that the file can be read: one fingerprint a line; blank lines and
 * what follows '#' are passed over. 0, or -1 with "PATH:LINE: ..." in `why`.
 */
int deny_check(const char *path, char *why, size_t why_len);

/*
 * Takes what the file holds in place of all before; changes are written to it
 * from now on. NULL: there is no file, what is held stays. On failure (-1, with
 * `why`) nothing has changed. Any thread, as below.
 */
int deny_load(struct deny *deny, const char *path, char *why, size_t why_len);

enum deny_result {
	DENY_DONE,
	DENY_ALREADY,		/* it was so before */
	DENY_NOT_WRITTEN,	/* refused from now on, but not in the file:
				   `why` tells the reason */
	DENY_FAILED,		/* nothing has changed */
};

/* Adds or removes one fingerprint, in the file too if there is one. */
enum deny_result deny_change(struct deny *deny,
			     const uint8_t fingerprint[DENY_LEN], bool add,
			     char *why, size_t why_len);

/*
 * A sorted copy for the caller to free; *path too, NULL: there is no file. 0,
 * or -1 without memory.
 */
int deny_list(struct deny *deny, uint8_t (**out)[DENY_LEN], size_t *n,
	      char **path);

#endif
