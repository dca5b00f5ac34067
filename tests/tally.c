// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tally.c - what tally.h declares. It knows no code of the node's: the names
 * stand here a second time.
 */
#include "tally.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX 1024

static struct line {
	unsigned node;
	char series[128];
	uint64_t n;
} lines[LINES_MAX];
static size_t n_lines;

void tally_die(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	fputs("helper_count: ", stderr);
	vfprintf(stderr, format, list);
	fputc('\n', stderr);
	va_end(list);
	exit(1);
}

void tally(unsigned node, uint64_t n, const char *format, ...)
{
	char series[sizeof(lines[0].series)];
	va_list list;
	size_t i;

	va_start(list, format);
	vsnprintf(series, sizeof(series), format, list);
	va_end(list);
	for (i = 0; i < n_lines; i++)
		if (lines[i].node == node && !strcmp(lines[i].series, series))
			break;
	if (i == LINES_MAX)
		tally_die("too many series");
	if (i == n_lines) {
		lines[i] = (struct line){ .node = node };
		strcpy(lines[i].series, series);
		n_lines++;
	}
	lines[i].n += n;
}

void tally_alert(unsigned node, const char *direction, int alert)
{
	static const struct {
		int alert;
		const char *name;
	} names[] = {
		{ 0, "close_notify" }, { 40, "handshake_failure" },
		{ 48, "unknown_ca" }, { 49, "access_denied" },
		{ 50, "decode_error" }, { 70, "protocol_version" },
		{ 86, "inappropriate_fallback" }, { 90, "user_canceled" },
		{ 112, "unrecognized_name" }, { 116, "certificate_required" },
		{ 120, "no_application_protocol" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].alert == alert) {
			tally(node, 1, "stekd_alerts_total{direction=\"%s\","
			      "alert=\"%s\"}", direction, names[i].name);
			return;
		}
	tally_die("alert %d was not to be expected", alert);
}

void tally_write(FILE *out)
{
	for (size_t i = 0; i < n_lines; i++)
		fprintf(out, "%u %s %" PRIu64 "\n", lines[i].node,
			lines[i].series, lines[i].n);
}

void tally_forget(void)
{
	n_lines = 0;
}
