// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * log.c - one event, one line, one write(2) on standard error. Foreign text
 * (host names, peers' words) passes here, so whatever could break a line or a
 * terminal is escaped. Every part of stekd calls it.
 */
#include "log.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A line that a pipe takes whole (PIPE_BUF); room is kept for its end. */
#define LINE_MAX_LEN 4096
#define LINE_END_LEN 32

struct line {
	char text[LINE_MAX_LEN];
	size_t len;
	bool json;
	bool cut;
};

/* The name is set before any thread starts; a reload changes the others. */
static struct {
	_Atomic enum log_level least;
	_Atomic enum log_format format;
	char node[256];
} setup = { .least = LOG_INFO };

static const char *const level_names[] = { "debug", "info", "warn", "error" };

/* All or nothing, and nothing more after the first that did not fit. */
static void add(struct line *line, const char *text, size_t len)
{
	if (line->cut || len > LINE_MAX_LEN - LINE_END_LEN - line->len) {
		line->cut = true;
		return;
	}
	memcpy(line->text + line->len, text, len);
	line->len += len;
}

static void add_text(struct line *line, const char *text)
{
	add(line, text, strlen(text));
}

static bool is_continuation(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

/*
 * Length of the UTF-8 character at `s` (RFC 3629: shortest form, no surrogate,
 * at most U+10FFFF), or 0.
 */
static size_t character(const unsigned char *s)
{
	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		return is_continuation(s[1]) ? 2 : 0;
	if (s[0] >= 0xe0 && s[0] <= 0xef) {
		if (!is_continuation(s[1]) || !is_continuation(s[2]) ||
		    (s[0] == 0xe0 && s[1] < 0xa0) ||
		    (s[0] == 0xed && s[1] > 0x9f))
			return 0;
		return 3;
	}
	if (s[0] >= 0xf0 && s[0] <= 0xf4) {
		if (!is_continuation(s[1]) || !is_continuation(s[2]) ||
		    !is_continuation(s[3]) ||
		    (s[0] == 0xf0 && s[1] < 0x90) ||
		    (s[0] == 0xf4 && s[1] > 0x8f))
			return 0;
		return 4;
	}
	return 0;
}

/* One character escaped, in the form that JSON and logfmt readers share. */
static size_t add_character(struct line *line, const char *s)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t len = character(u);
	char escape[8];

	if (len == 0) {
		add_text(line, "\\ufffd");
		return 1;
	}
	if (*s == '"' || *s == '\\') {
		escape[0] = '\\';
		escape[1] = *s;
		add(line, escape, 2);
	} else if (*s == '\n') {
		add_text(line, "\\n");
	} else if (*s == '\r') {
		add_text(line, "\\r");
	} else if (*s == '\t') {
		add_text(line, "\\t");
	} else if (u[0] < 0x20 || u[0] == 0x7f) {
		snprintf(escape, sizeof(escape), "\\u%04x", u[0]);
		add(line, escape, 6);
	} else if (len == 2 && u[0] == 0xc2 && u[1] < 0xa0) {
		/* C1: control characters to some terminals. */
		snprintf(escape, sizeof(escape), "\\u%04x", u[1]);
		add(line, escape, 6);
	} else {
		add(line, s, len);
	}
	return len;
}

static void add_quoted(struct line *line, const char *text)
{
	add_text(line, "\"");
	if (line->cut)
		return;
	while (*text && !line->cut)
		text += add_character(line, text);
	/* The closing quote stands in the room kept for the end. */
	line->text[line->len++] = '"';
}

static bool is_plain(const char *text)
{
	if (!*text)
		return false;
	for (; *text; text++)
		if (*text <= ' ' || *text >= 0x7f || *text == '"' ||
		    *text == '=' || *text == '\\')
			return false;
	return true;
}

static void add_name(struct line *line, const char *name)
{
	char head[64];
	int len;

	len = snprintf(head, sizeof(head),
		       line->json ? "%s\"%.50s\":" : "%s%.50s=",
		       line->len <= 1 ? "" : line->json ? "," : " ", name);
	add(line, head, (size_t)len);
}

/* A name without its value must not stay behind. */
static void drop(struct line *line, size_t len)
{
	if (line->cut && line->len > len && line->text[line->len - 1] != '"')
		line->len = len;
}

static void add_string(struct line *line, const char *name, const char *text)
{
	size_t before = line->len;

	add_name(line, name);
	if (line->json && !text)
		add_text(line, "null");
	else if (line->json || !text || !is_plain(text))
		add_quoted(line, text ? text : "");
	else
		add_text(line, text);
	drop(line, before);
}

static void add_number(struct line *line, const char *name, const char *text)
{
	size_t before = line->len;

	add_name(line, name);
	add_text(line, text);
	drop(line, before);
}

static void add_int(struct line *line, const char *name, int64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	add_number(line, name, text);
}

static void add_ms(struct line *line, const char *name, double value)
{
	char text[512];

	snprintf(text, sizeof(text), "%.3f", value);
	add_number(line, name, isfinite(value) ? text : "null");
}

/* RFC 3339, UTC, with milliseconds. */
static void add_time(struct line *line)
{
	struct timespec now = { 0 };
	struct tm tm = { 0 };
	char text[80];
	size_t len;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + len, sizeof(text) - len, ".%03dZ",
		 (int)(now.tv_nsec / 1000000));
	add_string(line, "ts", text);
}

static void add_fields(struct line *line, va_list args)
{
	const char *name, *text;

	while ((name = va_arg(args, const char *))) {
		switch (va_arg(args, enum log_type)) {
		case LOG_STR:
			add_string(line, name, va_arg(args, const char *));
			break;
		case LOG_SOME:
			text = va_arg(args, const char *);
			if (text && *text)
				add_string(line, name, text);
			break;
		case LOG_INT:
			add_int(line, name, va_arg(args, int64_t));
			break;
		case LOG_MS:
			add_ms(line, name, va_arg(args, double));
			break;
		}
	}
}

/* Writes into the room that add() left free. */
static void finish(struct line *line)
{
	const char *end = line->json ? "}\n" : "\n";

	if (line->cut)
		end = line->json ? ",\"cut\":true}\n" : " cut=true\n";
	memcpy(line->text + line->len, end, strlen(end));
	line->len += strlen(end);
}

/* Nobody is left to be told when standard error itself fails. */
static void emit(const char *text, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(STDERR_FILENO, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

void log_alter(enum log_level least, enum log_format format)
{
	setup.least = least;
	setup.format = format;
}

void log_setup(enum log_level least, enum log_format format, const char *node)
{
	log_alter(least, format);
	snprintf(setup.node, sizeof(setup.node), "%s", node ? node : "");
}

void log_event(enum log_level level, const char *message, ...)
{
	struct line line;
	int saved = errno;
	va_list args;

	if (level < setup.least)
		return;
	line.len = 0;
	line.cut = false;
	line.json = setup.format == LOG_JSON;
	if (line.json)
		line.text[line.len++] = '{';
	add_time(&line);
	add_string(&line, "level", level_names[level]);
	if (setup.node[0])
		add_string(&line, "node", setup.node);
	/* Quoted always: it is what people search for. */
	add_name(&line, "msg");
	add_quoted(&line, message);
	va_start(args, message);
	add_fields(&line, args);
	va_end(args);
	finish(&line);
	emit(line.text, line.len);
	errno = saved;
}
