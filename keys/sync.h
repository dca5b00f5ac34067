/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sync.h - the one thread of a farm that talks to the store, as its files share
 * it: sync.c is the loop, request.c what other threads ask for, pace.c the
 * clocks, merge.c what is fetched, merged and published, keep.c the copy on
 * disk, member.c who is there, change.c and revoke.c rotation and revocation,
 * audit.c the record of them.
 *
 * Everything here runs on the sync thread but for the functions that say so.
 * A test drives the same code without the thread, by stek__sync_step().
 */
#ifndef STEK_SYNC_H
#define STEK_SYNC_H

#include "farm.h"

#define STEK_WHO_MAX 128
#define STEK_AUDIT_QUEUE 16
#define STEK_OFFSETS 8
#define STEK_STORE_TIMEOUT_MS 1000
#define STEK_REVOKE_WAIT_MS 10000
#define STEK_REVERT_WAIT_MS 3000

enum stek_command_kind {
	STEK_COMMAND_ROTATE,
	STEK_COMMAND_REVOKE,
	STEK_COMMAND_MEMBERS,
};

/*
 * Where a rotation or revocation is. Allowed: NEW to PUBLISH or DONE, PUBLISH
 * to WAIT or DONE, WAIT to REVERT or DONE, REVERT to DONE.
 */
enum stek_phase {
	STEK_PHASE_NEW,
	STEK_PHASE_PUBLISH,	/* its keys are not in the store yet */
	STEK_PHASE_WAIT,	/* for the nodes' acknowledgements */
	STEK_PHASE_REVERT,	/* a rotation that not all nodes took in time */
	STEK_PHASE_DONE,
};

/* A request, its progress and its answer. */
struct stek_command {
	enum stek_command_kind kind;
	struct stek_command *next;

	/* The request; copied, immutable. */
	bool force, all, has_expect;
	struct stek_version expect;
	uint8_t (*ids)[STEK_ID_LEN];
	size_t n_ids;
	char who[STEK_WHO_MAX];

	/* Progress; the sync thread's. Times of the monotonic clock. */
	enum stek_phase phase;
	uint64_t epoch_before;
	bool replace;		/* the revoked key was the one that seals */
	unsigned tries;
	uint64_t tried_beat;	/* the exchange after which it last tried */
	int64_t began_ms;
	int64_t accepted_ms;	/* the write was */
	int64_t wait_until_ms;
	int64_t next_poll_ms;
	int64_t poll_gap_ms;

	/* The answer. Belongs to the caller once `done`. */
	struct stek_change change;
	struct stek_member *members;
	size_t n_members;
	int result;

	/* Under the sync's lock. The second of caller and thread frees. */
	bool done;
	bool abandoned;
};

struct stek_sync {
	struct stek_farm *farm;
	pthread_t thread;
	bool started;
	int wake_fd;

	/* Under `lock`: what other threads see. */
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool stop;
	struct stek_command *inbox;	/* first come, first served */
	struct stek_status status;

	/* The rest is the sync thread's. */
	struct stek_store *store;
	enum stek_store_state state;
	char *state_dir;		/* of the kept ring, or NULL */
	char state_name[STEK_NAME_MAX + 8], state_aside[STEK_NAME_MAX + 16];
	char *state_fault;		/* told by the first step, or NULL */
	bool keep_due;			/* the file holds another ring */
	bool keep_failed;
	int64_t keep_retry_ms;

	void (*on_event)(void *user, const struct stek_event *event);
	size_t (*on_beat)(void *user, uint8_t *buf, size_t cap);
	void *user;
	int64_t started_at_ms;
	bool beaten;		/* the store has a heartbeat of this process */
	int64_t twin_ms;	/* started_at of who else beats as us; 0: none */

	int64_t next_beat_ms;	/* monotonic, as all below */
	int64_t last_beat_ms;
	uint64_t beats;		/* exchanges so far */
	unsigned failures;	/* beats without an answer in a row */
	bool in_sync;		/* the store's version is ours */
	bool absent;		/* the store has no ring, and neither have we */
	struct stek_version bad;	/* last refused version of the store */
	bool has_bad;
	int64_t mint_at_ms;	/* a key is missing: when to make it; 0 none */
	int64_t prune_after_ms;	/* not before: publish only to delete */

	int64_t offsets_us[STEK_OFFSETS];
	size_t n_offsets, next_offset;
	bool clock_alarm;
	int64_t slewed_at_ms;

	struct stek_version told;	/* in the last event of a ring */
	bool sealing_told;
	uint8_t sealing_id[STEK_ID_LEN];	/* zero: none */
	int64_t next_event_ms;	/* farm time */

	struct stek_command *queue;	/* taken from the inbox */
	struct stek_command *current;	/* rotation or revocation under way */
	char *audit[STEK_AUDIT_QUEUE];
	size_t n_audit;
};

/* sync.c */
int stek__sync_new(struct stek_sync **out, struct stek_farm *farm,
		   struct stek_store *store,
		   const struct stek_farm_options *options) STEK_CHECKED;
