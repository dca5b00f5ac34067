// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * chain.c - writes and checks single entries of the audit's chain; chain.h has
 * the format, chain_verify.c checks many. Pure but for the cipher library;
 * called by audit.c and idem.c.
 */
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/hmac.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"

#define LABEL "stekd audit 1"
#define TAG_HEX (2 * STEK_DIGEST_LEN)

void stek__chain_hex(FILE *out, const uint8_t *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		fprintf(out, "%02x", bytes[i]);
}

/* A key of its own for each farm key and farm: never the farm key itself. */
static int derive(uint8_t out[STEK_DIGEST_LEN],
		  const struct stek_farm_key *key, const char *farm)
{
	char info[sizeof(LABEL) + STEK_NAME_MAX + 1];
	int len = snprintf(info, sizeof(info), LABEL " %s", farm);

	if (stek__is_zero(key->secret, sizeof(key->secret)))
		return STEK_ECRYPTO;
	return wc_HKDF(WC_SHA256, key->secret, sizeof(key->secret), NULL, 0,
		       (const byte *)info, (word32)len, out,
		       STEK_DIGEST_LEN) == 0 ? 0 : STEK_ECRYPTO;
}

/* The tag of a line whose TAG word (with its blank) stands at `tag_at`. */
static int make_tag(uint8_t out[STEK_DIGEST_LEN],
		    const struct stek_farm_key *key, const char *farm,
		    const char *line, size_t tag_at, size_t tag_len)
{
	const char *rest = line + tag_at + tag_len;
	uint8_t secret[STEK_DIGEST_LEN];
	Hmac hmac;
	int err = derive(secret, key, farm);

	if (!err && wc_HmacInit(&hmac, NULL, INVALID_DEVID) != 0)
		err = STEK_ECRYPTO;
	if (!err) {
		if (wc_HmacSetKey(&hmac, WC_SHA256, secret, sizeof(secret)) ||
		    wc_HmacUpdate(&hmac, (const byte *)farm,
				  (word32)strlen(farm) + 1) ||
		    wc_HmacUpdate(&hmac, (const byte *)line, (word32)tag_at) ||
		    wc_HmacUpdate(&hmac, (const byte *)rest,
				  (word32)strlen(rest)) ||
		    wc_HmacFinal(&hmac, out))
			err = STEK_ECRYPTO;
		wc_HmacFree(&hmac);
	}
	stek__wipe(secret, sizeof(secret));
	return err;
}

static int write_line(char **out, const struct stek_farm_key *key,
		      const struct stek_head *after,
		      const struct stek_entry_text *text, const uint8_t *tag,
		      size_t *tag_at)
{
	char *line = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&line, &len);

	if (!f)
		return STEK_ENOMEM;
	fprintf(f, "1 %" PRIu64 " ", after->seq + 1);
	stek__chain_hex(f, after->hash, STEK_DIGEST_LEN);
	fputc(' ', f);
	stek__chain_hex(f, key->id, sizeof(key->id));
	fputc(' ', f);
	fflush(f);
	*tag_at = len;
	if (tag) {
		stek__chain_hex(f, tag, STEK_DIGEST_LEN);
		fputc(' ', f);
	}
	fprintf(f, "%s %s %s", text->request, text->outcome, text->json);
	if (fclose(f) || len > STEK_AUDIT_LINE_MAX) {
		free(line);
		return line ? STEK_EINVAL : STEK_ENOMEM;
	}
	*out = line;
	return 0;
}

int stek__chain_seal(char **out, const struct stek_farm_keys *keys,
		     const char *farm, const struct stek_head *after,
		     const struct stek_entry_text *text)
{
	const struct stek_farm_key *key = &keys->keys[keys->seals];
	uint8_t tag[STEK_DIGEST_LEN];
	char *bare = NULL;
	size_t tag_at;
	int err;

	err = write_line(&bare, key, after, text, NULL, &tag_at);
	if (!err)
		err = make_tag(tag, key, farm, bare, tag_at, 0);
	free(bare);
	return err ? err : write_line(out, key, after, text, tag, &tag_at);
}

/* The next word and the blank after it. */
static bool word(const char **at, const char *end, const char **out,
		 size_t *len)
{
	const char *blank = memchr(*at, ' ', (size_t)(end - *at));

	if (!blank || blank == *at)
		return false;
	*out = *at;
	*len = (size_t)(blank - *at);
	*at = blank + 1;
	return true;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool hex(const char **at, const char *end, uint8_t *out, size_t len)
{
	const char *text;
	size_t i, n;

	if (!word(at, end, &text, &n) || n != 2 * len)
		return false;
	for (i = 0; i < len; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* One way to write a number: no sign, no zero in front. */
static bool number(const char **at, const char *end, uint64_t *out)
{
	const char *text;
	uint64_t value = 0;
	size_t i, n;

	if (!word(at, end, &text, &n) || n > 18 || text[0] == '0')
		return false;
	for (i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	*out = value;
	return true;
}

int stek__chain_parse(struct stek_entry *out, const char *line, size_t len)
{
	struct stek_entry entry = { .seq = 0 };
	const char *at = line, *end = line + len, *format;
	size_t format_len;

	if (len > STEK_AUDIT_LINE_MAX || memchr(line, 0, len) ||
	    !word(&at, end, &format, &format_len) || format_len != 1 ||
	    *format != '1' || !number(&at, end, &entry.seq) ||
	    !hex(&at, end, entry.before, sizeof(entry.before)) ||
	    !hex(&at, end, entry.key_id, sizeof(entry.key_id)))
		return STEK_EFORMAT;
	entry.tag_at = (size_t)(at - line);
	if (!hex(&at, end, entry.tag, sizeof(entry.tag)) ||
	    !word(&at, end, &entry.request, &entry.request_len) ||
	    !word(&at, end, &entry.outcome, &entry.outcome_len))
		return STEK_EFORMAT;
	entry.json = at;
	entry.json_len = (size_t)(end - at);
	*out = entry;
	return 0;
}

int stek__chain_check(const struct stek_entry *entry,
		      const struct stek_farm_keys *keys, const char *farm,
		      const char *line)
{
	uint8_t tag[STEK_DIGEST_LEN];
	size_t i, len = (size_t)(entry->json - line) + entry->json_len;
	char *copy;
	int err = STEK_ENOKEY;

	copy = malloc(len + 1);
	if (!copy)
		return STEK_ENOMEM;
	memcpy(copy, line, len);
	copy[len] = '\0';
	for (i = 0; i < keys->n; i++) {
		if (memcmp(keys->keys[i].id, entry->key_id,
			   STEK_FARM_KEY_ID_LEN))
			continue;
		err = make_tag(tag, &keys->keys[i], farm, copy, entry->tag_at,
			       TAG_HEX + 1);
		if (!err && !stek__equal(tag, entry->tag, sizeof(tag)))
			err = STEK_EAUTH;
		break;
	}
	free(copy);
	return err;
}

int stek__chain_link(struct stek_head *out, uint64_t seq, const char *line,
		     size_t len)
{
	struct stek_head link = { .seq = seq };

	if (wc_Sha256Hash((const byte *)line, (word32)len, link.hash))
		return STEK_ECRYPTO;
	*out = link;
	return 0;
}
