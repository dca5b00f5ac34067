/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stek.h - session-ticket encryption keys (STEKs) shared by a farm of servers.
 *
 * A farm is a set of nodes that hold one ring of keys. Each node keeps the ring
 * as an immutable snapshot, which one thread (the sync thread) replaces; ticket
 * callbacks read it without a lock. This header is the contract and names no
 * TLS library and no store client; stek_wolfssl.h joins a WOLFSSL_CTX.
 *
 * Times are signed 64-bit milliseconds since 1970 in farm time: this machine's
 * wall clock corrected by the measured offset to the store's clock. Ids are raw
 * bytes. No function here returns or prints a secret.
 *
 * Errors: 0 or a negative enum stek_error; out-parameters are written only on
 * success. Unless a comment says otherwise a function may be called from any
 * thread, but not from within the callbacks given to stek_farm_open().
 */
#ifndef STEK_H
#define STEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define STEK_CHECKED __attribute__((warn_unused_result))
#define STEK_API __attribute__((visibility("default")))
#else
#define STEK_CHECKED
#define STEK_API
#endif

#define STEK_ID_LEN 16		/* key id = the ticket's key_name, RFC 5077 s4 */
#define STEK_DIGEST_LEN 32	/* SHA-256 */
#define STEK_NAME_MAX 63	/* farm and node names: [A-Za-z0-9._-]{1,63} */
#define STEK_RING_KEYS_MAX 64
#define STEK_MEMBERS_MAX 4096
#define STEK_STORES_MAX 4
#define STEK_FARM_KEY_ID_LEN 8
#define STEK_FARM_KEYS_MAX 2
#define STEK_PAYLOAD_MAX 1600	/* application bytes in a heartbeat */

/*
 * The three answers of a store are never merged: ABSENT (it answered, there is
 * nothing), UNAVAILABLE (no answer), REFUSED (it answered no).
 */
enum stek_error {
	STEK_OK = 0,
	STEK_ENOMEM = -1,
	STEK_EINVAL = -2,	/* an argument or option is out of its range */
	STEK_EABSENT = -3,
	STEK_EUNAVAILABLE = -4,
	STEK_EREFUSED = -5,	/* store said no; or rate limit; see the detail */
	STEK_ECONFLICT = -6,	/* compare-and-set lost: someone else was first */
	STEK_EFORMAT = -7,	/* foreign bytes that do not parse */
	STEK_EAUTH = -8,	/* AEAD tag wrong: forged, or another farm key */
	STEK_ERANDOM = -9,
	STEK_ECRYPTO = -10,
	STEK_EIO = -11,
	STEK_EMODE = -12,	/* secret file readable by group or others */
	STEK_ETIMEOUT = -13,	/* a live node has not acknowledged in time */
	STEK_ELIBRARY = -14,	/* TLS library differs from the one built for */
	STEK_EFULL = -15,	/* the ring holds STEK_RING_KEYS_MAX keys */
	STEK_ENOKEY = -16,	/* no such key in the ring */
	STEK_EREUSED = -17,	/* a request's name was used for another one */
	STEK_EBUSY = -18,	/* the request of that name is still under way */
};

STEK_API const char *stek_strerror(int error);

/* The library's own version, "0.1.0". */
STEK_API const char *stek_version_string(void);

enum stek_state {
	STEK_PENDING,	/* not yet active here: opens, does not seal */
	STEK_ACTIVE,	/* seals and opens */
	STEK_RETIRED,	/* opens only, until expire_at */
	STEK_REVOKED,	/* opens nothing; a tombstone or the floor names it */
	STEK_GONE,	/* past expire_at */
};

STEK_API const char *stek_state_name(enum stek_state state);

/* Why a key was made. */
enum stek_reason {
	STEK_MADE_BY_SCHEDULE,
	STEK_MADE_BY_ROTATE,
	STEK_MADE_BY_REVOKE,
};

