/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream_reader.h - a client of the event stream, for check_stream.c: one HTTP
 * answer, read line by line as it comes; an end must be a clean one.
 */
#ifndef STEKD_TESTS_STREAM_READER_H
#define STEKD_TESTS_STREAM_READER_H

#include <arpa/inet.h>
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#define PATIENCE_S 30

/* One HTTP answer, read as it comes. */
struct reader {
	FILE *in;
	int fd;
	unsigned status;
	char type[64], retry[16];
	bool chunked;
	size_t left;		/* of the present chunk */
	json_t *line;
};

static inline int dial_tcp(unsigned port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(connect(fd, (void *)&to, sizeof(to)), 0);
	return fd;
}

static inline int dial_unix(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	ck_assert_int_eq(connect(fd, (void *)&to, sizeof(to)), 0);
	return fd;
}

/* Leaves the status 0 when there is no answer. */
static inline void read_headers(struct reader *r)
{
	char line[1024];

	if (fgets(line, sizeof(line), r->in) == NULL)
		return;
	ck_assert_int_eq(sscanf(line, "HTTP/1.1 %u", &r->status), 1);
	while (fgets(line, sizeof(line), r->in) != NULL && line[0] != '\r') {
		sscanf(line, "Content-Type: %63[^\r]", r->type);
		sscanf(line, "Retry-After: %15[^\r]", r->retry);
		r->chunked |= strncmp(line, "Transfer-Encoding: chunked",
				      26) == 0;
	}
}

static inline struct reader ask_once(int fd, const char *method,
				     const char *headers)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	struct reader r = { .fd = fd };
	char request[1024];

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	snprintf(request, sizeof(request), "%s /v1/stream HTTP/1.1\r\n%s\r\n",
		 method, headers);
	(void)!send(fd, request, strlen(request), MSG_NOSIGNAL);
	r.in = fdopen(fd, "r");
	ck_assert_ptr_nonnull(r.in);
	read_headers(&r);
	return r;
}

static inline void hang_up(struct reader *r)
{
	json_decref(r->line);
	fclose(r->in);
}

static inline int64_t stream_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* At the socket, or without one the port. Who was late for the limit, and no
 * one else, asks again: the machine stood still. */
static inline struct reader ask_at(const char *path, unsigned port,
				   const char *method, const char *headers,
				   int64_t limit_ms)
{
	struct reader r;
	int64_t began_ms;

	for (int i = 0; i < 20; i++) {
		began_ms = stream_now_ms();
		r = ask_once(path ? dial_unix(path) : dial_tcp(port), method,
			     headers);
		if (r.status != 0)
			return r;
		ck_assert_int_ge(stream_now_ms() - began_ms, limit_ms);
		hang_up(&r);
	}
	ck_abort_msg("no answer");
}

/* The next byte of the stream; EOF at its end, which must be a clean one. */
static inline int next_byte(struct reader *r)
{
	char size[32];

	if (r->left == 0) {
		ck_assert_ptr_nonnull(fgets(size, sizeof(size), r->in));
		r->left = strtoul(size, NULL, 16);
		if (r->left == 0) {
			ck_assert_ptr_nonnull(fgets(size, sizeof(size),
						    r->in));
			ck_assert_str_eq(size, "\r\n");
			return EOF;
		}
	}
	if (--r->left == 0) {
		int byte = getc(r->in);

		ck_assert_int_eq(getc(r->in), '\r');
		ck_assert_int_eq(getc(r->in), '\n');
		return byte;
	}
	return getc(r->in);
}

/* False at the end of the stream; otherwise the line is in r->line. */
static inline bool next_line(struct reader *r)
{
	static char text[1024 * 1024];
	json_error_t error;
	size_t len = 0;
	int byte;

	while ((byte = next_byte(r)) != EOF && byte != '\n') {
		ck_assert_uint_lt(len, sizeof(text) - 1);
		text[len++] = (char)byte;
	}
	if (byte == EOF) {
		ck_assert_uint_eq(len, 0);
		return false;
	}
	json_decref(r->line);
	r->line = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	ck_assert_msg(r->line != NULL, "%s: %.*s", error.text, (int)len, text);
	return true;
}

static inline json_t *at(const struct reader *r, const char *path)
{
	json_t *json = r->line;
	char name[64];
	int used;

	while (sscanf(path, "%63[^.]%n", name, &used) == 1) {
		json = json_is_array(json)
			? json_array_get(json, strtoul(name, NULL, 10))
			: json_object_get(json, name);
		ck_assert_msg(json != NULL, "no %s", path);
		path += used + (path[used] == '.');
	}
	return json;
}

static inline json_int_t integer(const struct reader *r, const char *path)
{
	ck_assert_msg(json_is_integer(at(r, path)), "%s", path);
	return json_integer_value(at(r, path));
}

static inline const char *string(const struct reader *r, const char *path)
{
	ck_assert_msg(json_is_string(at(r, path)), "%s", path);
	return json_string_value(at(r, path));
}

#endif
