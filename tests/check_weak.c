/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_weak.c - REQ-21 in a living farm: what its nodes seal under, at boot, at
 * each rotation, through periods in which nothing happens and while the random
 * generator fails, is never a key that an attacker would guess, nor one whose
 * time is over.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "simfarm.h"
#include "weak_keys.h"

#define SEC 1000LL
#define HOUR (3600 * SEC)
#define STATE_LEN 109

static struct sim *sim;
static bool random_fails;
static unsigned tickets;

int __wrap_stek__random(void *p, size_t len);
int __real_stek__random(void *p, size_t len);

int __wrap_stek__random(void *p, size_t len)
{
	return random_fails ? STEK_ERANDOM : __real_stek__random(p, len);
}

static void begin_with(uint32_t beat_ms)
{
	sim = calloc(1, sizeof(*sim));
	ck_assert_ptr_nonnull(sim);
	sim->policy.beat_ms = beat_ms;
	sim_begin(sim, 3);
	tickets = 0;
}

static void begin(void)
{
	begin_with(0);
}

/* For tests of many hours. */
static void begin_slow(void)
{
	begin_with(20 * SEC);
	sim_run(sim, 300 * SEC);
}

static void end(void)
{
	random_fails = false;
	sim_end(sim);
	free(sim);
}

/* Every node seals a ticket, as its callback would, if it may seal at all. */
static void try_tickets(void)
{
	static const struct stek_ticket_own own = { .sealed_at_ms = 1 };
	static const struct stek_ticket_aad aad = { { 1, 2, 3 } };
	static const uint8_t state[STATE_LEN];
	const struct stek_key *key;
	struct stek_ticket ticket;
	int64_t now_ms;
	size_t i;

	for (i = 0; i < sim->n; i++) {
		key = sim_sealing(sim, i);
		if (!key)
			continue;
		now_ms = stek_farm_now_ms(sim->nodes[i].farm);
		ck_assert_int_le(key->activate_at_ms, now_ms);
		ck_assert_int_lt(now_ms,
				 stek__schedule_seal_until(
					 &sim->nodes[i].farm->policy, key));
		ck_assert_int_eq(stek__ticket_seal(&ticket, key, &aad, &own,
						   state, STATE_LEN), 0);
		ck_assert_uint_eq(weak_opens(&ticket, &aad), 0);
		tickets++;
	}
}

/* At boot: from the first step on, also of a node that comes later. */
START_TEST(test_boot)
{
	int i;

	for (i = 0; i < 40; i++) {
		sim_run(sim, 50);
		try_tickets();
	}
	ck_assert_uint_gt(tickets, 60);
	sim_close(sim, 2);
	sim_open(sim, 2);
	for (i = 0; i < 40; i++) {
		sim_run(sim, 50);
		try_tickets();
	}
	ck_assert_uint_gt(tickets, 120);
}
END_TEST

/* At each rotation and in each of three idle periods after it. */
START_TEST(test_rotations_and_idle_periods)
{
	struct stek_command *command;
	int i, j;

	sim_run(sim, 2 * SEC);
	for (i = 0; i < 3; i++) {
		command = sim_rotate(sim, (size_t)i, true, NULL);
		sim_await(sim, command, 10 * SEC);
		ck_assert_int_eq(command->result, 0);
		stek__command_free(command);
		for (j = 0; j < 20; j++) {
			sim_run(sim, 500);
			try_tickets();
		}
	}
	ck_assert_uint_eq(tickets, 3 * 3 * 20);
	for (i = 0; i < 3; i++) {
		sim_run(sim, 6 * HOUR);
		try_tickets();
	}
	ck_assert_uint_eq(tickets, 3 * 3 * 21);
}
END_TEST

/* Without a generator no key is made; what there is goes on, and ends. */
START_TEST(test_failing_generator)
{
	/* When a nonce needs a new draw, whatever was drawn before. */
	static const struct stek_ticket_own own = {
		.sealed_at_ms = 1 + STEK_NONCE_DRAW_MS,
	};
	static const struct stek_ticket_aad aad = { { 1, 2, 3 } };
	static const uint8_t state[STATE_LEN];
	struct stek_ticket ticket;
	size_t before;
	int i;

	before = sim_ring(sim, 0)->n_keys;
	random_fails = true;
	ck_assert_int_eq(stek__ticket_seal(&ticket, sim_sealing(sim, 0), &aad,
					   &own, state, STATE_LEN),
			 STEK_ERANDOM);
	for (i = 0; i < 30; i++) {
		sim_run(sim, HOUR);
		random_fails = false;
		try_tickets();
		random_fails = true;
		ck_assert_uint_le(sim_ring(sim, 0)->n_keys, before);
	}
	ck_assert_ptr_null(sim_sealing(sim, 0));
	random_fails = false;
	sim_run(sim, 300 * SEC);
	ck_assert_ptr_nonnull(sim_sealing(sim, 0));
	try_tickets();
}
END_TEST

/* A farm that boots without one seals nothing until it has one. */
START_TEST(test_boot_without_generator)
{
	random_fails = true;
	sim_run(sim, 10 * SEC);
	ck_assert_uint_eq(sim_ring(sim, 0)->n_keys, 0);
	ck_assert_ptr_null(sim_sealing(sim, 0));
	random_fails = false;
	sim_run(sim, 30 * SEC);
	try_tickets();
	ck_assert_uint_eq(tickets, 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("weak");
	TCase *farm = tcase_create("farm"), *slow = tcase_create("slow");
	SRunner *runner;
	int failed;

	tcase_set_timeout(farm, 120);
	tcase_add_checked_fixture(farm, begin, end);
	tcase_add_test(farm, test_boot);
	tcase_add_test(farm, test_rotations_and_idle_periods);
	tcase_add_test(farm, test_boot_without_generator);
	suite_add_tcase(suite, farm);
	tcase_set_timeout(slow, 120);
	tcase_add_checked_fixture(slow, begin_slow, end);
	tcase_add_test(slow, test_failing_generator);
	suite_add_tcase(suite, slow);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
