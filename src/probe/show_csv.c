/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * show_csv.c - the flights of stekprobe handshake as CSV (RFC 4180), a line for
 * each message. No name of a message has a comma or a quote in it.
 */
#include "handshake.h"

static void lines(const char *connection, const struct flight *flight,
		  FILE *out)
{
	char name[80];

	for (size_t i = 0; i < flight->n; i++) {
		const struct flight_event *event = &flight->events[i];

		flight_event_name(event, name);
		fprintf(out, "%s,%d,%s,%s,%d,%s,%.3f\n", connection,
			(int)event->number,
			event->by_server ? "server" : "client", name,
			(int)event->size, flight_keys_name(event->keys),
			(double)event->at_us / 1000.0);
	}
}

void handshake_print_csv(const struct handshake_result *result, FILE *out)
{
	fputs("connection,flight,from,message,bytes,keys,ms\n", out);
	lines("first", &result->first.flight, out);
	if (result->twice)
		lines("second", &result->second.flight, out);
}
