/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conn.c - a connection's life: its table of states, its socket, and its end.
 * listener.c opens connections; conn_timer.c is its clock, and the states' own
 * work stands in conn_tls.c, conn_page.c and conn_relay.c. A flight is one read
 * and one write.
 */
#include "conn.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A flight of ours beyond any certificate chain; the peer does not read. */
#define OUT_MAX (512 * 1024)

/* One record to a client that reads late, and answers to its KeyUpdates. */
#define RELAY_OUT_MAX (32 * 1024)

#define TO(state) (1u << (state))

/* Which states may follow each. */
static const struct {
	const char *name;
	unsigned next;
} states[CONN_STATES] = {
	[CONN_PROXY] = { "proxy",
		TO(CONN_HELLO) | TO(CONN_LINGER) | TO(CONN_CLOSED) },
	[CONN_HELLO] = { "hello",
		TO(CONN_HANDSHAKE) | TO(CONN_LINGER) | TO(CONN_CLOSED) },
	[CONN_HANDSHAKE] = { "handshake",
		TO(CONN_ASKING) | TO(CONN_PAGE) | TO(CONN_CONNECTING) |
		TO(CONN_LINGER) | TO(CONN_CLOSED) },
	[CONN_ASKING] = { "asking",
		TO(CONN_PAGE) | TO(CONN_CONNECTING) | TO(CONN_LINGER) |
		TO(CONN_CLOSED) },
	[CONN_PAGE] = { "page", TO(CONN_LINGER) | TO(CONN_CLOSED) },
	[CONN_CONNECTING] = { "connecting",
		TO(CONN_RELAY) | TO(CONN_LINGER) | TO(CONN_CLOSED) },
	[CONN_RELAY] = { "relay", TO(CONN_LINGER) | TO(CONN_CLOSED) },
	[CONN_LINGER] = { "linger", TO(CONN_CLOSED) },
	[CONN_CLOSED] = { "closed", 0 },
};

void conn_move(struct conn *conn, enum conn_state next)
{
	assert(states[conn->state].next & TO(next));
	conn->state = next;
	assert(next < CONN_PAGE || next > CONN_RELAY || conn->tls);
}

static void free_conn(struct conn *conn)
{
	relay_free(conn);
	tls_free(conn->tls);
	buf_free(&conn->in);
	buf_free(&conn->out);
	buf_free(&conn->text);
	free(conn->server_name);
	free(conn->first_hello);
	generation_release(conn->generation);
	free(conn);
}

static void on_closed(uv_handle_t *timer)
{
	free_conn(timer->data);
}

void conn_close(struct conn *conn)
{
	struct worker *worker = conn->worker;

	if (conn->state == CONN_CLOSED)
		return;
	conn_move(conn, CONN_CLOSED);
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		worker->conns = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	relay_stop(conn);
	watch_forget(&conn->watch);
	uv_close((uv_handle_t *)&conn->timer, on_closed);
	close(conn->fd);
	count(&worker->counters.closed);
	quota_leave(worker->node->quota, &conn->place);
	quota_give(worker->node->quota);
	worker_conn_closed(worker);
}

/* Our FIN is still to come, and as soon as `out` is empty. */
static bool fin_follows(const struct conn *conn)
{
	return !conn->shut && (conn->state == CONN_LINGER ||
			       relay_has_ended(conn));
}

/* It goes with what is in `out`: one segment, not two. */
static int how_to_send(const struct conn *conn)
{
	return fin_follows(conn) ? MSG_NOSIGNAL | MSG_MORE : MSG_NOSIGNAL;
}

void conn_flush(struct conn *conn)
{
	while (conn->out.len && !conn->broken) {
		ssize_t n = send(conn->fd, buf_head(&conn->out), conn->out.len,
				 how_to_send(conn));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n < 0) {
			conn->broken = true;
			return;
		}
		buf_consume(&conn->out, (size_t)n);
		conn->active_ms = uv_now(&conn->worker->loop);
	}
}

