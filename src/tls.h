/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls.h - TLS over byte buffers. The only part of src/ that sees wolfSSL, and
 * the place of its version quirks. A connection lends its wire: ciphertext
 * that came in, and a buffer for what goes out; nothing here reads or writes a
 * socket, so a flight is one write.
 */
#ifndef STEKD_TLS_H
#define STEKD_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "alerts.h"
#include "buf.h"
#include "counters.h"
#include "gate.h"
#include "settings.h"

struct deny;
struct stek_farm;
struct tls_hosts;
struct tls;

/*
 * Parses a PEM certificate chain and its key and proves that they belong
 * together. 0, or -1 with one line in `why`. Any thread.
 */
int tls_check_pair(const char *cert, const char *key, char *why,
		   size_t why_len);

/*
 * Reads what the host demands of client certificates as tls_hosts_new() will.
 * 0, or -1 with one line in `why` and in *option the option at fault, a static
 * string. Any thread.
 */
int tls_check_client(const struct settings_host *host, const char **option,
		     char *why, size_t why_len);

/* Makes the contexts of every host and joins them to the farm. 0 or -1. */
int tls_hosts_new(struct tls_hosts **out, const struct settings *settings,
		  struct stek_farm *farm, char *why, size_t why_len);

/* False if no handshake can come of it: no group of theirs is one of ours. */
bool tls_shares_group(const struct tls_hosts *hosts,
		      const struct gate_hello *hello);

/* Whether a client may be asked for its certificate after the handshake. */
bool tls_can_ask(const struct tls_hosts *hosts,
		 const struct gate_hello *hello);

/*
 * Whom no host takes, whatever certificates say; NULL: nobody. Before the
 * first connection; `deny` outlives the hosts.
 */
void tls_hosts_deny(struct tls_hosts *hosts, struct deny *deny);

/* What the host demands of certificates: a digest; 0: it asks for none. */
uint64_t tls_hosts_mark(const struct tls_hosts *hosts,
			const struct settings_host *host);

/*
 * Whether the owner of a certificate that was verified before, by a host of
 * this mark, may go on: the host of the same name still asks for the same
 * certificates, and this one is in its time, neither revoked nor denied. Any
 * thread.
 */
struct stek_identity;
bool tls_hosts_take_still(const struct tls_hosts *hosts,
			  const struct settings_host *host,
			  const struct stek_identity *identity, uint64_t mark,
			  int64_t now_ms);

/* After the last connection ended and before stek_farm_close(). */
void tls_hosts_free(struct tls_hosts *hosts);

enum tls_result {
	TLS_OK,
	TLS_AGAIN,	/* more ciphertext is needed */
	TLS_CLOSED,	/* the peer's close_notify */
	TLS_FAILED,	/* tls_failure() says why; an alert may wait in `out` */
};

struct tls_wire {
	const uint8_t *in;	/* ciphertext not yet taken; advanced by calls */
	size_t in_len;
	struct buf *out;	/* ciphertext to send is appended here */
	struct counters *counters;	/* alerts and tickets are counted here */
};

/*
 * A connection for the host that the gate's reading of the first ClientHello
 * chose. `host` is one of the settings given to tls_hosts_new(), `session` and
 * `wire` must outlive it. NULL without memory.
 */
struct tls *tls_new(const struct tls_hosts *hosts,
		    const struct settings_host *host,
		    const struct gate_hello *hello, struct tls_wire *wire,
		    struct stek_session *session);
void tls_free(struct tls *tls);

enum tls_result tls_handshake(struct tls *tls);

/* True while the next thing to come is the second ClientHello. */
bool tls_awaits_hello(const struct tls *tls);

/*
 * Once the handshake has ended, where the host asks after it (RFC 8446 s4.6.2).
 * TLS_OK: this client cannot be asked, or need not be. TLS_AGAIN: a request
 * for its certificate was sent, tls_answer() comes next.
 */
enum tls_result tls_ask(struct tls *tls);

/*
 * Until the request is answered: TLS_OK when it is, and session->identity then
 * says by whom; status 0: by nobody. What the client sends meanwhile is kept,
 * TLS_KEPT_MAX bytes at most, and tls_read() gives it later. `buf` is scratch.
 */
#define TLS_KEPT_MAX (64 * 1024)
enum tls_result tls_answer(struct tls *tls, void *buf, size_t len);

/*
 * Asks whoever has answered once for the same certificate again, while data go
 * on: tls_read() fails when the answer is not good, or names another one. 0, or
 * -1 when there is nobody to ask.
 */
int tls_ask_again(struct tls *tls);

/* False once it is answered. */
bool tls_awaits_answer(const struct tls *tls);

enum tls_result tls_read(struct tls *tls, void *buf, size_t len, size_t *n);

/* All of it, at once; at most 16 KiB. TLS_OK or TLS_FAILED. */
enum tls_result tls_write(struct tls *tls, const void *buf, size_t len);

void tls_close_notify(struct tls *tls);

/* After TLS_FAILED: one reason, and a text for the log. */
enum failure tls_failure(const struct tls *tls, const char **why, int *code);

/* The last fatal alert each way; NO_ALERT: none. */
struct tls_alerts {
	int sent, received;
};

struct tls_alerts tls_alerts(const struct tls *tls);

/* After the handshake. Static or owned by `tls`. */
struct tls_facts {
	enum tls_kind kind;
	const char *version;	/* "TLSv1.3" */
	const char *suite;	/* IANA name */
	const char *signature;	/* of our certificate; NULL: not known */
	const char *key;	/* our certificate's, "EC256"; NULL: not known */
	char group[24];		/* of the key exchange, "secp256r1"; "" if none */
	char alpn[64];		/* "" if none */
	char server_name[256];	/* as the library read it, lower case */
};

void tls_facts(const struct tls *tls, struct tls_facts *out);

/*
 * The names in the client's certificate as der_names() writes them, at a host
 * with roles; none when the session was resumed.
 */
#define TLS_NAMES_MAX 1024
void tls_client_names(const struct tls *tls, char out[TLS_NAMES_MAX]);

/* The handshake ends for want of time: user_canceled and close_notify. */
void tls_cancel(struct tls *tls);

/* A fatal alert in a plaintext record, for before the library is there. */
int tls_plain_alert(struct tls_wire *wire, uint8_t alert);

/* The same for tls_cancel(). */
void tls_plain_cancel(struct tls_wire *wire);

#endif
