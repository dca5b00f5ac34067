/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * roll.h - the roll-over of the farm key. The last line of the file is the
 * target. Sealing goes over to it when every live node announces it as its
 * target, or when the ring in the store is sealed under it: one node has then
 * decided, and nobody goes back.
 */
#ifndef STEK_ROLL_H
#define STEK_ROLL_H

#include "record.h"

struct stek_sync;
struct stek_command;

struct stek_roll {
	char *path;		/* of the farm-key file */
	int64_t next_ms;	/* monotonic: when to look again */
	struct stek_farm_key_status told;	/* under the sync's lock */
};

int stek__roll_open(struct stek_sync *sync, const char *path) STEK_CHECKED;
void stek__roll_close(struct stek_sync *sync);

/*
 * A ring document came from a store and opened, or did not. Of one that did not,
 * the farm key that it names is a hint only: anybody may have written it.
 */
void stek__roll_saw(struct stek_sync *sync, const uint8_t *doc, size_t len,
		    bool opened);
/* The store took a ring that we sealed. */
void stek__roll_wrote(struct stek_sync *sync);
/* True while a store holds a ring under a farm key that this node lacks. */
bool stek__roll_lacking(const struct stek_sync *sync);

void stek__roll_step(struct stek_sync *sync);
int64_t stek__roll_due_ms(const struct stek_sync *sync);
int stek__roll_reload(struct stek_sync *sync, struct stek_command *command)
	STEK_CHECKED;

#endif
