/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * page.c - the built-in page's requests and answers, for conn_page.c. It
 * answers GET and HEAD on any path, tells a client about its own TLS session,
 * and takes no body: a request that announces one is its connection's last.
 */
#include "page.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "text.h"

#define JSON_TEXT_MAX 4096

struct span {
	const char *at;
	size_t len;
};

static bool is_token(struct span word)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";
	size_t i;

	for (i = 0; i < word.len; i++) {
		char c = word.at[i];

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z'))
			continue;
		if (!c || !strchr(marks, c))
			return false;
	}
	return word.len > 0;
}

static bool is(struct span word, const char *text)
{
	return word.len == strlen(text) && !memcmp(word.at, text, word.len);
}

static bool is_nocase(struct span word, const char *text)
{
	return word.len == strlen(text) &&
		!strncasecmp(word.at, text, word.len);
}

static struct span trim(struct span word)
{
	while (word.len && (*word.at == ' ' || *word.at == '\t')) {
		word.at++;
		word.len--;
	}
	while (word.len && (word.at[word.len - 1] == ' ' ||
			    word.at[word.len - 1] == '\t'))
		word.len--;
	return word;
}

/* Takes what stands before `mark`; the rest stays without it. */
static struct span cut(struct span *rest, char mark)
{
	const char *end = rest->len ? memchr(rest->at, mark, rest->len) : NULL;
	struct span head = { rest->at, rest->len };

	if (!end) {
		rest->at += rest->len;
		rest->len = 0;
		return head;
	}
	head.len = (size_t)(end - rest->at);
	rest->at = end + 1;
	rest->len -= head.len + 1;
	return head;
}

/* A line ends with CRLF; a lone CR or a NUL in it is refused by its user. */
static struct span next_line(struct span *rest)
{
	struct span line = cut(rest, '\n');