int stek__sync_start(struct stek_sync *sync) STEK_CHECKED;
void stek__sync_stop(struct stek_sync *sync);	/* joins; forgets the node */
void stek__sync_free(struct stek_sync *sync);

/*
 * Everything that is due now; `hinted`: the store said that there is news.
 * Returns for how many milliseconds nothing will be due.
 */
int64_t stek__sync_step(struct stek_sync *sync, bool hinted);

/*
 * Any thread. Hands the command over and waits for its answer, at most
 * `timeout_ms`; STEK_EUNAVAILABLE then. True in *mine when the caller must
 * free the command.
 */
int stek__sync_call(struct stek_sync *sync, struct stek_command *command,
		    int64_t timeout_ms, bool *mine) STEK_CHECKED;
/* The first half of it, for tests that step by hand. */
void stek__sync_submit(struct stek_sync *sync, struct stek_command *command);

void stek__sync_finish(struct stek_sync *sync, struct stek_command *command,
		       int result);
void stek__command_free(struct stek_command *command);

void stek__sync_event(struct stek_sync *sync, enum stek_event_kind kind,
		      int error, const uint8_t *key_id, const char *detail);
/* A call of the store ended with `err`: tells what changes by that. */
void stek__sync_answered(struct stek_sync *sync, int err);
/* Adds to a counter of the status. */
void stek__sync_count(struct stek_sync *sync, uint64_t *counter);
struct stek_ring *stek__sync_ring(struct stek_sync *sync);
int64_t stek__sync_mono(const struct stek_sync *sync);
int64_t stek__sync_farm_ms(const struct stek_sync *sync);
uint32_t stek__sync_random(const struct stek_sync *sync, uint32_t bound);

/*
 * Makes `ring` (takes over the reference) what this node seals and opens with;
 * dead keys' secrets are wiped before anyone sees it.
 */
void stek__sync_install(struct stek_sync *sync, struct stek_ring *ring);

/* pace.c */
void stek__pace_sample(struct stek_sync *sync, int64_t before_ms,
		       int64_t after_ms, const struct stek_pulse *pulse);
void stek__pace_slew(struct stek_sync *sync);
int64_t stek__pace_offset_us(const struct stek_sync *sync);	/* median */
void stek__pace_retry(struct stek_sync *sync);	/* sets next_beat_ms */

/* merge.c */
/* Makes ours and the store's rings one; `pulse` is what the store just said. */
void stek__merge(struct stek_sync *sync, const struct stek_pulse *pulse);
/*
 * Publishes base and `extra` as base's epoch + 1, and installs that when the
 * store accepted it. `expect` is what the store holds; NULL: nothing.
 */
int stek__merge_propose(struct stek_sync *sync, const struct stek_ring *base,
			struct stek_key *const *extra, size_t n_extra,
			const struct stek_version *expect) STEK_CHECKED;
/* What the store holds while in sync. */
const struct stek_version *stek__merge_expect(struct stek_sync *sync);
/* Mints what the schedule misses, when in sync and due. */
void stek__merge_mint(struct stek_sync *sync);
/* Adds keys for what the schedule misses in `ring`; returns their number. */
size_t stek__merge_missing(struct stek_sync *sync, const struct stek_ring *ring,
			   struct stek_key *out[STEK_MISSING_MAX]);

/* keep.c */
/* At opening: *out is NULL when there is none; a bad one is set aside. */
int stek__keep_read(struct stek_sync *sync, struct stek_ring **out) STEK_CHECKED;
void stek__keep_write(struct stek_sync *sync);

/* member.c */
int stek__member_list(struct stek_sync *sync, struct stek_member **out,
		      size_t *n) STEK_CHECKED;
void stek__member_beat(struct stek_sync *sync);	/* one exchange with the store */

/* change.c */
void stek__change_begin(struct stek_sync *sync, struct stek_command *command);
void stek__change_step(struct stek_sync *sync);
int64_t stek__change_due_ms(const struct stek_sync *sync);	/* monotonic */
/* A union with what the current revocation wants was accepted. */
void stek__change_published(struct stek_sync *sync);

/* revoke.c */
/* In force on this node when it returns 0. */
int stek__revoke_here(struct stek_sync *sync, struct stek_command *command)
	STEK_CHECKED;
/* Keys that the current revocation adds to `base`; returns their number. */
size_t stek__revoke_extra(struct stek_sync *sync, const struct stek_ring *base,
			  struct stek_key *out[STEK_MISSING_MAX + 1]);

/* audit.c */
void stek__audit_add(struct stek_sync *sync,
		     const struct stek_command *command);
void stek__audit_flush(struct stek_sync *sync);

/* farm.c, for tests: NULL for the real clocks, the store of the options. */
int stek__farm_open(struct stek_farm **out,
		    const struct stek_farm_options *options,
		    const struct stek_io *io, struct stek_store *store,
		    char *why, size_t why_len) STEK_CHECKED;

#endif
