/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_ticket_callback.c - keys/wolfssl_callback.c called as the library calls
 * it, without a handshake around: what it may touch, how often it decrypts,
 * that it allocates nothing, and that it runs while the ring is replaced.
 */
#include <wolfssl/options.h>

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "memnode.h"
#include "wolfssl_host.h"

#define THREADS 4
#define ROUNDS 2000

/* What the library's ExternalTicket holds, parts in the order of the wire. */
struct sealed {
	uint8_t key_name[STEK_ID_LEN];
	uint8_t iv[STEK_TICKET_IV_LEN];
	uint8_t body[STEK_STATE_ROOM];
	uint8_t mac[WOLFSSL_TICKET_MAC_SZ];
};

static struct memnode *node;
static WOLFSSL *ssl;
static struct stek_session record;
static struct sealed sealed;

static void state_fill(uint8_t *state)
{
	memset(state, 0x42, STEK_STATE_ROOM);
	state[STEK_STATE_VERSION] = 3;
	state[STEK_STATE_VERSION + 1] = 4;
	state[STEK_STATE_SUITE] = 0x13;
	state[STEK_STATE_SUITE + 1] = 0x01;
	memset(state + STEK_STATE_CONTEXT, 0, 33);
}

static int seal(WOLFSSL *on, struct sealed *out)
{
	int out_len = STEK_STATE_ROOM;

	state_fill(out->body);
	return stek__ticket_callback(on, out->key_name, out->iv, out->mac, 1,
				     out->body, STEK_STATE_LEN, &out_len,
				     node->host) ||
	       out_len != STEK_STATE_ROOM;
}

static int open_copy(WOLFSSL *on, struct sealed copy)
{
	int out_len = STEK_STATE_ROOM;
	int ret = stek__ticket_callback(on, copy.key_name, copy.iv, copy.mac, 0,
					copy.body, STEK_STATE_ROOM, &out_len,
					node->host);

	/* No ck_assert here: it allocates, and threads come this way. */
	if (ret == WOLFSSL_TICKET_RET_OK && out_len != STEK_STATE_LEN)
		abort();
	return ret;
}

static void set_up(void)
{
	struct stek_ring *ring = memnode_ring_default();

	node = memnode_new("A", ring, NULL);
	stek__ring_unref(ring);
	ssl = wolfSSL_new(node->ctx);
	ck_assert_ptr_nonnull(ssl);
	memset(&record, 0, sizeof(record));
	ck_assert_int_eq(stek_wolfssl_session(ssl, &record), 0);
	ck_assert_int_eq(seal(ssl, &sealed), 0);
	ck_assert_uint_eq(record.issued, 1);
	memset(&record, 0, sizeof(record));
}

static void tear_down(void)
{
	wolfSSL_free(ssl);
	memnode_free(node);
}

/* Of another length than ours nothing at all is touched. */
START_TEST(test_other_lengths_touch_nothing)
{
	for (int len = -1; len < 70000; len++) {
		int out_len = len;

		if (len == STEK_STATE_ROOM)
			continue;
		ck_assert_int_eq(stek__ticket_callback(ssl, NULL, NULL, NULL, 0,
						       NULL, len, &out_len,
						       node->host),
				 WOLFSSL_TICKET_RET_REJECT);
	}
	ck_assert_int_eq(record.outcome, STEK_REFUSED_FORMAT);
	ck_assert_uint_eq(record.opens, 0);
}
END_TEST

/* A refused ticket's buffer stays as it came: the library may ask again. */
START_TEST(test_refusal_leaves_the_buffer)
{
	struct sealed copy = sealed;
	int out_len = STEK_STATE_ROOM;

	copy.mac[0] ^= 1;
	ck_assert_int_eq(stek__ticket_callback(ssl, copy.key_name, copy.iv,
					       copy.mac, 0, copy.body,
					       STEK_STATE_ROOM, &out_len,
					       node->host),
			 WOLFSSL_TICKET_RET_REJECT);
	ck_assert_int_eq(out_len, STEK_STATE_ROOM);
	ck_assert_mem_eq(copy.body, sealed.body, sizeof(copy.body));
	ck_assert_int_eq(open_copy(ssl, sealed), WOLFSSL_TICKET_RET_OK);
}
END_TEST

