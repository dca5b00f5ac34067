/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * simworld.h - a farm in a hostile world: nodes with wrong and jumping clocks
 * that stop, restart, are cloned and cut off; a store that loses, delays,
 * repeats and reorders writes, that is wiped, set back to an old copy, split in
 * two. The nodes run the real sync code; time, chance and the store are the
 * world's, all of them from one seed, so a run can be repeated to the step.
 *
 * simworld.c moves time and nodes, simworld_store.c is the store,
 * simworld_fault.c what goes wrong, and simworld_rules.c, simworld_seal.c,
 * simworld_open.c and simworld_proof.c what must hold all the same. A program
 * that uses it is linked with -Wl,--wrap=stek__random: key ids and nonces come
 * from the seed too.
 */
#ifndef STEK_TESTS_SIMWORLD_H
#define STEK_TESTS_SIMWORLD_H

#include "sync.h"
#include "ticket.h"

#define WORLD_NODES 8
#define WORLD_STORES 2
#define WORLD_KEYS 256
#define WORLD_COPIES 8
#define WORLD_WRITES 16
#define WORLD_TICKETS 32

#define WORLD_BEAT_MS 1000
/* News are everywhere after this: two beats and what a conflict takes. */
#define WORLD_GRACE_MS 2500
/* How far a measured clock may be off, and how far any clock ever is. */
#define WORLD_TOLERANCE_MS 150
#define WORLD_ASTRAY_MS 20000

struct world;

struct world_ring {
	bool present;
	struct stek_version version;
	size_t len;
	uint8_t *data;
};

struct world_store {
	struct world_ring ring;
	struct world_ring copies[WORLD_COPIES];	/* old ones, to set back to */
	size_t next_copy;
	struct stek_raw_member members[WORLD_NODES];
	size_t n_members;
	int64_t skew_ms;
	int answer;		/* 0, or what every call answers */
	int64_t cut_ms;		/* when it last lost something */
	int64_t changed_ms;	/* it, or the ring of a node connected to it */
};

/* A write on its way: it arrives later, perhaps a second time. */
struct world_write {
	struct world_store *store;	/* NULL: a free place */
	int64_t at_ms;
	bool has_expect;
	struct stek_version expect;
	struct world_ring ring;
};

/* What the world knows of a key that ever was. */
struct world_key {
	bool used;
	bool accepted;		/* a store took it once */
	bool revoked;		/* by anyone */
	uint8_t id[STEK_ID_LEN];
	int64_t activate_at_ms;
	int64_t expire_at_ms;
	int64_t made_at_ms;
	/* Since when a connected node holds it, or knows it dead; 0: none. */
	int64_t held_ms[WORLD_STORES];
	int64_t dead_ms[WORLD_STORES];
};

struct world_node {
	struct world *world;
	size_t at;
	struct stek_farm *farm;		/* NULL: not running */
	struct world_store *store;	/* where its link leads */
	char name[32];
	char label[80];		/* clones have a name in common, but not this */
	char state_dir[96];		/* "": none */
	bool has_dir;
	bool link_down;
	bool frozen;
	bool hint;
	bool cut;		/* no exchange has worked since it was cut */
	int64_t cut_ms;		/* when one first worked again */
	int64_t frozen_ms;	/* when it last was */
	int64_t opened_ms;
	int64_t due_ms;
	int64_t join_ms;	/* when its link leads to the first store */
	int64_t back_ms;	/* when it thaws or starts again; 0: not */
	int64_t skew_ms;	/* of its wall clock */
	int64_t astray_ms;	/* by how much jumps have misled farm time */
	unsigned need_beats;	/* until the offset is known again */
	int64_t settle_ms;
	struct stek_command *command;
	uint8_t command_id[STEK_ID_LEN];
	bool command_named;
	int64_t command_ms;	/* when it was asked */

	/* What it has seen, and must not forget. */
	const struct stek_ring *ring;
	struct stek_version version;
	int64_t floor_ms;
	int64_t learned_ms;	/* of a revocation */
	bool holds[WORLD_KEYS];
	bool dead[WORLD_KEYS];

	/* Of the running process: which keys it holds, and since when, if not
	   from its beginning; what it seals under, and if it had a choice. */
	bool holds_now[WORLD_KEYS];
	int64_t since_ms[WORLD_KEYS];
	bool has_sealed, by_choice;
	uint8_t sealed[STEK_ID_LEN];
	int64_t sealed_activate_ms;
};

