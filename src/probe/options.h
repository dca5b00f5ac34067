/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.h - the command line of stekprobe, read and checked. */
#ifndef PROBE_OPTIONS_H
#define PROBE_OPTIONS_H

#include "handshake.h"
#include "load.h"

enum command { COMMAND_NONE, COMMAND_FARM, COMMAND_LOAD, COMMAND_HANDSHAKE };

struct options {
	enum command command;
	enum report_format format;
	unsigned expect;		/* basis points; 0: nothing expected */
	struct tls_options tls;
	bool versions[TLS_VERSIONS];
	struct address *addresses;
	size_t n_addresses;
	unsigned tries;
	struct load_plan load;
	struct offer offer;		/* of handshake */
	bool no_trials;
};

/*
 * 0: run `out->command`. 1: help or version was printed. -1: wrong usage, told
 * on `err`. The caller clears `out` in every case.
 */
int options_parse(struct options *out, int argc, char **argv, FILE *err);
void options_clear(struct options *options);

#endif
