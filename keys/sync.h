/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sync.h - the one thread of a farm that talks to the store, as its files share
 * it: sync.c is the loop, link.c the stores, request.c what other threads ask
 * for, pace.c and astray.c the clocks, merge.c what is fetched and merged,
 * publish.c what is written, keep.c the copy on disk, member.c who is there,
 * lag.c who does not follow, late.c which keys came late, change.c, rotate.c,
 * revoke.c and ack.c rotation and revocation, audit.c the record of them.
 *
 * Everything here runs on the sync thread but for the functions that say so.
 * A test drives the same code without the thread, by stek__sync_step().
 */
#ifndef STEK_SYNC_H
#define STEK_SYNC_H

#include "audit.h"
#include "farm.h"
#include "idem.h"
#include "roll.h"

#define STEK_WHO_MAX 128
#define STEK_OFFSETS 8
#define STEK_HELD_MAX 16
#define STEK_TAILS 32
#define STEK_TAILS_LOST 512	/* of an hour's tries, or so */
#define STEK_STORE_TIMEOUT_MS 1000
#define STEK_LIVE_BEATS 3	/* without one of so many a node is gone */
/*
 * Entries past expiry are deleted from the stores this much later, when every
 * clock agrees on it; else a slow node would put them back.
 */
#define STEK_PRUNE_GRACE_MS 30000
#define STEK_REVOKE_WAIT_MS 10000
#define STEK_REVERT_WAIT_MS 3000

enum stek_command_kind {
	STEK_COMMAND_ROTATE,
	STEK_COMMAND_REVOKE,
	STEK_COMMAND_MEMBERS,
	STEK_COMMAND_AUDIT,
	STEK_COMMAND_RELOAD,
	STEK_COMMAND_NOTE,
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
	bool force, all, has_expect, epoch_only;
	struct stek_version expect;
	uint8_t (*ids)[STEK_ID_LEN];
	size_t n_ids;
	char who[STEK_WHO_MAX], from[STEK_WHO_MAX];
	char request[STEK_REQUEST_MAX + 1];	/* its name, or "" */
	char note[STEK_NOTE_MAX + 1];		/* why, or "" */
	bool dry_run, verify;
	size_t limit;
	char action[32], outcome[256], detail[256];	/* of a note */

	/* Progress; the sync thread's. Times of the monotonic clock. */
	enum stek_phase phase;
	bool asked;		/* its name stands in the audit */
	uint64_t epoch_before;
	bool applied;		/* a revocation: in force on this node */
	bool replace;		/* the revoked key was the one that seals */
	unsigned tries;
	uint64_t tried_beat;	/* the exchange after which it last tried */
	int64_t began_ms;
	int64_t accepted_ms;	/* the write was */
	int64_t wait_until_ms;
	int64_t next_poll_ms;
	int64_t poll_gap_ms;
	/* Versions of our ring since then, each with the change; the last ones. */
	struct stek_version held[STEK_HELD_MAX];
	size_t n_held;

	/* The answer. Belongs to the caller once `done`. */
	struct stek_change change;
	struct stek_member *members;
	size_t n_members;
	struct stek_audit_list audit;
	char why[256];
	int result;

	/* Under the sync's lock. The second of caller and thread frees. */
	bool done;
	bool abandoned;
};

/* One store. Each has a state of its own; what they hold is united. */
struct stek_link {
	struct stek_store *store;
	enum stek_store_state state;
	int64_t next_beat_ms;	/* monotonic, as all times here */
	int64_t last_beat_ms;
	int64_t ok_ms;		/* last answer */
	unsigned failures;	/* beats without an answer in a row */
	bool known;		/* what it holds is: */
	bool empty;		/* no ring, */
	int64_t empty_at_ms;	/* found so then */
	struct stek_version held;	/* or this one */
	struct stek_version told;	/* what our last heartbeat there said */
	bool beaten;		/* since it answers it has a heartbeat of this
				   process, */
	int64_t beaten_at_ms;	/* written then, by the store's clock */
	struct stek_version bad;	/* last refused version of the store */
	bool has_bad;		/* it still holds that */
	int64_t offsets_us[STEK_OFFSETS];
	size_t n_offsets, next_offset;
	uint8_t place[STEK_PLACE_LEN];	/* which store it is, by its URL */
	struct stek_head audit_head;	/* the last entry there we know of */
	bool audit_shut;	/* it refused one: none is handed on to it */
};

