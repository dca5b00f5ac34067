/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the HTTP answer that conn.c has collected: where it ends, its status,
 * and the facts of stekd's built-in page if it is one. Foreign bytes: nothing
 * here trusts a length or a type.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>
#include <openssl/sha.h>

#include "page.h"

static const char *find(const char *text, size_t len, const char *what)
{
	return memmem(text, len, what, strlen(what));
}

static const char *body_of(const char *reply, size_t len)
{
	const char *end = find(reply, len, "\r\n\r\n");

	return end ? end + 4 : NULL;
}

/* The value of Content-Length, or SIZE_MAX if the field is absent or wrong. */
static size_t content_length(const char *reply, const char *body)
{
	static const char field[] = "\r\ncontent-length:";
	const char *p = reply;

	while (p + sizeof(field) - 1 < body) {
		size_t value = 0;

		if (strncasecmp(p, field, sizeof(field) - 1) != 0) {
			p++;
			continue;
		}
		p += sizeof(field) - 1;
		while (*p == ' ')
			p++;
		if (*p < '0' || *p > '9')
			return SIZE_MAX;
		for (; *p >= '0' && *p <= '9'; p++) {
			if (value > SIZE_MAX / 16)
				return SIZE_MAX;
			value = value * 10 + (size_t)(*p - '0');
		}
		return value;
	}
	return SIZE_MAX;
}

bool page_started(const char *reply, size_t len)
{
	return body_of(reply, len) != NULL;
}

bool page_complete(const char *reply, size_t len, size_t total)
{
	const char *body = body_of(reply, len);
	size_t expected;

	if (!body)
		return false;
	expected = content_length(reply, body);
	return expected != SIZE_MAX && total - (size_t)(body - reply) >= expected;
}

static void copy_text(char out[PAGE_NAME_LEN], const char *text, size_t len)
{
	if (len > PAGE_NAME_LEN - 1)
		len = PAGE_NAME_LEN - 1;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		/* Names go to a terminal: no control characters. */
		out[i] = c < 0x20 || c == 0x7f ? '?' : text[i];
	}
	out[len] = '\0';
}

static void copy_name(char out[PAGE_NAME_LEN], const json_t *value)
{
	const char *text = json_string_value(value);

	copy_text(out, text, text ? strlen(text) : 0);
}

bool page_header(const char *reply, size_t len, const char *name,
		 char out[PAGE_NAME_LEN])
{
	const char *body = body_of(reply, len);
	size_t name_len = strlen(name);
	const char *line, *end;

	/* Lines end in CRLF; the first one is the status line. */
	for (line = body ? find(reply, len, "\r\n") : NULL; line; line = end) {
		line += 2;
		end = find(line, (size_t)(body - line), "\r\n");
		if (!end || end == line)
			break;
		if ((size_t)(end - line) <= name_len || line[name_len] != ':' ||
		    strncasecmp(line, name, name_len) != 0)
			continue;
		line += name_len + 1;
		while (line < end && (*line == ' ' || *line == '\t'))
			line++;
		while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
			end--;
		copy_text(out, line, (size_t)(end - line));
		return out[0] != '\0';
	}
	return false;
}

/*
 * The issuer goes by its id, the first four bytes of SHA-256 of its name: a
 * node that has not yet heard of the issuer cannot name it.
 */
static bool issued_elsewhere(const json_t *ticket, const char *node)
{
	const char *id = json_string_value(json_object_get(ticket,
							   "issuer_id"));
	uint8_t hash[SHA256_DIGEST_LENGTH];
	char own[9];

	if (!id || !node)
		return false;
	SHA256((const unsigned char *)node, strlen(node), hash);
	snprintf(own, sizeof(own), "%02x%02x%02x%02x", hash[0], hash[1],
		 hash[2], hash[3]);
	return strcmp(id, own) != 0;
}

static int status_of(const char *reply, size_t len)
{
	int status = 0;

	if (len < 12 || memcmp(reply, "HTTP/1.", 7) != 0 || reply[8] != ' ')
		return 0;
	for (size_t i = 9; i < 12; i++) {
		if (reply[i] < '0' || reply[i] > '9')
			return 0;
		status = status * 10 + (reply[i] - '0');
	}
	return status;
}

void page_parse(struct page *out, const char *reply, size_t len)
{
	const char *body = body_of(reply, len);
	const json_t *resumed;
	json_t *root;

	*out = (struct page){.status = status_of(reply, len)};
	if (!body || out->status == 0)
		return;
	root = json_loadb(body, len - (size_t)(body - reply), 0, NULL);
	resumed = json_object_get(root, "resumed");
	if (json_is_boolean(resumed)) {
		out->known = true;
		out->resumed = json_is_true(resumed);
		copy_name(out->node, json_object_get(root, "node"));
		copy_name(out->farm, json_object_get(root, "farm"));
		copy_name(out->outcome, json_object_get(root, "outcome"));
		out->elsewhere = issued_elsewhere(
			json_object_get(root, "ticket"),
			json_string_value(json_object_get(root, "node")));
	}
	json_decref(root);
}