STEK_API const char *stek_reason_name(enum stek_reason reason);

/* A ring's version. Nodes that hold different pairs fetch and merge. */
struct stek_version {
	uint64_t epoch;
	uint8_t digest[STEK_DIGEST_LEN];	/* SHA-256 of the canonical ring */
};

STEK_API bool stek_version_equal(const struct stek_version *a,
				 const struct stek_version *b);

struct stek_key_info {
	uint8_t id[STEK_ID_LEN];
	enum stek_state state;
	enum stek_reason reason;
	int64_t activate_at_ms;
	int64_t seal_until_ms;
	int64_t expire_at_ms;
	int64_t made_at_ms;
	int64_t revoked_at_ms;			/* 0: not revoked */
	char made_by[STEK_NAME_MAX + 1];	/* node name; "" for a bare tombstone */
};

struct stek_ring_info {
	struct stek_version version;
	int64_t now_ms;			/* farm time at which states were taken */
	int64_t revoked_before_ms;	/* 0: no floor */
	size_t n_keys;
	struct stek_key_info keys[STEK_RING_KEYS_MAX];	/* by activate_at, id */
};

/* How farm time and secrets, and so keys, are paced. Zero means the default. */
struct stek_policy {
	uint32_t period_s;		/* rotate every; default 21600 */
	uint32_t lifetime_s;		/* of a ticket; default 21600, <= 604800 */
	uint32_t chain_s;		/* of a resumption chain; default 86400 */
	uint32_t pending;		/* keys published ahead; default 2, 1..8 */
	uint32_t rotate_delay_ms;	/* manual rotation activates after; 5000 */
	uint32_t revoke_delay_ms;	/* replacement after a revoke; 2000 */
	uint32_t rotate_interval_s;	/* least time between manual rotations
					   unless forced; default 60 */
	uint32_t beat_ms;		/* heartbeat and poll; default 1000 */
};

#define STEK_SKEW_GRACE_S 60	/* expire_at = activate_at + period + lifetime + 60 s */

/* What happened, for the application to log and count. */
enum stek_event_kind {
	STEK_EVENT_RING,		/* a new snapshot is installed */
	STEK_EVENT_STORE_UP,
	STEK_EVENT_STORE_DOWN,		/* detail: what the store said */
	STEK_EVENT_STORE_REFUSED,
	STEK_EVENT_RECORD_BAD,		/* a document was refused; the good ring kept */
	STEK_EVENT_MINTED,
	STEK_EVENT_RESTORED,		/* we put back what the store had lost */
	STEK_EVENT_REVOKED,
	STEK_EVENT_NO_ACTIVE_KEY,	/* nobody may seal now */
	STEK_EVENT_ACTIVE_KEY,		/* the sealing key changed */
	STEK_EVENT_CLOCK,		/* offset to the store past 0.5 s */
	STEK_EVENT_STATE_FILE,		/* the kept copy could not be read or written */
	STEK_EVENT_SAME_NAME,		/* another process beats as this node */
	STEK_EVENT_UNCONFIRMED,		/* a write stands, but too few replicas have it */
	STEK_EVENT_FARM_KEY,		/* keys were read again, or the ring resealed */
	STEK_EVENT_LAGGING,		/* a live node does not take the ring */
};

STEK_API const char *stek_event_name(enum stek_event_kind kind);

struct stek_event {
	enum stek_event_kind kind;
	int error;			/* enum stek_error or 0 */
	struct stek_version version;
	uint8_t key_id[STEK_ID_LEN];	/* zero where no key is meant */
	const char *detail;		/* never NULL, valid during the call */
};

