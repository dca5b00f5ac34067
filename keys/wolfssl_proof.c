/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wolfssl_proof.c - proves, once per process, that the linked wolfSSL lays out
 * its session state as wolfssl_layout.h says: handshakes in memory whose ticket
 * callback looks at the state and changes one field at a time. A wrong offset
 * would not crash; it would resume what it must not, so nothing is attached
 * before this has passed.
 */
#include "wolfssl_layout.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "wire.h"

#define PIPE_LEN 16384
#define CONTEXT_BYTE 0xa5	/* fills the session id context */
#define SHIFT_MS 20000		/* out of the library's window of ages */
#define FLIGHTS_MAX 16

/* A self-signed P-256 certificate and its key, public on purpose. */
static const unsigned char proof_cert[] = {
	0x30, 0x82, 0x01, 0x2e, 0x30, 0x81, 0xd5, 0x02, 0x14, 0x6b, 0x72,
	0xcd, 0xb5, 0x97, 0x96, 0xb7, 0xd2, 0x83, 0xba, 0xb6, 0x7b, 0xf6,
	0x2f, 0xc7, 0x2d, 0xe7, 0x34, 0x8b, 0x11, 0x30, 0x0a, 0x06, 0x08,
	0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02, 0x30, 0x19, 0x31,
	0x17, 0x30, 0x15, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x0e, 0x73,
	0x74, 0x65, 0x6b, 0x20, 0x73, 0x65, 0x6c, 0x66, 0x2d, 0x74, 0x65,
	0x73, 0x74, 0x30, 0x20, 0x17, 0x0d, 0x32, 0x36, 0x31, 0x31, 0x32,
	0x31, 0x31, 0x30, 0x34, 0x31, 0x31, 0x32, 0x5a, 0x18, 0x0f, 0x32,
	0x31, 0x32, 0x36, 0x31, 0x30, 0x32, 0x38, 0x31, 0x30, 0x34, 0x31,
	0x31, 0x32, 0x5a, 0x30, 0x19, 0x31, 0x17, 0x30, 0x15, 0x06, 0x03,
	0x55, 0x04, 0x03, 0x0c, 0x0e, 0x73, 0x74, 0x65, 0x6b, 0x20, 0x73,
	0x65, 0x6c, 0x66, 0x2d, 0x74, 0x65, 0x73, 0x74, 0x30, 0x59, 0x30,
	0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
	0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42,
	0x00, 0x04, 0xd8, 0xf0, 0x92, 0x91, 0xd7, 0x86, 0x81, 0x09, 0x3b,
	0x48, 0x59, 0x2f, 0x34, 0x36, 0x36, 0xec, 0x9d, 0x1a, 0x07, 0x02,
	0xd5, 0xc8, 0x29, 0xa7, 0x19, 0xfa, 0x12, 0xac, 0x4f, 0xa8, 0xae,
	0x9d, 0x5a, 0xd3, 0x6f, 0xc7, 0x18, 0xf9, 0xcd, 0xcc, 0x6d, 0x81,
	0xa7, 0xd0, 0x6b, 0xe1, 0x0b, 0x46, 0x6d, 0xe5, 0x9d, 0x1b, 0x92,
	0x86, 0xc1, 0x05, 0x03, 0x5e, 0x29, 0x65, 0xc3, 0xea, 0x82, 0x2b,
	0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03,
	0x02, 0x03, 0x48, 0x00, 0x30, 0x45, 0x02, 0x20, 0x3e, 0xa4, 0x5b,
	0x03, 0x93, 0x54, 0x96, 0x8e, 0x19, 0xda, 0x00, 0x01, 0xc0, 0x3c,
	0xe5, 0x48, 0x59, 0x6f, 0xf9, 0x78, 0x0e, 0x3e, 0x4f, 0x56, 0x31,
	0xc8, 0x0a, 0x90, 0x63, 0x55, 0x63, 0x38, 0x02, 0x21, 0x00, 0xa7,
	0x98, 0x02, 0xba, 0x13, 0xe5, 0x43, 0x1a, 0x1c, 0x99, 0x93, 0xbd,
	0x55, 0x9d, 0x29, 0x0d, 0x83, 0x80, 0x1e, 0x74, 0x84, 0xb4, 0x56,
	0x3a, 0xa5, 0x9c, 0x4b, 0x76, 0x18, 0xcb, 0x6c, 0x88,
};

