/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conn_timer.c - the one timer of a connection: what its running out means in
 * each state, and how long it is set once the handshake is done. conn.c and the
 * states' own files set it.
 */
#include "conn.h"

#include "log.h"
#include "text.h"

/* Of the deadline that comes first, which is *kind; 0: it has passed. */
static uint64_t left_ms(const struct conn *conn, enum timeout *kind)
{
	const struct settings *settings = conn->generation->settings;
	uint64_t now = uv_now(&conn->worker->loop);
	uint64_t idle_at = conn->active_ms + settings->idle_timeout_ms;
	uint64_t end = idle_at;

	*kind = TIMEOUT_IDLE;
	if (settings->total_timeout_ms &&
	    conn->opened_ms + settings->total_timeout_ms < idle_at) {
		end = conn->opened_ms + settings->total_timeout_ms;
		*kind = TIMEOUT_TOTAL;
	}
	return end > now ? end - now : 0;
}

/* When the client is to be asked again, or should have answered; 0: now. */
static uint64_t left_to_ask_ms(const struct conn *conn)
{
	uint64_t now = uv_now(&conn->worker->loop);

	if (!conn->ask_ms)
		return UINT64_MAX;
	return conn->ask_ms > now ? conn->ask_ms - now : 0;
}

static void log_timeout(const struct conn *conn, enum timeout kind)
{
	char peer[TEXT_ADDRESS_MAX];

	if (!worker_may_log(conn->worker))
		return;
	text_address(peer, sizeof(peer), &conn->from);
	log_event(LOG_DEBUG, "connection timed out", "kind", LOG_STR,
		  kind == TIMEOUT_IDLE ? "idle" : "total", "peer", LOG_STR,
		  peer, NULL);
}

/* One whose bytes we do not take now could not answer, unless it has ended. */
static void await_or_ask(struct conn *conn)
{
	uint64_t more_ms = conn->generation->settings->handshake_timeout_ms;

	if (!left_to_ask_ms(conn)) {
		if (conn_wants_read(conn) || relay_client_ended(conn)) {
			conn_ask_again(conn);
			return;
		}
		conn->ask_ms = uv_now(&conn->worker->loop) + more_ms;
	}
	conn_await_end(conn);
}

static void on_timer(uv_timer_t *timer)
{
	struct conn *conn = timer->data;
	enum timeout kind;

	switch (conn->state) {
	case CONN_PROXY:
	case CONN_HELLO:
	case CONN_HANDSHAKE:
		conn_expire(conn);
		return;
	case CONN_ASKING:
		conn_fail(conn, FAIL_TIMEOUT, 0, "no certificate in time", 0);
		tls_close_notify(conn->tls);
		conn_finish(conn);
		conn_run(conn);
		return;
	case CONN_PAGE:
	case CONN_RELAY:
		if (left_ms(conn, &kind)) {
			await_or_ask(conn);
			return;
		}
		count(&conn->worker->counters.timeouts[kind]);
		log_timeout(conn, kind);
		tls_close_notify(conn->tls);
		conn_finish(conn);
		conn_run(conn);
		return;
	case CONN_CONNECTING:
		relay_stop(conn);
		count(&conn->worker->counters.backend_errors);
		tls_close_notify(conn->tls);
		conn_finish(conn);
		conn_run(conn);
		return;
	default:
		conn_linger_on(conn);
	}
}

void conn_timer(struct conn *conn, uint64_t ms)
{
	uv_timer_start(&conn->timer, on_timer, ms, 0);
}

void conn_await_end(struct conn *conn)
{
	enum timeout kind;
	uint64_t left = left_ms(conn, &kind), ask = left_to_ask_ms(conn);

	conn_timer(conn, left < ask ? left : ask);
}
