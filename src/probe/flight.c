/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Collects what the TLS library tells of records and messages (talk.c passes it
 * on) into flights. Message bytes are foreign and not yet checked by the library
 * when they come here: they are read through one bounded cursor.
 */
#include <stdio.h>
#include <string.h>

#include "alert.h"
#include "flight.h"

/* The random of a HelloRetryRequest, RFC 8446 s4.1.3. */
static const uint8_t retry_random[32] = {
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
	0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
	0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

enum { EXT_EARLY_DATA = 42, EXT_VERSIONS = 43, EXT_KEY_SHARE = 51 };

/* ---- a cursor --------------------------------------------------------------- */

struct cursor {
	const uint8_t *at;
	size_t left;
	bool bad;
};

static const uint8_t *bytes(struct cursor *cursor, size_t n)
{
	const uint8_t *at = cursor->at;

	if (cursor->bad || n > cursor->left) {
		cursor->bad = true;
		return NULL;
	}
	cursor->at += n;
	cursor->left -= n;
	return at;
}

static uint32_t number(struct cursor *cursor, size_t n)
{
	const uint8_t *at = bytes(cursor, n);
	uint32_t value = 0;

	for (size_t i = 0; at && i < n; i++)
		value = value << 8 | at[i];
	return value;
}

/* A vector whose length takes `n` bytes. */
static struct cursor vector(struct cursor *cursor, size_t n)
{
	struct cursor inner = {.left = number(cursor, n)};

	inner.at = bytes(cursor, inner.left);
	inner.bad = cursor->bad;
	return inner;
}

/* The body of extension `type`; bad when it is not there. */
static struct cursor extension(struct cursor extensions, uint32_t type)
{
	while (!extensions.bad && extensions.left > 0) {
		uint32_t found = number(&extensions, 2);
		struct cursor body = vector(&extensions, 2);

		if (!body.bad && found == type)
			return body;
	}
	return (struct cursor){.bad = true};
}

/* ---- messages --------------------------------------------------------------- */

static void server_hello(struct flight *flight, struct flight_event *event,
			 struct cursor body)
{
	const uint8_t *random;
	struct cursor version, extensions;

	number(&body, 2);
	random = bytes(&body, sizeof(retry_random));
	vector(&body, 1);
	number(&body, 3);
	extensions = vector(&body, 2);
	version = extension(extensions, EXT_VERSIONS);
	if (number(&version, 2) == 0x0304)
		flight->tls13 = true;
	event->retry = flight->tls13 && random &&
		       memcmp(random, retry_random, sizeof(retry_random)) == 0;
	/* None under psk_ke, RFC 8446 s4.2.9. */
	if (flight->tls13 && !event->retry)
		flight->key_share = !extension(extensions, EXT_KEY_SHARE).bad;
}

bool flight_ticket_parse(struct flight_ticket *out, bool tls13,
			 const uint8_t *body, size_t len)
{
	struct cursor at = {.at = body, .left = len}, nonce, ticket, early;
	struct flight_ticket read = {.tls13 = tls13};

	read.lifetime_s = number(&at, 4);
	if (tls13) {
		read.age_add = number(&at, 4);
		nonce = vector(&at, 1);
		if (!nonce.bad && nonce.left > 0)
			memcpy(read.nonce, nonce.at, nonce.left);
		read.nonce_len = (uint8_t)nonce.left;
	}
	ticket = vector(&at, 2);
	read.size = (uint16_t)ticket.left;
	read.named = !ticket.bad && ticket.left >= KEY_NAME_LEN;
	if (read.named)
		memcpy(read.name, ticket.at, KEY_NAME_LEN);
	if (tls13) {
		early = extension(vector(&at, 2), EXT_EARLY_DATA);
		read.early_data_max = number(&early, 4);
		read.early_data = !early.bad;
	}
	if (at.bad || at.left != 0)
		return false;
	*out = read;
	return true;
}

/* True if a Certificate message holds no certificate. */
static bool certificate_empty(const struct flight *flight, struct cursor body)
{
	if (flight->tls13)
		vector(&body, 1);
	return number(&body, 3) == 0;
}

static void handshake(struct flight *flight, struct flight_event *event,
		      const uint8_t *message, size_t len)
{
	struct cursor body = {.at = message, .left = len};
	struct flight_ticket *ticket = &flight->tickets[flight->n_tickets];

	event->type = (uint8_t)number(&body, 1);
	number(&body, 3);
	if (event->type == HS_SERVER_HELLO && event->by_server)
		server_hello(flight, event, body);
	if (event->type == HS_CERTIFICATE)
		event->empty = certificate_empty(flight, body);
	if (event->type == HS_FINISHED)
		flight->finished[event->by_server] = true;
	if (event->type == HS_NEW_SESSION_TICKET && !body.bad &&
	    flight->n_tickets < FLIGHT_TICKETS_MAX &&
	    flight_ticket_parse(ticket, flight->tls13, body.at, body.left))
		flight->n_tickets++;
}

/* ---- events ----------------------------------------------------------------- */

static enum flight_keys keys_now(const struct flight *flight, bool by_server,
				 int content)
{
	if (content == RECORD_CHANGE)
		return KEYS_NONE;
	if (!flight->tls13)
		return flight->changed[by_server] ? KEYS_CONNECTION : KEYS_NONE;
	/* Protected records all look like data from outside. */
	if (flight->outer[by_server] != RECORD_DATA)
		return KEYS_NONE;
	return flight->finished[by_server] ? KEYS_APPLICATION : KEYS_HANDSHAKE;
}

/* Room for one more event; the last place is used again when all are taken. */
static struct flight_event *add(struct flight *flight, bool by_server,
				int content, int64_t at_us)
{
	const struct flight_event *last =
		flight->n ? &flight->events[flight->n - 1] : NULL;
	unsigned number = last ? last->number : 0;
	struct flight_event *event;

	if (!last || last->by_server != by_server)
		number++;
	if (flight->n == FLIGHT_EVENTS_MAX) {
		flight->n--;
		flight->left_out++;
	}
	event = &flight->events[flight->n++];
	*event = (struct flight_event){
		.by_server = by_server,
		.content = (uint8_t)content,
		.keys = keys_now(flight, by_server, content),
		.number = number,
		.at_us = at_us,
	};
	return event;
}

/* Data in a row is one event: how it was cut says nothing. */
static void data(struct flight *flight, bool by_server, uint32_t size,
		 int64_t at_us)
{
	struct flight_event *last =
		flight->n ? &flight->events[flight->n - 1] : NULL;

	if (!last || last->by_server != by_server ||
	    last->content != RECORD_DATA)
		last = add(flight, by_server, RECORD_DATA, at_us);
	last->size += size;
}

void flight_record(struct flight *flight, bool by_server,
		   const uint8_t header[5], int64_t at_us)
{
	uint32_t size = 5 + ((uint32_t)header[3] << 8 | header[4]);

	flight->outer[by_server] = header[0];
	flight->record[by_server] = size;
	flight->wire[by_server] += size;
	if (header[0] == RECORD_DATA && !flight->tls13 &&
	    flight->finished[by_server])
		data(flight, by_server, size, at_us);
}

void flight_inner(struct flight *flight, bool by_server, uint8_t type,
		  int64_t at_us)
{
	if (type == RECORD_DATA)
		data(flight, by_server, flight->record[by_server], at_us);
}

void flight_message(struct flight *flight, bool by_server, int content,
		    const uint8_t *message, size_t len, int64_t at_us)
{
	struct flight_event *event;

	if (content != RECORD_HANDSHAKE && content != RECORD_ALERT &&
	    content != RECORD_CHANGE)
		return;
	event = add(flight, by_server, content, at_us);
	event->size = (uint32_t)len;
	if (content == RECORD_CHANGE)
		flight->changed[by_server] = true;
	if (content == RECORD_HANDSHAKE)
		handshake(flight, event, message, len);
	if (content == RECORD_ALERT && len == 2) {
		event->level = message[0];
		event->type = message[1];
	}
}

int flight_find(const struct flight *flight, bool by_server, int type)
{
	for (size_t i = 0; i < flight->n; i++) {
		const struct flight_event *event = &flight->events[i];

		if (event->by_server == by_server && event->type == type &&
		    event->content == RECORD_HANDSHAKE && !event->retry)
			return (int)i;
	}
	return -1;
}

int flight_alert(const struct flight *flight, bool by_server)
{
	for (size_t i = flight->n; i-- > 0;) {
		const struct flight_event *event = &flight->events[i];

		if (event->content == RECORD_ALERT &&
		    event->by_server == by_server &&
		    event->type != ALERT_CLOSE_NOTIFY)
			return (int)i;
	}
	return -1;
}

/* ---- names ------------------------------------------------------------------ */

static const char *message_name(const struct flight_event *event)
{
	switch (event->type) {
	case 0: return "HelloRequest";
	case HS_CLIENT_HELLO: return "ClientHello";
	case HS_SERVER_HELLO:
		return event->retry ? "HelloRetryRequest" : "ServerHello";
	case HS_NEW_SESSION_TICKET: return "NewSessionTicket";
	case 5: return "EndOfEarlyData";
	case 8: return "EncryptedExtensions";
	case HS_CERTIFICATE:
		return event->empty ? "Certificate (empty)" : "Certificate";
	case 12: return "ServerKeyExchange";
	case HS_CERTIFICATE_REQUEST: return "CertificateRequest";
	case 14: return "ServerHelloDone";
	case 15: return "CertificateVerify";
	case 16: return "ClientKeyExchange";
	case HS_FINISHED: return "Finished";
	case 22: return "CertificateStatus";
	case 24: return "KeyUpdate";
	case 25: return "CompressedCertificate";
	default: return NULL;
	}
}

void flight_event_name(const struct flight_event *event, char out[80])
{
	const char *name = message_name(event);

	if (event->content == RECORD_ALERT)
		snprintf(out, 80, "alert %s (%u)%s", alert_name(event->type),
			 event->type, event->level == 1 &&
			 event->type != ALERT_CLOSE_NOTIFY ? " warning" : "");
	else if (event->content == RECORD_CHANGE)
		snprintf(out, 80, "ChangeCipherSpec");
	else if (event->content == RECORD_DATA)
		snprintf(out, 80, "application data");
	else if (name)
		snprintf(out, 80, "%s", name);
	else
		snprintf(out, 80, "message of type %u", event->type);
}

const char *flight_keys_name(enum flight_keys keys)
{
	static const char *const names[] = {
		[KEYS_NONE] = "clear",
		[KEYS_HANDSHAKE] = "handshake",
		[KEYS_APPLICATION] = "application",
		[KEYS_CONNECTION] = "connection",
	};

	return names[keys];
}
