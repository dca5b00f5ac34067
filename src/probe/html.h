/* SPDX-License-Identifier: GPL-2.0-or-later */
/* html.h - a report as one page that needs nothing else, for --html. */
#ifndef PROBE_HTML_H
#define PROBE_HTML_H

#include <stdio.h>
#include <time.h>

struct html_report {
	const char *command;	/* "load" */
	const char *about;	/* what was measured, in words */
	time_t made_at;
	const char *json;	/* what --json prints */
	size_t json_len;
};

/* 0, or -1 when not all could be written (errno says why). */
int html_write(const struct html_report *report, FILE *out);

#endif
