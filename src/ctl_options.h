/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl_options.h - what the command line of stekctl asks for; ctl_options.c
 * reads it, ctl_command.c does it.
 */
#ifndef STEKCTL_CTL_OPTIONS_H
#define STEKCTL_CTL_OPTIONS_H

#include "ctl.h"
#include "dash.h"

struct invocation {
	struct ctl_target target;
	const char *token_file, *passphrase_file;
	struct ctl_watch watch;
	bool json, force, all, interval_given, count_given;
	struct dash_options dashboard;
	bool port_given;
	bool append, dry_run, verify, limit_given;
	unsigned limit;
	const char *name;	/* --idempotency-key */
	const char *note;	/* --note */
	char if_match[CTL_TAG_LEN];	/* of --if-epoch; "": none */
	char **args;		/* the command's operands */
	int n_args;
};

/* 0: go on; 1: done (help); -1: wrong, told. The command is argv[optind]. */
int ctl_parse(struct invocation *call, int argc, char **argv);
void ctl_usage(FILE *out);

#endif
