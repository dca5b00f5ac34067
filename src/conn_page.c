/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conn_page.c - drives the built-in page over one connection: requests one
 * after the other, also pipelined ones, none while an answer still waits.
 */
#include "conn.h"

#include <string.h>

#include "page.h"

/* A connection's share of a worker; clients reconnect, and resume. */
#define REQUESTS_MAX 10000

/* Answers to pipelined requests that may wait for one write. */
#define OUT_SOFT_MAX (16 * 1024)

static const char *state_name(enum stek_outcome outcome)
{
	switch (outcome) {
	case STEK_RESUMED_ACTIVE:
		return stek_state_name(STEK_ACTIVE);
	case STEK_RESUMED_RETIRED:
		return stek_state_name(STEK_RETIRED);
	default:
		return stek_state_name(STEK_PENDING);
	}
}

static size_t write_answer(struct conn *conn,
			   const struct page_request *request, char *out,
			   size_t cap)
{
	const struct node *node = conn->worker->node;
	const struct stek_session *session = &conn->session;
	char issuer[STEK_NAME_MAX + 1];
	struct tls_facts tls;
	struct page_facts facts = { 0 };

	tls_facts(conn->tls, &tls);
	node_issuer_name(node, session->issuer, issuer, sizeof(issuer));
	facts.node = stek_farm_node(node->farm);
	facts.farm = stek_farm_name(node->farm);
	facts.server_name = conn->server_name;
	facts.tls_version = tls.version;
	facts.cipher_suite = tls.suite;
	facts.alpn = tls.alpn[0] ? tls.alpn : NULL;
	facts.identity = session->identity.status ? &session->identity : NULL;
	facts.outcome = session->outcome;
	facts.resumed = session->outcome >= STEK_RESUMED_ACTIVE &&
		session->outcome <= STEK_RESUMED_PENDING;
	facts.issuer = issuer;
	facts.issuer_id = session->issuer;
	facts.age_ms = session->age_ms;
	facts.key_id = session->key_id;
	facts.key_state = state_name(session->outcome);
	facts.handshakes = node_handshakes(node);
	return page_write(out, cap, request, &facts);
}

/* False when this was the last answer, or none could be given. */
static bool answer(struct conn *conn, struct page_request *request)
{
	char text[PAGE_ANSWER_MAX];
	size_t len;

	if (++conn->requests >= REQUESTS_MAX || conn->worker->draining)
		request->keep_alive = false;
	len = write_answer(conn, request, text, sizeof(text));
	if (!len || tls_write(conn->tls, text, len) != TLS_OK)
		return false;
	count_by(&conn->worker->counters.bytes_out, len);
	return request->keep_alive;
}

static bool end_page(struct conn *conn)
{
	tls_close_notify(conn->tls);
	conn_finish(conn);
	return true;
}

/* True if the client reads too slowly for another answer. */
static bool is_blocked(struct conn *conn)
{
	if (conn->out.len > OUT_SOFT_MAX)
		conn_flush(conn);
	conn->blocked = conn->out.len > OUT_SOFT_MAX;
	return conn->blocked;
}

bool conn_step_page(struct conn *conn)
{
	struct worker *worker = conn->worker;
	struct page_request request;
	enum tls_result result;
	size_t n = 0;

	while (!is_blocked(conn)) {
		if (page_parse(&request, (const char *)buf_head(&conn->text),
			       conn->text.len) == PAGE_READY) {
			buf_consume(&conn->text, request.consumed);
			if (!answer(conn, &request))
				return end_page(conn);
			continue;
		}
		result = tls_read(conn->tls, worker->plain,
				  PAGE_REQUEST_MAX - conn->text.len, &n);
		if (result == TLS_AGAIN && !conn->eof)
			return false;
		if (result == TLS_FAILED)
			conn_note_answer(conn);
		if (result != TLS_OK ||
		    buf_append(&conn->text, worker->plain, n) < 0)
			return end_page(conn);
		count_by(&worker->counters.bytes_in, n);
	}
	return false;
}