struct world_ticket {
	struct stek_ticket ticket;
	int64_t sealed_at_ms;
	size_t key;
	bool used;
};

/* Whose turn it is to seal, revoked or not. */
struct world_choice {
	const uint8_t *id;	/* NULL: none */
	int64_t activate_at_ms, expire_at_ms;
	bool revoked;
};

/* What happened, for the last line. */
struct world_sum {
	uint64_t rotated, revoked, minted, restored, conflicts, restarts;
	uint64_t sealed, opened, refused, faults;
};

struct world {
	uint64_t seed, rng, step;
	int64_t now_ms;
	size_t n;
	struct stek_policy policy;
	struct world_store stores[WORLD_STORES];
	bool split;
	struct world_node nodes[WORLD_NODES];
	struct world_write writes[WORLD_WRITES];
	struct world_key keys[WORLD_KEYS];
	struct world_ticket tickets[WORLD_TICKETS];
	struct stek_ticket_aad aad;
	struct stek_farm_keys *farm_keys;
	unsigned sloppy;	/* of 1000 writes go wrong */
	bool storm;
	int64_t weather_ms;	/* when it changes */
	int64_t next_fault_ms;
	int64_t command_ms;	/* when one was last under way */
	char dir[64];
	char failure[320];	/* "": every rule held */
	struct world_sum sum;
	bool loud;
};

int world_run(struct world *world, uint64_t seed, uint64_t steps, bool loud);

/* simworld.c */
uint32_t world_below(struct world *world, uint32_t bound);
bool world_chance(struct world *world, unsigned of_1000);
void world_fail(struct world *world, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void world_tell(struct world *world, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void world_open(struct world_node *node);
void world_close(struct world_node *node);
/* From now until an exchange works, nothing is asked of the node. */
void world_cut(struct world_node *node);
size_t world_key(struct world *world, const uint8_t id[STEK_ID_LEN]);

/* simworld_store.c */
extern const struct stek_store_ops world_store_ops;
struct stek_store *world_link(struct world_node *node);
void world_ring_copy(struct world_ring *to, const struct world_ring *from);
void world_ring_free(struct world_ring *ring);
void world_deliver(struct world *world);
void world_store_keep(struct world_store *store);

/* simworld_fault.c */
void world_weather(struct world *world);
void world_fault(struct world *world);

/* simworld_rules.c */
void world_note_ring(struct world *world, const struct stek_ring *ring);
void world_check(struct world *world);
bool world_awake(const struct world_node *node);
/* Old enough that no ticket under it lives, whatever clock one looks at. */
bool world_ending(const struct world *world, const struct world_key *key);
const char *world_hex(const uint8_t *id);	/* its beginning */
bool world_settled(const struct world_node *node);
bool world_connected(const struct world_node *node);
struct stek_ring *world_ring_of(const struct world_node *node);
/* True if the node has been told that the key is revoked. */
bool world_knows_dead(const struct world_node *node, size_t k);

/* simworld_seal.c */
void world_check_seal(struct world_node *node);
const struct stek_key *world_sealing(const struct world_node *node);
bool world_same_id(const uint8_t *a, const uint8_t *b);
int64_t world_seal_until(const struct world *world, int64_t expire_at_ms);
/* 0: not revoked. */
int64_t world_revoked_at(const struct stek_ring *ring, const uint8_t *id,
			 int64_t made_at_ms);
struct world_choice world_choose(const struct stek_ring *ring, int64_t now_ms);
/* The id of the key that DESIGN.md lets seal at `now_ms`, or NULL. */
const uint8_t *world_may_seal(const struct world *world,
			      const struct stek_ring *ring, int64_t now_ms);

/* simworld_open.c */
/* The key under which the node opens such a ticket, or NULL. */
const struct stek_key *world_opens(const struct world_node *node,
				   const uint8_t *id);
void world_check_open(struct world_node *node, size_t k);
/* Notes since when somebody connected to store `s` knows of the key. */
void world_spread(struct world *world, size_t k, size_t s);

/* simworld_proof.c */
void world_check_tickets(struct world *world);
void world_check_beat(struct world_node *node, const uint8_t *data, size_t len);
void world_check_command(struct world_node *node);

#endif
