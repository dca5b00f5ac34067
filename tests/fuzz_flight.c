// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_flight.c - foreign messages as stekprobe handshake sees them, before the
 * TLS library has checked them: each is read within its bounds, what is kept
 * stays within its room, and only printable text comes out. An input is steps
 * of: a byte that says what and from whom, a length, that many bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probe/alert.h"
#include "probe/flight.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(int fact)
{
	if (!fact)
		abort();
}

static void must_print(const char *text)
{
	for (; *text; text++)
		must(*text >= 0x20 && *text < 0x7f);
}

static void must_hold(const struct flight *flight)
{
	unsigned number = 0;
	char name[80];

	must(flight->n <= FLIGHT_EVENTS_MAX);
	must(flight->n_tickets <= FLIGHT_TICKETS_MAX);
	for (size_t i = 0; i < flight->n; i++) {
		must(flight->events[i].number >= number);
		number = flight->events[i].number;
		flight_event_name(&flight->events[i], name);
		must_print(name);
		must_print(flight_keys_name(flight->events[i].keys));
	}
	for (size_t i = 0; i < flight->n_tickets; i++)
		must(flight->tickets[i].named ==
		     (flight->tickets[i].size >= KEY_NAME_LEN));
}

/* In memory of exactly its size, so that a byte too far is seen. */
static void step(struct flight *flight, uint8_t what, const uint8_t *bytes,
		 size_t len)
{
	uint8_t *exact = malloc(len ? len : 1), header[5] = {0};
	char text[64];

	must(exact != NULL);
	memcpy(exact, bytes, len);
	memcpy(header, bytes, len < 5 ? len : 5);
	if (what & 2)
		flight_record(flight, what & 1, header, 1);
	if (what & 4)
		flight_inner(flight, what & 1, header[0], 1);
	if (what & 8)
		flight_message(flight, what & 1, 20 + (what >> 4) % 5, exact,
			       len, 1);
	clean_text(text, sizeof(text), exact, len);
	must_print(text);
	free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct flight *flight = calloc(1, sizeof(*flight));

	must(flight != NULL);
	while (len >= 2) {
		size_t n = data[1] < len - 2 ? data[1] : len - 2;

		step(flight, data[0], data + 2, n);
		data += 2 + n;
		len -= 2 + n;
	}
	must_hold(flight);
	free(flight);
	return 0;
}
