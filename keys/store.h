/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store.h - where nodes meet. A store keeps one sealed ring document under a
 * compare-and-set, the heartbeats, and an audit stream; it understands none of
 * them. Used by the sync thread alone, so an implementation needs no lock; each
 * call ends within the time-out given at opening.
 *
 * Every call answers 0, STEK_EABSENT (answered: nothing there),
 * STEK_EUNAVAILABLE (no answer) or STEK_EREFUSED (answered: no), and on the
 * latter two stek__store_detail() says why without any secret.
 */
#ifndef STEK_STORE_H
#define STEK_STORE_H

#include "record.h"

#define STEK_AUDIT_LINE_MAX (64 * 1024)
#define STEK_AUDIT_KEPT 10000	/* lines; a store keeps no fewer */

struct stek_store;

struct stek_store_options {
	const char *url;		/* see struct stek_farm_options */
	const char *user;
	const char *password_file;
	const char *farm;
	uint32_t timeout_ms;		/* per call; connecting included */
	struct stek_store_reach reach;
};

/* What a store's replicas said to the last write that it took. */
struct stek_replicas {
	uint32_t wanted;		/* 0: none are asked */
	uint32_t confirmed;
};

struct stek_raw_member {
	char name[STEK_NAME_MAX + 1];
	int64_t seen_at_ms;	/* the store's clock when written; not below 0 */
	size_t len;
	uint8_t data[STEK_BEAT_MAX];
};

/* Two heartbeats differ in their last bytes, the tag. */
#define STEK_BEAT_TAIL 16

/* What a heartbeat's answer says beside "written". */
struct stek_pulse {
	int64_t store_now_ms;		/* the store's clock */
	int64_t store_now_us_part;	/* 0..999 */
	bool has_ring;
	struct stek_version version;	/* of the ring there, if has_ring; all
					   zero when it names none */
	/*
	 * The heartbeat that stood in the place of ours, when it was not the
	 * one that this store was last told to write; beat() sets it.
	 */
	bool has_before;
	struct stek_raw_member before;
};

struct stek_store_ops {
	/*
	 * The ring document; STEK_EABSENT when there is none, STEK_EFORMAT
	 * when what is there cannot be one (longer than STEK_RECORD_MAX).
	 */
	int (*load)(struct stek_store *store, struct stek_blob *doc);
	/*
	 * Writes `doc` if the store still holds `expect` (NULL: nothing), and
	 * hints all nodes. STEK_ECONFLICT otherwise.
	 */
	int (*publish)(struct stek_store *store,
		       const struct stek_version *expect,
		       const struct stek_version *next,
		       const uint8_t *doc, size_t len);
	/* Writes a heartbeat, with the store's time; one round trip. */
	int (*beat)(struct stek_store *store, const char *node,
		    const uint8_t *data, size_t len, struct stek_pulse *out);
	/* The store's clock and ring version without a heartbeat. */
	int (*pulse)(struct stek_store *store, struct stek_pulse *out);
	/* All heartbeats; *out is freed with free(). */
	int (*members)(struct stek_store *store, struct stek_raw_member **out,
		       size_t *n, int64_t *store_now_ms);
	int (*forget)(struct stek_store *store, const char *node);
	/*
	 * Appends one line (UTF-8, no newline) to the audit stream if its last
	 * line is `after` ("": it has none). STEK_ECONFLICT otherwise.
	 */
	int (*audit)(struct stek_store *store, const char *after,
		     const char *line);
	/*
	 * The newest lines, at most `limit`, oldest first, each ended by a
	 * newline; zero-terminated. STEK_EABSENT when there are none.
	 */
	int (*audit_read)(struct stek_store *store, size_t limit,
			  struct stek_blob *out);
	/*
	 * A descriptor that becomes readable when another node has published,
	 * or -1 while there is none; a hint only, it may change at each call.
	 */
	int (*hint_fd)(struct stek_store *store);
	/* Drains it. True if there was a hint. */
	bool (*hint_take)(struct stek_store *store);
	const char *(*detail)(struct stek_store *store);
	/* May be NULL: there are no replicas. Right after a publish. */
	void (*replicas)(struct stek_store *store, struct stek_replicas *out);
	void (*close)(struct stek_store *store);
};

struct stek_store {
	const struct stek_store_ops *ops;
};

/*
 * Chooses the implementation by the URL's scheme; does not connect yet.
 * STEK_EINVAL with `why` when the URL or the password file is wrong.
 */
int stek__store_open(struct stek_store **out,
		     const struct stek_store_options *options, char *why,
		     size_t why_len) STEK_CHECKED;
void stek__store_close(struct stek_store *store);

/*
 * The password into `buf`, zero-terminated; the caller wipes it. STEK_EMODE,
 * STEK_EINVAL or STEK_EIO with `why`, which never shows what the file holds.
 */
int stek__store_password_read(const char *path, char *buf, size_t cap,
			      char *why, size_t why_len) STEK_CHECKED;

/* The two of them, called by stek__store_open(). */
int stek__store_redis_open(struct stek_store **out,
			   const struct stek_store_options *options, char *why,
			   size_t why_len) STEK_CHECKED;
int stek__store_file_open(struct stek_store **out,
			  const struct stek_store_options *options, char *why,
			  size_t why_len) STEK_CHECKED;

#endif