static const unsigned char proof_key[] = {
	0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20, 0xbf, 0x46, 0xea, 0xa6,
	0x1d, 0x75, 0xc5, 0x44, 0x0d, 0x89, 0x5a, 0x09, 0x75, 0x87, 0x40,
	0x42, 0x27, 0x2b, 0x1c, 0x51, 0xf0, 0xd3, 0xe9, 0x68, 0x86, 0x5c,
	0x21, 0x8d, 0x36, 0xc8, 0x99, 0x45, 0xa0, 0x0a, 0x06, 0x08, 0x2a,
	0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0xa1, 0x44, 0x03, 0x42,
	0x00, 0x04, 0xd8, 0xf0, 0x92, 0x91, 0xd7, 0x86, 0x81, 0x09, 0x3b,
	0x48, 0x59, 0x2f, 0x34, 0x36, 0x36, 0xec, 0x9d, 0x1a, 0x07, 0x02,
	0xd5, 0xc8, 0x29, 0xa7, 0x19, 0xfa, 0x12, 0xac, 0x4f, 0xa8, 0xae,
	0x9d, 0x5a, 0xd3, 0x6f, 0xc7, 0x18, 0xf9, 0xcd, 0xcc, 0x6d, 0x81,
	0xa7, 0xd0, 0x6b, 0xe1, 0x0b, 0x46, 0x6d, 0xe5, 0x9d, 0x1b, 0x92,
	0x86, 0xc1, 0x05, 0x03, 0x5e, 0x29, 0x65, 0xc3, 0xea, 0x82, 0x2b,
};

/* What the callback changes in an opened state. */
enum twist {
	TWIST_NONE,
	TWIST_OLD,		/* sealed a week and a day ago */
	TWIST_NO_EMS,
	TWIST_AGE_ADD,		/* the obfuscation alone */
	TWIST_AGE_ADD_AND_TIME,	/* which cancel out */
};

struct probe {
	enum twist twist;
	int in_len;
	int room;
	bool opened;
	uint8_t state[STEK_STATE_LEN];
};

struct pipe {
	size_t len;
	uint8_t data[PIPE_LEN];
};

/* One version's two ends and the queues between them. */
struct rig {
	uint16_t version;
	struct probe probe;
	WOLFSSL_CTX *server_ctx;
	WOLFSSL_CTX *client_ctx;
	WOLFSSL *server;
	WOLFSSL *client;
	WOLFSSL_SESSION *session;
	const unsigned char *cut;	/* a ticket to be offered incomplete */
	struct pipe to_server;
	struct pipe to_client;
};

static int pipe_put(struct pipe *pipe, const char *buf, int len)
{
	if ((size_t)len > PIPE_LEN - pipe->len)
		return WOLFSSL_CBIO_ERR_GENERAL;
	memcpy(pipe->data + pipe->len, buf, (size_t)len);
	pipe->len += (size_t)len;
	return len;
}

static int pipe_get(struct pipe *pipe, char *buf, int len)
{
	size_t n = pipe->len < (size_t)len ? pipe->len : (size_t)len;

	if (!n)
		return WOLFSSL_CBIO_ERR_WANT_READ;
	memcpy(buf, pipe->data, n);
	memmove(pipe->data, pipe->data + n, pipe->len - n);
	pipe->len -= n;
	return (int)n;
}

static int send_bytes(WOLFSSL *ssl, char *buf, int len, void *user)
{
	struct rig *rig = user;

	return pipe_put(ssl == rig->client ? &rig->to_server : &rig->to_client,
			buf, len);
}

static int recv_bytes(WOLFSSL *ssl, char *buf, int len, void *user)
{
	struct rig *rig = user;

	return pipe_get(ssl == rig->client ? &rig->to_client : &rig->to_server,
			buf, len);
}

static void time_shift(uint8_t *state, int64_t by_ms, uint16_t version)
{
	struct stek_reader r;
	struct stek_writer w;

	stek__reader_init(&r, state + STEK_STATE_TIME, 8);
	stek__writer_init(&w, state + STEK_STATE_TIME, 8);
	if (version == STEK_TLS12) {
		uint32_t then_s = stek__read_u32(&r);

		stek__write_u32(&w, (uint32_t)(then_s + by_ms / 1000));
		return;
	}
	stek__write_i64(&w, stek__read_i64(&r) + by_ms);
}

