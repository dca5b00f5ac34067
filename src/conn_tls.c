/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conn_tls.c - a connection from its first ClientHello to the end of its
 * handshake, and of the question for a certificate that may follow. Every hello
 * passes the gate before wolfSSL sees it, the second one of a HelloRetryRequest
 * too; what a client sends beyond a hello waits.
 */
#include "conn.h"

#include <stdlib.h>
#include <string.h>

#include "gate.h"
#include "log.h"

/* RFC 8446 s6.2 */
#define ALERT_UNEXPECTED_MESSAGE 10
#define ALERT_HANDSHAKE_FAILURE 40
#define ALERT_ILLEGAL_PARAMETER 47
#define ALERT_PROTOCOL_VERSION 70
#define ALERT_INTERNAL_ERROR 80
#define ALERT_INAPPROPRIATE_FALLBACK 86	/* RFC 7507 */
#define ALERT_UNRECOGNIZED_NAME 112
#define ALERT_CERTIFICATE_REQUIRED 116

/*
 * Early records that we skip. A client of ours never sends any: our tickets do
 * not allow it. One flight of a client that trusted another server's ticket.
 */
#define EARLY_MAX (64 * 1024)

#define RECORD_HEADER 5
#define RECORD_CHANGE_CIPHER 20
#define RECORD_APPLICATION 23

static bool refuse(struct conn *conn, enum failure failure, uint8_t alert,
		   const char *why)
{
	conn_fail(conn, failure, alert, why, 0);
	conn_finish(conn);
	return true;
}

/*
 * A browser that was sent to http:// on this port is told so in its own
 * language, as nginx and Apache do.
 */
static void answer_http(struct conn *conn)
{
	static const char answer[] =
		"HTTP/1.1 400 Bad Request\r\n"
		"Content-Type: text/plain\r\n"
		"Content-Length: 53\r\n"
		"Connection: close\r\n\r\n"
		"This port speaks HTTPS, and the request was in HTTP.\n";

	(void)buf_append(&conn->out, answer, sizeof(answer) - 1);
}

/*
 * Between the hellos a compatible client sends a change_cipher_spec (RFC 8446
 * D.4), and one that tried early data those records (s4.2.10). Both are thrown
 * away. 0 when a hello may begin, 1 when more bytes are due, -1 when refused.
 */
static int skip_between(struct conn *conn)
{
	struct tls_wire *wire = &conn->wire;
	size_t record;

	while (wire->in_len >= RECORD_HEADER) {
		record = RECORD_HEADER +
			((size_t)wire->in[3] << 8 | wire->in[4]);
		if (wire->in[0] == RECORD_CHANGE_CIPHER) {
			if (record != RECORD_HEADER + 1)
				return -1;
		} else if (wire->in[0] != RECORD_APPLICATION ||
			   !conn->first_hello->has_early_data) {
			return 0;
		}
		if (wire->in_len < record)
			return 1;
		conn->skipped += (uint32_t)record;
		if (conn->skipped > EARLY_MAX)
			return -1;
		wire->in += record;
		wire->in_len -= record;
	}
	return 1;
}

static bool shares_version(const struct settings *settings,
			   const struct gate_hello *hello)
{
	return (hello->offers_tls13 && settings->tls13) ||
		(hello->offers_tls12 && settings->tls12);
}

/*
 * A connection may have waited since before a reload. What it asks for is
 * judged by what holds now, or a CA that is gone would let it in.
 */
static void renew(struct conn *conn)
{
	struct generation *before = conn->generation;

	if (generation_is_present(before))
		return;
	conn->generation = generation_take(conn->worker->node);
	generation_release(before);
}

/*
 * Where a host asks for certificates after the handshake and goes on with
 * nobody who has none, a client that cannot be asked need not begin. TLS 1.2
 * has another word for it (RFC 5246 s7.4.6).
 */
static bool turns_away(const struct conn *conn, const struct gate_hello *hello)
{
	return conn->host->client_auth == CLIENT_AFTER_HANDSHAKE &&
		conn->host->client_decline == CLIENT_CLOSE &&
		!tls_can_ask(conn->generation->hosts, hello);
}

/*
 * Without it two connections can be made to share their secrets (RFC 7627 s1),
 * and a certificate shown on one to count on the other.
 */
static bool lacks_master_secret(const struct conn *conn,
				const struct gate_hello *hello)
{
	bool tls13 = hello->offers_tls13 && conn->generation->settings->tls13;

	return conn->host->backend == BACKEND_ADMIN && !tls13 &&
		!hello->has_ems;
}

static uint8_t no_certificate_alert(const struct conn *conn,
				    const struct gate_hello *hello)
{
	return hello->offers_tls13 && conn->generation->settings->tls13 ?
		ALERT_CERTIFICATE_REQUIRED : ALERT_HANDSHAKE_FAILURE;
}

