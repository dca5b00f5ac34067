/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper_leak.c - looks for secrets where none may be. It knows the farm keys
 * (from their file), every key of the rings (from copies that a node kept,
 * opened with the farm key) and further secrets given as text, and searches
 * files for each of them raw, in hexadecimal of either case, and in base64 (both
 * alphabets) at its three alignments. Called by tests/farm_6_secrets.sh.
 *
 *	helper_leak FARM FARM_KEY_FILE KEPT_RING[,...] TEXT_FILE plant DIRECTORY
 *	helper_leak FARM FARM_KEY_FILE KEPT_RING[,...] TEXT_FILE search FILE...
 *
 * plant writes one file for each secret and form, which search must find.
 * search prints the findings; exit 0 none, 1 some, 2 could not look.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"

#define SECRETS_MAX 160
#define FORMS 9

struct secret {
	char what[48];
	uint8_t bytes[128];
	size_t len;
};

static struct secret secrets[SECRETS_MAX];
static size_t n_secrets;

static void die(const char *what, const char *detail)
{
	fprintf(stderr, "helper_leak: %s: %s\n", what, detail);
	exit(2);
}

static void add(const char *what, const void *bytes, size_t len)
{
	struct secret *s = &secrets[n_secrets++];

	if (n_secrets == SECRETS_MAX || len < 16 || len > sizeof(s->bytes))
		die(what, "unexpected secret");
	for (size_t i = 0; i + 1 < n_secrets; i++) {
		if (secrets[i].len == len &&
		    memcmp(secrets[i].bytes, bytes, len) == 0) {
			n_secrets--;
			return;
		}
	}
	snprintf(s->what, sizeof(s->what), "%s", what);
	memcpy(s->bytes, bytes, len);
	s->len = len;
}

static uint8_t *slurp(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t cap = 0;

	if (!f)
		die(path, "cannot open");
	for (*len = 0;;) {
		size_t n;

		if (cap - *len < 65536)
			data = realloc(data, cap += 1 << 20);
		if (!data)
			die(path, "no memory");
		n = fread(data + *len, 1, cap - *len, f);
		if (n == 0)
			break;
		*len += n;
	}
	fclose(f);
	return data;
}

/* The farm keys: "stek-farm-key-1 ID SECRET", both in hexadecimal. */
static void add_farm_keys(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[256], hex[65];
	size_t before = n_secrets;

	if (!f)
		die(path, "cannot open");
	while (fgets(line, sizeof(line), f)) {
		uint8_t bytes[32];

		if (sscanf(line, "stek-farm-key-1 %*16s %64s", hex) != 1)
			continue;
		for (size_t i = 0; i < sizeof(bytes); i++)
			sscanf(hex + 2 * i, "%2hhx", &bytes[i]);
		add("farm key", bytes, sizeof(bytes));
	}
	fclose(f);
	if (n_secrets == before)
		die(path, "holds no farm key");
}

static void add_ring(const char *farm, const char *key_file, const char *path)
{
	struct stek_farm_keys *keys;
	struct stek_ring *ring;
	char why[256];
	size_t len, live = 0;
	uint8_t *doc = slurp(path, &len);

	if (stek__farm_keys_read(&keys, key_file, why, sizeof(why)) != 0)
		die(key_file, why);
	if (stek__record_open(&ring, keys, farm, doc, len) != 0)
		die(path, "does not open under the farm key");
	for (size_t i = 0; i < ring->n_keys; i++) {
		if (!ring->keys[i]->secret)
			continue;
		add("ring key", ring->keys[i]->secret, STEK_SECRET_LEN);
		live++;
	}
	if (live < 3)
		die(path, "holds fewer than three live keys");
	stek__ring_unref(ring);
	stek__farm_keys_free(keys);
	free(doc);
}

static void add_texts(const char *path)
{
	size_t len;
	uint8_t *data = slurp(path, &len);

	for (size_t i = 0, start = 0; i < len; i++) {
		if (data[i] != '\n')
			continue;
		add("text secret", data + start, i - start);
		start = i + 1;
	}
	free(data);
}

static size_t hex_form(char *out, const struct secret *s, const char *digits)
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
static size_t base64_form(char *out, const struct secret *s, size_t shift,
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

static size_t form_of(char *out, const struct secret *s, int form)
{
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

static int search(const char *path)
{
	size_t len, found = 0;
	uint8_t *data = slurp(path, &len);
	char needle[512];

	for (size_t i = 0; i < n_secrets; i++) {
		for (int form = 0; form < FORMS; form++) {
			size_t n = form_of(needle, &secrets[i], form);

			if (!memmem(data, len, needle, n))
				continue;
			printf("%s: %s %zu, form %d\n", path, secrets[i].what,
			       i, form);
			found++;
		}
	}
	free(data);
	return found > 0;
}

static void plant(const char *dir)
{
	char path[4096], form_bytes[512];

	for (size_t i = 0; i < n_secrets; i++) {
		for (int form = 0; form < FORMS; form++) {
			size_t n = form_of(form_bytes, &secrets[i], form);
			FILE *f;

			snprintf(path, sizeof(path), "%s/%zu.%d", dir, i, form);
			f = fopen(path, "wb");
			if (!f || fputs("some text before ", f) < 0 ||
			    fwrite(form_bytes, 1, n, f) != n ||
			    fputs(" and after", f) < 0 || fclose(f) != 0)
				die(path, "cannot write");
		}
	}
}

int main(int argc, char **argv)
{
	int found = 0;

	if (argc < 7)
		die("usage", "see the head of helper_leak.c");
	add_farm_keys(argv[2]);
	for (char *path = strtok(argv[3], ","); path; path = strtok(NULL, ","))
		add_ring(argv[1], argv[2], path);
	add_texts(argv[4]);
	if (strcmp(argv[5], "plant") == 0) {
		plant(argv[6]);
		printf("%zu secrets in %d forms\n", n_secrets, FORMS);
		return 0;
	}
	for (int i = 6; i < argc; i++)
		found |= search(argv[i]);
	printf("%d files searched for %zu secrets in %d forms\n", argc - 6,
	       n_secrets, FORMS);
	return found;
}
