// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ack.c - who has acknowledged a change, and who is late. Called by change.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync.h"

static struct stek_ack *ack_of(struct stek_change *change, const char *name)
{
	size_t i;

	for (i = 0; i < change->n_acks; i++) {
		if (!strcmp(change->acks[i].name, name))
			return &change->acks[i];
	}
	return NULL;
}

/*
 * Our own ring only grows, so whatever it was since the write holds the change.
 * A greater epoch alone says nothing: a store may have lost the write, and
 * others gone on without it.
 */
void stek__ack_learn(struct stek_sync *sync)
{
	const struct stek_version *ours = &stek__sync_ring(sync)->version;
	struct stek_command *command = sync->current;
	size_t newest = (command->n_held + STEK_HELD_MAX - 1) % STEK_HELD_MAX;

	if (command->n_held &&
	    stek_version_equal(&command->held[newest], ours))
		return;
	command->held[command->n_held++ % STEK_HELD_MAX] = *ours;
}

static bool has_it(const struct stek_command *command,
		   const struct stek_member *member)
{
	size_t i, n = command->n_held;

	for (i = 0; i < n && i < STEK_HELD_MAX; i++) {
		if (stek_version_equal(&member->version, &command->held[i]))
			return true;
	}
	return false;
}

int stek__ack_note(struct stek_sync *sync, const struct stek_member *members,
		   size_t n, bool *all)
{
	struct stek_command *command = sync->current;
	struct stek_change *change = &command->change;
	struct stek_ack *acks = calloc(n ? n : 1, sizeof(*acks)), *before;
	int64_t after_ms = stek__sync_mono(sync) - command->accepted_ms;
	size_t i, used = 0, late = 0;

	if (!acks)
		return STEK_ENOMEM;
	for (i = 0; i < n; i++) {
		if (!members[i].live)
			continue;
		before = ack_of(change, members[i].name);
		memcpy(acks[used].name, members[i].name,
		       sizeof(acks[used].name));
		if (before && before->acknowledged) {
			acks[used] = *before;
		} else if (has_it(command, &members[i])) {
			acks[used].acknowledged = true;
			acks[used].after_ms = (uint32_t)after_ms;
		} else {
			late++;
		}
		used++;
	}
	free(change->acks);
	change->acks = acks;
	change->n_acks = used;
	*all = used > 0 && late == 0;
	return 0;
}

void stek__ack_name_late(struct stek_command *command, const char *tail)
{
	struct stek_change *change = &command->change;
	char text[sizeof(change->detail)];
	const char *none = change->n_acks ? " nobody" :
			   " unknown, no heartbeats could be read";
	size_t i, len = 0;

	text[0] = '\0';
	for (i = 0; i < change->n_acks; i++) {
		if (change->acks[i].acknowledged)
			continue;
		if (len + strlen(change->acks[i].name) + 64 > sizeof(text)) {
			len += (size_t)snprintf(text + len, sizeof(text) - len,
						" ...");
			break;
		}
		len += (size_t)snprintf(text + len, sizeof(text) - len, " %s",
					change->acks[i].name);
	}
	snprintf(change->detail, sizeof(change->detail), "late:%.80s%s",
		 len ? text : none, tail);
}
