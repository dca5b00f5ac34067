/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wolfssl_callback.c - seals and opens the tickets of one connection. wolfSSL
 * calls it on the connection's thread; it reads the farm's ring through the
 * guard and takes no lock, does no I/O and allocates nothing. Opening can only
 * end in "resume" or "full handshake", and sealing never fails: an error there
 * would kill the connection without an alert.
 */
#include "wolfssl_host.h"

#include <string.h>

#include "secret.h"

/* mac[32] of the library: our tag, then `extra`. */
_Static_assert(STEK_TICKET_TAG_LEN + STEK_TICKET_EXTRA_LEN ==
	       WOLFSSL_TICKET_MAC_SZ, "tag and extra fill the MAC");

/* What the library handed to one call of the callback. */
struct call {
	struct stek_host *host;
	WOLFSSL *ssl;
	struct stek_session *session;
	bool recorded;		/* session is the application's */
	uint16_t version;
	const struct stek_ring *ring;
	int64_t now_ms;
	uint8_t *key_name;
	uint8_t *iv;
	uint8_t *mac;
	uint8_t *body;
	int in_len;
	int *out_len;
};

static const struct stek_ticket_aad *aad_of(const struct call *call)
{
	return call->version == STEK_TLS12 ? &call->host->aad12 :
					     &call->host->aad13;
}

/*
 * Without a record two things must still last over the connection's calls: the
 * chain's start and the number of openings. They share one slot word.
 */
static void word_load(WOLFSSL *ssl, struct stek_session *session)
{
	uint64_t word = stek__slot_word(ssl);

	memset(session, 0, sizeof(*session));
	session->opens = (uint8_t)word;
	session->accepted = word >> 8 & 1;
	session->chain_start_ms = (int64_t)(word >> 16);
}

static void word_store(WOLFSSL *ssl, const struct stek_session *session)
{
	stek__slot_set_word(ssl, (uint64_t)session->chain_start_ms << 16 |
					 (uint64_t)session->accepted << 8 |
					 session->opens);
}

/* How much an outcome tells, to keep the best of several identities. */
static int rank(enum stek_outcome outcome)
{
	static const enum stek_outcome order[] = {
		STEK_NONE_OFFERED,   STEK_REFUSED_PSK_KE, STEK_REFUSED_FORMAT,
		STEK_REFUSED_UNKNOWN, STEK_REFUSED_POLICY, STEK_REFUSED_FORGED,
		STEK_REFUSED_REVOKED, STEK_REFUSED_EXPIRED, STEK_REFUSED_CHAIN,
		STEK_REFUSED_IDENTITY,
		/* The openings are spent: the next one was not looked at. */
		STEK_REFUSED_LIMIT,
	};
	const int n = sizeof(order) / sizeof(order[0]);

	for (int i = 0; i < n; i++) {
		if (order[i] == outcome)
			return i;
	}
	return n;	/* resumed */
}

static int refuse(struct call *call, enum stek_outcome outcome)
{
	if (rank(outcome) > rank(call->session->outcome))
		call->session->outcome = outcome;
	return WOLFSSL_TICKET_RET_REJECT;
}

static void parts_load(const struct call *call, struct stek_ticket *out)
{
	memcpy(out->key_name, call->key_name, STEK_ID_LEN);
	memcpy(out->iv, call->iv, STEK_TICKET_IV_LEN);
	memcpy(out->tag, call->mac, STEK_TICKET_TAG_LEN);
	memcpy(out->extra, call->mac + STEK_TICKET_TAG_LEN,
	       STEK_TICKET_EXTRA_LEN);
	memcpy(out->body, call->body, STEK_STATE_ROOM);
	out->body_len = STEK_STATE_ROOM;
}

static void parts_store(const struct call *call,
			const struct stek_ticket *ticket)
{
	memcpy(call->key_name, ticket->key_name, STEK_ID_LEN);
	memcpy(call->iv, ticket->iv, STEK_TICKET_IV_LEN);
	memcpy(call->mac, ticket->tag, STEK_TICKET_TAG_LEN);
	memcpy(call->mac + STEK_TICKET_TAG_LEN, ticket->extra,
	       STEK_TICKET_EXTRA_LEN);
	memcpy(call->body, ticket->body, STEK_STATE_ROOM);
	*call->out_len = STEK_STATE_ROOM;
}

