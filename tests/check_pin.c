// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_pin.c - pin_workers: each worker runs on its processor and takes the
 * connections that come in there. Two workers do so with the real kernel on the
 * loopback, where a packet comes in on the processor that sends it; what the
 * kernel is told on other machines is read here.
 */
#include <check.h>
#include <errno.h>
#include <linux/filter.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loopback.h"
#include "metrics.h"
#include "pin.h"
#include "worker_state.h"

#define EACH 40

static struct loopback *loopback;
static struct worker *second;
static struct worker *both[2];
static cpu_set_t usable;

static bool no_program, no_processor;

/* Another machine's processors, and what the kernel was told there. */
static cpu_set_t *others;
static struct sock_filter told[2 * CPU_SETSIZE + 2];
static unsigned told_len;

int __real_setsockopt(int fd, int level, int option, const void *value,
		      socklen_t len);
int __wrap_setsockopt(int fd, int level, int option, const void *value,
		      socklen_t len);
int __real_sched_getaffinity(pid_t pid, size_t len, cpu_set_t *set);
int __wrap_sched_getaffinity(pid_t pid, size_t len, cpu_set_t *set);
int __real_pthread_setaffinity_np(pthread_t thread, size_t len,
				  const cpu_set_t *set);
int __wrap_pthread_setaffinity_np(pthread_t thread, size_t len,
				  const cpu_set_t *set);

int __wrap_setsockopt(int fd, int level, int option, const void *value,
		      socklen_t len)
{
	if (no_program && option == SO_ATTACH_REUSEPORT_CBPF) {
		errno = ENOPROTOOPT;
		return -1;
	}
	if (others && option == SO_ATTACH_REUSEPORT_CBPF) {
		const struct sock_fprog *program = value;

		told_len = program->len;
		memcpy(told, program->filter, told_len * sizeof(*told));
		return 0;
	}
	return __real_setsockopt(fd, level, option, value, len);
}

int __wrap_sched_getaffinity(pid_t pid, size_t len, cpu_set_t *set)
{
	if (!others)
		return __real_sched_getaffinity(pid, len, set);
	memcpy(set, others, len);
	return 0;
}

int __wrap_pthread_setaffinity_np(pthread_t thread, size_t len,
				  const cpu_set_t *set)
{
	return no_processor ? EPERM
			    : __real_pthread_setaffinity_np(thread, len, set);
}

/* The n-th that this process may use, or -1. */
static int processor(unsigned n)
{
	int i;

	for (i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &usable) && n-- == 0)
			return i;
	return -1;
}

static void set_up(void)
{
	ck_assert_int_eq(sched_getaffinity(0, sizeof(usable), &usable), 0);
	loopback = loopback_new(memnode_ring_default());
	loopback->settings.max_connections = 4 * EACH;
	loopback->settings.workers = 2;
	loopback->settings.pin_workers = true;
	second = NULL;
}

/* Where the loopback hands packets on (RPS) none of this can be seen. */
static void need_two(void)
{
	FILE *file = fopen("/sys/class/net/lo/queues/rx-0/rps_cpus", "r");
	char mask[512] = "";

	ck_assert_msg(CPU_COUNT(&usable) >= 2, "two processors are needed");
	if (!file)
		return;
	ck_assert_ptr_nonnull(fgets(mask, sizeof(mask), file));
	fclose(file);
	ck_assert_msg(strspn(mask, "0,\n") == strlen(mask),
		      "rps_cpus of lo is %s, 0 is needed", mask);
}

static void start_both(void)
{
	char why[256] = "";

	need_two();
	loopback_make(loopback);
	ck_assert_msg(worker_new(&second, &loopback->node, 1, why,
				 sizeof(why)) == 0, "%s", why);
	both[0] = loopback->worker;
	both[1] = second;
	loopback->node.workers = both;
	loopback->node.n_workers = 2;
	ck_assert_int_eq(worker_start(loopback->worker), 0);
	ck_assert_int_eq(worker_start(second), 0);
}

static void tear_down(void)
{
	ck_assert_int_eq(sched_setaffinity(0, sizeof(usable), &usable), 0);
	if (second) {
		loopback->node.n_workers = 1;
		if (second->started) {
			worker_drain(second);
			worker_join(second);
		}
		worker_free(second);
	}
	loopback_free(loopback);
}

static uint64_t accepted(const struct worker *worker)
{
	return worker_counters(worker)->accepted;
}

/* The page is asked, so that the connection has been accepted. */
static void visit(unsigned from)
{
	struct client *client;
	cpu_set_t one;
	int alert;

	CPU_ZERO(&one);
	CPU_SET(processor(from), &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	client = client_new(loopback_connect(loopback, 0), "www.example.com",
			    0);
	ck_assert(client_handshake(client, false, &alert));
	client_ask(client);
	client_free(client);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(usable), &usable), 0);
}

static int runs_on(const struct worker *worker)
{
	cpu_set_t set;
	int i = 0;

	ck_assert_int_eq(pthread_getaffinity_np(worker->thread, sizeof(set),
						&set), 0);
	ck_assert_int_eq(CPU_COUNT(&set), 1);
	while (!CPU_ISSET(i, &set))
		i++;
	return i;
}

