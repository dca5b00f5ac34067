/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conn_relay.c - plaintext between a client and its host's backend. What one
 * side cannot take yet is at most one record and stops the other side's
 * reading. Each direction ends by itself: close_notify becomes the backend's
 * FIN, the backend's FIN becomes close_notify.
 */
#include "conn.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend.h"
#include "log.h"

#define READS_PER_EVENT 4

struct relay {
	int fd;			/* -1: closed */
	const struct settings_address *address;	/* NULL: the admin's */
	struct conn *conn;	/* whose it is */
	struct watch watch;
	struct buf up;		/* plaintext that the backend has not taken */
	bool up_eof;		/* the client's close_notify was read */
	bool up_shut;		/* and passed on */
	bool up_lost;		/* the backend reads no more */
	bool down_eof;		/* the backend's FIN was read */
};

static const char *name_of(const struct relay *relay)
{
	if (!relay)
		return "";
	return relay->address ? relay->address->text : "admin";
}

static void backend_fails(struct conn *conn, int error)
{
	struct worker *worker = conn->worker;

	count(&worker->counters.backend_errors);
	if (worker_may_log(worker))
		log_event(LOG_WARN, "backend failed", "backend", LOG_STR,
			  name_of(conn->relay), "detail", LOG_STR,
			  strerror(error), NULL);
}

/* The client can tell this end from a cut: it gets a close_notify. */
static void end_politely(struct conn *conn)
{
	tls_close_notify(conn->tls);
	conn_finish(conn);
}

static void flush_up(struct conn *conn)
{
	struct relay *relay = conn->relay;
	ssize_t n;

	while (relay->up.len && !relay->up_lost) {
		n = send(relay->fd, buf_head(&relay->up), relay->up.len,
			 MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			/* It may still have an answer for us to read. */
			relay->up_lost = true;
			backend_fails(conn, errno);
			break;
		}
		buf_consume(&relay->up, (size_t)n);
		conn->active_ms = uv_now(&conn->worker->loop);
	}
	if (relay->up_lost)
		buf_free(&relay->up);
}

static int send_up(struct conn *conn, const uint8_t *bytes, size_t len)
{
	struct relay *relay = conn->relay;
	ssize_t n = 0;

	count_by(&conn->worker->counters.bytes_in, len);
	if (relay->up_lost)
		return 0;
	if (!relay->up.len) {
		n = send(relay->fd, bytes, len, MSG_NOSIGNAL);
		if (n < 0)
			n = 0;	/* flush_up() meets the error again */
	}
	if (buf_append(&relay->up, bytes + n, len - (size_t)n) < 0)
		return -1;
	flush_up(conn);
	return 0;
}

/* Client to backend, until one of them has no more to give or to take. */
static int pump_up(struct conn *conn)
{
	struct relay *relay = conn->relay;
	struct worker *worker = conn->worker;
	size_t n = 0;

	while (!relay->up.len && !relay->up_eof) {
		switch (tls_read(conn->tls, worker->plain, WORKER_PLAIN_MAX,
				 &n)) {
		case TLS_OK:
			if (send_up(conn, worker->plain, n) < 0)
				return -1;
			break;
		case TLS_AGAIN:
			/* A FIN without close_notify is a cut, not an end. */
			return conn->eof ? -1 : 0;
		case TLS_CLOSED:
			relay->up_eof = true;
			break;
		default:
			return -1;
		}
	}
	if (relay->up_eof && !relay->up.len && !relay->up_shut) {
		relay->up_shut = true;
		(void)shutdown(relay->fd, SHUT_WR);
	}
	return 0;
}

