// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gate.c - the record layer of the gate: finds one ClientHello in the first
 * bytes of a connection, whole or in pieces, and hands it to gate_hello.c. The
 * connection calls it before any wolfSSL object exists.
 */
#include "gate.h"

#include <string.h>

#include "gate_private.h"

#define RECORD_HEADER 5
#define RECORD_MAX 16384
#define MESSAGE_HEADER 4

enum { CONTENT_CCS = 20, CONTENT_ALERT, CONTENT_HANDSHAKE, CONTENT_DATA };

#define CLIENT_HELLO 1

struct record {
	uint8_t type;
	size_t len;		/* by its header */
	const uint8_t *body;
	size_t here;		/* bytes of it that have arrived */
};

/* Operators ask why: the usual strangers at a TLS port are called by name. */
static enum gate_verdict stranger(struct gate_hello *out, const uint8_t *buf,
				  size_t len)
{
	static const char *const methods[] = {
		"GET ", "HEAD", "POST", "PUT ", "DELE", "OPTI", "PATC",
		"CONN", "TRAC", "PRI ",
	};
	const char *why = "not a TLS record";
	bool whole = len >= 4;

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (memcmp(buf, methods[i], whole ? 4 : len))
			continue;
		if (!whole)
			return GATE_MORE;
		gate__refuse(out, ALERT_NONE, FAIL_PLAIN_HTTP,
			     "plain HTTP on a TLS port");
		return GATE_REFUSE;
	}
	if (whole && (!memcmp(buf, "PROX", 4) || !memcmp(buf, "\r\n\r\n", 4)))
		why = "a PROXY header where none is configured";
	if (whole && !memcmp(buf, "SSH-", 4))
		why = "SSH on a TLS port";
	gate__refuse(out, ALERT_NONE, FAIL_NOT_TLS, why);
	return GATE_REFUSE;
}

/* As soon as the bytes tell: a stranger is not kept waiting for five of them. */
static enum gate_verdict record_next(struct gate_hello *out,
				     struct record *record, const uint8_t *buf,
				     size_t len, bool first)
{
	if (len == 0)
		return GATE_MORE;
	if (buf[0] < CONTENT_CCS || buf[0] > CONTENT_DATA ||
	    (len > 1 && buf[1] != 3)) {
		if (first)
			return stranger(out, buf, len);
		gate__refuse(out, ALERT_UNEXPECTED_MESSAGE, FAIL_UNEXPECTED,
			     "not a TLS record within the ClientHello");
		return GATE_REFUSE;
	}
	if (len < RECORD_HEADER)
		return GATE_MORE;
	/* The minor version says nothing: RFC 8446 s5.1. */
	record->type = buf[0];
	record->len = (size_t)buf[3] << 8 | buf[4];
	record->body = buf + RECORD_HEADER;
	record->here = len - RECORD_HEADER;
	if (record->here > record->len)
		record->here = record->len;
	return GATE_PASS;
}

static bool record_is_handshake(struct gate_hello *out,
				const struct record *record)
{
	if (record->type == CONTENT_ALERT)
		return gate__refuse(out, ALERT_NONE, FAIL_ALERT,
				    "an alert instead of a ClientHello");
	if (record->type != CONTENT_HANDSHAKE)
		return gate__refuse(out, ALERT_UNEXPECTED_MESSAGE,
				    FAIL_UNEXPECTED,
				    "not a handshake record");
	if (record->len == 0)
		return gate__refuse(out, ALERT_UNEXPECTED_MESSAGE,
				    FAIL_UNEXPECTED,
				    "an empty handshake record");
	if (record->len > RECORD_MAX)
		return gate__refuse(out, ALERT_RECORD_OVERFLOW, FAIL_MALFORMED,
				    "a record over 16 KiB");
	return true;
}

static size_t message_len(const uint8_t *message)
{
	return MESSAGE_HEADER + ((size_t)message[1] << 16 |
				 (size_t)message[2] << 8 | message[3]);
}

