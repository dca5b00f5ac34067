/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settings_file.h - the configuration file as it is written: the structures
 * that libcyaml fills. settings.c makes struct settings of them.
 */
#ifndef STEKD_SETTINGS_FILE_H
#define STEKD_SETTINGS_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include <stek.h>

#include "log.h"
#include "settings.h"
#include "settings_doc.h"

struct file_store {
	char *url, *user, *password_file;
	char *ca, *certificate, *key, *server_name;
	char *sentinel_user, *sentinel_password_file;
	uint32_t wait_replicas, wait_ms;
};

struct file_log {
	enum log_level level;
	enum log_format format;
};

enum file_version { FILE_TLS12 = 1, FILE_TLS13 = 2 };

struct file_tls {
	enum file_version *versions;
	uint32_t versions_count;
	char *ciphers, *groups;
	uint32_t records_per_key;
};

struct file_listen {
	char *address, *name;
	bool proxy_protocol;
	char **proxy_from;
	uint32_t proxy_from_count;
};

struct file_backend {
	char *alpn, *backend;
};

struct file_role {
	char *certificate, *name;
	enum admin_role role;
};

struct file_host {
	char **names;
	uint32_t names_count;
	bool is_default;
	char *certificate, *key, *group;
	char **alpn;
	uint32_t alpn_count;
	uint32_t tickets;
	char *backend;
	enum client_auth client_auth;
	char *client_ca, *client_crl;
	uint32_t client_depth;
	struct file_backend *backends;
	uint32_t backends_count;
	enum proxy_form send_proxy;
	enum client_decline client_decline;
	uint32_t client_reauth_s;
	struct file_role *roles;
	uint32_t roles_count;
};

struct file_limits {
	uint32_t handshake_timeout_ms, idle_timeout_ms, drain_timeout_ms;
	uint32_t drain_delay_ms;
	uint32_t total_timeout_ms;
	uint32_t max_connections, connections_per_address, address_ipv6_bits;
};

struct file_admin {
	char *socket, *listen, *token_file;
};

struct file_metrics {
	char *listen;
};

struct file {
	char *farm, *node, *farm_key, *state_dir, *user, *group;
	struct file_store store;	/* or: */
	struct file_store *stores;
	uint32_t stores_count;
	struct stek_policy keys;
	uint32_t workers;
	bool pin_workers;
	struct file_log log;
	struct file_tls tls;
	struct file_listen *listen;
	uint32_t listen_count;
	struct file_host *hosts;
	uint32_t hosts_count;
	struct file_limits limits;
	struct file_admin admin;
	struct file_metrics metrics;
	char *client_deny;
};

/*
 * Parses `text` and holds it against the schema; defaults and ranges of
 * numbers included. NULL, with faults. `doc` gives lines for later checks.
 */
struct file *file_new(const char *text, size_t len, struct doc **doc,
		      struct faults *faults);
void file_free(struct file *file);

/*
 * settings_store.c: `name` is "store" or "stores[N]"; paths are of the
 * directory `dir`, which is "" or ends with '/'.
 */
void settings_store_read(struct settings_store *out,
			 const struct file_store *in, struct doc *doc,
			 const char *name, const char *dir,
			 struct faults *faults);
/* settings_user.c */
void settings_user_read(struct settings *out, const struct file *in,
			struct doc *doc, struct faults *faults);

/* settings_fixed.c: tells what differs that only a restart changes. */
void settings_fixed_check(const struct settings *fixed,
			  const struct settings *next, struct doc *doc,
			  struct faults *faults);

void settings_store_clear(struct settings_store *store);

/* settings_client.c: of the host hosts[index]. */
void settings_client_read(struct settings_host *out,
			  const struct file_host *in, struct doc *doc,
			  uint32_t index, const char *dir,
			  struct faults *faults);
/* client_deny: its path made absolute, the file proved good. Or NULL. */
char *settings_deny_read(const char *path, struct doc *doc, const char *dir,
			 struct faults *faults);
void settings_client_clear(struct settings_host *host);

/* settings_role.c: of the host hosts[index], once the rest of it is read. */
void settings_role_read(struct settings_host *out, const struct file_host *in,
			struct doc *doc, uint32_t index,
			struct faults *faults);
void settings_role_clear(struct settings_host *host);

/* settings_listen.c */
void settings_listen_read(struct settings *out, const struct file *in,
			  struct doc *doc, struct faults *faults);
void settings_listen_clear(struct settings *settings);

/* settings_backend.c: ALPN, the backends and what they are sent. */
void settings_backend_read(struct settings_host *out,
			   const struct file_host *in, struct doc *doc,
			   uint32_t index, struct faults *faults);
void settings_backend_clear(struct settings_host *host);

#endif
