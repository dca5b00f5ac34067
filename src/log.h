/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log.h - structured lines on standard error: logfmt, or JSON by option.
 * Thread-safe, one write(2) a line. Never pass secrets.
 *
 *	log_event(LOG_INFO, "ring installed", "epoch", LOG_INT, (int64_t)7,
 *		  "key", LOG_STR, id, NULL);
 */
#ifndef STEKD_LOG_H
#define STEKD_LOG_H

#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };
enum log_type {
	LOG_STR,	/* const char * */
	LOG_SOME,	/* const char *, left out with its name if NULL or "" */
	LOG_INT,	/* int64_t */
	LOG_MS,		/* double */
};

/* Before any thread starts; and what may change after, by any thread. */
void log_setup(enum log_level least, enum log_format format, const char *node);
void log_alter(enum log_level least, enum log_format format);

/* name, enum log_type, value triples, ended by a NULL name. */
void log_event(enum log_level level, const char *message, ...)
	__attribute__((sentinel));

#endif
