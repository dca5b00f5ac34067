/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * linger.c - the end of a connection: how a lost handshake is counted and
 * told, and how the last bytes reach the peer before the socket goes.
 */
#include "conn.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "log.h"
#include "text.h"

/*
 * What waits for the peer may go on as long as each period brings some of it
 * there, up to a bound; once all is there, and while the peer only sends, one
 * period is left.
 */
#define LINGER_MS 2000
#define LINGER_MAX_MS 30000
#define LINGER_BYTES (1024 * 1024)

/* So much of what comes, or the end of it, wakes us: not an alert alone. */
#define LINGER_LEAST (16 * 1024)

void conn_finish(struct conn *conn)
{
	relay_stop(conn);
	conn->skipped = 0;
	conn->linger_left = SIZE_MAX;
	conn->linger_until_ms = uv_now(&conn->worker->loop) + LINGER_MAX_MS;
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
	if (alert && tls_plain_alert(&conn->wire, alert) == 0)
		alerts.sent = alert;
	if (!silent && !worker_may_log(worker))
		return;
	text_address(peer, sizeof(peer), &conn->from);
	log_event(silent ? LOG_DEBUG : LOG_INFO, "handshake failed",
		  "reason", LOG_STR, failure_name(failure),
		  "detail", LOG_SOME, why, "code", LOG_INT, (int64_t)code,
		  "alert_sent", LOG_SOME, alerts_name(alerts.sent),
		  "alert_received", LOG_SOME, alerts_name(alerts.received),
		  "peer", LOG_STR, peer,
		  "server_name", LOG_SOME, conn->server_name, NULL);
}

/* A close_notify and the FIN behind it are one event, not two. */
static void await_more(struct conn *conn)
{
	const int least = LINGER_LEAST;

	if (!conn->eof)
		(void)setsockopt(conn->fd, SOL_SOCKET, SO_RCVLOWAT, &least,
				 sizeof(least));
}

/*
 * Closing a socket with unread bytes in it sends RST, and that can overtake an
 * alert or the end of a page. So: our FIN, then read until theirs.
 */
bool conn_step_linger(struct conn *conn)
{
	conn->skipped += (uint32_t)conn->wire.in_len;
	conn->wire.in_len = 0;
	/* Nobody needs to read it to be sure. */
	if (conn->emptied)
		conn->eof = true;
	/* All that it had to say is in `out`. */
	tls_free(conn->tls);
	conn->tls = NULL;
	if (!conn->shut && !conn->out.len) {
		conn->shut = true;
		if (shutdown(conn->fd, SHUT_WR) < 0)
			conn->broken = true;
		await_more(conn);
	}
	if (conn->broken || (conn->shut && conn->eof))
		conn_close(conn);
	return false;
}

/* Then it waits for the timer, unread: the end that is due is not lost to it. */
bool conn_may_skip(const struct conn *conn)
{
	return conn->skipped <= LINGER_BYTES;
}

static size_t not_arrived(const struct conn *conn)
{
	int unacknowledged = 0;

	if (ioctl(conn->fd, SIOCOUTQ, &unacknowledged) < 0)
		return 0;
	return conn->out.len + (size_t)unacknowledged;
}

/* Reads what was too little to wake us; false if that has ended it. */
static bool skip_rest(struct conn *conn)
{
	if (!conn->eof && conn_may_skip(conn)) {
		conn_fill(conn);
		conn_run(conn);
	}
	return conn->state != CONN_CLOSED;
}

void conn_linger_on(struct conn *conn)
{
	size_t before = conn->linger_left, left;
	bool first = before == SIZE_MAX;

	if (!skip_rest(conn))
		return;
	left = not_arrived(conn);
	conn->linger_left = left;
	if (uv_now(&conn->worker->loop) >= conn->linger_until_ms ||
	    (left ? left >= before : first || !before)) {
		conn_close(conn);
		return;
	}
	conn_timer(conn, LINGER_MS);
}

void conn_expire(struct conn *conn)
{
	/* Who has said nothing may not speak TLS. */
	if (conn->tls)
		tls_cancel(conn->tls);
	else if (conn->state == CONN_HELLO && conn->in.len)
		tls_plain_cancel(&conn->wire);
	conn_fail(conn, FAIL_TIMEOUT, 0, "the deadline passed", 0);
	conn_finish(conn);
	conn_run(conn);
}