/* What the message's first bytes say; `end` is where the record will end. */
static bool message_begins(struct gate_hello *out, const uint8_t *message,
			   size_t have, size_t end)
{
	if (have >= 1 && message[0] != CLIENT_HELLO)
		return gate__refuse(out, ALERT_UNEXPECTED_MESSAGE,
				    FAIL_UNEXPECTED, "not a ClientHello");
	if (have < MESSAGE_HEADER)
		return true;
	if (message_len(message) > GATE_HELLO_MAX)
		return gate__refuse(out, ALERT_ILLEGAL_PARAMETER, FAIL_TOO_BIG,
				    "a ClientHello over 18 KiB");
	/* RFC 8446 s5.1: a hello ends with its record. */
	if (end > message_len(message))
		return gate__refuse(out, ALERT_UNEXPECTED_MESSAGE,
				    FAIL_UNEXPECTED,
				    "more behind the ClientHello in its record");
	return true;
}

/* Sets *hello to the message, in place when one record holds it. */
static enum gate_verdict gather(struct gate_hello *out, const uint8_t *buf,
				size_t len, uint8_t *scratch,
				const uint8_t **hello)
{
	struct record record = { .type = 0 };
	enum gate_verdict verdict;
	size_t at = 0;
	size_t have = 0;

	for (;;) {
		verdict = record_next(out, &record, buf + at, len - at,
				      at == 0);
		if (verdict != GATE_PASS)
			return verdict;
		if (!record_is_handshake(out, &record))
			return GATE_REFUSE;
		if (have >= MESSAGE_HEADER &&
		    !message_begins(out, scratch, have, have + record.len))
			return GATE_REFUSE;
		/*
		 * It fits: at most 3 bytes are there while the length is not
		 * known, and from then on it was just compared.
		 */
		out->split = have > 0;
		*hello = record.body;
		if (out->split || record.here < record.len ||
		    record.len < MESSAGE_HEADER ||
		    message_len(record.body) != record.len) {
			memcpy(scratch + have, record.body, record.here);
			*hello = scratch;
		}
		have += record.here;
		if (!message_begins(out, *hello, have,
				    have - record.here + record.len))
			return GATE_REFUSE;
		if (record.here < record.len)
			return GATE_MORE;
		at += RECORD_HEADER + record.len;
		if (have >= MESSAGE_HEADER && have == message_len(*hello))
			break;
	}
	out->consumed = at;
	out->hello_len = have;
	return GATE_PASS;
}

enum gate_verdict gate_parse(struct gate_hello *out, const uint8_t *buf,
			     size_t len, uint8_t *scratch)
{
	const uint8_t *hello = NULL;
	enum gate_verdict verdict;

	memset(out, 0, sizeof(*out));
	verdict = gather(out, buf, len, scratch, &hello);
	if (verdict == GATE_MORE && len >= GATE_BUFFER_MAX) {
		gate__refuse(out, ALERT_ILLEGAL_PARAMETER, FAIL_TOO_BIG,
			     "a ClientHello in too many small records");
		return GATE_REFUSE;
	}
	if (verdict != GATE_PASS)
		return verdict;
	if (!gate__hello(out, hello + MESSAGE_HEADER,
			 out->hello_len - MESSAGE_HEADER))
		return GATE_REFUSE;
	return GATE_PASS;
}

size_t gate_frame(const struct gate_hello *hello, const uint8_t *message,
		  uint8_t *out)
{
	size_t left = hello->hello_len;
	size_t n = 0;

	while (left > 0) {
		size_t body = left < RECORD_MAX ? left : RECORD_MAX;

		out[n++] = CONTENT_HANDSHAKE;
		/* A second hello must not say 3.1: RFC 8446 s5.1. */
		out[n++] = 3;
		out[n++] = 3;
		out[n++] = (uint8_t)(body >> 8);
		out[n++] = (uint8_t)body;
		memcpy(out + n, message, body);
		message += body;
		n += body;
		left -= body;
	}
	return n;
}