/* Whether every live node acknowledges the ring; times monotonic. */
struct stek_lag {
	int64_t next_ms;	/* of the next look; 0: there was none */
	struct stek_version looked;	/* our ring at the last look */
	uint32_t n;		/* nodes that lagged then */
};

/* A key that reached us late. */
struct stek_late {
	uint8_t id[STEK_ID_LEN];
	int64_t until_ms;	/* monotonic: others may seal until then */
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
	struct stek_link links[STEK_STORES_MAX];
	size_t n_links;
	struct stek_store *store;	/* the first that answers */
	enum stek_store_state state;	/* of all: OK when one answers */
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
	int64_t twin_ms;	/* started_at of who else beats as us; 0: none */
	int64_t twin_seen_ms;	/* monotonic */
	/* How the last heartbeats ended that we wrote, to whichever store. */
	uint8_t tails[STEK_TAILS][STEK_BEAT_TAIL];
	size_t next_tail;
	/* And of those without an answer: they may get there much later. */
	uint8_t lost[STEK_TAILS_LOST][STEK_BEAT_TAIL];
	size_t next_lost;

	int64_t next_beat_ms;	/* monotonic: beat all then, not only who
				   is due; INT64_MAX: no need */
	int64_t last_beat_ms;	/* monotonic, as all below */
	uint64_t beats;		/* exchanges so far */
	bool in_sync;		/* each store that answers holds our ring */
	bool absent;		/* no store has a ring, and neither have we */
	bool has_bad;		/* all that the stores hold does not open */
	int64_t mint_at_ms;	/* a key is missing: when to make it; 0 none */
	int64_t prune_after_ms;	/* not before: publish only to delete */

	bool clock_alarm, spread_alarm;
	bool astray;	/* our clock is not the farm's, or nobody knows */
	bool astray_seen, astray_told;	/* by the last look at the others */
	int64_t wall_ahead_ms;	/* of the monotonic one, at the last exchange */
	int64_t astray_look_ms;	/* when it may be looked at again */
	int64_t slewed_at_ms;	/* 0: never */
	bool paced;	/* each store was asked once: no more steps */

	struct stek_version told;	/* in the last event of a ring */
	bool sealing_told;
	uint8_t sealing_id[STEK_ID_LEN];	/* zero: none */
	int64_t next_event_ms;	/* farm time */

	struct stek_command *queue;	/* taken from the inbox */
	struct stek_command *current;	/* rotation or revocation under way */
	struct stek_audit audit;
	struct stek_idem idem;
	struct stek_roll roll;
	struct stek_lag lag;
	struct stek_late late[STEK_RING_KEYS_MAX];
	size_t n_late;
	int64_t late_again_ms;	/* monotonic; 0: the ring is marked as it must */
};

