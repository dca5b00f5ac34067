/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * counters.h - what one worker counts. Only its worker writes (plain relaxed
 * stores through count()); the admin thread sums all workers on a scrape.
 */
#ifndef STEKD_COUNTERS_H
#define STEKD_COUNTERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stek_wolfssl.h>

#include "alerts.h"

typedef _Atomic uint64_t counter;

enum tls_kind { TLS_KIND_12, TLS_KIND_13, TLS_KINDS };

/*
 * Why a connection ended before its handshake did, one reason each; the alert
 * that goes with each stands in stekd(8). Other nodes read these by their
 * number: new ones come last, just before FAILURES, and none ever leaves.
 */
enum failure {
	FAIL_NONE,
	FAIL_CLOSED,		/* peer closed or reset */
	FAIL_TIMEOUT,		/* handshake deadline */
	FAIL_NOT_TLS,		/* something else on the TLS port */
	FAIL_MALFORMED,		/* a message that does not decode, or breaks
				   the standard's rules */
	FAIL_TOO_BIG,		/* a message over what is taken of it */
	FAIL_UNKNOWN_HOST,
	FAIL_VERSION,		/* no shared version */
	FAIL_SUITE,		/* no shared suite */
	FAIL_ALPN,		/* no shared protocol name */
	FAIL_ALERT,		/* the peer sent a fatal alert */
	FAIL_PROXY,		/* PROXY header missing or wrong */
	FAIL_MEMORY,
	FAIL_OTHER,
	FAIL_GROUP,		/* no shared group */
	FAIL_SIGNATURE_SCHEME,	/* no shared signature algorithm */
	FAIL_FALLBACK,		/* RFC 7507: a needless fallback */
	FAIL_MASTER_SECRET,	/* RFC 7627 s5.3: resumed without it */
	FAIL_PLAIN_HTTP,	/* HTTP on the TLS port */
	FAIL_UNEXPECTED,	/* a message or record out of its order */
	FAIL_RECORD,		/* a record that does not decrypt */
	FAIL_FINISHED,		/* a Finished or binder that does not verify */
	FAIL_SIGNATURE,		/* a CertificateVerify that does not */
	FAIL_CERT_NONE,		/* required, and none was sent */
	FAIL_CERT_BAD,		/* it does not parse, or its signature is wrong */
	FAIL_CERT_EXPIRED,
	FAIL_CERT_EARLY,	/* not yet valid */
	FAIL_CERT_REVOKED,	/* by a CRL */
	FAIL_CERT_UNKNOWN_CA,
	FAIL_CERT_USAGE,	/* not for clients */
	FAIL_CERT_CHAIN,	/* its chain is too long or breaks a limit */
	FAIL_CERT_STATUS,	/* no CRL is there to judge it by */
	FAIL_CERT_DENIED,	/* on the deny list */
	FAIL_ADDRESS_LIMIT,	/* its address has enough connections */
	FAIL_DESCRIPTORS,	/* those left are for the admin endpoint */
	FAILURES
};

const char *failure_name(enum failure failure);

#define AGE_BUCKETS 12		/* ticket age at resumption, upper bounds below */
#define TIME_BUCKETS 14		/* handshake time */
extern const double age_bounds_s[AGE_BUCKETS];
extern const double time_bounds_s[TIME_BUCKETS];

/* bucket[i] counts alone what is above bound i - 1 and at most bound i. */
struct histogram_age { counter bucket[AGE_BUCKETS + 1]; counter sum_ms; };
struct histogram_time { counter bucket[TIME_BUCKETS + 1]; counter sum_us; };

#define ISSUERS_MAX 64

/*
 * Keys whose tickets are counted one by one, as many as a ring holds. A key
 * goes by the first four bytes of its id: enough to tell those of a ring apart.
 */
#define KEYS_MAX 64

enum timeout { TIMEOUT_IDLE, TIMEOUT_TOTAL, TIMEOUTS };

/*
 * What is wrong with a node; with the first two it should get no new
 * connections. Other nodes know them by their number: new ones come last.
 */
enum trouble {
	TROUBLE_DRAINING,
	TROUBLE_CLOCK,		/* further off than farm time makes good */
	TROUBLE_NO_RING,
	TROUBLE_NO_KEY,		/* none may seal */
	TROUBLE_STORE,		/* one or all are not reached */
	TROUBLE_LAGGING,	/* live nodes do not take the ring */
	TROUBLE_NAME,		/* another process has its name */
	TROUBLES
};

#define TROUBLE_NOT_READY (1u << TROUBLE_DRAINING | 1u << TROUBLE_CLOCK)

const char *trouble_name(enum trouble trouble);

/* What a node tells of itself beside its counters; never summed. */
struct counters_facts {
	bool known;		/* false: the node is of an older release */
	uint32_t trouble;	/* bits by enum trouble */
	uint32_t version;	/* major, minor, patch: three digits each */
	uint64_t open;		/* connections */
};

struct counters {
	counter accepted;
	counter closed;
	counter handshakes[TLS_KINDS][STEK_OUTCOMES];	/* completed */
	counter failures[FAILURES];
	counter tickets_issued[TLS_KINDS];
	counter tickets_blank;		/* no key might seal */
	counter bytes_in, bytes_out;	/* plaintext, from and to clients */
	counter backend_errors;
	counter timeouts[TIMEOUTS];	/* of connections, after the handshake */
	struct histogram_age age;
	struct histogram_time time_full, time_resumed;
	/* By alerts_slot(). What came after our own end is not read. */
	counter alerts_sent[ALERTS], alerts_received[ALERTS];
	/* Resumed here by issuing node; the last slot takes what does not fit. */
	_Atomic uint32_t issuer_id[ISSUERS_MAX];
	counter issuer_resumed[ISSUERS_MAX + 1];
	/* Tickets issued by key; the next new one takes keys_seen % KEYS_MAX. */
	_Atomic uint32_t key_id[KEYS_MAX];
	counter key_issued[KEYS_MAX];
	counter keys_seen;
	struct counters_facts facts;
};

static inline void count_by(counter *c, uint64_t n)
{
	atomic_store_explicit(c,
		atomic_load_explicit(c, memory_order_relaxed) + n,
		memory_order_relaxed);
}

static inline void count(counter *c)
{
	count_by(c, 1);
}

void counters_age(struct counters *c, int64_t age_ms);
void counters_time(struct histogram_time *h, int64_t time_us);
void counters_issuer(struct counters *c, uint32_t node_id);

/* `n` tickets more under this key. */
void counters_key(struct counters *c, const uint8_t id[STEK_ID_LEN], uint64_t n);

/* How a key is named in figures: never 0. */
uint32_t counters_key_id(const uint8_t id[STEK_ID_LEN]);

/* Tickets under the key of that name. */
uint64_t counters_key_issued(const struct counters *c, uint32_t key_id);

/* Adds `from` to `into`; `into` is private to the caller. */
void counters_sum(struct counters *into, const struct counters *from);

/*
 * Compact big-endian form for heartbeats, at most cap bytes; 0 if too small.
 * Issuers beyond the first 32, and those for whom there is no room, are the
 * rest; of the keys the newest four are named.
 */
size_t counters_pack(const struct counters *c, uint8_t *buf, size_t cap);
/*
 * 0, or -1 when the bytes are foreign. A build that counts more or less is not:
 * failures that this one cannot name are FAIL_OTHER, outcomes that it cannot
 * name and histograms with other bounds are left out. Alerts beyond the known
 * ones are "other".
 */
int counters_unpack(struct counters *c, const uint8_t *buf, size_t len);

#endif
