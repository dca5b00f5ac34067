// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * request.c - what the application's threads ask of the sync thread: rotate,
 * revoke, list the members. Each copies its request into a command, hands it
 * over and waits with a deadline; a caller that gave up leaves the command to
 * the sync thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync.h"

#define CALL_SLACK_MS 10000

void stek_change_clear(struct stek_change *change)
{
	free(change->acks);
	memset(change, 0, sizeof(*change));
}

void stek__command_free(struct stek_command *command)
{
	if (!command)
		return;
	stek_change_clear(&command->change);
	stek_audit_clear(&command->audit);
	free(command->members);
	free(command->ids);
	free(command);
}

/* Hands the answer over; a command that outlived its caller keeps its own. */
static int call(struct stek_farm *farm, struct stek_command *command,
		int64_t timeout_ms, struct stek_change *out)
{
	bool mine;
	int err;

	err = stek__sync_call(farm->sync, command, timeout_ms, &mine);
	if (!mine) {
		snprintf(out->detail, sizeof(out->detail),
			 "no answer from the sync thread in time");
		return err;
	}
	*out = command->change;
	memset(&command->change, 0, sizeof(command->change));
	stek__command_free(command);
	return err;
}

static struct stek_command *command_new(enum stek_command_kind kind,
					const char *who)
{
	struct stek_command *command = calloc(1, sizeof(*command));

	if (command) {
		command->kind = kind;
		snprintf(command->who, sizeof(command->who), "%s", who);
	}
	return command;
}

/* Printable ASCII, so that it may be shown anywhere; NULL: no name. */
static bool name_good(const char *request)
{
	size_t i;

	if (!request)
		return true;
	for (i = 0; request[i]; i++) {
		if (request[i] <= ' ' || request[i] > '~')
			return false;
	}
	return i > 0 && i <= STEK_REQUEST_MAX;
}

/* Printable ASCII, blanks too; NULL: none. */
static bool note_good(const char *note)
{
	size_t i;

	if (!note)
		return true;
	for (i = 0; note[i]; i++) {
		if (note[i] < ' ' || note[i] > '~')
			return false;
	}
	return i > 0 && i <= STEK_NOTE_MAX;
}

static void name_command(struct stek_command *command, const char *request,
			 const char *from, const char *note)
{
	snprintf(command->note, sizeof(command->note), "%s", note ? note : "");
	snprintf(command->request, sizeof(command->request), "%s",
		 request ? request : "");
	snprintf(command->from, sizeof(command->from), "%s", from ? from : "");
}

static void expect(struct stek_command *command,
		   const struct stek_version *version, bool epoch_only)
{
	if (!version)
		return;
	command->has_expect = true;
	command->epoch_only = epoch_only;
	command->expect = *version;
}

int stek_farm_rotate(struct stek_farm *farm, const struct stek_rotate *request,
		     struct stek_change *out)
{
	struct stek_command *command;

	memset(out, 0, sizeof(*out));
	if (!request->who || !name_good(request->request) ||
	    !note_good(request->note))
		return STEK_EINVAL;
	command = command_new(STEK_COMMAND_ROTATE, request->who);
	if (!command)
		return STEK_ENOMEM;
	name_command(command, request->request, request->from, request->note);
	command->dry_run = request->dry_run;
	command->force = request->force;
	expect(command, request->expect, request->epoch_only);
	return call(farm, command, farm->policy.rotate_delay_ms / 2 +
		    STEK_REVERT_WAIT_MS + CALL_SLACK_MS, out);
}

int stek_farm_revoke(struct stek_farm *farm, const struct stek_revoke *request,
		     struct stek_change *out)
{
	struct stek_command *command;

