/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * farm.h - struct stek_farm as the files of keys/ see it. farm.c opens and
 * closes it, sync.c runs its thread, change.c rotates and revokes, wolfssl.c
 * reads the guard from ticket callbacks.
 */
#ifndef STEK_FARM_H
#define STEK_FARM_H

#include <pthread.h>

#include "guard.h"
#include "schedule.h"
#include "store.h"

/* Time and chance enter here; tests replace them before stek_farm_start(). */
struct stek_io {
	int64_t (*wall_ms)(void *user);		/* CLOCK_REALTIME */
	int64_t (*mono_ms)(void *user);		/* CLOCK_MONOTONIC */
	uint32_t (*random_below)(void *user, uint32_t bound);	/* jitter */
	void *user;
};

struct stek_farm {
	char name[STEK_NAME_MAX + 1];
	char node[STEK_NAME_MAX + 1];
	uint32_t node_id;
	struct stek_policy policy;
	struct stek_io io;
	struct stek_guard guard;
	_Atomic int64_t offset_ms;	/* farm time = wall + offset */
	struct stek_farm_keys *farm_keys;
	struct stek_sync *sync;		/* thread, store, commands: sync.c */
};

#endif
