/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * simchange.h - three settled nodes of a simulated farm, and what tests of
 * rotation and revocation ask of them.
 */
#ifndef STEK_TESTS_SIMCHANGE_H
#define STEK_TESTS_SIMCHANGE_H

#include "simthree.h"

static inline void begin(void)
{
	begin_three();
	sim_run(sim, 3 * SEC);
	sim_assert_same(sim);
}

static inline enum stek_state state_at(size_t node, const uint8_t *id)
{
	struct stek_farm *farm = sim->nodes[node].farm;
	struct stek_ring *ring = sim_ring(sim, node);
	const struct stek_key *key = stek__ring_find(ring, id);

	ck_assert_ptr_nonnull(key);
	return stek__schedule_state(ring, &farm->policy, key,
				    stek_farm_now_ms(farm));
}

static inline void assert_state(const uint8_t *id, enum stek_state state)
{
	size_t i;

	for (i = 0; i < sim->n; i++)
		ck_assert_str_eq(stek_state_name(state_at(i, id)),
				 stek_state_name(state));
}

static inline const struct stek_ack *ack_of(const struct stek_command *command,
				     const char *name)
{
	size_t i;

	for (i = 0; i < command->change.n_acks; i++) {
		if (!strcmp(command->change.acks[i].name, name))
			return &command->change.acks[i];
	}
	ck_abort_msg("no answer of that node");
	return NULL;
}

/* Node 2 stops, its heartbeat stays fresh: a node that cannot read the ring. */
static inline void silence(void)
{
	size_t i;

	sim->nodes[2].frozen = true;
	for (i = 0; i < sim->stores[0].n_members; i++) {
		if (!strcmp(sim->stores[0].members[i].name, "node-2"))
			sim->stores[0].members[i].seen_at_ms += 60 * SEC;
	}
}

#endif
