/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * needles.c - a farm's secrets and the search for them in bytes. One pass finds
 * all: the first two bytes of every form are marked in a table, and only behind
 * marked ones the forms are compared. Called by helper_leak.c (files) and
 * helper_memory.c (processes).
 */
#include "needles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"

#define NEEDLES_MAX 160

struct form {
	size_t needle;
	int form;
	size_t len;
	char bytes[NEEDLE_FORM_MAX];
	struct form *next;	/* begins with the same two bytes */
};

static struct needle needles[NEEDLES_MAX];
static size_t n_needles;
static struct form *forms[1 << 16];

void needles_die(const char *what, const char *detail)
{
	fprintf(stderr, "needles: %s: %s\n", what, detail);
	exit(2);
}

size_t needles_count(void)
{
	return n_needles;
}

const struct needle *needles_at(size_t i)
{
	return &needles[i];
}

const char *needles_name(enum needle_kind kind)
{
	static const char *const names[] = {
		[NEEDLE_FARM_KEY] = "farm key",
		[NEEDLE_RING_KEY] = "ring key",
		[NEEDLE_TEXT] = "text secret",
	};

	return names[kind];
}

static void add(enum needle_kind kind, const void *bytes, size_t len)
{
	struct needle *s = &needles[n_needles];

	if (n_needles == NEEDLES_MAX || len < 16 || len > sizeof(s->bytes))
		needles_die(needles_name(kind), "unexpected secret");
	for (size_t i = 0; i < n_needles; i++) {
		if (needles[i].len == len &&
		    memcmp(needles[i].bytes, bytes, len) == 0)
			return;
	}
	s->kind = kind;
	memcpy(s->bytes, bytes, len);
	s->len = len;
	n_needles++;
}

/* The farm keys: "stek-farm-key-1 ID SECRET", both in hexadecimal. */
static void add_farm_keys(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[256], hex[65];
	size_t before = n_needles;

	if (!f)
		needles_die(path, "cannot open");
	while (fgets(line, sizeof(line), f)) {
		uint8_t bytes[32];

		if (sscanf(line, "stek-farm-key-1 %*16s %64s", hex) != 1)
			continue;
		for (size_t i = 0; i < sizeof(bytes); i++)
			sscanf(hex + 2 * i, "%2hhx", &bytes[i]);
		add(NEEDLE_FARM_KEY, bytes, sizeof(bytes));
	}
	fclose(f);
	if (n_needles == before)
		needles_die(path, "holds no farm key");
}

static void add_ring(const char *farm, const char *key_file, const char *path)
{
	struct stek_farm_keys *keys;
	struct stek_ring *ring;
	char why[256];
	uint8_t *doc = calloc(1, STEK_RECORD_MAX);
	FILE *f = fopen(path, "rb");
	size_t len, live = 0;

	if (!f || !doc)
		needles_die(path, "cannot open");
	len = fread(doc, 1, STEK_RECORD_MAX, f);
	fclose(f);
	if (stek__farm_keys_read(&keys, key_file, why, sizeof(why)) != 0)
		needles_die(key_file, why);
	if (stek__record_open(&ring, keys, farm, doc, len) != 0)
		needles_die(path, "does not open under the farm key");
	for (size_t i = 0; i < ring->n_keys; i++) {
		if (!ring->keys[i]->secret)
			continue;
		add(NEEDLE_RING_KEY, ring->keys[i]->secret, STEK_SECRET_LEN);
		live++;
	}
	if (live < 3)
		needles_die(path, "holds fewer than three live keys");
	stek__ring_unref(ring);
	stek__farm_keys_free(keys);
	free(doc);
}

static void add_texts(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[256];

	if (!f)
		needles_die(path, "cannot open");
	while (fgets(line, sizeof(line), f))
		add(NEEDLE_TEXT, line, strcspn(line, "\n"));
	fclose(f);
}

static size_t hex_form(char *out, const struct needle *s, const char *digits)
{
	for (size_t i = 0; i < s->len; i++) {
		out[2 * i] = digits[s->bytes[i] >> 4];
		out[2 * i + 1] = digits[s->bytes[i] & 15];
	}
	return 2 * s->len;
}

/*
 * The characters of base64 that depend on the secret alone when `shift` other
 * bytes stand before it.
 */
static size_t base64_form(char *out, const struct needle *s, size_t shift,
			  const char *last)
{
	static const char common[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789";
	size_t skip = (3 - shift) % 3, n = 0;

	for (size_t i = skip; i + 3 <= s->len; i += 3) {
		uint32_t v = (uint32_t)s->bytes[i] << 16 |
			     (uint32_t)s->bytes[i + 1] << 8 | s->bytes[i + 2];

		for (int b = 18; b >= 0; b -= 6) {
			uint32_t d = v >> b & 63;

			out[n++] = d < 62 ? common[d] : last[d - 62];
		}
	}
	return n;
}

size_t needles_form(char *out, size_t i, int form)
{
	const struct needle *s = &needles[i];

	switch (form) {
	case 0:
		memcpy(out, s->bytes, s->len);
		return s->len;
	case 1:
		return hex_form(out, s, "0123456789abcdef");
	case 2:
		return hex_form(out, s, "0123456789ABCDEF");
	default:
		return base64_form(out, s, (size_t)(form - 3) % 3,
				   form < 6 ? "+/" : "-_");
	}
}

static size_t prefix(const void *bytes)
{
	const uint8_t *b = bytes;

	return (size_t)b[0] << 8 | b[1];
}

static void add_forms(size_t i)
{
	for (int form = 0; form < NEEDLE_FORMS; form++) {
		struct form *f = calloc(1, sizeof(*f));
		struct form **list;

		if (!f)
			needles_die("forms", "no memory");
		f->needle = i;
		f->form = form;
		f->len = needles_form(f->bytes, i, form);
		list = &forms[prefix(f->bytes)];
		f->next = *list;
		*list = f;
	}
}

void needles_read(const char *farm, const char *key_file, char *kept,
		  const char *texts)
{
	add_farm_keys(key_file);
	for (char *path = strtok(kept, ","); path; path = strtok(NULL, ","))
		add_ring(farm, key_file, path);
	if (strcmp(texts, "-") != 0)
		add_texts(texts);
	for (size_t i = 0; i < n_needles; i++)
		add_forms(i);
}

void needles_search(const uint8_t *data, size_t len,
		    void (*found)(void *user, size_t at, size_t i, int form),
		    void *user)
{
	for (size_t at = 0; at + 16 <= len; at++) {
		for (const struct form *f = forms[prefix(data + at)]; f;
		     f = f->next) {
			if (f->len <= len - at &&
			    memcmp(data + at, f->bytes, f->len) == 0)
				found(user, at, f->needle, f->form);
		}
	}
}
