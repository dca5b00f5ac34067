/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One watched connection from the look-up to the last byte. It reads before it
 * writes and before it judges: in TLS 1.3 a client is done before the server has
 * seen its certificate and its Finished (RFC 8446 s4.4.4), so that only what the
 * server sends afterwards tells whether it has accepted; and a request sent at
 * once may turn the alert into a reset.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>

#include "alert.h"
#include "conn.h"
#include "stop.h"
#include "watch.h"

#define QUIET_US 300000		/* without a word of a server that accepts */
#define QUIET_ASKED_US 1000000	/* of one that looks at a certificate */
#define ANSWER_US 3000000
#define CLOSE_US 1000000

struct run {
	struct talk *talk;
	const struct offer *offer;
	const struct address *address;
	int fd;
	SSL *ssl;
	int64_t deadline_us;
	bool ended;		/* nothing more comes */
	int error;		/* errno then; 0: an end of file */
	char reply[8192];
	size_t reply_len, reply_total;
	struct watch watch;
};

static const char proxy_local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0";

/* True when the descriptor is ready; false at the deadline or when asked. */
static bool wait_for(const struct run *run, short events, int64_t until_us)
{
	struct pollfd one = {.fd = run->fd, .events = events};

	for (;;) {
		int64_t left_us = until_us - conn_now_us();
		int ready;

		if (left_us <= 0 || stop_asked())
			return false;
		ready = poll(&one, 1, left_us > 100000 ? 100 :
				      (int)(left_us / 1000) + 1);
		if (ready > 0)
			return true;
		if (ready < 0 && errno != EINTR)
			return false;
	}
}

static bool fail(struct run *run, enum talk_end end)
{
	run->talk->end = end;
	return false;
}

/* ---- TCP -------------------------------------------------------------------- */

static enum talk_end of_errno(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return TALK_REFUSED;
	case ETIMEDOUT:
		return TALK_TIMEOUT;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EADDRNOTAVAIL:
		return TALK_UNREACHABLE;
	default:
		return TALK_BROKEN;
	}
}

