/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_nonce.c - REQ-19 in the large (check_generator.c has nonce.c itself): ten
 * million tickets sealed under one key by forked processes and by clones, which
 * go on from one and the same memory and believe to be the same process, share
 * neither a nonce nor a block of keystream. With draws that are copied along
 * both checks find it, unless what is sealed differs.
 */
#include <wolfssl/options.h>

#include <check.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "life.h"
#include "secret.h"
#include "ticket.h"

#define STATE_LEN 109
#define PROCESSES 8	/* half of them forked, half of them clones */
#define BODIES 64	/* of each process's first tickets */
#define WORDS (STATE_LEN / 8)
#define BEFORE 1000	/* tickets sealed before the processes part */

typedef uint8_t nonce_bytes[STEK_TICKET_NONCE_LEN];

/* Written by the processes, read by the one that began them. */
struct shared {
	uint64_t keystream[PROCESSES][BODIES][WORDS];
	pid_t pids[PROCESSES];
	bool inherited_seals[PROCESSES];
	nonce_bytes nonces[];
};

static struct shared *shared;
static size_t shared_len, total, each;
static int64_t now_ms = 1;
static bool all_differ;	/* what is sealed, over the processes */
static struct stek_key *key;
static bool broken, lives_once;
static uint64_t broken_state;

uint64_t __wrap_stek__life(void);
uint64_t __real_stek__life(void);
int __wrap_stek__random(void *p, size_t len);
int __real_stek__random(void *p, size_t len);

/* Broken: good numbers from a state that a copied process has too. */
int __wrap_stek__random(void *p, size_t len)
{
	uint8_t *at = p;

	if (!broken)
		return __real_stek__random(p, len);
	for (size_t i = 0; i < len; i++) {
		broken_state = broken_state * UINT64_C(6364136223846793005) +
			       UINT64_C(1442695040888963407);
		at[i] = (uint8_t)(broken_state >> 56);
	}
	return 0;
}

/* Lives once: the kernel wipes nothing, as nobody does in a copied machine. */
uint64_t __wrap_stek__life(void)
{
	return lives_once ? 1 : __real_stek__life();
}

static struct stek_key *make_key(void)
{
	static const uint8_t id[STEK_ID_LEN] = "a key's own name";
	struct stek_key *made = NULL;
	uint8_t secret[STEK_SECRET_LEN];

	for (size_t i = 0; i < sizeof(secret); i++)
		secret[i] = (uint8_t)(i * 37 + 5);
	if (stek__key_new(&made, id, secret, "A", STEK_MADE_BY_SCHEDULE, 1, 2,
			  3))
		abort();
	return made;
}

/* Seals a ticket whose state is all `fill`; its keystream too, if wanted. */
static int seal(nonce_bytes nonce, uint64_t *keystream, uint8_t fill)
{
	const struct stek_ticket_own own = { .sealed_at_ms = now_ms };
	static const struct stek_ticket_aad aad = { { 1, 2, 3 } };
	uint8_t state[STATE_LEN];
	struct stek_ticket ticket;
	int ret;

	memset(state, fill, sizeof(state));
	ret = stek__ticket_seal(&ticket, key, &aad, &own, state, sizeof(state));
	if (ret)
		return ret;
	memcpy(nonce, ticket.iv, STEK_TICKET_IV_LEN);
	memcpy(nonce + STEK_TICKET_IV_LEN, ticket.extra,
	       STEK_TICKET_NONCE_LEN - STEK_TICKET_IV_LEN);
	for (size_t i = 0; keystream && i < WORDS; i++) {
		memcpy(&keystream[i], ticket.body + i * 8, 8);
		keystream[i] ^= fill * UINT64_C(0x0101010101010101);
	}
	return 0;
}

/*
 * What a node does when it is resumed twice from one state. A child of fork(2)
 * finds no keys (REQ-24), as a node that was copied whole does: it gets its own
 * again, and the clones of a machine have one process id.
 */
static void process_run(size_t n)
{
	nonce_bytes *nonces = shared->nonces + n * each, none;

	shared->pids[n] = getpid();
	shared->inherited_seals[n] = seal(none, NULL, 0) != STEK_ENOKEY;
	stek__key_unref(key);
	key = make_key();
	/* What nobody but this one seals: its time is in every ticket. */
	if (all_differ)
		now_ms += (int64_t)n;
	for (size_t i = 0; i < each; i++) {
		if (seal(nonces[i],
			 i < BODIES ? shared->keystream[n][i] : NULL,
			 (uint8_t)(n * BODIES + i)))
			_exit(1);
	}
	_exit(0);
}

/* The first process of a pid namespace of its own, where that is allowed. */
static void clone_run(size_t n)
{
	int status;
	pid_t pid;

	(void)!unshare(CLONE_NEWPID);
	pid = fork();
	if (pid == 0)
		process_run(n);
	_exit(pid > 0 && waitpid(pid, &status, 0) == pid ?
		      WEXITSTATUS(status) : 1);
}