/* How a Redis is reached, beyond its URL and login. Zero: off. */
struct stek_store_reach {
	/* rediss:// and sentinels://: PEM files, read at every connection. */
	const char *ca;			/* who signs the servers; required */
	const char *certificate;	/* our own, with its chain */
	const char *key;		/* of it; only its owner may read it */
	const char *server_name;	/* expected; NULL: the URL's host */
	/* The Sentinels' own login; NULL: none. */
	const char *sentinel_user;
	const char *sentinel_password_file;
	/*
	 * A new ring is awaited on so many replicas. It stands when fewer
	 * confirm it, but that is told: STEK_EVENT_UNCONFIRMED, counted.
	 */
	uint32_t wait_replicas;		/* at most 16 */
	uint32_t wait_ms;		/* for them; default 200, at most 800 */
};

/*
 * One store. redis://HOST[:PORT][,HOST[:PORT]...][/DB], rediss:// (TLS),
 * sentinel://HOST[:PORT][,HOST[:PORT]...]/MASTER[/DB], sentinels:// (TLS),
 * unix:/PATH[?db=N], file:/DIRECTORY. Several hosts are tried in turn:
 * Sentinels of one master, or nodes of one Cluster. User and password never
 * stand in the URL.
 */
struct stek_store_config {
	const char *url;		/* required */
	const char *user;		/* NULL: Redis' default user */
	const char *password_file;	/* NULL: none */
	struct stek_store_reach reach;
};

struct stek_farm_options {
	const char *farm;		/* name; required */
	const char *node;		/* name; required, unique in the farm */
	const char *farm_key_file;	/* see stek_farm_key_generate(); required */
	const char *state_dir;		/* keeps the last ring, sealed; NULL: none */
	/*
	 * Where the nodes meet: one store, by the four short members, or up
	 * to STEK_STORES_MAX of them, each independent of the others. What
	 * they hold is united; a change counts once one of them took it.
	 */
	const char *store_url;
	const char *store_user;
	const char *store_password_file;
	struct stek_store_reach store_reach;
	const struct stek_store_config *stores;	/* NULL: the short members */
	size_t n_stores;
	struct stek_policy policy;
	/*
	 * Called on the sync thread; must not block. What waits for that thread
	 * (rotate, revoke, members, audit, audit_note, key_reload) answers
	 * STEK_EINVAL there; stek_farm_close() must not be called.
	 */
	void (*on_event)(void *user, const struct stek_event *event);
	/*
	 * Called on the sync thread before a heartbeat: writes at most cap
	 * bytes of the application's own (counters) and returns their number.
	 */
	size_t (*on_beat)(void *user, uint8_t *buf, size_t cap);
	void *user;
};

struct stek_farm;

/*
 * Checks the options, reads the farm key and the kept ring. Does no network
 * I/O and starts no thread. On failure `why` (of why_len bytes, may be NULL)
 * gets one line that names the option and what was expected. Strings are
 * copied. The caller owns *out and ends it with stek_farm_close().
 */
STEK_API int stek_farm_open(struct stek_farm **out,
			    const struct stek_farm_options *options,
			    char *why, size_t why_len) STEK_CHECKED;

/* Starts the sync thread. Call after any daemonising; once. */
STEK_API int stek_farm_start(struct stek_farm *farm) STEK_CHECKED;

/*
 * Takes the node out of the farm's member list, ends the sync thread and wipes
 * every key. Every attached WOLFSSL_CTX must have been freed. NULL is legal.
 */
STEK_API void stek_farm_close(struct stek_farm *farm);

/* Farm time now. No lock, no system call but the clock's. */
STEK_API int64_t stek_farm_now_ms(const struct stek_farm *farm);

STEK_API const char *stek_farm_name(const struct stek_farm *farm);
STEK_API const char *stek_farm_node(const struct stek_farm *farm);

/* The 4 bytes by which tickets name their issuing node: SHA-256(name)[0..3]. */
STEK_API uint32_t stek_farm_node_id(const struct stek_farm *farm);

/* True if a key may seal now. No lock: for the set-up of a connection. */
STEK_API bool stek_farm_can_seal(struct stek_farm *farm);

