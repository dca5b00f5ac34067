/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * page.h - the answer to the probe's request. stekd's built-in page tells as
 * JSON what the server thinks of the session; every other answer is accepted
 * too, it just tells nothing.
 */
#ifndef PROBE_PAGE_H
#define PROBE_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#define PAGE_NAME_LEN 64

struct page {
	int status;		/* HTTP status; 0: that was no HTTP answer */
	bool known;		/* the body has a boolean "resumed" */
	bool resumed;
	char node[PAGE_NAME_LEN];	/* "" if not told */
	char farm[PAGE_NAME_LEN];	/* the farm's name; "" if not told */
	char outcome[PAGE_NAME_LEN];	/* of the ticket; "" if not told */
	bool elsewhere;		/* another node than this had issued the ticket */
};

/*
 * True once the headers are there and as many body bytes as Content-Length
 * says; an answer without that field is complete when the server closes.
 * `total` counts bytes received, of which `len` (the first) are in `reply`.
 */
bool page_complete(const char *reply, size_t len, size_t total);

/* True if the headers are there, the least that makes an answer. */
bool page_started(const char *reply, size_t len);

/*
 * The value of the header field `name`, control characters replaced; false if
 * the answer has no such field, or an empty one.
 */
bool page_header(const char *reply, size_t len, const char *name,
		 char out[PAGE_NAME_LEN]);

void page_parse(struct page *out, const char *reply, size_t len);

#endif