/* The first hello: the host, its context, and wolfSSL. True if refused. */
static bool begin(struct conn *conn, const struct gate_hello *hello)
{
	const struct settings *settings;
	const char *name = hello->server_name[0] ? hello->server_name : NULL;

	conn->hello_ns = uv_hrtime();
	conn->name_ignored = hello->name_is_address;
	renew(conn);
	settings = conn->generation->settings;
	if (name) {
		conn->server_name = strdup(name);
		if (!conn->server_name)
			return refuse(conn, FAIL_MEMORY, ALERT_INTERNAL_ERROR,
				      "no memory");
	}
	if (!shares_version(settings, hello))
		return refuse(conn, FAIL_VERSION, ALERT_PROTOCOL_VERSION,
			      "no TLS version is shared");
	if (hello->has_fallback_scsv && settings->tls13 &&
	    !hello->offers_tls13)
		return refuse(conn, FAIL_FALLBACK, ALERT_INAPPROPRIATE_FALLBACK,
			      "a needless fallback to TLS 1.2");
	conn->host = settings_host(settings, name);
	if (!conn->host)
		return refuse(conn, FAIL_UNKNOWN_HOST, ALERT_UNRECOGNIZED_NAME,
			      "no host has this name");
	if (turns_away(conn, hello))
		return refuse(conn, FAIL_CERT_NONE,
			      no_certificate_alert(conn, hello),
			      "it cannot be asked after the handshake");
	if (lacks_master_secret(conn, hello))
		return refuse(conn, FAIL_MASTER_SECRET,
			      ALERT_HANDSHAKE_FAILURE, "the admin host needs "
			      "extended_master_secret");
	if (!tls_shares_group(conn->generation->hosts, hello))
		return refuse(conn, FAIL_GROUP, ALERT_HANDSHAKE_FAILURE,
			      "no group is shared");
	conn->tls = tls_new(conn->generation->hosts, conn->host, hello,
			    &conn->wire, &conn->session);
	if (!conn->tls)
		return refuse(conn, FAIL_MEMORY, ALERT_INTERNAL_ERROR,
			      "no memory for TLS");
	return false;
}

static bool lose(struct conn *conn)
{
	const char *why;
	int code;
	enum failure failure = tls_failure(conn->tls, &why, &code);

	conn_fail(conn, failure, 0, why, code);
	conn_finish(conn);
	return true;
}

static bool resumed(enum stek_outcome outcome)
{
	return outcome >= STEK_RESUMED_ACTIVE &&
		outcome <= STEK_RESUMED_PENDING;
}

static void count_handshake(struct conn *conn, enum tls_kind kind)
{
	struct counters *counters = &conn->worker->counters;
	const struct stek_session *session = &conn->session;
	int64_t us = (int64_t)((uv_hrtime() - conn->hello_ns) / 1000);

	count(&counters->handshakes[kind][session->outcome]);
	if (!resumed(session->outcome)) {
		counters_time(&counters->time_full, us);
		return;
	}
	counters_time(&counters->time_resumed, us);
	counters_age(counters, session->age_ms);
	counters_issuer(counters, session->issuer);
}

/*
 * The library has read the hello by itself: if it saw another name than the
 * gate, one of them is wrong, and the host was chosen by a guess.
 */
static bool names_agree(const struct conn *conn, const struct tls_facts *facts)
{
	const char *ours = conn->server_name ? conn->server_name : "";

	return conn->name_ignored || !strcmp(ours, facts->server_name);
}

/* All is known about the client: to what it came for. */
static bool admit(struct conn *conn)
{
	const struct settings_address *backend;
	struct tls_facts facts;

	tls_facts(conn->tls, &facts);
	conn->active_ms = uv_now(&conn->worker->loop);
	backend = settings_backend(conn->host, facts.alpn);
	if (backend || conn->host->backend == BACKEND_ADMIN) {
		relay_start(conn, &facts, backend);
		return true;
	}
	conn_move(conn, CONN_PAGE);
	conn_await_end(conn);
	return true;
}

static bool complete(struct conn *conn)
{
	struct tls_facts facts;

	free(conn->first_hello);
	conn->first_hello = NULL;
	tls_facts(conn->tls, &facts);
	if (!names_agree(conn, &facts)) {
		tls_close_notify(conn->tls);
		return refuse(conn, FAIL_OTHER, 0,
			      "gate and library read different server names");
	}
	count_handshake(conn, facts.kind);
	switch (tls_ask(conn->tls)) {
	case TLS_OK:
		return admit(conn);
	case TLS_AGAIN:
		conn_move(conn, CONN_ASKING);
		conn_timer(conn,
			   conn->generation->settings->handshake_timeout_ms);
		return conn->wire.in_len > 0;
	default:
		return lose(conn);
	}
}

/* Sets when a client that was asked at `asked_ms` is to be asked again. */
static void plan_question(struct conn *conn, uint64_t asked_ms)
{
	uint64_t every_s = conn->host->client_reauth_s;

	if (every_s && conn->session.identity.status)
		conn->ask_ms = asked_ms + 1000 * every_s;
}

static void end_unanswered(struct conn *conn)
{
	conn_fail(conn, FAIL_TIMEOUT, 0, "no certificate in time", 0);
	tls_close_notify(conn->tls);
	conn_finish(conn);
	conn_run(conn);
}

