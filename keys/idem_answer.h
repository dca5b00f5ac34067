/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * idem_answer.h - the answer to a rotation or revocation as one word of the
 * audit: hexadecimal, so that it holds no blank.
 */
#ifndef STEK_IDEM_ANSWER_H
#define STEK_IDEM_ANSWER_H

#include "sync.h"

/* Freed with free(); NULL without memory. */
char *stek__answer_write(const struct stek_command *command);

/* Fills the command's change and returns the result of then. */
int stek__answer_read(struct stek_command *command, const char *word,
		      size_t len) STEK_CHECKED;

#endif