static void twist_state(uint8_t *state, enum twist twist, uint16_t version)
{
	struct stek_reader r;
	struct stek_writer w;
	uint32_t add;
	int shift_ms;

	if (twist == TWIST_OLD)
		time_shift(state, INT64_C(-8) * 86400 * 1000, version);
	if (twist == TWIST_NO_EMS)
		state[STEK_STATE_EMS] = 0;
	if (twist != TWIST_AGE_ADD && twist != TWIST_AGE_ADD_AND_TIME)
		return;
	stek__reader_init(&r, state + STEK_STATE_AGE_ADD, 4);
	add = stek__read_u32(&r);
	/* The library does not reduce the sum, so stay clear of the wrap. */
	shift_ms = add > UINT32_MAX / 2 ? -SHIFT_MS : SHIFT_MS;
	stek__writer_init(&w, state + STEK_STATE_AGE_ADD, 4);
	stek__write_u32(&w, add + (uint32_t)shift_ms);
	if (twist == TWIST_AGE_ADD_AND_TIME)
		time_shift(state, shift_ms, version);
}

/* "Seals" by inverting each byte: the library asks for no more than change. */
static int probe_callback(WOLFSSL *ssl, unsigned char *key_name,
			  unsigned char *iv, unsigned char *mac, int enc,
			  unsigned char *ticket, int in_len, int *out_len,
			  void *user)
{
	struct probe *probe = user;

	if (enc) {
		probe->in_len = in_len;
		probe->room = *out_len;
		if (in_len != STEK_STATE_LEN || *out_len != STEK_STATE_ROOM)
			return WOLFSSL_TICKET_RET_FATAL;
		memcpy(probe->state, ticket, STEK_STATE_LEN);
		memset(key_name, 1, STEK_ID_LEN);
		memset(iv, 2, STEK_TICKET_IV_LEN);
		memset(mac, 3, WOLFSSL_TICKET_MAC_SZ);
		*out_len = STEK_STATE_ROOM;
	} else if (in_len != STEK_STATE_ROOM) {
		return WOLFSSL_TICKET_RET_REJECT;
	}
	for (int i = 0; i < STEK_STATE_LEN; i++)
		ticket[i] ^= 0xff;
	if (!enc) {
		probe->opened = true;
		twist_state(ticket, probe->twist, stek__layout_version(ssl));
		*out_len = STEK_STATE_LEN;
	}
	return WOLFSSL_TICKET_RET_OK;
}

static void rig_hang_up(struct rig *rig)
{
	wolfSSL_free(rig->server);
	wolfSSL_free(rig->client);
	rig->server = NULL;
	rig->client = NULL;
	rig->to_server.len = 0;
	rig->to_client.len = 0;
}

static void rig_free(struct rig *rig)
{
	if (!rig)
		return;
	rig_hang_up(rig);
	wolfSSL_SESSION_free(rig->session);
	wolfSSL_CTX_free(rig->server_ctx);
	wolfSSL_CTX_free(rig->client_ctx);
	free(rig);
}

static int rig_set_up(struct rig *rig)
{
	unsigned char context[STEK_DIGEST_LEN];
	bool is13 = rig->version == STEK_TLS13;
	WOLFSSL_CTX *server, *client;

	server = wolfSSL_CTX_new(is13 ? wolfTLSv1_3_server_method() :
					wolfTLSv1_2_server_method());
	rig->server_ctx = server;
	client = wolfSSL_CTX_new(is13 ? wolfTLSv1_3_client_method() :
					wolfTLSv1_2_client_method());
	rig->client_ctx = client;
	if (!server || !client)
		return STEK_ELIBRARY;
	memset(context, CONTEXT_BYTE, sizeof(context));
	wolfSSL_CTX_set_verify(client, WOLFSSL_VERIFY_NONE, NULL);
	wolfSSL_CTX_SetIOSend(server, send_bytes);
	wolfSSL_CTX_SetIORecv(server, recv_bytes);
	wolfSSL_CTX_SetIOSend(client, send_bytes);
	wolfSSL_CTX_SetIORecv(client, recv_bytes);
	if (stek__layout_prepare(server, 3600) ||
	    wolfSSL_CTX_use_certificate_buffer(server, proof_cert,
					       sizeof(proof_cert),
					       WOLFSSL_FILETYPE_ASN1) !=
		    WOLFSSL_SUCCESS ||
	    wolfSSL_CTX_use_PrivateKey_buffer(server, proof_key,
					      sizeof(proof_key),
					      WOLFSSL_FILETYPE_ASN1) !=
		    WOLFSSL_SUCCESS ||
	    wolfSSL_CTX_set_session_id_context(server, context,
					       sizeof(context)) !=
		    WOLFSSL_SUCCESS ||
	    wolfSSL_CTX_set_TicketEncCb(server, probe_callback) !=
		    WOLFSSL_SUCCESS ||
	    wolfSSL_CTX_set_TicketEncCtx(server, &rig->probe) !=
		    WOLFSSL_SUCCESS ||
	    wolfSSL_CTX_UseSessionTicket(client) != WOLFSSL_SUCCESS)
		return STEK_ELIBRARY;
	return 0;
}

