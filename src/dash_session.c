/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dash_session.c - the one session of stekctl dashboard: its two tokens, and
 * when it ends. Called by ctl_dashboard.c from libmicrohttpd's threads.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "admin_auth.h"
#include "dash.h"
#include "text.h"

struct dash_session {
	pthread_mutex_t lock;
	enum dash_state state;
	uint8_t once[AUTH_DIGEST_LEN];
	uint8_t token[AUTH_DIGEST_LEN];
	unsigned inside;	/* requests at work */
	int64_t until_ms;
};

/* A fresh token and its digest. */
static int make(char token[DASH_TOKEN_LEN + 1],
		uint8_t digest[AUTH_DIGEST_LEN])
{
	uint8_t bytes[DASH_TOKEN_LEN / 2];
	int result = -1;

	if (getrandom(bytes, sizeof(bytes), 0) == (ssize_t)sizeof(bytes)) {
		text_hex(token, bytes, sizeof(bytes));
		result = auth_token_digest(token, digest);
	}
	explicit_bzero(bytes, sizeof(bytes));
	return result;
}

struct dash_session *dash_session_new(char once[DASH_TOKEN_LEN + 1],
				      int64_t now_ms)
{
	struct dash_session *session = calloc(1, sizeof(*session));

	if (session == NULL)
		return NULL;
	if (make(once, session->once) != 0) {
		free(session);
		return NULL;
	}
	pthread_mutex_init(&session->lock, NULL);
	session->state = DASH_WAITING;
	session->until_ms = now_ms + DASH_UNUSED_MS;
	return session;
}

void dash_session_free(struct dash_session *session)
{
	if (session == NULL)
		return;
	pthread_mutex_destroy(&session->lock);
	free(session);
}

/* What became of it by now. The lock is held. */
static enum dash_state settle(struct dash_session *session, int64_t now_ms)
{
	bool late = now_ms >= session->until_ms;

	if (session->state == DASH_WAITING && late)
		session->state = DASH_UNUSED;
	if (session->state == DASH_OPEN && late && session->inside == 0)
		session->state = DASH_IDLE;
	return session->state;
}

static bool given_good(const uint8_t digest[AUTH_DIGEST_LEN],
		       const char *given)
{
	char header[DASH_TOKEN_LEN + 16];
	bool good;

	if (strlen(given) != DASH_TOKEN_LEN)
		return false;
	snprintf(header, sizeof(header), "Bearer %s", given);
	good = auth_token_good(digest, header);
	explicit_bzero(header, sizeof(header));
	return good;
}

bool dash_session_exchange(struct dash_session *session, const char *given,
			   char token[DASH_TOKEN_LEN + 1], int64_t now_ms)
{
	bool good = false;

	pthread_mutex_lock(&session->lock);
	settle(session, now_ms);
	if (given_good(session->once, given)) {
		if (session->state == DASH_WAITING &&
		    make(token, session->token) == 0) {
			session->state = DASH_OPEN;
			session->until_ms = now_ms + DASH_IDLE_MS;
			good = true;
		} else if (session->state == DASH_OPEN) {
			session->state = DASH_TWICE;
		}
	}
	pthread_mutex_unlock(&session->lock);
	return good;
}

bool dash_session_good(struct dash_session *session, const char *header,
		       int64_t now_ms)
{
	bool good;

	pthread_mutex_lock(&session->lock);
	good = settle(session, now_ms) == DASH_OPEN &&
	       auth_token_good(session->token, header);
	if (good)
		session->until_ms = now_ms + DASH_IDLE_MS;
	pthread_mutex_unlock(&session->lock);
	return good;
}

void dash_session_enter(struct dash_session *session)
{
	pthread_mutex_lock(&session->lock);
	session->inside++;
	pthread_mutex_unlock(&session->lock);
}

void dash_session_leave(struct dash_session *session, int64_t now_ms)
{
	pthread_mutex_lock(&session->lock);
	session->inside--;
	if (session->state == DASH_OPEN)
		session->until_ms = now_ms + DASH_IDLE_MS;
	pthread_mutex_unlock(&session->lock);
}

enum dash_state dash_session_state(struct dash_session *session,
				   int64_t now_ms, int64_t *next_ms)
{
	enum dash_state state;

	pthread_mutex_lock(&session->lock);
	state = settle(session, now_ms);
	*next_ms = session->inside > 0 && now_ms >= session->until_ms
		? now_ms + DASH_IDLE_MS : session->until_ms;
	pthread_mutex_unlock(&session->lock);
	return state;
}
