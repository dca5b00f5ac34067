// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_der.c - certificates that clients show and revocation lists. Whatever
 * the bytes are, what is found lies within them, and a list has an end.
 */
#include <stdlib.h>
#include <string.h>

#include "der.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void is_within(struct der_span span, const uint8_t *data, size_t len)
{
	if (span.at < data || span.len > len ||
	    (size_t)(span.at - data) > len - span.len)
		abort();
}

/* Each ended by a zero, printable, of a known kind, and the last by two. */
static void read_names(const uint8_t *data, size_t len)
{
	char names[64], *name;
	size_t i;

	if (der_names(names, sizeof(names), data, len) < 0)
		abort();
	for (name = names; *name; name += strlen(name) + 1) {
		if (!strchr("deuc", *name) || !strchr(name, ':'))
			abort();
		for (i = 0; name[i]; i++)
			if (name[i] < ' ' || name[i] > '~')
				abort();
	}
	if (name >= names + sizeof(names))
		abort();
}

static void read_certificate(const uint8_t *data, size_t len)
{
	struct der_certificate cert;

	if (der_certificate(&cert, data, len) < 0)
		return;
	is_within(cert.issuer, data, len);
	is_within(cert.subject, data, len);
	is_within(cert.serial, data, len);
	read_names(data, len);
}

static void read_list(const uint8_t *data, size_t len)
{
	struct der_span serial;
	struct der_list list;
	size_t n = 0;

	if (der_list(&list, data, len) < 0)
		return;
	is_within(list.issuer, data, len);
	while (der_list_next(&list, &serial) == 1) {
		is_within(serial, data, len);
		/* Each entry takes bytes of its own. */
		if (++n > len)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	read_certificate(data, len);
	read_list(data, len);
	return 0;
}
