/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * page.h - the built-in page: as little HTTP/1.1 (RFC 9112) as it needs. Pure
 * functions over bytes; conn_page.c drives them.
 */
#ifndef STEKD_PAGE_H
#define STEKD_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stek_wolfssl.h>

#define PAGE_REQUEST_MAX 8192	/* request line and headers */
#define PAGE_ANSWER_MAX 4096

enum page_verdict {
	PAGE_MORE,	/* incomplete: read on */
	PAGE_READY,	/* answer with `status` */
};

struct page_request {
	size_t consumed;
	unsigned status;	/* 200, or what is wrong with it */
	bool head;		/* no body in the answer */
	bool json;		/* Accept prefers application/json */
	bool keep_alive;	/* another request may follow */
};

/*
 * Reads one request from the first `len` bytes. Never reads past them. One
 * that is longer than PAGE_REQUEST_MAX is answered 431.
 */
enum page_verdict page_parse(struct page_request *out, const char *buf,
			     size_t len);

/* What the page says. Strings may be NULL where JSON has null. */
struct page_facts {
	const char *node, *farm;
	const char *server_name;	/* NULL: the client named none */
	const char *tls_version, *cipher_suite;
	const char *alpn;		/* NULL: none */
	enum stek_outcome outcome;
	/* NULL: the client showed no certificate, now or in the first place. */
	const struct stek_identity *identity;
	bool resumed;
	const char *issuer;		/* the ticket's node, "" if not known */
	uint32_t issuer_id;
	int64_t age_ms;
	const uint8_t *key_id;
	const char *key_state;
	uint64_t handshakes;		/* this node's, completed */
};

/*
 * Writes the whole answer, headers too. Its length, or 0 when it does not fit
 * or memory is short. `facts` are read for a status of 200 only.
 */
size_t page_write(char *out, size_t cap, const struct page_request *request,
		  const struct page_facts *facts);

#endif