/*
 * True if the ring holds a key of this name, so that a ticket which begins with
 * it may well be the farm's. Any thread.
 */
STEK_API bool stek_farm_has_key(struct stek_farm *farm,
				const uint8_t name[STEK_ID_LEN]);

/* The installed ring; never blocks on the store. */
STEK_API void stek_farm_ring(struct stek_farm *farm,
			     struct stek_ring_info *out);

enum stek_store_state {
	STEK_STORE_CONNECTING,
	STEK_STORE_OK,
	STEK_STORE_UNAVAILABLE,
	STEK_STORE_REFUSED,
};

STEK_API const char *stek_store_state_name(enum stek_store_state state);

/* One of a node's stores. */
struct stek_store_status {
	enum stek_store_state state;
	int64_t since_ms;		/* farm time of the last change of state */
	int64_t ok_at_ms;		/* last answer; 0: never */
	char detail[160];		/* what it last said when not ok */
	double clock_offset_ms;		/* its clock minus this wall clock */
	bool clock_known;
};

/*
 * Farm time follows the stores' clock up to the cap; past it keys would be
 * paced wrongly, so such a node should not serve. Nor should one whose farm
 * time still differs by more than tickets tolerate between two nodes.
 */
#define STEK_CLOCK_ALARM_MS 500
#define STEK_CLOCK_CAP_MS 10000
#define STEK_CLOCK_ERROR_MAX_MS 6000

struct stek_status {
	enum stek_store_state store;	/* OK when one of the stores is */
	int64_t store_since_ms;		/* farm time of the last change of state */
	int64_t store_ok_at_ms;		/* last answer of any; 0: never */
	char store_detail[160];		/* what one last said when none is ok */
	size_t n_stores;
	struct stek_store_status stores[STEK_STORES_MAX]; /* in their order */
	double clock_offset_ms;		/* stores' clock minus this wall clock */
	double clock_error_ms;		/* what of it farm time does not have */
	double clock_spread_ms;		/* by which the stores' clocks differ */
	bool clock_known;
	uint64_t polls, poll_errors;
	uint64_t published, conflicts, minted, restored, records_refused;
	struct stek_version version;
	uint32_t replicas_wanted;	/* for each write; 0: none awaited */
	uint32_t replicas_confirmed;	/* that had the last write */
	uint64_t unconfirmed;		/* writes that fewer had than wanted */
	uint32_t lagging;		/* live nodes that lack an older ring */
	bool same_name;			/* another process beats as this node */
};

STEK_API void stek_farm_status(struct stek_farm *farm,
			       struct stek_status *out);

struct stek_member {
	char name[STEK_NAME_MAX + 1];
	uint32_t id;
	bool live;		/* heartbeat younger than three intervals */
	bool self;
	int64_t age_ms;		/* of the heartbeat, by the store's clock */
	int64_t started_at_ms;
	double clock_offset_ms;
	struct stek_version version;	/* held by all workers of that node */
	/* Ids of its farm keys in the order of its file; 0: an older release. */
	size_t n_farm_keys;
	size_t sealing_farm_key;	/* which of them */
	uint8_t farm_keys[STEK_FARM_KEYS_MAX][STEK_FARM_KEY_ID_LEN];
	size_t payload_len;
	uint8_t payload[STEK_PAYLOAD_MAX];	/* from that node's on_beat */
};

/*
 * All members that the store knows, sorted by name; blocks for one store
 * round trip, at most timeout_ms. The caller frees *out with free().
 */
STEK_API int stek_farm_members(struct stek_farm *farm, uint32_t timeout_ms,
			       struct stek_member **out, size_t *n)
	STEK_CHECKED;

/* What became of one node during a rotation or revocation. */
struct stek_ack {
	char name[STEK_NAME_MAX + 1];
	bool acknowledged;
	uint32_t after_ms;	/* since the write was accepted */
};

