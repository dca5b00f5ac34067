/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl.h - the parts of stekctl: one request to the admin endpoint, tables and
 * relative times for people, and what each answer looks like.
 */
#ifndef STEKCTL_CTL_H
#define STEKCTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

/* Exit statuses; stekctl(1). */
enum ctl_exit {
	CTL_OK = 0,
	CTL_REFUSED = 1,	/* the daemon said no, or it failed there */
	CTL_USAGE = 2,
	CTL_UNREACHABLE = 3,
	CTL_NOT_READY = 4,
};

#define CTL_TOKEN_MAX 512
#define CTL_REPLY_MAX (8u * 1024 * 1024)
#define CTL_TEXT_LEN 32

/* ctl_command.c: the whole program, but for what main() sets up once. */
enum ctl_exit ctl_run(int argc, char **argv);

/* ctl_keygen.c: a farm key, or one more of them, in a file. */
enum ctl_exit ctl_keygen(const char *file, bool append, bool json);

/* ctl_http.c */

struct ctl_target {
	const char *socket;	/* used when `url` is NULL */
	const char *url;	/* http://LOOPBACK:PORT, or https: */
	char token[CTL_TOKEN_MAX];	/* ""; wiped by ctl_token_wipe() */
	const char *cert, *key, *ca;	/* of https: PEM files; `ca` NULL: the
					   system's */
	char passphrase[CTL_TOKEN_MAX];	/* of `key`; "": none given; wiped too */
};

struct ctl_reply {
	long status;		/* HTTP status */
	long retry_after_s;	/* 0: not told */
	json_t *body;		/* NULL: no JSON */
};

/*
 * True for http://127.0.0.0/8, [::1] or localhost, with or without a port:
 * beyond the loopback the token would travel in the clear.
 */
bool ctl_url_valid(const char *url);

/*
 * Reads the token's one line. A file that others may read, that belongs to
 * somebody else, or that holds anything but one printable line is refused;
 * `why` says so. 0 or -1.
 */
int ctl_token_read(char out[CTL_TOKEN_MAX], const char *path, char *why,
		   size_t why_len);
void ctl_token_wipe(struct ctl_target *target);

/* A file with a secret, open: 0, or -1 when not its owner alone may read it. */
int ctl_secret_check(int fd, const char *path, char *why, size_t why_len);

/*
 * One request. `body` (NULL: GET, else POST) stays the caller's. CTL_OK when
 * any HTTP answer came (look at the status), CTL_UNREACHABLE with `why` if not.
 * The caller clears `out` when it was CTL_OK.
 */
enum ctl_exit ctl_request(const struct ctl_target *target, const char *path,
			  const json_t *body, struct ctl_reply *out, char *why,
			  size_t why_len);
/* The same if the ring is that of the entity tag (NULL: whatever it is). */
enum ctl_exit ctl_request_if(const struct ctl_target *target, const char *path,
			     const char *name, const char *if_match,
			     const json_t *body, struct ctl_reply *out,
			     char *why, size_t why_len);
/* The same under a name: a second one of that name changes nothing. */
enum ctl_exit ctl_request_named(const struct ctl_target *target,
				const char *path, const char *name,
				const json_t *body, struct ctl_reply *out,
				char *why, size_t why_len);
/* A name that nobody has used: a repeated attempt is then the caller's. */
bool ctl_name(char *out, size_t len);
void ctl_reply_clear(struct ctl_reply *reply);

#define CTL_TAG_LEN 96
/* "7" or "7-DIGEST" as an entity tag of the ring; false: it is neither. */
bool ctl_tag(char out[CTL_TAG_LEN], const char *text);

/* ctl_remote.c: administration by TLS, with a client certificate. */

/* True for https://HOST, with or without a port. */
bool ctl_url_is_remote(const char *url);

/* What does not go together of these options; NULL: they do. */
const char *ctl_way_wrong(const struct ctl_target *target,
			  const char *token_file, const char *passphrase_file);

/*
 * Reads the token, or completes a remote target: the key's file is the
 * certificate's where none is named. Refuses files that cannot be read or, of
 * token, key and passphrase (one line), are not their owner's alone; `why` says
 * so. Either file may be NULL. 0 or -1.
 */
int ctl_way_prepare(struct ctl_target *target, const char *token_file,
		    const char *passphrase_file, char *why, size_t why_len);

/* ctl_format.c */

/* "in 2h13m", "3m ago", "now"; two units at most. */
void ctl_when(char out[CTL_TEXT_LEN], int64_t at_ms, int64_t now_ms);

/* "2h13m", "41s", "0s" */
void ctl_duration(char out[CTL_TEXT_LEN], int64_t ms);

/* Cut to one decimal, so that 100.0% means all; "-" of nothing. */
void ctl_percent(char out[CTL_TEXT_LEN], int64_t part, int64_t whole);

/* ctl_table.c */

#define CTL_COLUMNS_MAX 12

/* Rows of cells, printed aligned: text to the left, numbers to the right. */
struct ctl_table {
	size_t columns, rows, cap;
	bool right[CTL_COLUMNS_MAX];
	char **cells;		/* row 0 is the heading */
};

/* Headings, ended by NULL; one that starts with '>' aligns to the right. */
int ctl_table_init(struct ctl_table *table, const char *const *headings);

/* A row of exactly as many cells as there are headings; NULL prints as "-". */
int ctl_table_add(struct ctl_table *table, const char *const *cells);
void ctl_table_print(const struct ctl_table *table, FILE *out);
void ctl_table_clear(struct ctl_table *table);

/* ctl_show.c: the answers for people. What is missing prints as "-". */

void ctl_show_status(const json_t *status, FILE *out);
void ctl_show_keys(const json_t *keys, FILE *out);
void ctl_show_nodes(const json_t *nodes, FILE *out);
void ctl_show_change(const json_t *change, FILE *out);

void ctl_show_reload(const json_t *answer, FILE *out);

/* A refusal: title and detail, its causes, the nodes that were late. */
void ctl_show_problem(const struct ctl_reply *reply, FILE *out);

/* ctl_audit.c */

void ctl_show_audit(const json_t *audit, FILE *out);
void ctl_show_farm_key(const json_t *answer, FILE *out);

/* ctl_deny.c: what `deny` with these operands sends; NULL: it only reads. */

json_t *ctl_deny_body(int n, char **args, const char **wrong);
void ctl_show_deny(const json_t *answer, FILE *out);

/* ctl_stats.c */

void ctl_show_stats(const json_t *stats, FILE *out);

/* Reads members without complaint: "-" or 0 for what is not there. */
const char *ctl_string(const json_t *object, const char *name);
int64_t ctl_integer(const json_t *object, const char *name);

/* ctl_watch.c */

struct ctl_watch {
	unsigned interval_s;
	unsigned count;		/* 0: until interrupted */
	bool json;
};

enum ctl_exit ctl_watch(const struct ctl_target *target,
			const struct ctl_watch *options, FILE *out);

#endif
