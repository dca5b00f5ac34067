/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settings.h - the configuration file, parsed and checked. Immutable once read.
 * stekd.yaml(5) documents every key. Durations are in the unit of the name.
 */
#ifndef STEKD_SETTINGS_H
#define STEKD_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <stek.h>

#include "log.h"
#include "proxy.h"
#include "role.h"
#include "subnet.h"

struct settings_address {
	struct sockaddr_storage addr;	/* AF_INET, AF_INET6 or AF_UNIX */
	socklen_t len;
	char text[128];			/* as written */
};

struct settings_listen {
	struct settings_address address;
	char *name;		/* of the socket that systemd passes; or NULL */
	bool proxy_protocol;	/* a PROXY header is required first, of these: */
	struct subnet *proxy_from;
	size_t n_proxy_from;
};

enum backend_kind { BACKEND_BUILTIN, BACKEND_SOCKET, BACKEND_ADMIN };

enum client_auth {
	CLIENT_NONE,		/* no certificate is asked for */
	CLIENT_OPTIONAL,	/* none is fine, a bad one is not */
	CLIENT_REQUIRED,
	CLIENT_AFTER_HANDSHAKE,	/* RFC 8446 s4.6.2 */
};

enum client_decline { CLIENT_CLOSE, CLIENT_CONTINUE };

struct settings_backend {
	char *alpn;
	struct settings_address address;
};
struct settings_host {
	char **names;		/* lower case; "*.example.com" matches one label */
	size_t n_names;
	bool is_default;	/* also serves clients without or with unknown SNI */
	char *group;		/* tickets resume among hosts of one group */
	char *certificate;	/* PEM chain file */
	char *key;		/* PEM file */
	char **alpn;		/* NULL, 0: none negotiated */
	size_t n_alpn;
	unsigned tickets;	/* per TLS 1.3 connection, 0..4, default 2 */
	enum backend_kind backend;
	struct settings_address backend_address;	/* BACKEND_SOCKET */
	enum client_auth client_auth;
	char *client_ca;	/* PEM bundle; NULL with CLIENT_NONE alone */
	char *client_crl;	/* PEM revocation lists; NULL: none are asked */
	unsigned client_depth;	/* CA certificates a client may send, 0..8 */
	struct settings_backend *by_alpn;	/* others, for these protocols */
	size_t n_by_alpn;
	enum proxy_form send_proxy;	/* towards the backend */
	enum client_decline client_decline;	/* after-handshake: who shows
						   none, or cannot be asked */
	uint32_t client_reauth_s;	/* asks again as often; 0: never */
	struct role_entry *roles;	/* BACKEND_ADMIN: who may do what there */
	size_t n_roles;
};

struct settings_store {
	char *url;		/* never with a user or a password in it */
	char *user, *password_file;	/* NULL: none, as all below */
	char *ca, *certificate, *key, *server_name;
	char *sentinel_user, *sentinel_password_file;
	uint32_t wait_replicas, wait_ms;
};

struct settings {
	char *farm, *node;
	char *user;		/* to become once all is bound; NULL: stay */
	uid_t uid;
	gid_t gid;
	char *farm_key, *state_dir;
	struct settings_store *stores;	/* 1 to STEK_STORES_MAX */
	size_t n_stores;
	struct stek_policy policy;
	unsigned workers;			/* 0 in the file: one per core */
	unsigned workers_asked;			/* what the file says */
	bool pin_workers;	/* each to a processor; pin.h */
	enum log_level log_level;
	enum log_format log_format;
	struct settings_listen *listen;	/* n_listen 0: a key keeper */
	size_t n_listen;
	struct settings_host *hosts;
	size_t n_hosts;
	char *ciphers;		/* wolfSSL names, ':' between; NULL: ours */
	char *groups;		/* NULL: ours */
	bool tls12, tls13;	/* at least one */
	uint32_t records_per_key;	/* TLS 1.3, each way; 0 (not in the
					   file): never changed by the node */
	char *client_deny;	/* fingerprints that no host takes; or NULL */
	uint32_t handshake_timeout_ms;	/* default 10000 */
	uint32_t idle_timeout_ms;	/* default 60000 */
	uint32_t drain_timeout_ms;	/* default 10000 */
	uint32_t drain_delay_ms;	/* default 0 */
	uint32_t total_timeout_ms;	/* 0: none, the default */
	uint32_t max_connections;	/* of the node, default 10000 */
	uint32_t address_connections;	/* of one address; 0: any number */
	uint32_t address_ipv6_bits;	/* that make one address, default 64 */
	char *admin_socket;		/* path; NULL: none */
	struct settings_address admin_listen;	/* len 0: none; loopback only */
	char *admin_token_file;		/* required with admin_listen */
	struct settings_address metrics_listen;	/* len 0: none */
};

/*
 * Reads and checks `path`: also that every file it names is there, readable,
 * and that certificates and keys parse and belong together. Each fault is
 * written to `err` as "PATH:LINE: what was found, what was expected", as many
 * as are found. 0, or -1. The caller frees *out with settings_free().
 */
int settings_read(struct settings **out, const char *path, FILE *err);

/*
 * For a node that runs since `fixed` (NULL: as above): what only a restart can
 * change must be as there, or it is a fault too.
 */
int settings_read_again(struct settings **out, const char *path,
			const struct settings *fixed, FILE *err);
void settings_free(struct settings *settings);

/* The host for a server name (may be NULL), or NULL: unrecognized_name. */
const struct settings_host *settings_host(const struct settings *settings,
					  const char *name);

/* True if the name, in lower case, is one of this very host's. */
bool settings_host_has(const struct settings_host *host, const char *name);

/*
 * Where a connection with this ALPN ("": none) goes; NULL: the built-in page,
 * or the admin endpoint.
 */
const struct settings_address *
settings_backend(const struct settings_host *host, const char *alpn);

#endif
