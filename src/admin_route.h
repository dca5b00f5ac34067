/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_route.h - requests and answers of the admin endpoint without their
 * transport: admin.c brings them in and out, tests and fuzz targets call here
 * directly. stekd-http(7) documents every route.
 */
#ifndef STEKD_ADMIN_ROUTE_H
#define STEKD_ADMIN_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "admin_problem.h"
#include "deny.h"
#include "node.h"

#define ADMIN_BODY_MAX (16 * 1024)
#define ADMIN_KEYS_MAX 64	/* ids in one revoke request */

/* An entity tag of the ring: quoted, decimal epoch, '-', hex digest. */
#define ADMIN_TAG_LEN (2 + 20 + 1 + 2 * STEK_DIGEST_LEN + 1)

struct admin_grant;

struct admin_request {
	const char *method, *path;
	const char *content_type;	/* NULL: none given */
	const char *body;
	size_t body_len;
	const char *who;	/* for the audit stream */
	const char *from;	/* the same: "unix" or an address; or NULL */
	const char *request;	/* Idempotency-Key, or NULL */
	const char *limit, *verify;	/* of the query, or NULL */
	const char *accept_encoding, *if_match, *if_none_match;	/* or NULL */
	bool open_only;		/* the tokenless listener */
	const struct admin_grant *grant;	/* of a client certificate; NULL:
						   may do all, by socket or
						   token */
};

struct admin_answer {
	unsigned status;
	const char *type;	/* static */
	const char *allow;	/* Allow header for 405, static, or NULL */
	unsigned retry_after_s;	/* 0: no such header */
	const char *challenge;	/* WWW-Authenticate for 401, static */
	char instance[48];	/* of a problem; "": it has none */
	char *body;		/* malloc'd; NULL when memory ran out */
	enum admin_problem problem;	/* of an error */
	struct admin_stream *stream;	/* instead of it: admin_stream.h */
	const uint8_t *fixed;	/* instead of it: a file of the program */
	const char *etag, *encoding;	/* static, or NULL; or: */
	char tag[ADMIN_TAG_LEN];	/* the etag, of the ring */
	size_t len;
};

/* What a request's path and body ask for, once they were found good. */
struct admin_call {
	void (*run)(struct node *node, const struct admin_call *call,
		    struct admin_answer *answer);
	const char *who, *from, *request;
	const char *path, *accept_encoding, *if_none_match;
	bool force, all, has_expect, epoch_only, dry_run, verify;
	char note[STEK_NOTE_MAX + 1];	/* why; "": it was not said */
	unsigned limit;
	struct stek_version expect;
	uint8_t ids[ADMIN_KEYS_MAX][STEK_ID_LEN];
	size_t n_ids;
	bool add;		/* to the denied ones; else take from them */
	uint8_t fingerprint[DENY_LEN];
};

/* Fills `call`, or `answer` with a problem: false. No side effects. */
bool admin_parse(const struct admin_request *request, struct admin_call *call,
		 struct admin_answer *answer);

/*
 * Without the body: true if the request may go on to send one. A request that
 * would be refused whatever its body says is refused before it is read.
 */
bool admin_parse_head(const struct admin_request *request,
		      struct admin_answer *answer);

void admin_route(struct node *node, const struct admin_request *request,
		 struct admin_answer *answer);

/* The route of that number, for who checks the OpenAPI document; false: none. */
struct admin_route_facts {
	const char *path;
	const char *method;	/* GET stands for HEAD too */
	bool open;		/* also on the tokenless listener */
	enum admin_role needs;
};

bool admin_route_list(size_t number, struct admin_route_facts *out);

/* Steals `json`; NULL (no memory) becomes a 500. */
void admin_json(struct admin_answer *answer, json_t *json);

/* Frees the body or the stream. */
void admin_answer_clear(struct admin_answer *answer);

/* admin_ready.c */
#define ADMIN_REASONS_MAX 8

struct admin_reasons {
	size_t n;
	char text[ADMIN_REASONS_MAX][96];
};

struct admin_facts {
	bool draining;
	bool can_seal;
	size_t n_keys;
	struct stek_status status;
};

/*
 * Why a node should get no new connections; and what goes less well than it
 * should while connections are still served. The latter often holds for the
 * whole farm (after a revoke nobody seals for two seconds): a balancer that
 * took it for "not ready" would cut everybody off.
 */
void admin_judge(const struct admin_facts *facts,
		 struct admin_reasons *not_ready,
		 struct admin_reasons *degraded);