void conn_fill(struct conn *conn)
{
	struct worker *worker = conn->worker;
	ssize_t n;

	do {
		n = recv(conn->fd, worker->read, sizeof(worker->read), 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		conn->broken = errno != EAGAIN && errno != EWOULDBLOCK;
		return;
	}
	if (n == 0) {
		conn->eof = true;
		return;
	}
	conn->emptied = conn->ending && (size_t)n < sizeof(worker->read);
	conn->active_ms = uv_now(&worker->loop);
	if (!conn->in.len) {
		conn->wire.in = worker->read;
		conn->wire.in_len = (size_t)n;
		return;
	}
	if (buf_append(&conn->in, worker->read, (size_t)n) < 0) {
		conn->broken = true;
		return;
	}
	conn->wire.in = buf_head(&conn->in);
	conn->wire.in_len = conn->in.len;
}

/* Keeps what no step has taken; the worker's scratch ends with the event. */
static void stash(struct conn *conn)
{
	if (conn->in.len)
		buf_consume(&conn->in, conn->in.len - conn->wire.in_len);
	else if (buf_append(&conn->in, conn->wire.in, conn->wire.in_len) < 0)
		conn->broken = true;
	conn->wire.in = conn->in.len ? buf_head(&conn->in) : NULL;
	conn->wire.in_len = conn->in.len;
}

bool conn_wants_read(const struct conn *conn)
{
	if (conn->eof)
		return false;
	switch (conn->state) {
	case CONN_PROXY:
	case CONN_HELLO:
		return true;
	case CONN_LINGER:
		return conn_may_skip(conn);
	case CONN_HANDSHAKE:
	case CONN_ASKING:
	case CONN_PAGE:
		return !conn->out.len && !conn->in.len;
	case CONN_RELAY:
		/* A client may give all before it takes anything. */
		return conn->out.len <= RELAY_OUT_MAX && !conn->in.len &&
			relay_wants_client(conn);
	default:
		return false;
	}
}

/* False if its address has enough of them. */
static bool count_address(struct conn *conn)
{
	const struct settings *settings = conn->generation->settings;

	return quota_enter(conn->worker->node->quota, &conn->place,
			   &conn->from, settings->address_connections,
			   settings->address_ipv6_bits);
}

/* It is told nothing: an alert would cost more than it did. */
static void refuse_address(struct conn *conn)
{
	conn_fail(conn, FAIL_ADDRESS_LIMIT, 0,
		  "its address has enough connections", 0);
	conn_close(conn);
}

static bool step_proxy(struct conn *conn)
{
	struct proxy_in header;
	const char *why = "the header is incomplete";

	if (!conn->wire.in_len && !conn->eof)
		return false;
	switch (proxy_parse(&header, conn->wire.in, conn->wire.in_len)) {
	case PROXY_PASS:
		conn->wire.in += header.consumed;
		conn->wire.in_len -= header.consumed;
		if (!header.local && header.from.ss_family != AF_UNSPEC) {
			conn->from = header.from;
			conn->to = header.to;
			if (!count_address(conn)) {
				refuse_address(conn);
				return true;
			}
		}
		conn_move(conn, CONN_HELLO);
		return true;
	case PROXY_MORE:
		if (!conn->eof)
			return false;
		break;
	case PROXY_REFUSE:
		why = header.why;
		break;
	}
	conn_fail(conn, conn->eof ? FAIL_CLOSED : FAIL_PROXY, 0, why, 0);
	conn_finish(conn);
	return true;
}

static bool (*const steps[CONN_STATES])(struct conn *conn) = {
	[CONN_PROXY] = step_proxy,
	[CONN_HELLO] = conn_step_hello,
	[CONN_HANDSHAKE] = conn_step_handshake,
	[CONN_ASKING] = conn_step_asking,
	[CONN_PAGE] = conn_step_page,
	[CONN_RELAY] = conn_step_relay,
	[CONN_LINGER] = conn_step_linger,
};

/* What a broken socket or too slow a reader ends, and how it counts. */
static void end_broken(struct conn *conn)
{
	if (conn->state <= CONN_ASKING)
		conn_fail(conn, FAIL_CLOSED, 0, "the connection broke", 0);
	conn_close(conn);
}

/* False if the connection has ended. */
static bool run_steps(struct conn *conn)
{
	bool more = true;

	while (more && conn->state != CONN_CLOSED) {
		if (conn->broken || conn->out.len > OUT_MAX) {
			end_broken(conn);
			return false;
		}
		more = steps[conn->state] && steps[conn->state](conn);
	}
	return conn->state != CONN_CLOSED;
}

/*
 * A reset does not undo what came before it: a client that closes with bytes of
 * ours unread has sent its alert all the same.
 */
static void hear_last_words(struct conn *conn)
{
	conn_fill(conn);
	conn->broken = false;
	(void)run_steps(conn);
}

static void on_event(struct watch *watch, unsigned events)
{
	struct conn *conn = (struct conn *)((char *)watch -
					    offsetof(struct conn, watch));

	if ((events & EPOLLERR) && conn->state <= CONN_HANDSHAKE)
		hear_last_words(conn);
	if (conn->state == CONN_CLOSED)
		return;
	if (events & EPOLLERR)
		conn->broken = true;
	conn->ending = events & EPOLLRDHUP;
	if (events & EPOLLOUT)
		conn_flush(conn);
	if ((events & EPOLLIN) && !conn->broken)
		conn_fill(conn);
	conn_run(conn);
}

static int wait_for_events(struct conn *conn)
{
	return watch_want(&conn->watch,
			  (conn_wants_read(conn) ? EPOLLIN : 0) |
			  (conn->out.len ? EPOLLOUT : 0));
}

void conn_run(struct conn *conn)
{
	do {
		conn->blocked = false;
		if (!run_steps(conn))
			return;
		stash(conn);
		conn_flush(conn);
		/* What a step has waited for may just have happened. */
	} while (!conn->broken && !conn->out.len &&
		 (conn->blocked || fin_follows(conn)));
	if (conn->broken) {
		end_broken(conn);
		return;
	}
	if (relay_wait(conn) < 0 || wait_for_events(conn) < 0)
		conn_close(conn);
}

void conn_open(struct worker *worker, struct generation *generation, int fd,
	       bool proxy_protocol, const struct sockaddr_storage *from)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	count(&worker->counters.accepted);
	if (conn) {
		conn->worker = worker;
		conn->fd = fd;
		conn->from = *from;
		conn->state = proxy_protocol ? CONN_PROXY : CONN_HELLO;
		conn->wire.out = &conn->out;
		conn->wire.counters = &worker->counters;
		watch_init(&conn->watch, &worker->watches, fd, on_event);
	}
	if (!conn || wait_for_events(conn) < 0) {
		count(&worker->counters.failures[FAIL_MEMORY]);
		count(&worker->counters.closed);
		quota_give(worker->node->quota);
		free(conn);
		close(fd);
		return;
	}
	uv_timer_init(&worker->loop, &conn->timer);
	conn->timer.data = conn;
	conn->generation = generation_hold(generation);
	conn->opened_ms = conn->active_ms = uv_now(&worker->loop);
	conn->next = worker->conns;
	if (conn->next)
		conn->next->prev = conn;
	worker->conns = conn;
	worker->open++;
	conn_timer(conn, generation->settings->handshake_timeout_ms);
	if (!proxy_protocol && !count_address(conn))
		refuse_address(conn);
}

void conn_drain(struct conn *conn)
{
	/* The endpoint answers what it was asked, and then ends. */
	if (conn->state == CONN_RELAY && conn->host->backend == BACKEND_ADMIN) {
		relay_drain(conn);
		return;
	}
	if (conn->state != CONN_PAGE || conn->text.len || conn->out.len)
		return;
	tls_close_notify(conn->tls);
	conn_finish(conn);
	conn_run(conn);
}