/* sync.c */
/* Takes over the stores when it returns 0. */
int stek__sync_new(struct stek_sync **out, struct stek_farm *farm,
		   struct stek_store *const *stores, size_t n_stores,
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
 * Any thread, but STEK_EINVAL on the sync thread itself. Hands the command over
 * and waits for its answer, at most `timeout_ms`; STEK_EUNAVAILABLE then. True in *mine when the caller must
 * free the command.
 */
int stek__sync_call(struct stek_sync *sync, struct stek_command *command,
		    int64_t timeout_ms, bool *mine) STEK_CHECKED;
/* The first half of it, for tests that step by hand. */
void stek__sync_submit(struct stek_sync *sync, struct stek_command *command);

void stek__sync_finish(struct stek_sync *sync, struct stek_command *command,
		       int result);

void stek__sync_event(struct stek_sync *sync, enum stek_event_kind kind,
		      int error, const uint8_t *key_id, const char *detail);
/* A call of sync->store ended with `err`: tells what changes by that. */
void stek__sync_answered(struct stek_sync *sync, int err);
/* Adds to a counter of the status. */
void stek__sync_count(struct stek_sync *sync, uint64_t *counter);
struct stek_ring *stek__sync_ring(const struct stek_sync *sync);
int64_t stek__sync_mono(const struct stek_sync *sync);
int64_t stek__sync_farm_ms(const struct stek_sync *sync);
uint32_t stek__sync_random(const struct stek_sync *sync, uint32_t bound);

/*
 * Makes `ring` (takes over the reference) what this node seals and opens with;
 * dead keys' secrets are wiped, and late keys told to yield, before anyone sees
 * it.
 */
void stek__sync_install(struct stek_sync *sync, struct stek_ring *ring);

/* request.c */
void stek__command_free(struct stek_command *command);

/* link.c */
/* Which store each is, by what is the same on every node: its URL. */
int stek__links_place(struct stek_sync *sync, size_t n,
		      const struct stek_farm_options *options) STEK_CHECKED;
void stek__link_answered(struct stek_sync *sync, struct stek_link *link,
			 int err);
/* It holds this version; NULL: nothing. */
void stek__link_holds(struct stek_sync *sync, struct stek_link *link,
		      const struct stek_version *version);
/*
 * The one whose place comes after that of `before` (NULL: the first), or NULL.
 * All nodes go by this order, so that of two only one is the first anywhere.
 */
struct stek_link *stek__link_next(struct stek_sync *sync,
				  const struct stek_link *before);
void stek__link_unknown(struct stek_sync *sync, struct stek_link *link);
bool stek__link_in_sync(const struct stek_sync *sync,
			const struct stek_link *link);
/* What all links make of in_sync, absent, state and store. */
void stek__link_refresh(struct stek_sync *sync);
void stek__link_beats(struct stek_sync *sync);	/* those that are due */
int64_t stek__link_due_ms(const struct stek_sync *sync);

/* pace.c */
void stek__pace_sample(struct stek_link *link, int64_t before_ms,
		       int64_t after_ms, const struct stek_pulse *pulse);
/* It answered: what was measured long ago is forgotten. */
void stek__pace_answered(struct stek_sync *sync, struct stek_link *link);
void stek__pace_slew(struct stek_sync *sync);
/* The stores' clock minus ours: the median over the stores of medians. */
int64_t stek__pace_offset_us(const struct stek_sync *sync);
/* The median of what one store's clock was ahead of ours lately. */
int64_t stek__pace_link_us(const struct stek_link *link);
/* Sets next_beat_ms after a failure. */
void stek__pace_retry(struct stek_sync *sync, struct stek_link *link);

/* astray.c */
/* After an exchange: compares us with the others if the clock is past the cap. */
void stek__astray_look(struct stek_sync *sync, const struct stek_link *link);
/* True when our clock is not the farm's, or was set since the last exchange. */
bool stek__astray(const struct stek_sync *sync);

/* merge.c */
/* Makes ours and a store's rings one; `pulse` is what it just said. */
void stek__merge(struct stek_sync *sync, struct stek_link *link,
		 const struct stek_pulse *pulse);
/*
 * Publishes base and `extra` as base's epoch + 1 to every store that is in
 * sync, and to `link` (or NULL), whose ring is part of base; installs that
 * when one store accepted it.
 */
int stek__merge_propose(struct stek_sync *sync, const struct stek_ring *base,
			struct stek_key *const *extra, size_t n_extra,
			struct stek_link *link) STEK_CHECKED;
/* Our ring as it is into a store that holds a part of it. */
int stek__merge_copy(struct stek_sync *sync, struct stek_link *link)
	STEK_CHECKED;
/* Another node was first there. */
void stek__merge_again_soon(struct stek_sync *sync, struct stek_link *link);
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
/* A heartbeat that does not open is not of this farm. */
bool stek__member_open(struct stek_sync *sync, struct stek_link *link,
		       const struct stek_raw_member *raw, int64_t now_ms,
		       struct stek_member *out);
int stek__member_list(struct stek_sync *sync, struct stek_member **out,
		      size_t *n) STEK_CHECKED;
/* As far as a heartbeat can say it: some 35 minutes. */
int64_t stek__member_offset_us(int64_t offset_us);
/* Exchanges with one store until both sides know the same. */
void stek__member_beat(struct stek_sync *sync, struct stek_link *link);

/* lag.c */
void stek__lag_step(struct stek_sync *sync);
int64_t stek__lag_due_ms(const struct stek_sync *sync);	/* monotonic */

/* late.c */
/*
 * `ring` is about to take the place of ours: says which of its keys yield. It
 * may become another ring of the same content.
 */
void stek__late_mark(struct stek_sync *sync, struct stek_ring **ring);
int64_t stek__late_due_ms(const struct stek_sync *sync);	/* monotonic */

/* twin.c: another process under this node's name. */
void stek__twin_wrote(struct stek_sync *sync, const uint8_t *data, size_t len);
/* The same has no answer. */
void stek__twin_lost(struct stek_sync *sync, const uint8_t *data, size_t len);
/* The heartbeat that ours took the place of, before `pulse` is entered. */
void stek__twin_before(struct stek_sync *sync, struct stek_link *link,
		       const struct stek_pulse *pulse);
/* What was read under our name. */
void stek__twin_read(struct stek_sync *sync, const struct stek_link *link,
		     const struct stek_member *self, int64_t seen_at_ms);
void stek__twin_pass(struct stek_sync *sync);	/* it may have gone */

/* change.c */
void stek__change_begin(struct stek_sync *sync, struct stek_command *command);
void stek__change_step(struct stek_sync *sync);
int64_t stek__change_due_ms(const struct stek_sync *sync);	/* monotonic */
/* A union with what the current revocation wants was accepted. */
void stek__change_published(struct stek_sync *sync);
/* For the answer: what came of it. */
void stek__change_say(struct stek_command *command, const char *detail);
/* 0, or STEK_ECONFLICT when our ring is not the one the command expects. */
int stek__change_expected(struct stek_sync *sync) STEK_CHECKED;

/* ack.c: of the current command. */
/* Our ring holds the change: who says that it has the same, has it. */
void stek__ack_learn(struct stek_sync *sync);
/* Live nodes of this moment; who left or died is not waited for. */
int stek__ack_note(struct stek_sync *sync, const struct stek_member *members,
		   size_t n, bool *all) STEK_CHECKED;
/* Makes "late: NAME NAME" and `tail` the detail. */
void stek__ack_name_late(struct stek_command *command, const char *tail);

/* rotate.c: of the current command. */
/* 0, or why this rotation may not be, which the detail tells. */
int stek__rotate_check(struct stek_sync *sync) STEK_CHECKED;
/* A new key into the ring and the stores. */
int stek__rotate_publish(struct stek_sync *sync) STEK_CHECKED;
/* Revokes it before its activation, here; a merge brings that to the stores. */
void stek__rotate_take_back(struct stek_sync *sync);

/* revoke.c */
/* In force on this node when it returns 0. */
int stek__revoke_here(struct stek_sync *sync, struct stek_command *command)
	STEK_CHECKED;
/*
 * Of one that expects a ring: ours and the revocation, which is not in force.
 * Not STEK_ECONFLICT but for the expectation.
 */
int stek__revoke_base(struct stek_sync *sync, struct stek_ring **out)
	STEK_CHECKED;
/* It is in force: kept on disk, and told. */
void stek__revoke_tell(struct stek_sync *sync);
/* Which keys it would revoke: only fills in the answer. */
int stek__revoke_plan(struct stek_sync *sync, struct stek_command *command)
	STEK_CHECKED;
/* Keys that the current revocation adds to `base`; returns their number. */
size_t stek__revoke_extra(struct stek_sync *sync, const struct stek_ring *base,
			  struct stek_key *out[STEK_MISSING_MAX + 1]);

/*
 * farm.c, for tests: NULL for the real clocks, the stores of the options. The
 * stores given are closed also when it fails.
 */
int stek__farm_open(struct stek_farm **out,
		    const struct stek_farm_options *options,
		    const struct stek_io *io, struct stek_store *store,
		    char *why, size_t why_len) STEK_CHECKED;
int stek__farm_open_at(struct stek_farm **out,
		       const struct stek_farm_options *options,
		       const struct stek_io *io,
		       struct stek_store *const *stores, size_t n_stores,
		       char *why, size_t why_len) STEK_CHECKED;

#endif