static bool waits(WOLFSSL *ssl, int ret)
{
	return ret != WOLFSSL_SUCCESS &&
	       wolfSSL_get_error(ssl, ret) == WOLFSSL_ERROR_WANT_READ;
}

/* One whole handshake, and a byte so that the client reads its ticket. */
static int rig_shake_hands(struct rig *rig, enum twist twist)
{
	int connected = 0, accepted = 0;
	char data = 1;

	rig_hang_up(rig);
	rig->probe.twist = twist;
	rig->probe.opened = false;
	rig->client = wolfSSL_new(rig->client_ctx);
	rig->server = wolfSSL_new(rig->server_ctx);
	if (!rig->client || !rig->server)
		return STEK_ELIBRARY;
	wolfSSL_SetIOReadCtx(rig->client, rig);
	wolfSSL_SetIOWriteCtx(rig->client, rig);
	wolfSSL_SetIOReadCtx(rig->server, rig);
	wolfSSL_SetIOWriteCtx(rig->server, rig);
	if (rig->session &&
	    wolfSSL_set_session(rig->client, rig->session) != WOLFSSL_SUCCESS)
		return STEK_ELIBRARY;
	if (rig->cut &&
	    wolfSSL_set_SessionTicket(rig->client, rig->cut,
				      STEK_TICKET_LEN - STEK_TICKET_OWN_LEN) !=
		    WOLFSSL_SUCCESS)
		return STEK_ELIBRARY;
	for (int i = 0; i < FLIGHTS_MAX; i++) {
		if (connected != WOLFSSL_SUCCESS)
			connected = wolfSSL_connect(rig->client);
		if (connected != WOLFSSL_SUCCESS &&
		    !waits(rig->client, connected))
			return STEK_ELIBRARY;
		if (accepted != WOLFSSL_SUCCESS)
			accepted = wolfSSL_accept(rig->server);
		if (accepted != WOLFSSL_SUCCESS &&
		    !waits(rig->server, accepted))
			return STEK_ELIBRARY;
	}
	if (connected != WOLFSSL_SUCCESS || accepted != WOLFSSL_SUCCESS ||
	    wolfSSL_write(rig->server, &data, 1) != 1 ||
	    wolfSSL_read(rig->client, &data, 1) != 1)
		return STEK_ELIBRARY;
	return 0;
}

/* The fields of a sealed state that can be compared with what is known. */
static const char *check_fields(const struct rig *rig)
{
	const uint8_t *state = rig->probe.state;
	int64_t now_s = time(NULL);
	struct stek_reader r;
	int64_t then_s;

	if (stek__layout_version(rig->server) != rig->version ||
	    state[STEK_STATE_VERSION] != rig->version >> 8 ||
	    state[STEK_STATE_VERSION + 1] != (rig->version & 0xff))
		return "version";
	if (stek__state_suite(state) !=
	    wolfSSL_get_current_cipher_suite(rig->server))
		return "suite";
	if (rig->version == STEK_TLS12 && state[STEK_STATE_EMS] != 1)
		return "extended master secret";
	stek__reader_init(&r, state + STEK_STATE_TIME, 8);
	then_s = rig->version == STEK_TLS12 ? (int64_t)stek__read_u32(&r) :
					      stek__read_i64(&r) / 1000;
	if (then_s < now_s - 60 || then_s > now_s + 60)
		return "timestamp";
	if (state[STEK_STATE_CONTEXT] != STEK_DIGEST_LEN)
		return "session id context";
	for (int i = 1; i <= STEK_DIGEST_LEN; i++) {
		if (state[STEK_STATE_CONTEXT + i] != CONTEXT_BYTE)
			return "session id context";
	}
	return NULL;
}