void conn_ask_again(struct conn *conn)
{
	uint64_t time_ms = conn->generation->settings->handshake_timeout_ms;
	uint64_t now = uv_now(&conn->worker->loop);

	/* Who will say no more can prove no more, however much it still reads. */
	if (conn->asked_again ? tls_awaits_answer(conn->tls) :
	    relay_client_ended(conn)) {
		end_unanswered(conn);
		return;
	}
	conn->asked_again = !conn->asked_again;
	if (!conn->asked_again)
		plan_question(conn, conn->ask_ms - time_ms);
	else if (tls_ask_again(conn->tls) == 0)
		conn->ask_ms = now + time_ms;
	else
		plan_question(conn, now);
	conn_await_end(conn);
	conn_run(conn);
}

void conn_note_answer(struct conn *conn)
{
	const char *why;
	int code;
	enum failure failure = tls_failure(conn->tls, &why, &code);

	if (conn->asked_again && failure != FAIL_NONE)
		conn_fail(conn, failure, 0, why, code);
}

bool conn_step_asking(struct conn *conn)
{
	struct worker *worker = conn->worker;

	switch (tls_answer(conn->tls, worker->plain, WORKER_PLAIN_MAX)) {
	case TLS_OK:
		plan_question(conn, uv_now(&worker->loop));
		return admit(conn);
	case TLS_AGAIN:
		if (!conn->eof)
			return false;
		return refuse(conn, FAIL_CLOSED, 0,
			      "closed before its certificate");
	default:
		return lose(conn);
	}
}

/* A HelloRetryRequest went out. The next hello is judged beside this one. */
static bool await_second(struct conn *conn, const struct gate_hello *hello)
{
	if (conn->first_hello)
		return refuse(conn, FAIL_OTHER, 0,
			      "the library asked for a third hello");
	conn->first_hello = malloc(sizeof(*hello));
	if (!conn->first_hello)
		return refuse(conn, FAIL_MEMORY, ALERT_INTERNAL_ERROR,
			      "no memory");
	*conn->first_hello = *hello;
	return true;
}

/*
 * Gives the library the hello alone; what follows it waits for its verdict. One
 * that came in pieces is framed anew: see gate_frame().
 */
static bool feed_hello(struct conn *conn, const struct gate_hello *hello)
{
	struct worker *worker = conn->worker;
	struct tls_wire *wire = &conn->wire;
	const uint8_t *rest = wire->in + hello->consumed;
	size_t rest_len = wire->in_len - hello->consumed;
	enum tls_result result;

	wire->in_len = hello->consumed;
	if (hello->split) {
		wire->in = worker->framed;
		wire->in_len = gate_frame(hello, worker->hello, worker->framed);
	}
	result = tls_handshake(conn->tls);
	wire->in = rest;
	wire->in_len = rest_len;
	if (result == TLS_FAILED)
		return lose(conn);
	if (result == TLS_AGAIN && tls_awaits_hello(conn->tls))
		return await_second(conn, hello);
	conn_move(conn, CONN_HANDSHAKE);
	return result == TLS_OK ? complete(conn) : rest_len > 0;
}

/* The first hello's answer was a HelloRetryRequest: RFC 8446 s4.1.2. */
static bool is_same(const struct gate_hello *first,
		    const struct gate_hello *second)
{
	return !second->has_early_data && first->digest == second->digest &&
		!strcmp(first->server_name, second->server_name);
}

bool conn_step_hello(struct conn *conn)
{
	struct gate_hello hello;
	int between = conn->first_hello ? skip_between(conn) : 0;
	enum gate_verdict verdict = GATE_MORE;

	if (between < 0)
		return refuse(conn, FAIL_UNEXPECTED, ALERT_UNEXPECTED_MESSAGE,
			      "not a second hello, or too much before it");
	if (between == 0 && conn->wire.in_len)
		verdict = gate_parse(&hello, conn->wire.in, conn->wire.in_len,
				     conn->worker->hello);
	if (verdict == GATE_MORE && conn->eof)
		return refuse(conn, FAIL_CLOSED, 0, "closed before its hello");
	if (verdict == GATE_MORE)
		return false;
	if (verdict == GATE_REFUSE && hello.failure == FAIL_PLAIN_HTTP)
		answer_http(conn);
	if (verdict == GATE_REFUSE)
		return refuse(conn, hello.failure, hello.alert, hello.why);
	if (conn->first_hello && !is_same(conn->first_hello, &hello))
		return refuse(conn, FAIL_MALFORMED, ALERT_ILLEGAL_PARAMETER,
			      "the second hello is another one");
	if (!conn->tls && begin(conn, &hello))
		return true;
	return feed_hello(conn, &hello);
}

bool conn_step_handshake(struct conn *conn)
{
	if (!conn->wire.in_len) {
		if (!conn->eof)
			return false;
		return refuse(conn, FAIL_CLOSED, 0,
			      "closed within the handshake");
	}
	switch (tls_handshake(conn->tls)) {
	case TLS_OK:
		return complete(conn);
	case TLS_AGAIN:
		/* It takes all that there is before it asks for more. */
		return conn->eof;
	default:
		return lose(conn);
	}
}
