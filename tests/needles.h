/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * needles.h - the secrets of a farm, to look for where none may be: the farm
 * keys, every key of rings that a node kept, and texts; each raw, in
 * hexadecimal of either case, and in base64 (both alphabets) at its three
 * alignments. The needles are the process's own, one set.
 */
#ifndef STEK_TESTS_NEEDLES_H
#define STEK_TESTS_NEEDLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NEEDLE_FORMS 9
#define NEEDLE_FORM_MAX 512

enum needle_kind { NEEDLE_FARM_KEY, NEEDLE_RING_KEY, NEEDLE_TEXT };

struct needle {
	enum needle_kind kind;
	uint8_t bytes[128];
	size_t len;
};

/* Ends the program, exit status 2. */
void needles_die(const char *what, const char *detail)
	__attribute__((noreturn));

/*
 * Reads the set: `kept` names copies of kept rings, separated by commas (it is
 * cut up), `texts` a file of lines, "-" for none. Dies when anything is not as
 * expected, for a search without needles finds nothing.
 */
void needles_read(const char *farm, const char *key_file, char *kept,
		  const char *texts);
size_t needles_count(void);
const struct needle *needles_at(size_t i);
const char *needles_name(enum needle_kind kind);

/* Writes needle i in that form, at most NEEDLE_FORM_MAX bytes; their number. */
size_t needles_form(char *out, size_t i, int form);

/* Calls `found` for each place in `data` where a needle begins. */
void needles_search(const uint8_t *data, size_t len,
		    void (*found)(void *user, size_t at, size_t i, int form),
		    void *user);

#endif