static bool connect_tcp(struct run *run)
{
	const struct sockaddr *to = (const void *)&run->address->addr;
	socklen_t len = sizeof(int);
	int one = 1, error = 0;

	if (run->address->len == 0)
		return fail(run, TALK_UNKNOWN_HOST);
	run->talk->stage = TALK_CONNECT;
	getnameinfo(to, run->address->len, run->talk->peer,
		    sizeof(run->talk->peer), NULL, 0, NI_NUMERICHOST);
	run->fd = socket(to->sa_family,
			 SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (run->fd < 0)
		return fail(run, TALK_BROKEN);
	setsockopt(run->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(run->fd, to, run->address->len) != 0) {
		if (errno != EINPROGRESS)
			return fail(run, of_errno(errno));
		if (!wait_for(run, POLLOUT, run->deadline_us))
			return fail(run, TALK_TIMEOUT);
		getsockopt(run->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	}
	if (error)
		return fail(run, of_errno(error));
	run->talk->connect_us = conn_now_us() - run->watch.begun_us;
	run->talk->stage = TALK_HELLO;
	/* A fresh socket takes 16 bytes at once, or it is broken. */
	if (run->offer->tls.send_proxy &&
	    send(run->fd, proxy_local, 16, MSG_NOSIGNAL) != 16)
		return fail(run, TALK_RESET);
	return true;
}

/* ---- how it ended ----------------------------------------------------------- */

static bool speaks_tls(const struct talk *talk)
{
	return talk->n_first < 2 || (talk->first[0] >= RECORD_CHANGE &&
	       talk->first[0] <= RECORD_DATA && talk->first[1] == 3);
}

/* The alert that says why, by that side. */
static bool alert_of(struct talk *talk, bool by_server)
{
	int at = flight_alert(&talk->flight, by_server);

	if (at < 0)
		return false;
	talk->alert = talk->flight.events[at].type;
	talk->alert_keys = talk->flight.events[at].keys;
	return true;
}

/* Called when nothing more comes, or when our library gives up. */
static enum talk_end judge_end(struct run *run)
{
	if (!speaks_tls(run->talk))
		return TALK_NOT_TLS;
	if (alert_of(run->talk, true))
		return TALK_ALERTED;
	if (alert_of(run->talk, false) || run->talk->error[0])
		return TALK_DECLINED;
	if (run->error == ECONNRESET || run->error == EPIPE)
		return TALK_RESET;
	return TALK_CLOSED;
}

/* After a call that returned `ret` and can neither go on nor wait. */
static void take_error(struct run *run, int ret, int saved_errno)
{
	unsigned long error = ERR_peek_error();
	const char *reason = ERR_reason_error_string(error);

	run->ended = true;
	if (SSL_get_error(run->ssl, ret) == SSL_ERROR_SYSCALL)
		run->error = saved_errno;
	else if (error && reason &&
		 ERR_GET_REASON(error) != SSL_R_UNEXPECTED_EOF_WHILE_READING)
		snprintf(run->talk->error, sizeof(run->talk->error), "%s",
			 reason);
	ERR_clear_error();
}

/* ---- TLS -------------------------------------------------------------------- */

/* Waits for what OpenSSL wants. False: `ended`, or it is past `until_us`. */
static bool may_go_on(struct run *run, int ret, int64_t until_us)
{
	int saved = errno;

	switch (SSL_get_error(run->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
		return wait_for(run, POLLIN, until_us);
	case SSL_ERROR_WANT_WRITE:
		return wait_for(run, POLLOUT, until_us);
	default:
		take_error(run, ret, saved);
		return false;
	}
}

static bool set_up(struct run *run, SSL_CTX *ctx, SSL_SESSION *resume)
{
	const char *keylog = run->offer->keylog;

	run->ssl = tls_new(ctx, &run->offer->tls, run->address);
	if (!run->ssl || SSL_set_fd(run->ssl, run->fd) != 1)
		return fail(run, TALK_BROKEN);
	if (run->offer->no_name)
		SSL_set_tlsext_host_name(run->ssl, NULL);
	run->watch.must_verify = run->offer->tls.ca != NULL;
	if (keylog)
		run->watch.keylog = open(keylog, O_WRONLY | O_APPEND | O_CREAT |
					 O_CLOEXEC, 0600);
	watch_start(&run->watch, run->ssl);
	if (!resume)
		return true;
	run->talk->offered = true;
	return SSL_set_session(run->ssl, resume) == 1 ||
	       fail(run, TALK_BROKEN);
}

/* Before the handshake, RFC 8446 s2.3; false: it failed. */
static bool send_early(struct run *run)
{
	const char *early = run->offer->early;
	size_t sent;
	int ret;

	if (!early)
		return true;
	do {
		ERR_clear_error();
		errno = 0;
		ret = SSL_write_early_data(run->ssl, early, strlen(early),
					   &sent);
	} while (ret != 1 && may_go_on(run, ret, run->deadline_us));
	return ret == 1 ||
	       fail(run, run->ended ? judge_end(run) : TALK_TIMEOUT);
}

static bool shake(struct run *run)
{
	struct talk *talk = run->talk;
	int64_t begun_us = conn_now_us();
	int ret;

	do {
		ERR_clear_error();
		errno = 0;
		ret = SSL_connect(run->ssl);
	} while (ret != 1 && may_go_on(run, ret, run->deadline_us));
	watch_ca_list(talk, run->ssl);
	if (ret != 1)
		return fail(run, run->ended ? judge_end(run) : TALK_TIMEOUT);
	talk->handshake_us = conn_now_us() - begun_us;
	talk->stage = TALK_ACCEPTANCE;
	watch_negotiated(talk, run->ssl);
	talk->early_accepted = SSL_get_early_data_status(run->ssl) ==
			       SSL_EARLY_DATA_ACCEPTED;
	/* Its Finished answers ours, unless it resumes (RFC 5246 s7.3). */
	talk->accepted = !talk->flight.tls13 && !talk->resumed;
	if (!talk->flight.tls13)
		watch_keep(talk, SSL_get1_session(run->ssl));
	return true;
}

/* A server that refuses sends neither data nor, but for its alert, a ticket. */
static bool heard(const struct run *run)
{
	return run->reply_total > 0 ||
	       (run->talk->flight.tls13 && run->talk->flight.n_tickets > 0);
}

/* Reads until `until_us`, the end, or, before the request, until it is heard. */
static void listen_to(struct run *run, int64_t until_us, bool requested)
{
	char spill[4096], *to;
	int ret;

	do {
		size_t room = sizeof(run->reply) - run->reply_len;

		if (requested && page_complete(run->reply, run->reply_len,
					       run->reply_total) &&
		    until_us > conn_now_us() + CLOSE_US)
			until_us = conn_now_us() + CLOSE_US;
		ERR_clear_error();
		errno = 0;
		/* SSL_read() only writes there. */
		/* cppcheck-suppress legacyUninitvar */
		to = room ? run->reply + run->reply_len : spill;
		ret = SSL_read(run->ssl, to,
			       room ? (int)room : (int)sizeof(spill));
		if (ret > 0) {
			run->reply_total += (size_t)ret;
			run->reply_len += room ? (size_t)ret : 0;
		}
	} while (ret > 0 || ((requested || !heard(run)) &&
			     may_go_on(run, ret, until_us)));
}

static void ask(struct run *run)
{
	const char *host = run->offer->tls.sni ? run->offer->tls.sni
					       : run->address->host;
	bool v6 = strchr(host, ':') != NULL;
	char request[512];
	int len, ret;

	len = snprintf(request, sizeof(request),
		       "GET / HTTP/1.1\r\nHost: %s%s%s\r\n"
		       "User-Agent: stekprobe\r\nAccept: application/json\r\n"
		       "Connection: close\r\n\r\n",
		       v6 ? "[" : "", host, v6 ? "]" : "");
	do {
		ERR_clear_error();
		errno = 0;
		ret = SSL_write(run->ssl, request, len);
	} while (ret <= 0 && may_go_on(run, ret, run->deadline_us));
	run->talk->stage = TALK_ANSWER;
}

/* The answer's Date, RFC 9110 s6.6.1. */
static int64_t date_of(const char *reply, size_t len)
{
	static const char field[] = "\r\ndate:";
	char text[40] = "";
	struct tm tm = {0};

	for (size_t i = 0; i + sizeof(field) + 36 < len; i++) {
		if (memcmp(reply + i, "\r\n\r\n", 4) == 0)
			break;
		if (strncasecmp(reply + i, field, sizeof(field) - 1) != 0)
			continue;
		memcpy(text, reply + i + sizeof(field) - 1, 36);
		break;
	}
	if (!strptime(text, " %a, %d %b %Y %H:%M:%S GMT", &tm))
		return 0;
	return timegm(&tm);
}

/* After the handshake: has the server gone along? */
static void await_verdict(struct run *run, bool request)
{
	struct talk *talk = run->talk;
	bool asked = flight_find(&talk->flight, true,
				 HS_CERTIFICATE_REQUEST) >= 0;
	int64_t now_us = conn_now_us(), until_us;

	until_us = now_us + (asked ? QUIET_ASKED_US : QUIET_US);
	if (!talk->accepted)
		listen_to(run, until_us, false);
	now_us = conn_now_us();
	until_us = now_us + ANSWER_US < run->deadline_us ? now_us + ANSWER_US
							 : run->deadline_us;
	if (request && !run->ended) {
		ask(run);
		if (!run->ended || run->error)
			listen_to(run, until_us, true);
	}
	talk->accepted |= heard(run);
	talk->end = TALK_GOOD;
	if (run->ended) {
		talk->end = judge_end(run);
		if (talk->accepted && talk->alert < 0)
			talk->end = TALK_GOOD;
	}
	if (talk->end == TALK_GOOD)
		talk->error[0] = '\0';
	else if (talk->alert >= 0 || !talk->accepted)
		talk->accepted = false;
	page_parse(&talk->page, run->reply, run->reply_len);
	talk->server_date_s = date_of(run->reply, run->reply_len);
}

static void end(struct run *run)
{
	if (run->ssl) {
		if (run->talk->end == TALK_GOOD && !run->ended)
			SSL_shutdown(run->ssl);
		/* Or SSL_free() would declare the tickets unusable. */
		SSL_set_shutdown(run->ssl, SSL_SENT_SHUTDOWN |
						   SSL_RECEIVED_SHUTDOWN);
		SSL_free(run->ssl);
	}
	if (run->fd >= 0)
		close(run->fd);
	if (run->watch.keylog >= 0)
		close(run->watch.keylog);
	ERR_clear_error();
	run->talk->total_us = conn_now_us() - run->watch.begun_us;
}

void talk_run(struct talk *out, const struct offer *offer, SSL_CTX *ctx,
	      const struct address *address, SSL_SESSION *resume, bool request)
{
	struct run run = {.talk = out, .offer = offer, .address = address,
			  .fd = -1};

	*out = (struct talk){.alert = -1, .begun_s = time(NULL)};
	run.watch = (struct watch){.talk = out, .begun_us = conn_now_us(),
				   .name = offer->tls.sni ? offer->tls.sni
							  : address->host,
				   .literal = !offer->tls.sni &&
					      address->literal,
				   .keylog = -1};
	run.deadline_us = run.watch.begun_us + offer->timeout_s * 1000000LL;
	watch_context(ctx, offer);
	if (connect_tcp(&run) && set_up(&run, ctx, resume) &&
	    send_early(&run) && shake(&run))
		await_verdict(&run, request);
	end(&run);
}

void talk_clear(struct talk *talk)
{
	SSL_SESSION_free(talk->session);
	talk->session = NULL;
}

const char *talk_end_name(enum talk_end end)
{
	static const char *const names[] = {
		[TALK_GOOD] = "good",
		[TALK_UNKNOWN_HOST] = "unknown_host_name",
		[TALK_REFUSED] = "connect_refused",
		[TALK_UNREACHABLE] = "connect_unreachable",
		[TALK_TIMEOUT] = "timeout",
		[TALK_CLOSED] = "closed",
		[TALK_RESET] = "reset",
		[TALK_ALERTED] = "alert_received",
		[TALK_DECLINED] = "refused_here",
		[TALK_NOT_TLS] = "not_tls",
		[TALK_BROKEN] = "broken_here",
	};

	return names[end];
}

const char *talk_stage_name(enum talk_stage stage)
{
	static const char *const names[] = {
		[TALK_LOOKUP] = "lookup",
		[TALK_CONNECT] = "connect",
		[TALK_HELLO] = "hello",
		[TALK_HANDSHAKE] = "handshake",
		[TALK_ACCEPTANCE] = "acceptance",
		[TALK_ANSWER] = "answer",
	};

	return names[stage];
}