void admin_ready(struct node *node, struct admin_reasons *not_ready,
		 struct admin_reasons *degraded);

/* The same in bits, for the heartbeat; and kept there until told again. */
unsigned admin_trouble(const struct admin_facts *facts);
void admin_note(struct node *node);

/* admin_json.c: values as the documents show them. */
/* "304 Not Modified" and the like: a status and headers alone. */
void admin_empty(struct admin_answer *answer, unsigned status);
/* Steals `json`; without memory the answer has no body. */
void admin_document(struct admin_answer *answer, unsigned status,
		    const char *type, json_t *json);
/* As a document with this end, malloc'd; NULL without memory. */
char *admin_json_text(const json_t *json, const char *end);
json_t *admin_hex(const uint8_t *bytes, size_t len);
/* Foreign text, say of the store: what is no UTF-8 is shown as '?'. */
json_t *admin_text(const char *text);
json_t *admin_time_or_null(int64_t ms);

/* admin_asset.c */
#define ADMIN_HEADERS_MAX 16

struct admin_headers {
	struct {
		const char *name, *value;
	} list[ADMIN_HEADERS_MAX];
	size_t n;
	char seconds[16];
};

/* All headers of an answer; they live as long as both. */
void admin_headers(const struct admin_answer *answer,
		   struct admin_headers *headers);
void admin_asset_show(struct node *node, const struct admin_call *call,
		      struct admin_answer *answer);
void admin_openapi_show(struct node *node, const struct admin_call *call,
			struct admin_answer *answer);

/* admin_body.c: bodies of the two changes. */
bool admin_body_rotate(json_t *body, struct admin_call *call,
		       struct admin_answer *answer);
bool admin_body_revoke(json_t *body, struct admin_call *call,
		       struct admin_answer *answer);

/* admin_audit.c */
/* The newest entries, each checked; null if the store does not give them. */
json_t *admin_audit_newest(struct node *node, unsigned limit,
			   uint32_t timeout_ms);
bool admin_audit_query(const struct admin_request *request,
		       struct admin_call *call, struct admin_answer *answer);
void admin_audit_show(struct node *node, const struct admin_call *call,
		      struct admin_answer *answer);

/* admin_ring.c */
/* If-Match into call->expect; false with 400 or 412. */
bool admin_ring_match(const struct admin_request *request,
		      struct admin_call *call, struct admin_answer *answer);
bool admin_ring_expected(const struct admin_call *call,
			 const struct stek_version *version);
void admin_ring_tag(char out[ADMIN_TAG_LEN],
		    const struct stek_version *version);
/* Members of a problem: which ring it is. */
json_t *admin_ring_version(const struct stek_version *version);
void admin_ring_show(struct node *node, const struct admin_call *call,
		     struct admin_answer *answer);

/* admin_deny.c */
bool admin_body_deny(json_t *body, struct admin_call *call,
		     struct admin_answer *answer);
void admin_deny_show(struct node *node, const struct admin_call *call,
		     struct admin_answer *answer);
void admin_deny_change(struct node *node, const struct admin_call *call,
		       struct admin_answer *answer);

/* admin_farm_key.c */
bool admin_body_empty(json_t *body, struct admin_call *call,
		      struct admin_answer *answer);
void admin_farm_key_show(struct node *node, const struct admin_call *call,
			 struct admin_answer *answer);
void admin_farm_key_reload(struct node *node, const struct admin_call *call,
			   struct admin_answer *answer);

/* admin_reload.c */
void admin_reload(struct node *node, const struct admin_call *call,
		  struct admin_answer *answer);

/* admin_show.c, admin_stats.c, admin_change.c: what the routes run. */
json_t *admin_show_key(const struct stek_key_info *key);
json_t *admin_show_stores(struct node *node, const struct stek_status *status);
json_t *admin_show_reasons(const struct admin_reasons *reasons);
void admin_show_status(struct node *node, const struct admin_call *call,
		       struct admin_answer *answer);
void admin_show_keys(struct node *node, const struct admin_call *call,
		     struct admin_answer *answer);
void admin_show_nodes(struct node *node, const struct admin_call *call,
		      struct admin_answer *answer);
void admin_show_stats(struct node *node, const struct admin_call *call,
		      struct admin_answer *answer);
void admin_change_rotate(struct node *node, const struct admin_call *call,
			 struct admin_answer *answer);
void admin_change_revoke(struct node *node, const struct admin_call *call,
			 struct admin_answer *answer);

#endif
