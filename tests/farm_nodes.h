/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * farm_nodes.h - what the tests of whole farms share: three nodes with their
 * threads in this process, over the file store or a redis-server of their own.
 */
#ifndef TESTS_FARM_NODES_H
#define TESTS_FARM_NODES_H

#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "redis_server.h"
#include "sync.h"

enum { FILE_STORE, REDIS_STORE, STORES };

#define NODES 3
#define AWAIT_MS 60000
#define BEAT_MS 5000
#define QUIET_S 1200

static struct redis_server server;
static char dir[64], key_file[96], url[160];
static struct stek_farm *farms[NODES];
static int kind;
static atomic_uint n_events[16];

static int64_t mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void on_event(void *user, const struct stek_event *event)
{
	(void)user;
	atomic_fetch_add(&n_events[event->kind], 1);
}

static size_t on_beat(void *user, uint8_t *buf, size_t cap)
{
	(void)user;
	memset(buf, 'p', cap);
	return cap;	/* the most that there may be */
}

/* A period that is not about to end: no key changes but by the test. */
static uint32_t quiet_period_s(void)
{
	static uint32_t period_s;

	if (period_s)
		return period_s;
	period_s = 21600;
	while (period_s - (uint64_t)time(NULL) % period_s < QUIET_S)
		period_s -= QUIET_S + 300;
	return period_s;
}

/*
 * However slow the machine, no node counts as gone (three heartbeats) or late
 * (half the delay of a rotation).
 */
static void open_farm(size_t i)
{
	char node[16], why[256];
	struct stek_farm_options options = {
		.farm = "farm", .node = node, .farm_key_file = key_file,
		.state_dir = NULL, .store_url = url, .on_event = on_event,
		.on_beat = on_beat,
		.policy = { .period_s = quiet_period_s(), .beat_ms = BEAT_MS,
			    .rotate_delay_ms = 40000, .revoke_delay_ms = 200 },
	};

	snprintf(node, sizeof(node), "node-%zu", i);
	ck_assert_msg(!stek_farm_open(&farms[i], &options, why, sizeof(why)),
		      "%s", why);
	ck_assert_int_eq(stek_farm_start(farms[i]), 0);
}

static void await(bool (*so)(void), const char *what)
{
	int64_t until_ms = mono_ms() + AWAIT_MS;

	while (!so()) {
		ck_assert_msg(mono_ms() < until_ms, "never: %s", what);
		poll(NULL, 0, 2);
	}
}

static struct stek_version version_of(size_t i)
{
	struct stek_status status;

	stek_farm_status(farms[i], &status);
	return status.version;
}

static bool all_same(void)
{
	struct stek_version first = version_of(0), other;
	size_t i;

	for (i = 0; i < NODES; i++) {
		other = version_of(i);
		if (!other.epoch || !stek_version_equal(&first, &other) ||
		    !stek_farm_can_seal(farms[i]))
			return false;
	}
	return true;
}

static void begin(int which)
{
	uint8_t id[8];
	size_t i;

	kind = which;
	strcpy(dir, "/tmp/stek-farm-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(key_file, sizeof(key_file), "%s/key", dir);
	ck_assert_int_eq(stek_farm_key_generate(key_file, id), 0);
	snprintf(url, sizeof(url), "file:%s/store", dir);
	if (kind == REDIS_STORE) {
		redis_server_start(&server, false);
		snprintf(url, sizeof(url), "%s", server.url);
	}
	for (i = 0; i < NODES; i++)
		open_farm(i);
	await(all_same, "one ring at every node");
}

static void end(void)
{
	char command[128];
	size_t i;

	for (i = 0; i < NODES; i++) {
		stek_farm_close(farms[i]);
		farms[i] = NULL;
	}
	redis_server_stop(&server);
	if (!dir[0])
		return;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

#endif
