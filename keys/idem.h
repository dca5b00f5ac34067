/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * idem.h - a request that is sent twice changes the ring once. This node
 * remembers the answers to its last named requests; the audit remembers them
 * for all nodes: a request is entered there before it begins, by the same
 * compare-and-set that keeps the chain, so that of two nodes only one begins.
 */
#ifndef STEK_IDEM_H
#define STEK_IDEM_H

#include "stek.h"

#define STEK_REQUEST_MAX 64
#define STEK_ANSWERS_MAX 128
#define STEK_REQUEST_ID_LEN 16

struct stek_sync;
struct stek_command;

struct stek_answer {
	uint8_t id[STEK_REQUEST_ID_LEN];	/* of the request's name */
	uint8_t body[STEK_REQUEST_ID_LEN];	/* of what it asks for */
	int64_t until_ms;	/* farm time; 0: free */
	int result;
	struct stek_change change;
};

struct stek_idem {
	struct stek_answer answers[STEK_ANSWERS_MAX];
	size_t next;		/* the one that is overwritten next */
};

/*
 * 0: begin. STEK_EREUSED, STEK_EBUSY: no. True in *answered when the command
 * holds the first answer, result included, which is then returned.
 */
int stek__idem_begin(struct stek_sync *sync, struct stek_command *command,
		     bool *answered) STEK_CHECKED;
void stek__idem_keep(struct stek_sync *sync,
		     const struct stek_command *command);
void stek__idem_close(struct stek_sync *sync);

/* The words of the audit's entry, freed with free(); NULL: no named request. */
char *stek__idem_request(struct stek_sync *sync,
			 const struct stek_command *command, bool done);
char *stek__idem_outcome(const struct stek_command *command);

#endif
