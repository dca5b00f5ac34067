/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * linger.c - the end of a connection: how a lost handshake is counted and
 * told, and how the last bytes reach the peer before the socket goes.
 */
#include "conn.h"

#include <sys/socket.h>

#include "log.h"
#include "text.h"

#define LINGER_MS 2000
#define LINGER_BYTES (64 * 1024)

void conn_finish(struct conn *conn)
{
	relay_stop(conn);
	conn->skipped = 0;
	conn_move(conn, CONN_LINGER);
	conn_timer(conn, LINGER_MS);
}

void conn_fail(struct conn *conn, enum failure failure, uint8_t alert,
	       const char *why, int code)
{
	struct worker *worker = conn->worker;
	struct tls_alerts alerts = { NO_ALERT, NO_ALERT };
	char peer[TEXT_ADDRESS_MAX];
	/* A balancer's health check is no news. */
	bool silent = failure == FAIL_CLOSED && !conn->tls && !conn->in.len;

	count(&worker->counters.failures[failure]);
	if (conn->tls)
		alerts = tls_alerts(conn->tls);
	if (alert && tls_plain_alert(&conn->out, alert) == 0)
		alerts.sent = alert;
	if (!silent && !worker_may_log(worker))
		return;
	text_address(peer, sizeof(peer), &conn->from);
	log_event(silent ? LOG_DEBUG : LOG_INFO, "handshake failed",
		  "reason", LOG_STR, failure_name(failure),
		  "detail", LOG_SOME, why, "code", LOG_INT, (int64_t)code,
		  "alert_sent", LOG_SOME, tls_alert_name(alerts.sent),
		  "alert_received", LOG_SOME, tls_alert_name(alerts.received),
		  "peer", LOG_STR, peer,
		  "server_name", LOG_SOME, conn->server_name, NULL);
}

/*
 * Closing a socket with unread bytes in it sends RST, and that can overtake an
 * alert or the end of a page. So: our FIN, then read until theirs.
 */
bool conn_step_linger(struct conn *conn)
{
	conn->skipped += (uint32_t)conn->wire.in_len;
	conn->wire.in_len = 0;
	if (!conn->shut && !conn->out.len) {
		conn->shut = true;
		if (shutdown(conn->fd, SHUT_WR) < 0)
			conn->broken = true;
	}
	if (conn->broken || (conn->shut && conn->eof) ||
	    conn->skipped > LINGER_BYTES)
		conn_close(conn);
	return false;
}