/* REQ-42: after eight openings a connection's tickets are not tried. */
START_TEST(test_openings_are_limited)
{
	struct sealed forged = sealed;

	forged.body[0] ^= 1;
	for (int i = 0; i < STEK_OPENS_MAX; i++)
		ck_assert_int_eq(open_copy(ssl, forged),
				 WOLFSSL_TICKET_RET_REJECT);
	ck_assert_int_eq(record.outcome, STEK_REFUSED_FORGED);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(open_copy(ssl, forged),
				 WOLFSSL_TICKET_RET_REJECT);
	ck_assert_uint_eq(record.opens, STEK_OPENS_MAX);
	/* Even a good one. */
	ck_assert_int_eq(open_copy(ssl, sealed), WOLFSSL_TICKET_RET_REJECT);
	ck_assert_uint_eq(record.opens, STEK_OPENS_MAX);
	ck_assert_int_eq(record.outcome, STEK_REFUSED_LIMIT);
}
END_TEST

/* And the same without a record. */
START_TEST(test_openings_are_limited_without_record)
{
	struct sealed forged = sealed;
	WOLFSSL *bare = wolfSSL_new(node->ctx);

	forged.body[0] ^= 1;
	for (int i = 0; i < STEK_OPENS_MAX; i++)
		ck_assert_int_eq(open_copy(bare, forged),
				 WOLFSSL_TICKET_RET_REJECT);
	ck_assert_int_eq(open_copy(bare, sealed), WOLFSSL_TICKET_RET_REJECT);
	wolfSSL_free(bare);
	bare = wolfSSL_new(node->ctx);
	ck_assert_int_eq(open_copy(bare, sealed), WOLFSSL_TICKET_RET_OK);
	wolfSSL_free(bare);
}
END_TEST

/* One ticket a connection: another one is refused, the same one is not. */
START_TEST(test_second_ticket_is_refused)
{
	struct sealed other;

	ck_assert_int_eq(seal(ssl, &other), 0);
	ck_assert_int_eq(open_copy(ssl, sealed), WOLFSSL_TICKET_RET_OK);
	ck_assert_int_eq(open_copy(ssl, other), WOLFSSL_TICKET_RET_REJECT);
	ck_assert_int_eq(open_copy(ssl, sealed), WOLFSSL_TICKET_RET_OK);
	ck_assert_int_eq(record.outcome, STEK_RESUMED_ACTIVE);
}
END_TEST

/* The best outcome of several tickets is the one that is kept. */
START_TEST(test_best_outcome_is_kept)
{
	struct sealed other = sealed;
	int out_len = 1;

	other.key_name[3] ^= 1;
	ck_assert_int_eq(open_copy(ssl, other), WOLFSSL_TICKET_RET_REJECT);
	ck_assert_int_eq(record.outcome, STEK_REFUSED_UNKNOWN);
	other = sealed;
	other.iv[0] ^= 1;
	ck_assert_int_eq(open_copy(ssl, other), WOLFSSL_TICKET_RET_REJECT);
	ck_assert_int_eq(record.outcome, STEK_REFUSED_FORGED);
	other = sealed;
	other.mac[31] ^= 1;
	ck_assert_int_eq(open_copy(ssl, other), WOLFSSL_TICKET_RET_REJECT);
	(void)stek__ticket_callback(ssl, NULL, NULL, NULL, 0, NULL, 1, &out_len,
				    node->host);
	ck_assert_int_eq(record.outcome, STEK_REFUSED_FORGED);
	ck_assert_int_eq(open_copy(ssl, sealed), WOLFSSL_TICKET_RET_OK);
	ck_assert_int_eq(record.outcome, STEK_RESUMED_ACTIVE);
}
END_TEST