	if (line.len && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

static bool is_text(struct span line)
{
	size_t i;

	for (i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.at[i];

		if ((c < ' ' && c != '\t') || c == 127)
			return false;
	}
	return true;
}

/* True if a comma-separated list has the word, parameters aside. */
static bool lists(struct span value, const char *word)
{
	while (value.len) {
		struct span item = cut(&value, ',');
		struct span name = cut(&item, ';');
		struct span weight = trim(item);

		if (is_nocase(trim(name), word) && !is_nocase(weight, "q=0"))
			return true;
	}
	return false;
}

static unsigned read_line(struct page_request *out, struct span line)
{
	struct span method = cut(&line, ' ');
	struct span target = cut(&line, ' ');

	if (!is_token(method) || !target.len || !is_text(target))
		return 400;
	if (is(line, "HTTP/1.1"))
		out->keep_alive = true;
	else if (line.len != 8 || memcmp(line.at, "HTTP/", 5))
		return 400;
	else if (!is(line, "HTTP/1.0"))
		return 505;
	out->head = is(method, "HEAD");
	return out->head || is(method, "GET") ? 200 : 405;
}

struct seen {
	unsigned hosts;
	bool body;
};

static unsigned read_header(struct page_request *out, struct seen *seen,
			    struct span line)
{
	struct span name = cut(&line, ':');
	struct span value = trim(line);

	/* RFC 9112 s5.1, s5.2: no space before the colon, no folded lines. */
	if (name.at + name.len == line.at || !is_token(name) ||
	    !is_text(value))
		return 400;
	if (is_nocase(name, "host"))
		seen->hosts++;
	if (is_nocase(name, "connection") && lists(value, "close"))
		out->keep_alive = false;
	if (is_nocase(name, "accept") && lists(value, "application/json"))
		out->json = true;
	if (is_nocase(name, "transfer-encoding") ||
	    (is_nocase(name, "content-length") && !is(value, "0")))
		seen->body = true;
	return 200;
}

static unsigned read_request(struct page_request *out, struct span head)
{
	struct seen seen = { 0, false };
	unsigned status = read_line(out, next_line(&head));
	unsigned bad;
	bool http11 = out->keep_alive;

	while (head.len) {
		bad = read_header(out, &seen, next_line(&head));
		if (bad != 200)
			return bad;
	}
	if (seen.body)
		out->keep_alive = false;
	if (status == 200 && (seen.hosts > 1 || (http11 && !seen.hosts)))
		return 400;	/* RFC 9112 s3.2 */
	return status;
}

/* The length of the head with its empty line, or 0 if that is not there. */
static size_t find_end(const char *buf, size_t len)
{
	size_t i;

	for (i = 0; i + 1 < len; i++) {
		if (buf[i] != '\n')
			continue;
		if (buf[i + 1] == '\n')
			return i + 2;
		if (i + 2 < len && buf[i + 1] == '\r' && buf[i + 2] == '\n')
			return i + 3;
	}
	return 0;
}

static size_t empty_lines(const char *buf, size_t len)
{
	size_t n = 0;

	while (n < len && (buf[n] == '\r' || buf[n] == '\n'))
		n++;
	return n;
}

enum page_verdict page_parse(struct page_request *out, const char *buf,
			     size_t len)
{
	/* RFC 9112 s2.2: empty lines before a request are ignored. */
	size_t skip = empty_lines(buf, len);
	size_t end = find_end(buf + skip, len - skip);
	struct span head = { buf + skip, end };

	memset(out, 0, sizeof(*out));
	if (!end && len < PAGE_REQUEST_MAX)
		return PAGE_MORE;
	out->consumed = skip + end;
	out->status = 431;
	if (!end || out->consumed > PAGE_REQUEST_MAX) {
		out->consumed = len;
		return PAGE_READY;
	}
	/* Without the empty line at its end. */
	head.len -= head.at[end - 2] == '\r' ? 2 : 1;
	out->status = read_request(out, head);
	if (out->status != 200 && out->status != 405)
		out->keep_alive = false;
	return PAGE_READY;
}

static const char *reason(unsigned status)
{
	switch (status) {
	case 200:
		return "OK";
	case 405:
		return "Method Not Allowed";
	case 431:
		return "Request Header Fields Too Large";
	case 505:
		return "HTTP Version Not Supported";
	default:
		return "Bad Request";
	}
}

static const char *status_name(const struct stek_identity *identity)
{
	if (!identity)
		return "none";
	return identity->status == 1 ? "verified" : "unverified";
}

/* What is written of a JSON text; past its end nothing, and it has failed. */
struct json_text {
	size_t len;
	bool failed;
	char text[JSON_TEXT_MAX];
};

static void put_bytes(struct json_text *out, const char *bytes, size_t len)
{
	if (len >= sizeof(out->text) - out->len) {
		out->failed = true;
		return;
	}
	memcpy(out->text + out->len, bytes, len);
	out->len += len;
	out->text[out->len] = '\0';
}

static void put(struct json_text *out, const char *text)
{
	put_bytes(out, text, strlen(text));
}

/* Not by printf(3): its calls were 3 % of a short connection. */
static void put_number(struct json_text *out, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	put_bytes(out, digits + at, sizeof(digits) - at);
}

static void put_signed(struct json_text *out, int64_t number)
{
	if (number < 0)
		put(out, "-");
	put_number(out, number < 0 ? -(uint64_t)number : (uint64_t)number);
}

/* Big-endian, as it is printed. */
static void put_id(struct json_text *out, uint32_t id)
{
	const uint8_t bytes[] = { (uint8_t)(id >> 24), (uint8_t)(id >> 16),
				  (uint8_t)(id >> 8), (uint8_t)id };
	char hex[2 * sizeof(bytes) + 1];

	text_hex(hex, bytes, sizeof(bytes));
	put(out, hex);
}

/*
 * `text` in quotes, or null. RFC 8259 s7; what is not ASCII came from a client
 * or a configuration and need not be UTF-8, so each such byte is escaped.
 */
static void put_string(struct json_text *out, const char *text)
{
	if (!text) {
		put_bytes(out, "null", 4);
		return;
	}
	put_bytes(out, "\"", 1);
	while (*text) {
		const uint8_t first = (uint8_t)*text;
		char hex[3];
		size_t n = 0;

		while (text[n] >= 0x20 && text[n] < 0x7f && text[n] != '"' &&
		       text[n] != '\\')
			n++;
		if (n) {
			put_bytes(out, text, n);
			text += n;
			continue;
		}
		text_hex(hex, &first, 1);
		put(out, "\\u00");
		put(out, hex);
		text++;
	}
	put_bytes(out, "\"", 1);
}

/* A member of an object: its name, with what stands before and behind it. */
static void put_member(struct json_text *out, const char *name,
		       const char *value)
{
	put(out, name);
	put_string(out, value);
}

static void put_client(struct json_text *out,
		       const struct stek_identity *identity)
{
	char fingerprint[2 * STEK_DIGEST_LEN + 1];

	if (!identity) {
		put(out, ",\"client\":null");
		return;
	}
	text_hex(fingerprint, identity->fingerprint, STEK_DIGEST_LEN);
	put_member(out, ",\"client\":{\"fingerprint\":", fingerprint);
	put(out, ",\"not_after\":");
	put_signed(out, identity->not_after_s);
	put_member(out, ",\"status\":", status_name(identity));
	put(out, "}");
}

static void put_ticket(struct json_text *out, const struct page_facts *facts)
{
	char key[2 * STEK_ID_LEN + 1];

	if (!facts->resumed) {
		put(out, ",\"ticket\":null");
		return;
	}
	text_hex(key, facts->key_id, STEK_ID_LEN);
	put_member(out, ",\"ticket\":{\"issuer\":", facts->issuer);
	put(out, ",\"issuer_id\":\"");
	put_id(out, facts->issuer_id);
	put(out, "\",\"age_ms\":");
	put_signed(out, facts->age_ms);
	put_member(out, ",\"key_id\":", key);
	put_member(out, ",\"key_state\":", facts->key_state);
	put(out, "}");
}

/*
 * By hand: a tree of jansson's was an eighth of what a resumed connection of
 * TLS 1.2 costs. tests/check_page.c has jansson read it.
 */
static char *body_json(const struct page_facts *facts)
{
	struct json_text out;

	out.len = 0;
	out.failed = false;
	put_member(&out, "{\"node\":", facts->node);
	put_member(&out, ",\"farm\":", facts->farm);
	put_member(&out, ",\"server_name\":", facts->server_name);
	put_member(&out, ",\"tls_version\":", facts->tls_version);
	put_member(&out, ",\"cipher_suite\":", facts->cipher_suite);
	put_member(&out, ",\"alpn\":", facts->alpn);
	put_client(&out, facts->identity);
	put(&out, facts->resumed ? ",\"resumed\":true" : ",\"resumed\":false");
	put_member(&out, ",\"outcome\":", stek_outcome_name(facts->outcome));
	put_ticket(&out, facts);
	put(&out, ",\"handshakes\":");
	put_number(&out, facts->handshakes);
	put(&out, "}\n");
	return out.failed ? NULL : strdup(out.text);
}

static char *body_text(const struct page_facts *facts)
{
	char fingerprint[2 * STEK_DIGEST_LEN + 1] = "";
	char key[2 * STEK_ID_LEN + 1] = "";
	char *ticket = NULL;
	char *text = NULL;

	if (facts->identity)
		text_hex(fingerprint, facts->identity->fingerprint,
			 STEK_DIGEST_LEN);
	if (facts->resumed) {
		text_hex(key, facts->key_id, STEK_ID_LEN);
		if (asprintf(&ticket,
			     "issuer: %s\nissuer_id: %08" PRIx32
			     "\nage_ms: %" PRId64
			     "\nkey_id: %s\nkey_state: %s\n",
			     facts->issuer, facts->issuer_id, facts->age_ms,
			     key, facts->key_state) < 0)
			return NULL;
	}
	if (asprintf(&text, "node: %s\nfarm: %s\nserver_name: %s\n"
		     "tls_version: %s\ncipher_suite: %s\nalpn: %s\n"
		     "client: %s\nclient_fingerprint: %s\n"
		     "resumed: %s\noutcome: %s\n%shandshakes: %" PRIu64 "\n",
		     facts->node, facts->farm,
		     facts->server_name ? facts->server_name : "",
		     facts->tls_version, facts->cipher_suite,
		     facts->alpn ? facts->alpn : "",
		     status_name(facts->identity), fingerprint,
		     facts->resumed ? "yes" : "no",
		     stek_outcome_name(facts->outcome), ticket ? ticket : "",
		     facts->handshakes) < 0)
		text = NULL;
	free(ticket);
	return text;
}

static char *body_error(unsigned status)
{
	char *text = NULL;

	return asprintf(&text, "%u %s\n", status, reason(status)) < 0 ?
		NULL : text;
}

static char *make_body(const struct page_request *request,
		       const struct page_facts *facts)
{
	if (request->status != 200)
		return body_error(request->status);
	return request->json ? body_json(facts) : body_text(facts);
}

size_t page_write(char *out, size_t cap, const struct page_request *request,
		  const struct page_facts *facts)
{
	bool json = request->json && request->status == 200;
	char *body = make_body(request, facts);
	size_t len = body ? strlen(body) : 0;
	size_t sent = request->head ? 0 : len;
	int n = -1;

	if (body)
		n = snprintf(out, cap,
			     "HTTP/1.1 %u %s\r\n"
			     "Content-Type: %s\r\n"
			     "Content-Length: %zu\r\n"
			     "Cache-Control: no-store\r\n"
			     "Vary: Accept\r\n"
			     "X-Content-Type-Options: nosniff\r\n"
			     "%s"
			     "Connection: %s\r\n"
			     "\r\n",
			     request->status, reason(request->status),
			     json ? "application/json" :
			     "text/plain; charset=utf-8", len,
			     request->status == 405 ? "Allow: GET, HEAD\r\n" :
			     "", request->keep_alive ? "keep-alive" : "close");
	if (n < 0 || (size_t)n >= cap || sent >= cap - (size_t)n) {
		free(body);
		return 0;
	}
	memcpy(out + n, body, sent);
	out[(size_t)n + sent] = '\0';
	free(body);
	return (size_t)n + sent;
}