	memset(out, 0, sizeof(*out));
	if (!request->who || !name_good(request->request) ||
	    !note_good(request->note) || (!request->all && !request->n_ids) ||
	    request->n_ids > STEK_RING_KEYS_MAX)
		return STEK_EINVAL;
	command = command_new(STEK_COMMAND_REVOKE, request->who);
	if (!command)
		return STEK_ENOMEM;
	name_command(command, request->request, request->from, request->note);
	command->dry_run = request->dry_run;
	expect(command, request->expect, request->epoch_only);
	command->all = request->all;
	command->n_ids = request->all ? 0 : request->n_ids;
	command->ids = calloc(command->n_ids + 1, STEK_ID_LEN);
	if (!command->ids) {
		stek__command_free(command);
		return STEK_ENOMEM;
	}
	if (command->n_ids)
		memcpy(command->ids, request->ids,
		       command->n_ids * STEK_ID_LEN);
	return call(farm, command, STEK_REVOKE_WAIT_MS + CALL_SLACK_MS, out);
}

int stek_farm_members(struct stek_farm *farm, uint32_t timeout_ms,
		      struct stek_member **out, size_t *n)
{
	struct stek_command *command = calloc(1, sizeof(*command));
	bool mine;
	int err;

	if (!command)
		return STEK_ENOMEM;
	command->kind = STEK_COMMAND_MEMBERS;
	err = stek__sync_call(farm->sync, command, timeout_ms, &mine);
	if (!err) {
		*out = command->members;
		*n = command->n_members;
		command->members = NULL;
	}
	if (mine)
		stek__command_free(command);
	return err;
}

int stek_farm_audit(struct stek_farm *farm, size_t limit, bool whole,
		    uint32_t timeout_ms, struct stek_audit_list *out)
{
	struct stek_command *command = command_new(STEK_COMMAND_AUDIT, "");
	bool mine;
	int err;

	if (!command)
		return STEK_ENOMEM;
	command->limit = limit < STEK_AUDIT_KEPT ? limit : STEK_AUDIT_KEPT;
	command->verify = whole;
	err = stek__sync_call(farm->sync, command, timeout_ms, &mine);
	if (!err) {
		*out = command->audit;
		memset(&command->audit, 0, sizeof(command->audit));
	}
	if (mine)
		stek__command_free(command);
	return err;
}

int stek_farm_key_reload(struct stek_farm *farm, const char *who,
			 const char *from, char *why, size_t why_len)
{
	struct stek_command *command;
	bool mine;
	int err;

	if (!who) {
		if (why_len)
			snprintf(why, why_len, "%s",
				 stek_strerror(STEK_EINVAL));
		return STEK_EINVAL;
	}
	command = command_new(STEK_COMMAND_RELOAD, who);
	if (!command)
		return STEK_ENOMEM;
	if (from)
		snprintf(command->from, sizeof(command->from), "%s", from);
	err = stek__sync_call(farm->sync, command, CALL_SLACK_MS, &mine);
	if (why_len)
		snprintf(why, why_len, "%s", !err ? "" :
			 mine && command->why[0] ? command->why :
						   stek_strerror(err));
	if (mine)
		stek__command_free(command);
	return err;
}

/* Goes into the entry as it is, so it must need no escape. */
static bool action_good(const char *action)
{
	size_t len = strlen(action);

	return len > 0 && len < sizeof(((struct stek_command *)0)->action) &&
	       strspn(action, "abcdefghijklmnopqrstuvwxyz- ") == len;
}

int stek_farm_audit_note(struct stek_farm *farm, const struct stek_note *note)
{
	struct stek_command *command;
	bool mine;
	int err;

	if (!note->who || !note->result || !note->action ||
	    !action_good(note->action))
		return STEK_EINVAL;
	command = command_new(STEK_COMMAND_NOTE, note->who);
	if (!command)
		return STEK_ENOMEM;
	name_command(command, NULL, note->from, NULL);
	snprintf(command->action, sizeof(command->action), "%s",
		 note->action);
	snprintf(command->outcome, sizeof(command->outcome), "%s",
		 note->result);
	snprintf(command->detail, sizeof(command->detail), "%s",
		 note->detail ? note->detail : "");
	err = stek__sync_call(farm->sync, command, CALL_SLACK_MS, &mine);
	if (mine)
		stek__command_free(command);
	return err;
}

void stek_farm_key_status(struct stek_farm *farm,
			  struct stek_farm_key_status *out)
{
	pthread_mutex_lock(&farm->sync->lock);
	*out = farm->sync->roll.told;
	pthread_mutex_unlock(&farm->sync->lock);
}