/* The one key that may open the ticket, or the reason why none may. */
static const struct stek_key *key_of(const struct call *call,
				     const uint8_t *id,
				     enum stek_outcome *outcome)
{
	const struct stek_key *key = stek__ring_find(call->ring, id);

	if (!key) {
		*outcome = stek__ring_tombstone(call->ring, id) ?
				   STEK_REFUSED_REVOKED : STEK_REFUSED_UNKNOWN;
		return NULL;
	}
	switch (stek__schedule_state(call->ring, &call->host->farm->policy, key,
				     call->now_ms)) {
	case STEK_ACTIVE:
		*outcome = STEK_RESUMED_ACTIVE;
		break;
	case STEK_RETIRED:
		*outcome = STEK_RESUMED_RETIRED;
		break;
	case STEK_PENDING:
		*outcome = STEK_RESUMED_PENDING;
		break;
	case STEK_REVOKED:
		*outcome = STEK_REFUSED_REVOKED;
		return NULL;
	default:
		*outcome = STEK_REFUSED_EXPIRED;
		return NULL;
	}
	return key;
}

static bool suite_is_offered(const struct stek_host *host, uint16_t suite)
{
	if (!host->n_suites)
		return true;
	for (size_t i = 0; i < host->n_suites; i++) {
		if (host->suites[i] == suite)
			return true;
	}
	return false;
}

/*
 * Whether the client may still be who the ticket says. A certificate's time is
 * the farm's here: the resuming node's own clock may be off.
 */
static bool is_admitted(const struct call *call, const uint8_t *state,
			const struct stek_ticket_own *own)
{
	const struct stek_host *host = call->host;
	struct stek_identity identity = {
		.status = own->status,
		.not_after_s = own->not_after_s,
	};

	/* RFC 5280 s4.1.2.5: valid through notAfter, inclusive. */
	if (own->status && call->now_ms / 1000 > own->not_after_s)
		return false;
	if (!host->admit)
		return true;
	memcpy(identity.issuer_serial, own->issuer_serial,
	       sizeof(identity.issuer_serial));
	stek__state_see_fingerprint(state, identity.fingerprint);
	return host->admit(host->user, &identity, call->now_ms);
}

/* What an authentic ticket must still satisfy; STEK_NONE_OFFERED: all of it. */
static enum stek_outcome judge(const struct call *call, const uint8_t *state,
			       const struct stek_ticket_own *own)
{
	const struct stek_policy *policy = &call->host->farm->policy;
	int64_t age_ms = call->now_ms - own->sealed_at_ms;
	int64_t chain_ms = call->now_ms - own->chain_start_ms;

	if (!stek__state_is_sound(state, call->version) ||
	    !suite_is_offered(call->host, stek__state_suite(state)))
		return STEK_REFUSED_POLICY;
	/* An identity that nobody would be told of must not be dropped. */
	if (own->status && !call->recorded)
		return STEK_REFUSED_POLICY;
	if (age_ms > (int64_t)policy->lifetime_s * 1000 ||
	    age_ms < -STEK_SKEW_GRACE_S * INT64_C(1000))
		return STEK_REFUSED_EXPIRED;
	if (chain_ms > (int64_t)policy->chain_s * 1000)
		return STEK_REFUSED_CHAIN;
	if (!is_admitted(call, state, own))
		return STEK_REFUSED_IDENTITY;
	return STEK_NONE_OFFERED;
}

static void accept_ticket(struct call *call, const struct stek_ticket *ticket,
			  const struct stek_ticket_own *own, uint8_t *state,
			  enum stek_outcome outcome)
{
	struct stek_session *session = call->session;
	struct stek_identity *offered = &session->offered;
	int64_t chain_ms = own->chain_start_ms;