/* That so many were each worker's, the metrics say. */
static void shown(unsigned of_first, unsigned of_second)
{
	char *page = NULL, line[80];
	size_t len;
	FILE *out = open_memstream(&page, &len);
	struct counters counters;
	unsigned n;

	counters = loopback_counters(loopback);
	metrics_write_counters(out, &loopback->node, &counters, 0);
	fclose(out);
	for (n = 0; n < 2; n++) {
		snprintf(line, sizeof(line),
			 "\nstekd_worker_connections_accepted_total"
			 "{worker=\"%u\"} %u\n", n,
			 n ? of_second : of_first);
		ck_assert_msg(strstr(page, line) != NULL, "%s", line);
	}
	free(page);
}

/* By the hash alone all would be one worker's once in 2^40 times. */
START_TEST(test_by_processor)
{
	unsigned n;

	start_both();
	ck_assert_int_eq(runs_on(loopback->worker), processor(0));
	ck_assert_int_eq(runs_on(second), processor(1));
	for (n = 0; n < EACH; n++)
		visit(0);
	ck_assert_uint_eq(accepted(loopback->worker), EACH);
	ck_assert_uint_eq(accepted(second), 0);
	shown(EACH, 0);
	for (n = 0; n < EACH; n++)
		visit(1);
	ck_assert_uint_eq(accepted(loopback->worker), EACH);
	ck_assert_uint_eq(accepted(second), EACH);
	shown(EACH, EACH);
}
END_TEST

/* Of what has no worker of its own nothing is lost. */
START_TEST(test_worker_gone)
{
	unsigned n;

	start_both();
	worker_drain(second);
	worker_join(second);
	for (n = 0; n < EACH; n++)
		visit(n % 2);
	ck_assert_uint_eq(accepted(loopback->worker), EACH);
}
END_TEST

/* What the program that the kernel was told answers on a processor. */
static unsigned answer(unsigned cpu)
{
	unsigned i;

	ck_assert_uint_eq(told[0].code, BPF_LD | BPF_W | BPF_ABS);
	ck_assert_uint_eq(told[0].k, (unsigned)(SKF_AD_OFF + SKF_AD_CPU));
	for (i = 1; i < told_len; i++) {
		if (told[i].code == (BPF_RET | BPF_K))
			return told[i].k;
		ck_assert_uint_eq(told[i].code, BPF_JMP | BPF_JEQ | BPF_K);
		i += cpu == told[i].k ? told[i].jt : told[i].jf;
	}
	ck_abort_msg("the program does not end");
}

/* Processors by any numbers; those that are not ours are the kernel's choice. */
START_TEST(test_other_machines)
{
	cpu_set_t set;
	unsigned i;

	CPU_ZERO(&set);
	CPU_SET(3, &set);
	CPU_SET(5, &set);
	CPU_SET(CPU_SETSIZE - 1, &set);
	others = &set;
	ck_assert_uint_eq(pin_processors(), 3);
	ck_assert_int_eq(pin_connections(-1, 2), 0);
	ck_assert_uint_eq(answer(3), 0);
	ck_assert_uint_eq(answer(5), 1);
	ck_assert_uint_eq(answer(CPU_SETSIZE - 1), 0);
	ck_assert_uint_ge(answer(0), 2);
	ck_assert_uint_ge(answer(4), 2);
	for (i = 0; i < CPU_SETSIZE; i++)
		CPU_SET(i, &set);
	ck_assert_int_eq(pin_connections(-1, 64), 0);
	for (i = 0; i < CPU_SETSIZE; i++)
		ck_assert_uint_eq(answer(i), i % 64);
	others = NULL;
	loopback_start(loopback);
}
END_TEST

START_TEST(test_off)
{
	cpu_set_t set;

	loopback->settings.pin_workers = false;
	no_program = no_processor = true;
	start_both();
	no_program = no_processor = false;
	ck_assert_int_eq(pthread_getaffinity_np(second->thread, sizeof(set),
						&set), 0);
	ck_assert(CPU_EQUAL(&set, &usable));
}
END_TEST

/* What the kernel refuses is told of, and nothing is left running. */
START_TEST(test_no_program)
{
	struct worker *worker = NULL;
	char why[256] = "";

	loopback_make(loopback);
	no_program = true;
	ck_assert_int_eq(worker_new(&worker, &loopback->node, 0, why,
				    sizeof(why)), -1);
	no_program = false;
	ck_assert_ptr_nonnull(strstr(why, "pin_workers on 127.0.0.1:0: "));
	ck_assert_ptr_nonnull(strstr(why, strerror(ENOPROTOOPT)));
	ck_assert_int_eq(worker_start(loopback->worker), 0);
}
END_TEST

START_TEST(test_no_processor)
{
	loopback_make(loopback);
	no_processor = true;
	ck_assert_int_eq(worker_start(loopback->worker), -1);
	no_processor = false;
	ck_assert_int_eq(errno, EPERM);
	ck_assert(!loopback->worker->started);
}
END_TEST

START_TEST(test_beyond)
{
	ck_assert_uint_eq(pin_processors(), (unsigned)CPU_COUNT(&usable));
	ck_assert_int_eq(pin_thread(pthread_self(), pin_processors()), -1);
	ck_assert_int_eq(errno, EINVAL);
	loopback_make(loopback);
	ck_assert_int_eq(worker_start(loopback->worker), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pin");
	TCase *tcase = tcase_create("pin");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_by_processor);
	tcase_add_test(tcase, test_worker_gone);
	tcase_add_test(tcase, test_other_machines);
	tcase_add_test(tcase, test_off);
	tcase_add_test(tcase, test_no_program);
	tcase_add_test(tcase, test_no_processor);
	tcase_add_test(tcase, test_beyond);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
