/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dash_forward.c - one request of the dashboard, asked at stekd, whose answer
 * is read as it comes: a stream of events passes without being held back.
 * Called by ctl_dashboard.c, each request in a thread of its own.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "ctl_curl.h"
#include "dash.h"

#define LOOK_MS 250	/* whether we are to stop */

struct dash_answer {
	CURLM *multi;
	CURL *easy;
	struct curl_slist *sent;
	struct dash_header headers[DASH_HEADERS_MAX];
	size_t n_headers;
	unsigned status;
	bool whole_head, done;
	CURLcode code;
	char detail[CURL_ERROR_SIZE];
	int client_fd;		/* -1: it is not watched */
	const atomic_bool *stop;
	size_t at, len;		/* of what was read and not yet passed on */
	char bytes[CURL_MAX_WRITE_SIZE];
};

/* What a browser may learn; no cookie and no CORS header ever passes. */
static bool passes(const char *name)
{
	static const char *const names[] = {
		"Allow", "Cache-Control", "Content-Encoding",
		"Content-Security-Policy", "Content-Type",
		"Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy",
		"ETag", "Referrer-Policy", "Retry-After", "Vary",
		"X-Content-Type-Options",
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

static void headers_forget(struct dash_answer *answer)
{
	while (answer->n_headers > 0)
		free(answer->headers[--answer->n_headers].name);
}

/* Name and value share one piece of memory. */
static void header_keep(struct dash_answer *answer, const char *line,
			size_t len)
{
	struct dash_header *header = &answer->headers[answer->n_headers];
	char *colon, *text;

	if (answer->n_headers == DASH_HEADERS_MAX)
		return;
	text = strndup(line, len);
	colon = text != NULL ? strchr(text, ':') : NULL;
	if (colon != NULL)
		*colon = '\0';
	if (colon == NULL || !passes(text)) {
		free(text);
		return;
	}
	header->name = text;
	header->value = colon + 1 + strspn(colon + 1, " \t");
	header->value[strcspn(header->value, "\r\n")] = '\0';
	answer->n_headers++;
}

static size_t on_header(char *line, size_t size, size_t n, void *user)
{
	struct dash_answer *answer = user;
	size_t len = size * n;
	long status = 0;

	curl_easy_getinfo(answer->easy, CURLINFO_RESPONSE_CODE, &status);
	if (len > 5 && strncmp(line, "HTTP/", 5) == 0)
		headers_forget(answer);
	else if (len <= 2 && status >= 200)
		answer->whole_head = true;
	else
		header_keep(answer, line, len);
	answer->status = (unsigned)status;
	return len;
}

static size_t on_bytes(char *data, size_t size, size_t n, void *user)
{
	struct dash_answer *answer = user;

	if (answer->len != 0)
		return CURL_WRITEFUNC_PAUSE;
	memcpy(answer->bytes, data, size * n);
	answer->at = 0;
	answer->len = size * n;
	return size * n;
}

/* The client's end is closed; that it sends more is no matter. */
static bool client_gone(struct dash_answer *answer)
{
	char byte;
	ssize_t n = recv(answer->client_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0)
		answer->client_fd = -1;
	return n == 0;
}

/* Lets the transfer go on. False when there is no more to wait for. */
static bool proceed(struct dash_answer *answer)
{
	struct curl_waitfd client = { .fd = answer->client_fd,
				      .events = CURL_WAIT_POLLIN };
	unsigned watched = answer->client_fd >= 0;
	CURLMsg *message;
	int running, left;

	curl_multi_perform(answer->multi, &running);
	while ((message = curl_multi_info_read(answer->multi, &left)) != NULL)
		if (message->msg == CURLMSG_DONE) {
			answer->done = true;
			answer->code = message->data.result;
		}
	if (answer->done || answer->len != 0)
		return true;
	if (atomic_load(answer->stop))
		return false;
	curl_multi_poll(answer->multi, &client, watched, LOOK_MS, NULL);
	return client.revents == 0 || !client_gone(answer);
}

static void set_up(struct dash_answer *answer,
		   const struct ctl_target *target,
		   const struct dash_request *request)
{
	CURL *easy = answer->easy;

	ctl_curl_aim(easy, target, request->uri, answer->detail);
	if (request->stream)
		curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, answer->sent);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, answer);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
	if (strcmp(request->method, "HEAD") == 0)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	if (strcmp(request->method, "POST") != 0)
		return;
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)request->body_len);
	curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body);
}

static struct dash_answer *prepare(const struct ctl_target *target,
				   const struct dash_request *request)
{
	struct dash_answer *answer = calloc(1, sizeof(*answer));
	const char *const *line;

	if (answer == NULL)
		return NULL;
	answer->client_fd = request->stream ? request->client_fd : -1;
	answer->stop = request->stop;
	answer->multi = curl_multi_init();
	answer->easy = curl_easy_init();
	answer->sent = ctl_curl_header(NULL, "Expect:");
	for (line = request->headers; *line != NULL && answer->sent; line++)
		answer->sent = ctl_curl_header(answer->sent, *line);
	answer->sent = ctl_curl_token(answer->sent, target);
	if (answer->multi == NULL || answer->easy == NULL ||
	    answer->sent == NULL) {
		dash_answer_free(answer);
		return NULL;
	}
	set_up(answer, target, request);
	curl_multi_add_handle(answer->multi, answer->easy);
	return answer;
}

struct dash_answer *dash_ask_stekd(const struct ctl_target *target,
				   const struct dash_request *request,
				   char *why, size_t why_len)
{
	struct dash_answer *answer = prepare(target, request);

	if (answer == NULL) {
		snprintf(why, why_len, "out of memory");
		return NULL;
	}
	while (!answer->whole_head && !answer->done)
		if (!proceed(answer))
			break;
	if (answer->whole_head)
		return answer;
	ctl_curl_explain(target, answer->code, answer->detail, why, why_len);
	dash_answer_free(answer);
	return NULL;
}

unsigned dash_answer_status(const struct dash_answer *answer)
{
	return answer->status;
}

const struct dash_header *dash_answer_headers(const struct dash_answer *answer,
					      size_t *n)
{
	*n = answer->n_headers;
	return answer->headers;
}

ssize_t dash_answer_read(struct dash_answer *answer, char *out, size_t cap)
{
	size_t len;

	while (answer->len == 0) {
		if (answer->done)
			return answer->code == CURLE_OK ? 0 : -1;
		curl_easy_pause(answer->easy, CURLPAUSE_CONT);
		if (answer->len == 0 && !proceed(answer))
			return -1;
	}
	len = answer->len < cap ? answer->len : cap;
	memcpy(out, answer->bytes + answer->at, len);
	answer->at += len;
	answer->len -= len;
	return (ssize_t)len;
}

void dash_answer_free(struct dash_answer *answer)
{
	if (answer == NULL)
		return;
	if (answer->multi != NULL && answer->easy != NULL)
		curl_multi_remove_handle(answer->multi, answer->easy);
	curl_easy_cleanup(answer->easy);
	curl_multi_cleanup(answer->multi);
	ctl_curl_headers_free(answer->sent);
	headers_forget(answer);
	explicit_bzero(answer->bytes, sizeof(answer->bytes));
	free(answer);
}