	/* Unrecorded, several may be accepted: the oldest chain counts. */
	if (session->accepted && session->chain_start_ms < chain_ms)
		chain_ms = session->chain_start_ms;
	session->outcome = outcome;
	memcpy(session->key_id, ticket->key_name, STEK_ID_LEN);
	session->issuer = own->issuer;
	session->sealed_at_ms = own->sealed_at_ms;
	session->age_ms = call->now_ms - own->sealed_at_ms;
	session->chain_start_ms = chain_ms;
	session->accepted = true;
	memcpy(session->accepted_tag, ticket->tag, STEK_TICKET_TAG_LEN);
	offered->status = own->status;
	offered->not_after_s = own->not_after_s;
	memcpy(offered->issuer_serial, own->issuer_serial,
	       sizeof(offered->issuer_serial));
	stek__state_take_fingerprint(state, offered->fingerprint);
	stek__state_put_age(state, call->version, session->age_ms);
}

/*
 * TLS 1.2 gets its next ticket only when asked (CREATE); in TLS 1.3 one follows
 * anyway, and CREATE would end in a full handshake. Nobody is given a new
 * ticket in place of a good one while no key may seal.
 */
static int verdict(const struct call *call, enum stek_outcome outcome)
{
	const struct stek_policy *policy = &call->host->farm->policy;
	int64_t half_ms = (int64_t)policy->lifetime_s * 500;

	if (call->version != STEK_TLS12 ||
	    !stek__schedule_sealing(call->ring, policy, call->now_ms))
		return WOLFSSL_TICKET_RET_OK;
	if (outcome != STEK_RESUMED_ACTIVE || call->session->age_ms > half_ms)
		return WOLFSSL_TICKET_RET_CREATE;
	return WOLFSSL_TICKET_RET_OK;
}

static int open_ticket(struct call *call)
{
	struct stek_session *session = call->session;
	uint8_t state[STEK_TICKET_STATE_MAX];
	struct stek_ticket_own own;
	struct stek_ticket ticket;
	const struct stek_key *key;
	enum stek_outcome outcome, objection;
	int ret;

	/* `mac` lies behind the body: of another length it is not even ours. */
	if (call->in_len != STEK_STATE_ROOM || !call->version)
		return refuse(call, STEK_REFUSED_FORMAT);
	parts_load(call, &ticket);
	/*
	 * The library opens every identity before it chooses one and never
	 * says which. So one ticket counts per connection (a second hello
	 * repeats it): whose identity is reported is then not in doubt.
	 */
	if (call->recorded && session->accepted &&
	    !stek__equal(ticket.tag, session->accepted_tag,
			 STEK_TICKET_TAG_LEN))
		return WOLFSSL_TICKET_RET_REJECT;
	key = key_of(call, ticket.key_name, &outcome);
	if (!key)
		return refuse(call, outcome);
	if (!stek__ticket_in_scope(&ticket, aad_of(call)))
		return refuse(call, STEK_REFUSED_POLICY);
	if (session->opens >= STEK_OPENS_MAX)
		return refuse(call, STEK_REFUSED_LIMIT);
	session->opens++;
	ret = stek__ticket_open(&ticket, key, aad_of(call), &own, state);
	if (ret == STEK_EFORMAT)
		return refuse(call, STEK_REFUSED_FORMAT);
	if (ret == STEK_ENOKEY)
		return refuse(call, STEK_REFUSED_UNKNOWN);
	if (ret)
		return refuse(call, STEK_REFUSED_FORGED);
	objection = judge(call, state, &own);
	if (objection != STEK_NONE_OFFERED) {
		stek__wipe(state, sizeof(state));
		return refuse(call, objection);
	}
	accept_ticket(call, &ticket, &own, state, outcome);
	memcpy(call->body, state, STEK_STATE_LEN);
	*call->out_len = STEK_STATE_LEN;
	stek__wipe(state, sizeof(state));
	return verdict(call, outcome);
}

