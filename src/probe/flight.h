/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flight.h - the messages of one connection in their order, as the diagrams of
 * RFC 5246 s7.3 and RFC 8446 s2 show them. Pure: it is told of each record and
 * message, and of the time.
 */
#ifndef PROBE_FLIGHT_H
#define PROBE_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stats.h"

#define FLIGHT_EVENTS_MAX 96
#define FLIGHT_TICKETS_MAX 8

/* What protects a record. */
enum flight_keys {
	KEYS_NONE,		/* in the clear */
	KEYS_HANDSHAKE,		/* TLS 1.3, before that side's Finished */
	KEYS_APPLICATION,	/* TLS 1.3, after it */
	KEYS_CONNECTION,	/* TLS 1.2, after ChangeCipherSpec */
};

/* Record types, RFC 8446 s5.1. */
enum { RECORD_CHANGE = 20, RECORD_ALERT = 21, RECORD_HANDSHAKE = 22,
       RECORD_DATA = 23 };

/* Handshake types that are looked at, RFC 8446 s4. */
enum { HS_CLIENT_HELLO = 1, HS_SERVER_HELLO = 2, HS_NEW_SESSION_TICKET = 4,
       HS_CERTIFICATE = 11, HS_CERTIFICATE_REQUEST = 13, HS_FINISHED = 20 };

struct flight_event {
	bool by_server;
	uint8_t content;	/* record type */
	uint8_t type;		/* of a handshake message; an alert's number */
	uint8_t level;		/* of an alert: 1 warning, 2 fatal */
	bool retry;		/* a ServerHello that is a HelloRetryRequest */
	bool empty;		/* a Certificate without any certificate */
	enum flight_keys keys;
	unsigned number;	/* of the flight, from 1 */
	uint32_t size;		/* of the message; of data: of its records */
	int64_t at_us;		/* since the connection was begun */
};

/* A NewSessionTicket, RFC 8446 s4.6.1 or RFC 5077 s3.3. */
struct flight_ticket {
	bool tls13;
	uint32_t lifetime_s;
	uint32_t age_add;	/* 1.3 from here on, but size and name */
	uint8_t nonce[255];
	uint8_t nonce_len;
	bool early_data;	/* the extension is there */
	uint32_t early_data_max;
	uint16_t size;		/* of the ticket itself */
	bool named;		/* it is long enough to begin with a name */
	uint8_t name[KEY_NAME_LEN];
};

struct flight {
	size_t n, left_out;		/* events kept, and those beyond */
	struct flight_event events[FLIGHT_EVENTS_MAX];
	size_t n_tickets;
	struct flight_ticket tickets[FLIGHT_TICKETS_MAX];
	uint64_t wire[2];		/* bytes of records by client, server */
	bool tls13;			/* a ServerHello has said so */
	bool key_share;			/* and that there is a key exchange */
	uint8_t outer[2];		/* type of the last record */
	uint32_t record[2];		/* its size */
	bool changed[2], finished[2];	/* sent ChangeCipherSpec, Finished */
};

/* A record's header, before what is in it. */
void flight_record(struct flight *flight, bool by_server,
		   const uint8_t header[5], int64_t at_us);

/* The type inside a protected record of TLS 1.3. */
void flight_inner(struct flight *flight, bool by_server, uint8_t type,
		  int64_t at_us);

/* A whole handshake message, alert or ChangeCipherSpec. */
void flight_message(struct flight *flight, bool by_server, int content,
		    const uint8_t *bytes, size_t len, int64_t at_us);

/*
 * The first event of that kind, and the last alert that is no close_notify; -1:
 * there is none.
 */
int flight_find(const struct flight *flight, bool by_server, int type);
int flight_alert(const struct flight *flight, bool by_server);

/* "ServerHello", "alert certificate_required (116)"; never the peer's bytes. */
void flight_event_name(const struct flight_event *event, char out[80]);
const char *flight_keys_name(enum flight_keys keys);

/* Reads the body of a NewSessionTicket; false if it has not that form. */
bool flight_ticket_parse(struct flight_ticket *out, bool tls13,
			 const uint8_t *body, size_t len);

#endif