struct stek_change {
	uint8_t key_id[STEK_ID_LEN];	/* the new key */
	/*
	 * When it becomes active; 0: no new key. On STEK_EREFUSED by the rate
	 * limit, when the next rotation may be.
	 */
	int64_t activate_at_ms;
	struct stek_version version;	/* that was waited for */
	size_t n_revoked;
	size_t n_acks;
	struct stek_ack *acks;		/* live nodes; stek_change_clear() frees */
	bool published;		/* false: revoked here only, the store is away */
	bool dry_run;		/* nothing was changed: this is what would be */
	bool replayed;		/* the answer to an earlier, equal request */
	char detail[160];	/* on failure: why */
	uint8_t revoked_ids[STEK_RING_KEYS_MAX][STEK_ID_LEN];	/* n_revoked */
};

STEK_API void stek_change_clear(struct stek_change *change);

#define STEK_NOTE_MAX 200

struct stek_rotate {
	bool force;		/* ignore the rate limit and lagging nodes */
	/*
	 * The ring that is to be changed; NULL: any. STEK_ECONFLICT and nothing
	 * is changed when the store holds another, whoever changed it and
	 * however lately. A request that comes again gets the first answer all
	 * the same.
	 */
	const struct stek_version *expect;
	bool epoch_only;	/* of that, the digest does not matter */
	const char *who;	/* for the audit stream; required */
	/*
	 * Which request this is: at most 64 printable ASCII characters, NULL
	 * for none. A second request of that name within 24 h gets the answer
	 * of the first and changes nothing (STEK_EREUSED when it asks for
	 * something else), also at another node if the store answers both
	 * times. A request that was refused and changed nothing may come again.
	 */
	const char *request;
	bool dry_run;		/* say what would happen, change nothing */
	const char *from;	/* address of who asks, for the audit; or NULL */
	/* Why, for the audit: 1 to STEK_NOTE_MAX printable ASCII, or NULL. */
	const char *note;
};

/*
 * Publishes a key that becomes active rotate_delay_ms from now and waits, at
 * most half of that, until every live node has acknowledged it. If one has not
 * and `force` is unset, the new key is revoked before it was ever used and the
 * answer is STEK_ETIMEOUT; `out` then names the nodes. `out` is written in
 * every case and must be cleared.
 */
STEK_API int stek_farm_rotate(struct stek_farm *farm,
			      const struct stek_rotate *request,
			      struct stek_change *out) STEK_CHECKED;

struct stek_revoke {
	bool all;		/* every key, pending included, and the floor */
	const uint8_t (*ids)[STEK_ID_LEN];
	size_t n_ids;
	const char *who;
	const char *request;	/* as in struct stek_rotate */
	bool dry_run;
	const char *from;
	/*
	 * As in struct stek_rotate. Only a store can say whether the ring is
	 * that one, so nothing is revoked before one took the change.
	 */
	const struct stek_version *expect;
	bool epoch_only;
	const char *note;	/* as in struct stek_rotate */
};

/*
 * Revokes at once on this node (unless `expect` is set), publishes tombstones, a replacement active
 * after revoke_delay_ms and the pending keys, and waits up to 10 s for every
 * live node. Without a store: STEK_EUNAVAILABLE, revoked here, spread when the
 * store is back (out->published is false); with `expect` nothing is revoked
 * then. `out` is written in every case.
 */
STEK_API int stek_farm_revoke(struct stek_farm *farm,
			      const struct stek_revoke *request,
			      struct stek_change *out) STEK_CHECKED;

/* One entry of the audit. */
struct stek_audit_entry {
	uint64_t seq;			/* 0: no entry at all */
	uint8_t farm_key_id[STEK_FARM_KEY_ID_LEN];	/* it is sealed under */
	char *text;			/* JSON; or what stands there */
	char fault[128];		/* "" or what is wrong with it */
	unsigned stores;		/* bit N: read in stores[N] */
};