void stek__session_settle(struct stek_session *session, bool recorded,
			  bool resumed)
{
	if (!session->accepted)
		return;
	if (resumed) {
		/* Unrecorded, the flag must outlive this connection's calls. */
		if (!recorded)
			return;
		session->identity = session->offered;
	} else {
		session->outcome = STEK_REFUSED_EXPIRED;
		memset(session->key_id, 0, sizeof(session->key_id));
		session->issuer = 0;
		session->sealed_at_ms = 0;
		session->age_ms = 0;
		session->chain_start_ms = 0;
	}
	session->accepted = false;
	stek__wipe(&session->offered, sizeof(session->offered));
	stek__wipe(session->accepted_tag, sizeof(session->accepted_tag));
}

static int seal_real(struct call *call, struct stek_ticket *out)
{
	struct stek_session *session = call->session;
	const struct stek_identity *identity = &session->identity;
	const struct stek_key *key;
	struct stek_ticket_own own = {
		.status = identity->status,
		.issuer = call->host->farm->node_id,
		.sealed_at_ms = call->now_ms,
		.not_after_s = identity->not_after_s > 0 ?
				       identity->not_after_s : 0,
	};

	if (!call->version || !stek__state_is_sound(call->body, call->version))
		return STEK_EINVAL;
	key = stek__schedule_sealing(call->ring, &call->host->farm->policy,
				     call->now_ms);
	if (!key)
		return STEK_ENOKEY;
	/* A resumption keeps its chain; one that we know nothing of has none. */
	if (!session->chain_start_ms) {
		if (wolfSSL_session_reused(call->ssl))
			return STEK_EINVAL;
		session->chain_start_ms = call->now_ms;
	}
	own.chain_start_ms = session->chain_start_ms;
	memcpy(own.issuer_serial, identity->issuer_serial,
	       sizeof(own.issuer_serial));
	stek__state_put_fingerprint(call->body, identity->fingerprint);
	return stek__ticket_seal(out, key, aad_of(call), &own, call->body,
				 STEK_STATE_LEN);
}

static void count(uint8_t *counter)
{
	if (*counter < UINT8_MAX)
		(*counter)++;
}

static int seal_ticket(struct call *call)
{
	struct stek_ticket ticket;

	/* stek__layout_prove() has shown that the library never does this. */
	if (call->in_len != STEK_STATE_LEN || *call->out_len < STEK_STATE_ROOM)
		return WOLFSSL_TICKET_RET_FATAL;
	stek__session_settle(call->session, call->recorded,
			     wolfSSL_session_reused(call->ssl));
	if (seal_real(call, &ticket)) {
		stek__ticket_blank(&ticket, STEK_STATE_LEN);
		count(&call->session->blank);
	} else {
		count(&call->session->issued);
		memcpy(call->session->issued_key, ticket.key_name, STEK_ID_LEN);
	}
	parts_store(call, &ticket);
	return WOLFSSL_TICKET_RET_OK;
}

int stek__ticket_callback(WOLFSSL *ssl, unsigned char *key_name,
			  unsigned char *iv, unsigned char *mac, int enc,
			  unsigned char *ticket, int in_len, int *out_len,
			  void *user)
{
	struct stek_host *host = user;
	struct stek_session local;
	struct call call = {
		.host = host, .ssl = ssl, .session = stek__slot_session(ssl),
		.version = stek__layout_version(ssl),
		.key_name = key_name, .iv = iv, .mac = mac, .body = ticket,
		.in_len = in_len, .out_len = out_len,
	};
	unsigned slot;
	int ret;

	call.recorded = call.session != NULL;
	if (!call.recorded) {
		word_load(ssl, &local);
		call.session = &local;
	}
	call.ring = stek__guard_enter(&host->farm->guard, &slot);
	call.now_ms = stek_farm_now_ms(host->farm);
	ret = enc ? seal_ticket(&call) : open_ticket(&call);
	stek__guard_leave(&host->farm->guard, slot);
	if (!call.recorded) {
		word_store(ssl, &local);
		stek__wipe(&local, sizeof(local));
	}
	return ret;
}
