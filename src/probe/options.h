/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.h - the command line of stekprobe, read and checked. */
#ifndef PROBE_OPTIONS_H
#define PROBE_OPTIONS_H

#include "audit.h"
#include "handshake.h"
#include "rotate.h"

enum command {
	COMMAND_NONE,
	COMMAND_FARM,
	COMMAND_LOAD,
	COMMAND_ROTATE,
	COMMAND_HANDSHAKE,
	COMMAND_AUDIT,
};

struct options {
	enum command command;
	enum report_format format;
	unsigned expect;		/* basis points; 0: nothing expected */
	bool expect_given;
	const char *html;		/* a file for a page besides, or NULL */
	struct tls_options tls;
	bool versions[TLS_VERSIONS];
	struct address *addresses;
	size_t n_addresses;
	struct farm_plan farm;
	struct load_plan load;
	struct offer offer;		/* of handshake */
	bool no_trials;
	struct rotate_plan rotate;	/* its load is `load` */
	bool rotate_lose;		/* --kill-node or --kill-command */
	const char *token_file;
	struct audit_plan audit;	/* its offer is `offer` */
};

/* From here on options belong to rotate-test; options_rotate.c takes them. */
enum {
	OPT_ROTATIONS = 512,
	OPT_REVOKE,
	OPT_KILL_NODE,
	OPT_KILL_COMMAND,
	OPT_LEAD,
	OPT_SETTLE,
	OPT_MAX_FAILED,
	OPT_FORCE,
	OPT_SOCKET,
	OPT_URL,
	OPT_TOKEN_FILE,
};

/* From here on they belong to audit; options_audit.c takes them. */
enum {
	OPT_OTHER_SNI = 640,
	OPT_ALSO,
	OPT_AUTH_NAME,
	OPT_WATCH,
	OPT_FAIL_ON,
};

/* 0, or -1: a wrong value. */
int options_audit_take(struct options *out, int option, const char *arg);

/* What follows, and what does not go together. 0 or -1. */
int options_audit_finish(struct options *out, FILE *err);

/* 0, or -1: a wrong value. */
int options_rotate_take(struct options *out, int option, const char *arg);

/* What follows, and what does not go together; reads the token. 0 or -1. */
int options_rotate_finish(struct options *out, FILE *err);

/* From here on options belong to farm; options_farm.c takes them. */
enum {
	OPT_TRIES = 768,
	OPT_BALANCED,
	OPT_MOST,
	OPT_NODE_HEADER,
	OPT_EVERY,
	OPT_FOR,
	OPT_ROUNDS,
};

int options_farm_take(struct options *out, int option, const char *arg);

/* What does not go together, told on `err`; 0 or -1. */
int options_farm_finish(struct options *out, FILE *err);

extern const char options_usage[];	/* options_usage.c */

/* Decimal digits alone, from `least` to `most`; 0 or -1. */
int options_number(const char *text, uint64_t least, uint64_t most,
		   uint64_t *out);
int options_small(const char *text, unsigned least, unsigned most,
		  unsigned *out);

/*
 * 0: run `out->command`. 1: help or version was printed. -1: wrong usage, told
 * on `err`. The caller clears `out` in every case.
 */
int options_parse(struct options *out, int argc, char **argv, FILE *err);
void options_clear(struct options *options);

#endif
