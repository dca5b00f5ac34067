/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proxy_read.h - what the tests of PROXY headers share: headers of both
 * versions, and what the reader makes of one.
 */
#ifndef TESTS_PROXY_READ_H
#define TESTS_PROXY_READ_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "proxy.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define TCP4 SIGNATURE "\x21\x11\x00\x0c"				\
	"\xc0\x00\x02\x01" "\xc0\x00\x02\x02" "\xd4\x31" "\x01\xbb"
#define TCP6 SIGNATURE "\x21\x21\x00\x24"				\
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"			\
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02" "\xd4\x31" "\x01\xbb"
#define LINE4 "PROXY TCP4 192.0.2.1 192.0.2.2 54321 443\r\n"
#define LINE6 "PROXY TCP6 2001:db8::1 2001:db8::2 54321 443\r\n"

static struct proxy_in seen;

/* In a block of its own size, so that a sanitizer sees the byte behind it. */
static enum proxy_verdict parse(const void *bytes, size_t len)
{
	enum proxy_verdict verdict;
	uint8_t *exact = malloc(len ? len : 1);

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, bytes, len);
	verdict = proxy_parse(&seen, exact, len);
	free(exact);
	return verdict;
}

#define PARSE(literal) parse(literal, sizeof(literal) - 1)

#endif