static const char *check_twist(struct rig *rig, enum twist twist, bool resumes,
			       const char *field)
{
	bool resumed = !rig_shake_hands(rig, twist) &&
		       wolfSSL_session_reused(rig->server) == 1;

	/*
	 * A ticket that the library itself refuses after the callback took it
	 * fails the handshake in TLS 1.2 (the session id is echoed all the
	 * same), one more reason why our own checks must come first.
	 */
	return rig->probe.opened && resumed == resumes ? NULL : field;
}

/*
 * The callback is told the ticket's inner length but not how much of it came.
 * Unless the library compares the two, a cut ticket has the callback read its
 * MAC behind the message: deploy/wolfssl/0004 or a library that does.
 */
static const char *check_cut(struct rig *rig, const unsigned char *ticket)
{
	rig->cut = ticket;
	(void)rig_shake_hands(rig, TWIST_NONE);
	rig->cut = NULL;
	return rig->probe.opened ? "length of a cut ticket" : NULL;
}

static const char *check_version(struct rig *rig)
{
	unsigned char ticket[1024];
	word32 len = sizeof(ticket);
	const char *bad;

	if (rig_set_up(rig))
		return "set-up";
	if (rig_shake_hands(rig, TWIST_NONE))
		return "handshake, or length of the state";
	if (wolfSSL_get_SessionTicket(rig->client, ticket, &len) !=
	    WOLFSSL_SUCCESS || len != STEK_TICKET_LEN)
		return "length of the ticket";
	bad = check_fields(rig);
	if (bad)
		return bad;
	rig->session = wolfSSL_get1_session(rig->client);
	if (!rig->session)
		return "session";
	bad = check_twist(rig, TWIST_NONE, true, "resumption");
	if (!bad)
		bad = check_twist(rig, TWIST_OLD, false, "timestamp");
	if (!bad && rig->version == STEK_TLS12)
		bad = check_twist(rig, TWIST_NO_EMS, false,
				  "extended master secret");
	if (!bad && rig->version == STEK_TLS12)
		bad = check_cut(rig, ticket);
	if (!bad && rig->version == STEK_TLS13)
		bad = check_twist(rig, TWIST_AGE_ADD, false, "ticket_age_add");
	if (!bad && rig->version == STEK_TLS13)
		bad = check_twist(rig, TWIST_AGE_ADD_AND_TIME, true,
				  "ticket_age_add");
	return bad;
}

static pthread_once_t proof_once = PTHREAD_ONCE_INIT;
static int proof_result;
static char proof_why[160];

static void prove_version(uint16_t version)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	const char *bad = "out of memory";

	if (rig) {
		rig->version = version;
		bad = check_version(rig);
	}
	if (bad) {
		proof_result = STEK_ELIBRARY;
		snprintf(proof_why, sizeof(proof_why),
			 "wolfSSL %s is not the one libstek knows: TLS 1.%d session state: %s",
			 wolfSSL_lib_version(), (version & 0xff) - 1, bad);
	}
	rig_free(rig);
}

static void prove(void)
{
	if (wolfSSL_lib_version_hex() != (word32)LIBWOLFSSL_VERSION_HEX) {
		proof_result = STEK_ELIBRARY;
		snprintf(proof_why, sizeof(proof_why),
			 "libstek was built for wolfSSL %s but %s is linked",
			 LIBWOLFSSL_VERSION_STRING, wolfSSL_lib_version());
		return;
	}
	if (wolfSSL_Init() != WOLFSSL_SUCCESS) {
		proof_result = STEK_ELIBRARY;
		snprintf(proof_why, sizeof(proof_why), "wolfSSL_Init failed");
		return;
	}
	prove_version(STEK_TLS13);
	if (!proof_result)
		prove_version(STEK_TLS12);
	wolfSSL_Cleanup();
}

int stek__layout_prove(char *why, size_t why_len)
{
	int ret = pthread_once(&proof_once, prove);

	if (ret)
		return STEK_ELIBRARY;
	if (proof_result && why && why_len)
		snprintf(why, why_len, "%s", proof_why);
	return proof_result;
}