/* One read. 1 if another one may bring more, 0 if not, -1 when it is over. */
static int read_down(struct conn *conn, bool ending)
{
	struct relay *relay = conn->relay;
	struct worker *worker = conn->worker;
	ssize_t n = recv(relay->fd, worker->plain, WORKER_PLAIN_MAX, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0) {
		backend_fails(conn, errno);
		return -1;
	}
	conn->active_ms = uv_now(&worker->loop);
	if (n == 0) {
		relay->down_eof = true;
		tls_close_notify(conn->tls);
		return 0;
	}
	count_by(&worker->counters.bytes_out, (uint64_t)n);
	if (tls_write(conn->tls, worker->plain, (size_t)n) != TLS_OK)
		return -1;
	/* The end that follows goes out with it. */
	if (ending && n < WORKER_PLAIN_MAX)
		return 1;
	conn_flush(conn);
	return n == WORKER_PLAIN_MAX && !conn->out.len;
}

/*
 * Backend to client; bounded, so that other connections have their turn.
 * `ending`: the backend's FIN has come, and is behind what there is to read.
 */
static int pump_down(struct conn *conn, bool ending)
{
	unsigned i;
	int more = !conn->out.len;

	for (i = 0; i < READS_PER_EVENT && more > 0; i++)
		more = read_down(conn, ending);
	if (more >= 0)
		conn_flush(conn);
	return more < 0 ? -1 : 0;
}

bool conn_step_relay(struct conn *conn)
{
	struct relay *relay = conn->relay;

	if (pump_up(conn) < 0) {
		conn_note_answer(conn);
		conn_finish(conn);
		return true;
	}
	if (relay->down_eof && !conn->out.len && !conn->shut) {
		conn->shut = true;
		(void)shutdown(conn->fd, SHUT_WR);
	}
	if (relay->down_eof && (relay->up_shut || relay->up_lost)) {
		conn_finish(conn);
		return true;
	}
	return false;
}

bool relay_wants_client(const struct conn *conn)
{
	return !conn->relay->up.len && !conn->relay->up_eof;
}

bool relay_has_ended(const struct conn *conn)
{
	return conn->relay && conn->relay->down_eof;
}

bool relay_client_ended(const struct conn *conn)
{
	return conn->relay && conn->relay->up_eof;
}

static void connected(struct conn *conn)
{
	conn_move(conn, CONN_RELAY);
	conn->active_ms = uv_now(&conn->worker->loop);
	conn_await_end(conn);
	flush_up(conn);
}

static void on_event(struct watch *watch, unsigned events)
{
	struct relay *relay = (struct relay *)((char *)watch -
					       offsetof(struct relay, watch));
	struct conn *conn = relay->conn;
	int error;

	if (conn->state == CONN_CONNECTING) {
		error = backend_error(relay->fd);
		if (error) {
			backend_fails(conn, error);
			end_politely(conn);
			conn_run(conn);
			return;
		}
		connected(conn);
	}
	if (events & EPOLLOUT)
		flush_up(conn);
	if ((events & (EPOLLIN | EPOLLERR)) && !relay->down_eof &&
	    pump_down(conn, events & EPOLLRDHUP) < 0)
		conn_finish(conn);
	conn_run(conn);
}

int relay_wait(struct conn *conn)
{
	struct relay *relay = conn->relay;
	unsigned wanted = 0;

	if (!relay || relay->fd < 0)
		return 0;
	if (conn->state == CONN_CONNECTING || relay->up.len)
		wanted |= EPOLLOUT;
	if (conn->state == CONN_RELAY && !relay->down_eof && !conn->out.len)
		wanted |= EPOLLIN;
	if (watch_want(&relay->watch, wanted) == 0)
		return 0;
	backend_fails(conn, errno);
	return -1;
}

/*
 * What the client proved: on this connection, unless it stood in its ticket.
 * What is asked for after a handshake never does.
 */
static void tell_identity(const struct conn *conn, struct proxy_out *out)
{
	const struct stek_session *session = &conn->session;

	if (session->identity.status == 0)
		return;
	out->client |= PROXY_CLIENT_CERT_SESS;
	if (!out->resumed ||
	    conn->host->client_auth == CLIENT_AFTER_HANDSHAKE)
		out->client |= PROXY_CLIENT_CERT_CONN;
	out->verified = session->identity.status == 1;
	out->fingerprint = session->identity.fingerprint;
}