/* The chain of one of the stores. */
struct stek_audit_store {
	bool answered;			/* else nothing is known of it */
	size_t n_checked;
	size_t n_lacking;		/* with `whole`: true entries that another
					   store has and this one lacks */
	bool broken;
	uint64_t broken_seq;		/* of the first that is broken */
	size_t broken_at;		/* its place, from the oldest kept */
	char fault[128];		/* what is wrong with it */
};

struct stek_audit_list {
	size_t n;
	/* Oldest first; a true one that several stores have is here once. */
	struct stek_audit_entry *entries;
	size_t n_stores;
	struct stek_audit_store stores[STEK_STORES_MAX]; /* in their order */
	size_t n_checked;		/* in all chains */
	bool broken;			/* one of them is: */
	size_t broken_store;		/* the first, and of it as above */
	uint64_t broken_seq;
	size_t broken_at;
	char fault[128];
};

/*
 * The newest entries, at most `limit`; each is checked, and with `whole` every
 * one that the stores keep, their beginning and their end too. `out` is written
 * only on success (a broken chain is one, and so is a store that does not
 * answer beside one that does) and ended by stek_audit_clear().
 */
STEK_API int stek_farm_audit(struct stek_farm *farm, size_t limit, bool whole,
			     uint32_t timeout_ms, struct stek_audit_list *out)
	STEK_CHECKED;
STEK_API void stek_audit_clear(struct stek_audit_list *list);

/* What the application did itself, say read its configuration again. */
struct stek_note {
	const char *who;	/* required */
	const char *from;	/* address of who asked; or NULL */
	const char *action;	/* one or two words: a-z, '-', ' '; required */
	const char *result;	/* "ok", or what went wrong; required */
	const char *detail;	/* or NULL */
};

/*
 * Writes it into the audit. Waits for the sync thread, not for a store: while
 * none answers the entry waits here. Texts are cut at 255 bytes, what is not
 * printable ASCII is shown as '?'.
 */
STEK_API int stek_farm_audit_note(struct stek_farm *farm,
				  const struct stek_note *note) STEK_CHECKED;

/* The farm keys of this node, and of the ring that the store holds. */
struct stek_farm_key_status {
	size_t n;
	uint8_t ids[STEK_FARM_KEYS_MAX][STEK_FARM_KEY_ID_LEN];	/* by file */
	size_t seals;		/* which of them */
	bool ring_known;
	uint8_t ring[STEK_FARM_KEY_ID_LEN];	/* seals the store's ring */
	bool lacking;		/* that one is not held here */
};

STEK_API void stek_farm_key_status(struct stek_farm *farm,
				   struct stek_farm_key_status *out);

/*
 * Reads the farm-key file again: all of it or nothing. On failure `why` names
 * file and line and the old keys stay; `who` and `from` (or NULL) go into the
 * audit. STEK_EREFUSED: the file lacks the key under which the ring is sealed.
 * To roll over, append the new key as last line on every node, reload each;
 * once all live nodes hold it the ring is sealed under it, and the old line may
 * go.
 */
STEK_API int stek_farm_key_reload(struct stek_farm *farm, const char *who,
				  const char *from, char *why, size_t why_len)
	STEK_CHECKED;

/* As stek_farm_key_generate(), but adds the key as last line of a file. */
STEK_API int stek_farm_key_append(const char *path, uint8_t id[8], char *why,
				  size_t why_len) STEK_CHECKED;

/*
 * Makes a farm key of 32 random bytes and writes it to `path`, mode 0600, in
 * the format that stek_farm_open() reads: one line "stek-farm-key-1 ID SECRET"
 * in hexadecimal, comments by '#'. Never overwrites (STEK_EREFUSED). `id` gets
 * the public id by which documents name the key.
 */
STEK_API int stek_farm_key_generate(const char *path, uint8_t id[8])
	STEK_CHECKED;

#ifdef __cplusplus
}
#endif

#endif
