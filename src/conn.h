/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conn.h - one client's connection, owned by its worker. The states and what
 * may follow each stand in a table in conn.c:
 *
 *	PROXY -> HELLO -> HANDSHAKE -> PAGE                 -> LINGER -> CLOSED
 *	                            -> CONNECTING -> RELAY  ->
 *
 * with ASKING behind HANDSHAKE where a host asks for certificates only then.
 *
 * Each state has one step function. A step takes what it can of the ciphertext
 * in `wire`, and says whether the next step should run at once.
 */
#ifndef STEKD_CONN_H
#define STEKD_CONN_H

#include <stek_wolfssl.h>

#include "backend.h"
#include "generation.h"
#include "proxy.h"
#include "quota.h"
#include "tls.h"
#include "watches.h"
#include "worker_state.h"

enum conn_state {
	CONN_PROXY,		/* the balancer's header is due */
	CONN_HELLO,		/* a ClientHello, first or second, is due */
	CONN_HANDSHAKE,
	CONN_ASKING,		/* for a certificate, after the handshake */
	CONN_PAGE,		/* the built-in page serves it */
	CONN_CONNECTING,	/* the backend has not answered yet */
	CONN_RELAY,
	CONN_LINGER,		/* all is said: wait for the peer's end */
	CONN_CLOSED,
	CONN_STATES
};

struct relay;

struct conn {
	struct worker *worker;
	struct generation *generation;	/* the settings that it lives by */
	struct conn *prev, *next;
	enum conn_state state;
	int fd;
	struct quota_place place;	/* where its address is counted */
	struct watch watch;
	uv_timer_t timer;
	bool eof;		/* the client's FIN was read */
	bool ending;		/* it has come, and may not have been read */
	bool emptied;		/* and nothing else is left to read */
	bool broken;		/* the socket failed */
	bool shut;		/* our FIN was sent */
	bool asked_again;	/* and ask_ms ends the time to answer */
	bool blocked;		/* a step has stopped because `out` is full */
	bool name_ignored;	/* an address stood where a name is due */
	uint32_t skipped;	/* bytes thrown away between hellos, or lingering */
	size_t linger_left;	/* bytes not yet with the peer, when last seen */
	uint64_t linger_until_ms;	/* loop time */
	uint64_t opened_ms;	/* loop time */
	uint64_t hello_ns;	/* when the first hello was complete */
	uint64_t active_ms;	/* loop time of the last progress */
	uint64_t ask_ms;	/* loop time of the next question for the
				   client's certificate, or of the end of its
				   time to answer; 0: none */
	struct buf in, out;	/* ciphertext that waits */
	struct tls_wire wire;
	struct gate_hello *first_hello;	/* while a second one is due */
	struct tls *tls;
	const struct settings_host *host;
	char *server_name;	/* as the gate read it; NULL: none */
	struct stek_session session;
	struct sockaddr_storage from, to;
	struct buf text;		/* the page's unfinished request */
	unsigned requests;		/* the page's */
	struct relay *relay;
};

/*
 * Takes over `fd`, in every case, and one connection of the node's quota. Its
 * address is counted here, or once a PROXY header has told it.
 */
void conn_open(struct worker *worker, struct generation *generation, int fd,
	       bool proxy_protocol, const struct sockaddr_storage *from);

/* The worker drains: ends what is idle. */
void conn_drain(struct conn *conn);

/* Ends it now, whatever it does. The memory goes when libuv lets go of it. */
void conn_close(struct conn *conn);

/* --- between the files of a connection --- */

void conn_move(struct conn *conn, enum conn_state next);

/* Runs the steps, sends what they left, and waits for the right events. */
void conn_run(struct conn *conn);

void conn_flush(struct conn *conn);

/* One read of what the kernel has, behind what still waits in `in`. */
void conn_fill(struct conn *conn);

/* All is said (out may still wait): half-close and linger. */
void conn_finish(struct conn *conn);

/* The handshake is lost: counts, logs, sends `alert` (0: none) in the clear. */
void conn_fail(struct conn *conn, enum failure failure, uint8_t alert,
	       const char *why, int code);

/* True if its state takes what the client sends now. */
bool conn_wants_read(const struct conn *conn);

/* conn_timer.c */
void conn_timer(struct conn *conn, uint64_t ms);

/* After the handshake: until it is idle for too long, or open at all. */
void conn_await_end(struct conn *conn);

/* linger.c */
bool conn_step_linger(struct conn *conn);
void conn_linger_on(struct conn *conn);		/* its timer has run out */
bool conn_may_skip(const struct conn *conn);	/* more of what still comes */

/* The handshake's deadline has passed: says so, and ends it. */
void conn_expire(struct conn *conn);

/* conn_tls.c */
bool conn_step_hello(struct conn *conn);
bool conn_step_handshake(struct conn *conn);
bool conn_step_asking(struct conn *conn);
void conn_ask_again(struct conn *conn);	/* when ask_ms has come */
void conn_note_answer(struct conn *conn);	/* reading failed */

/* conn_page.c */
bool conn_step_page(struct conn *conn);

/* conn_admin.c: as backend_connect(), to the admin endpoint. */
enum backend_result conn_admin_connect(struct conn *conn, int *fd);

/* conn_relay.c */
/* `address` NULL: to the admin endpoint of this process. */
void relay_start(struct conn *conn, const struct tls_facts *facts,
		 const struct settings_address *address);
void relay_drain(struct conn *conn);	/* no more of the client's requests */
bool conn_step_relay(struct conn *conn);
bool relay_wants_client(const struct conn *conn);
bool relay_client_ended(const struct conn *conn);	/* by close_notify */
int relay_wait(struct conn *conn);	/* sets what the backend is to tell */
bool relay_has_ended(const struct conn *conn);	/* the backend has */
void relay_stop(struct conn *conn);
void relay_free(struct conn *conn);

#endif