/* Sealing answers "ok" whatever is wrong; the ticket then opens nowhere. */
START_TEST(test_sealing_never_fails)
{
	struct sealed out;
	struct stek_ring *empty = NULL;

	ck_assert_int_eq(stek__ring_new(&empty, 1, NULL, 0, NULL, 0, 0), 0);
	memnode_install(node, empty);
	ck_assert_int_eq(seal(ssl, &out), 0);
	ck_assert_uint_eq(record.blank, 1);
	for (int i = 0; i < 300; i++)
		ck_assert_int_eq(seal(ssl, &out), 0);
	ck_assert_uint_eq(record.blank, UINT8_MAX);
	ck_assert_uint_eq(record.issued, 0);
	/* No byte of the state shows through. */
	for (int i = 0; i + 8 < STEK_STATE_ROOM; i++)
		ck_assert_mem_ne(out.body + i,
				 "\x42\x42\x42\x42\x42\x42\x42\x42", 8);
	ck_assert_int_eq(open_copy(ssl, out), WOLFSSL_TICKET_RET_REJECT);
}
END_TEST

/* Allocations between two marks, by whatever code. */
static _Thread_local unsigned allocations;

void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t n, size_t len);
void *__wrap_realloc(void *p, size_t len);
void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
void *__real_realloc(void *p, size_t len);

void *__wrap_malloc(size_t len)
{
	allocations++;
	return __real_malloc(len);
}

void *__wrap_calloc(size_t n, size_t len)
{
	allocations++;
	return __real_calloc(n, len);
}

void *__wrap_realloc(void *p, size_t len)
{
	allocations++;
	return __real_realloc(p, len);
}

/* REQ-36: sealing, opening and refusing allocate nothing. */
START_TEST(test_callback_allocates_nothing)
{
	struct sealed out, forged = sealed;
	unsigned before = allocations, made;
	int refused, opened, closed;

	ck_assert_uint_gt(before, 0);	/* the counter counts */
	forged.body[7] ^= 1;
	before = allocations;
	refused = open_copy(ssl, forged);
	opened = open_copy(ssl, sealed);
	memset(&record, 0, sizeof(record));
	closed = seal(ssl, &out);
	made = allocations - before;
	ck_assert_int_eq(refused, WOLFSSL_TICKET_RET_REJECT);
	ck_assert_int_eq(opened, WOLFSSL_TICKET_RET_OK);
	ck_assert_int_eq(closed, 0);
	ck_assert_uint_eq(record.issued, 1);
	ck_assert_uint_eq(made, 0);
}
END_TEST

static void *hammer(void *arg)
{
	WOLFSSL *own = arg;
	struct stek_session mine;
	struct sealed out;
	unsigned long failed = 0;

	memset(&mine, 0, sizeof(mine));
	if (stek_wolfssl_session(own, &mine))
		return (void *)1;
	for (int i = 0; i < ROUNDS; i++) {
		memset(&mine, 0, sizeof(mine));
		failed += seal(own, &out) != 0;
		failed += mine.issued != 1;
		mine.chain_start_ms = 0;
		failed += open_copy(own, out) != WOLFSSL_TICKET_RET_OK;
	}
	return (void *)failed;
}

/* Threads seal and open while another thread replaces the ring. */
START_TEST(test_callback_runs_while_the_ring_changes)
{
	pthread_t threads[THREADS];
	WOLFSSL *each[THREADS];
	void *failed;

	for (int i = 0; i < THREADS; i++) {
		each[i] = wolfSSL_new(node->ctx);
		ck_assert_ptr_nonnull(each[i]);
		ck_assert_int_eq(pthread_create(&threads[i], NULL, hammer,
						each[i]), 0);
	}
	for (int i = 0; i < 200; i++)
		memnode_install(node, memnode_ring_default());
	for (int i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
		ck_assert_ptr_null(failed);
		wolfSSL_free(each[i]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ticket_callback");
	TCase *tc = tcase_create("callback");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, test_other_lengths_touch_nothing);
	tcase_add_test(tc, test_refusal_leaves_the_buffer);
	tcase_add_test(tc, test_openings_are_limited);
	tcase_add_test(tc, test_openings_are_limited_without_record);
	tcase_add_test(tc, test_second_ticket_is_refused);
	tcase_add_test(tc, test_best_outcome_is_kept);
	tcase_add_test(tc, test_sealing_never_fails);
	tcase_add_test(tc, test_callback_allocates_nothing);
	tcase_add_test(tc, test_callback_runs_while_the_ring_changes);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