static void seal_everywhere(void)
{
	pid_t pids[PROCESSES];
	nonce_bytes nonce;
	int status;

	for (size_t i = 0; i < BEFORE; i++)
		ck_assert_int_eq(seal(nonce, NULL, 0), 0);
	for (size_t n = 0; n < PROCESSES; n++) {
		pids[n] = fork();
		ck_assert_int_ge(pids[n], 0);
		if (pids[n] > 0)
			continue;
		if (n % 2)
			clone_run(n);
		process_run(n);
	}
	for (size_t n = 0; n < PROCESSES; n++) {
		ck_assert_int_eq(waitpid(pids[n], &status, 0), pids[n]);
		ck_assert_int_eq(status, 0);
		ck_assert(!shared->inherited_seals[n]);
	}
}

static uint64_t mix(const uint8_t *nonce)
{
	uint64_t words[3];

	memcpy(words, nonce, sizeof(words));
	return (words[0] ^ words[1] * 3 ^ words[2] * 5) *
	       UINT64_C(0x9e3779b97f4a7c15);
}

/* By a hash table of indexes: in one pass, without moving 240 MB about. */
static bool any_nonce_repeats(void)
{
	unsigned bits = 1;
	uint32_t *table, at;
	bool repeats = false;

	while (((size_t)1 << bits) < total * 3 / 2)
		bits++;
	table = calloc((size_t)1 << bits, sizeof(*table));
	ck_assert_ptr_nonnull(table);
	for (size_t i = 0; i < total && !repeats; i++) {
		at = (uint32_t)(mix(shared->nonces[i]) >> (64 - bits));
		while (table[at] && !repeats) {
			repeats = !memcmp(shared->nonces[table[at] - 1],
					  shared->nonces[i],
					  sizeof(nonce_bytes));
			at = (at + 1) & (((uint32_t)1 << bits) - 1);
		}
		table[at] = (uint32_t)i + 1;
	}
	free(table);
	return repeats;
}

static int compare_words(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* At no two places of any two tickets. */
static bool any_keystream_repeats(void)
{
	uint64_t *words = (uint64_t *)shared->keystream;
	size_t n = sizeof(shared->keystream) / sizeof(*words);

	qsort(words, n, sizeof(*words), compare_words);
	for (size_t i = 1; i < n; i++) {
		if (words[i] == words[i - 1])
			return true;
	}
	return false;
}

/* Ten million, and a share of it where everything is slower. */
static size_t how_many(size_t most)
{
	const char *slower = getenv("CK_TIMEOUT_MULTIPLIER");
	size_t times = slower ? strtoul(slower, NULL, 10) : 1;

	return most / (times ? times : 1) / PROCESSES * PROCESSES;
}

static void begin(size_t n)
{
	total = n;
	each = n / PROCESSES;
	shared_len = sizeof(*shared) + n * sizeof(nonce_bytes);
	shared = mmap(NULL, shared_len, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(shared, MAP_FAILED);
	key = make_key();
}

static void end(void)
{
	stek__key_unref(key);
	munmap(shared, shared_len);
	broken = lives_once = all_differ = false;
	now_ms = 1;
}

/* REQ-19: no two of 10^7 tickets share a nonce, nor a block of keystream. */
START_TEST(test_no_nonce_repeats_over_forks_and_clones)
{
	begin(how_many(10000000));
	seal_everywhere();
	ck_assert(!any_nonce_repeats());
	ck_assert(!any_keystream_repeats());
	printf("%zu nonces over %d processes, clones with %s: no repeat\n",
	       total, PROCESSES,
	       shared->pids[1] == shared->pids[3] ? "one process id" :
						     "process ids of their own");
	end();
}
END_TEST

/* The control: a generator whose state is copied along is found by both. */
START_TEST(test_copied_generator_is_found)
{
	begin(how_many(100000));
	broken = true;
	seal_everywhere();
	ck_assert(any_nonce_repeats());
	ck_assert(any_keystream_repeats());
	end();
}
END_TEST

/* And of two equal nonces among all one is enough. */
START_TEST(test_single_repeat_is_found)
{
	begin(how_many(100000));
	seal_everywhere();
	ck_assert(!any_nonce_repeats());
	memcpy(shared->nonces[total - 1], shared->nonces[each / 2],
	       sizeof(nonce_bytes));
	ck_assert(any_nonce_repeats());
	memcpy(&shared->keystream[7][0][1], &shared->keystream[2][5][0], 8);
	ck_assert(any_keystream_repeats());
	end();
}
END_TEST

/*
 * A machine copied while it ran, secret, count and all, whose kernel draws the
 * same in every copy: no two sessions meet, though every random number does.
 */
START_TEST(test_copied_machines_never_share_a_nonce)
{
	begin(how_many(100000));
	broken = lives_once = all_differ = true;
	seal_everywhere();
	ck_assert(!any_nonce_repeats());
	ck_assert(!any_keystream_repeats());
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nonce");
	TCase *tc = tcase_create("fork");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, test_no_nonce_repeats_over_forks_and_clones);
	tcase_add_test(tc, test_copied_generator_is_found);
	tcase_add_test(tc, test_single_repeat_is_found);
	tcase_add_test(tc, test_copied_machines_never_share_a_nonce);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