static uint32_t chain_age_s(const struct stek_session *session)
{
	int64_t age_ms = session->age_ms + session->sealed_at_ms -
		session->chain_start_ms;

	return age_ms > 0 ? (uint32_t)(age_ms / 1000) : 0;
}

/* A balancer's header has told it, or the socket does. */
static void learn_destination(struct conn *conn)
{
	socklen_t len = sizeof(conn->to);

	if (conn->to.ss_family == AF_UNSPEC)
		(void)getsockname(conn->fd, (struct sockaddr *)&conn->to, &len);
}

/* The header that tells the backend who speaks and over what. */
static int announce(struct conn *conn, const struct tls_facts *facts)
{
	const struct stek_session *session = &conn->session;
	uint8_t header[PROXY_OUT_MAX];
	struct proxy_out out = { .form = conn->host->send_proxy };
	size_t len;

	if (out.form == PROXY_FORM_NONE)
		return 0;
	learn_destination(conn);
	out.from = (const struct sockaddr *)&conn->from;
	out.to = (const struct sockaddr *)&conn->to;
	out.alpn = facts->alpn[0] ? facts->alpn : NULL;
	out.authority = conn->server_name;
	out.tls_version = facts->version;
	out.cipher = facts->suite;
	out.signature = facts->signature;
	out.key = facts->key;
	out.group = facts->group[0] ? facts->group : NULL;
	out.resumed = session->outcome >= STEK_RESUMED_ACTIVE &&
		session->outcome <= STEK_RESUMED_PENDING;
	out.chain_age_s = out.resumed ? chain_age_s(session) : 0;
	tell_identity(conn, &out);
	len = proxy_write(&out, header);
	return len ? buf_append(&conn->relay->up, header, len) : -1;
}

static int open_relay(struct conn *conn, const struct tls_facts *facts,
		      const struct settings_address *address)
{
	struct relay *relay = calloc(1, sizeof(*relay));

	if (!relay)
		return -1;
	relay->conn = conn;
	relay->fd = -1;
	relay->address = address;
	conn->relay = relay;
	return announce(conn, facts);
}

/* A descriptor of the reserve is as good as none. */
static enum backend_result connect_within_quota(struct conn *conn)
{
	struct relay *relay = conn->relay;
	enum backend_result result = relay->address ?
		backend_connect(relay->address, &relay->fd) :
		conn_admin_connect(conn, &relay->fd);

	if (result == BACKEND_ERROR ||
	    quota_may_use(conn->worker->node->quota, relay->fd))
		return result;
	close(relay->fd);
	relay->fd = -1;
	errno = EMFILE;
	return BACKEND_ERROR;
}

void relay_start(struct conn *conn, const struct tls_facts *facts,
		 const struct settings_address *address)
{
	enum backend_result result = BACKEND_ERROR;
	struct relay *relay;

	conn_move(conn, CONN_CONNECTING);
	conn_timer(conn, conn->generation->settings->handshake_timeout_ms);
	errno = ENOMEM;
	if (open_relay(conn, facts, address) == 0)
		result = connect_within_quota(conn);
	relay = conn->relay;
	if (result == BACKEND_ERROR) {
		backend_fails(conn, errno);
		end_politely(conn);
		return;
	}
	watch_init(&relay->watch, &conn->worker->watches, relay->fd, on_event);
	if (result == BACKEND_READY)
		connected(conn);
}

void relay_drain(struct conn *conn)
{
	conn->relay->up_eof = true;
	conn_run(conn);
}

void relay_stop(struct conn *conn)
{
	struct relay *relay = conn->relay;

	if (!relay || relay->fd < 0)
		return;
	watch_forget(&relay->watch);
	if (relay->up_shut)
		close(relay->fd);
	else
		backend_reset(relay->fd);
	relay->fd = -1;
}

void relay_free(struct conn *conn)
{
	if (!conn->relay)
		return;
	buf_free(&conn->relay->up);
	free(conn->relay);
}
