/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * simfarm.h - a farm in one thread: nodes with clocks of their own, stores in
 * memory that can fail in every way, and time that moves only when it is told.
 * Each node runs the real sync code through stek__sync_step().
 */
#ifndef STEK_TESTS_SIMFARM_H
#define STEK_TESTS_SIMFARM_H

#include "sync.h"

#define SIM_NODES 16
#define SIM_STORES 3
#define SIM_AUDIT 512
#define SIM_EVENTS 16

/* A store's state; nodes reach it through their own sim_link. */
struct sim_store {
	bool has_ring;
	struct stek_version version;
	struct stek_blob doc;
	struct stek_raw_member members[SIM_NODES];
	size_t n_members;
	char *audit[SIM_AUDIT];
	size_t n_audit;
	int64_t skew_ms;	/* of its clock */
	int answer;		/* 0, or what every call answers */
	int audit_answer;	/* the same of those about the audit */
	int64_t delay_ms;	/* that a call takes */
	size_t calls;
	size_t publishes;	/* accepted */
};

struct sim;
struct sim_node;

struct sim_link {
	struct stek_store base;
	struct sim_node *node;
	bool second;
	struct stek_raw_member last;	/* heartbeat that it sent */
};

struct sim_node {
	struct sim *sim;
	struct stek_farm *farm;
	struct sim_store *store;	/* where its link leads now */
	struct sim_store *second;	/* of a node with two; before sim_open() */
	char name[32];
	char state_dir[64];	/* "": none */
	int64_t skew_ms;	/* of its wall clock */
	bool frozen;		/* not stepped: stopped, but beating just before */
	bool hint;
	int64_t due_ms;
	size_t steps;
	unsigned fail_call;	/* the n-th call of its store fails; 0 none */
	bool lose_answer;	/* the next publish works, its answer is lost */
	bool lose_audit;	/* so the next entry */
	unsigned race_audit;	/* before the n-th, another was; 0 none */
	void (*before_publish)(struct sim_node *node);	/* once */
	unsigned events[SIM_EVENTS];	/* by kind */
	struct stek_event last[SIM_EVENTS];
};

struct sim {
	int64_t now_ms;		/* true time */
	struct stek_policy policy;
	struct sim_store stores[SIM_STORES];
	struct sim_node nodes[SIM_NODES];
	size_t n;
	char key_file[64];
	uint32_t seed;
	bool check;		/* sim_assert_open() after each step */
};

void sim_begin(struct sim *sim, size_t n);
void sim_end(struct sim *sim);
void sim_open(struct sim *sim, size_t i);	/* (re)starts node i */
void sim_close(struct sim *sim, size_t i);	/* it crashes: says nothing */

/* Lets `ms` pass, every node stepped when it is due. */
void sim_run(struct sim *sim, int64_t ms);

/* Submits, runs until done or `ms` passed; the command is the caller's. */
struct stek_command *sim_rotate(struct sim *sim, size_t i, bool force,
				const struct stek_version *expect);
struct stek_command *sim_revoke(struct sim *sim, size_t i, bool all,
				const uint8_t *id);
void sim_await(struct sim *sim, struct stek_command *command, int64_t ms);

struct stek_ring *sim_ring(struct sim *sim, size_t i);
const struct stek_key *sim_sealing(struct sim *sim, size_t i);
void sim_status(struct sim *sim, size_t i, struct stek_status *out);

/* All nodes and their stores hold one version. */
void sim_assert_same(struct sim *sim);
/* What any node seals under, every other node opens. */
void sim_assert_open(struct sim *sim);
/* Opens the store's document with the farm's key. */
struct stek_ring *sim_stored(struct sim *sim, struct sim_store *store);
/* Puts `ring` there, sealed with the keys of node 0. */
void sim_plant(struct sim *sim, struct sim_store *store,
	       const struct stek_ring *ring);

/* simfarm_store.c */
struct stek_store *sim_make_link(struct sim_node *node, bool second);
/* The store holds this document from now on. */
void sim_hold(struct sim_store *store, const struct stek_version *version,
	      const uint8_t *doc, size_t len);

#endif
