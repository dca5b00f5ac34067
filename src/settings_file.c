/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settings_file.c - the schema of the configuration file for libcyaml, the
 * defaults and ranges of its numbers. Called by settings.c.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "settings_file.h"

#define OPTIONAL (CYAML_FLAG_OPTIONAL)
#define TEXT_OPTIONAL (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define PATH_LEN_MAX 1023
#define ENTRIES_MAX 1024

static const cyaml_schema_value_t name_schema = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, 255),
};

static const cyaml_strval_t levels[] = {
	{ "debug", LOG_DEBUG },
	{ "info", LOG_INFO },
	{ "warn", LOG_WARN },
	{ "error", LOG_ERROR },
};

static const cyaml_strval_t formats[] = {
	{ "logfmt", LOG_LOGFMT },
	{ "json", LOG_JSON },
};

static const cyaml_strval_t client_auths[] = {
	{ "none", CLIENT_NONE },
	{ "optional", CLIENT_OPTIONAL },
	{ "required", CLIENT_REQUIRED },
	{ "after-handshake", CLIENT_AFTER_HANDSHAKE },
};

static const cyaml_strval_t declines[] = {
	{ "close", CLIENT_CLOSE },
	{ "continue", CLIENT_CONTINUE },
};

static const cyaml_strval_t versions[] = {
	{ "TLSv1.2", FILE_TLS12 },
	{ "TLSv1.3", FILE_TLS13 },
};

static const cyaml_schema_value_t version_schema = {
	CYAML_VALUE_ENUM(CYAML_FLAG_STRICT, enum file_version, versions,
			 CYAML_ARRAY_LEN(versions)),
};

static const cyaml_schema_field_t store_fields[] = {
	CYAML_FIELD_STRING_PTR("url", CYAML_FLAG_POINTER, struct file_store,
			       url, 1, PATH_LEN_MAX),
	CYAML_FIELD_STRING_PTR("user", TEXT_OPTIONAL, struct file_store, user,
			       1, 255),
	CYAML_FIELD_STRING_PTR("password_file", TEXT_OPTIONAL,
			       struct file_store, password_file, 1,
			       PATH_LEN_MAX),
	CYAML_FIELD_STRING_PTR("ca", TEXT_OPTIONAL,
			       struct file_store, ca, 1,
			       PATH_LEN_MAX),
	CYAML_FIELD_STRING_PTR("certificate", TEXT_OPTIONAL,
			       struct file_store, certificate, 1,
			       PATH_LEN_MAX),
	CYAML_FIELD_STRING_PTR("key", TEXT_OPTIONAL,
			       struct file_store, key, 1,
			       PATH_LEN_MAX),
	CYAML_FIELD_STRING_PTR("server_name", TEXT_OPTIONAL,
			       struct file_store, server_name, 1,
			       255),
	CYAML_FIELD_STRING_PTR("sentinel_user", TEXT_OPTIONAL,
			       struct file_store, sentinel_user, 1,
			       127),
	CYAML_FIELD_STRING_PTR("sentinel_password_file", TEXT_OPTIONAL,
			       struct file_store, sentinel_password_file, 1,
			       PATH_LEN_MAX),
	CYAML_FIELD_UINT("wait_replicas", OPTIONAL, struct file_store,
			 wait_replicas),
	CYAML_FIELD_UINT("wait_ms", OPTIONAL, struct file_store,
			 wait_ms),
	CYAML_FIELD_END
};

static const cyaml_schema_value_t store_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_store,
			    store_fields),
};

static const cyaml_schema_field_t keys_fields[] = {
	CYAML_FIELD_UINT("period_s", OPTIONAL, struct stek_policy, period_s),
	CYAML_FIELD_UINT("lifetime_s", OPTIONAL, struct stek_policy,
			 lifetime_s),
	CYAML_FIELD_UINT("chain_s", OPTIONAL, struct stek_policy, chain_s),
	CYAML_FIELD_UINT("pending", OPTIONAL, struct stek_policy, pending),
	CYAML_FIELD_UINT("rotate_delay_ms", OPTIONAL, struct stek_policy,
			 rotate_delay_ms),
	CYAML_FIELD_UINT("revoke_delay_ms", OPTIONAL, struct stek_policy,
			 revoke_delay_ms),
	CYAML_FIELD_UINT("rotate_interval_s", OPTIONAL, struct stek_policy,
			 rotate_interval_s),
	CYAML_FIELD_UINT("beat_ms", OPTIONAL, struct stek_policy, beat_ms),
	CYAML_FIELD_END
};

static const cyaml_schema_field_t log_fields[] = {
	CYAML_FIELD_ENUM("level", CYAML_FLAG_STRICT | OPTIONAL,
			 struct file_log, level, levels,
			 CYAML_ARRAY_LEN(levels)),
	CYAML_FIELD_ENUM("format", CYAML_FLAG_STRICT | OPTIONAL,
			 struct file_log, format, formats,
			 CYAML_ARRAY_LEN(formats)),
	CYAML_FIELD_END
};

static const cyaml_schema_field_t tls_fields[] = {
	CYAML_FIELD_SEQUENCE("versions", TEXT_OPTIONAL, struct file_tls,
			     versions, &version_schema, 1, 2),
	CYAML_FIELD_STRING_PTR("ciphers", TEXT_OPTIONAL, struct file_tls,
			       ciphers, 1, 4095),
	CYAML_FIELD_STRING_PTR("groups", TEXT_OPTIONAL, struct file_tls,
			       groups, 1, 1023),
	CYAML_FIELD_UINT("records_per_key", OPTIONAL, struct file_tls,
			 records_per_key),
	CYAML_FIELD_END
};

static const cyaml_schema_field_t listen_fields[] = {
	CYAML_FIELD_STRING_PTR("address", CYAML_FLAG_POINTER,
			       struct file_listen, address, 1, 127),
	CYAML_FIELD_STRING_PTR("name", TEXT_OPTIONAL, struct file_listen, name,
			       1, 63),
	CYAML_FIELD_BOOL("proxy_protocol", OPTIONAL, struct file_listen,
			 proxy_protocol),
	CYAML_FIELD_SEQUENCE("proxy_from", TEXT_OPTIONAL, struct file_listen,
			     proxy_from, &name_schema, 1, 64),
	CYAML_FIELD_END
};

static const cyaml_schema_value_t listen_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_listen,
			    listen_fields),
};

static const cyaml_strval_t proxy_forms[] = {
	{ "false", PROXY_FORM_NONE },
	{ "true", PROXY_FORM_TLS },
	{ "v1", PROXY_FORM_V1 },
	{ "v2", PROXY_FORM_V2 },
	{ "v2-tls", PROXY_FORM_TLS },
	{ "v2-tls-crc32c", PROXY_FORM_TLS_CRC },
};

static const cyaml_schema_field_t backend_fields[] = {
	CYAML_FIELD_STRING_PTR("alpn", CYAML_FLAG_POINTER,
			       struct file_backend, alpn, 1, 255),
	CYAML_FIELD_STRING_PTR("backend", CYAML_FLAG_POINTER,
			       struct file_backend, backend, 1, 127),
	CYAML_FIELD_END
};

static const cyaml_schema_value_t backend_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_backend,
			    backend_fields),
};

static const cyaml_strval_t roles[] = {
	{ "read", ROLE_READ },
	{ "rotate", ROLE_ROTATE },
	{ "revoke", ROLE_REVOKE },
};

static const cyaml_schema_field_t role_fields[] = {
	CYAML_FIELD_STRING_PTR("certificate", CYAML_FLAG_POINTER,
			       struct file_role, certificate, 1, 255),
	CYAML_FIELD_ENUM("role", CYAML_FLAG_STRICT, struct file_role, role,
			 roles, CYAML_ARRAY_LEN(roles)),
	CYAML_FIELD_STRING_PTR("name", TEXT_OPTIONAL, struct file_role, name,
			       1, ROLE_NAME_MAX),
	CYAML_FIELD_END
};

static const cyaml_schema_value_t role_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_role, role_fields),
};

static const cyaml_schema_field_t host_fields[] = {
	CYAML_FIELD_SEQUENCE("names", CYAML_FLAG_POINTER, struct file_host,
			     names, &name_schema, 1, ENTRIES_MAX),
	CYAML_FIELD_BOOL("default", OPTIONAL, struct file_host, is_default),
	CYAML_FIELD_STRING_PTR("certificate", CYAML_FLAG_POINTER,
			       struct file_host, certificate, 1, PATH_LEN_MAX),
	CYAML_FIELD_STRING_PTR("key", CYAML_FLAG_POINTER, struct file_host,
			       key, 1, PATH_LEN_MAX),
	CYAML_FIELD_STRING_PTR("group", TEXT_OPTIONAL, struct file_host, group,
			       1, 255),
	CYAML_FIELD_SEQUENCE("alpn", TEXT_OPTIONAL, struct file_host, alpn,
			     &name_schema, 0, 16),
	CYAML_FIELD_UINT("tickets", OPTIONAL, struct file_host, tickets),
	CYAML_FIELD_STRING_PTR("backend", TEXT_OPTIONAL, struct file_host,
			       backend, 1, 127),
	CYAML_FIELD_ENUM("client_auth", CYAML_FLAG_STRICT | OPTIONAL,
			 struct file_host, client_auth, client_auths,
			 CYAML_ARRAY_LEN(client_auths)),
	CYAML_FIELD_STRING_PTR("client_ca", TEXT_OPTIONAL, struct file_host,
			       client_ca, 1, PATH_LEN_MAX),
	CYAML_FIELD_STRING_PTR("client_crl", TEXT_OPTIONAL, struct file_host,
			       client_crl, 1, PATH_LEN_MAX),
	CYAML_FIELD_UINT("client_depth", OPTIONAL, struct file_host,
			 client_depth),
	CYAML_FIELD_ENUM("client_decline", CYAML_FLAG_STRICT | OPTIONAL,
			 struct file_host, client_decline, declines,
			 CYAML_ARRAY_LEN(declines)),
	CYAML_FIELD_UINT("client_reauth_s", OPTIONAL, struct file_host,
			 client_reauth_s),
	CYAML_FIELD_SEQUENCE("backends", TEXT_OPTIONAL, struct file_host,
			     backends, &backend_schema, 1, 16),
	CYAML_FIELD_ENUM("send_proxy", CYAML_FLAG_STRICT | OPTIONAL,
			 struct file_host, send_proxy, proxy_forms,
			 CYAML_ARRAY_LEN(proxy_forms)),
	CYAML_FIELD_SEQUENCE("roles", TEXT_OPTIONAL, struct file_host, roles,
			     &role_schema, 1, ENTRIES_MAX),
	CYAML_FIELD_END
};

static const cyaml_schema_value_t host_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_host, host_fields),
};

static const cyaml_schema_field_t limits_fields[] = {
	CYAML_FIELD_UINT("handshake_timeout_ms", OPTIONAL, struct file_limits,
			 handshake_timeout_ms),
	CYAML_FIELD_UINT("idle_timeout_ms", OPTIONAL, struct file_limits,
			 idle_timeout_ms),
	CYAML_FIELD_UINT("drain_timeout_ms", OPTIONAL, struct file_limits,
			 drain_timeout_ms),
	CYAML_FIELD_UINT("drain_delay_ms", OPTIONAL, struct file_limits,
			 drain_delay_ms),
	CYAML_FIELD_UINT("total_timeout_ms", OPTIONAL, struct file_limits,
			 total_timeout_ms),
	CYAML_FIELD_UINT("max_connections", OPTIONAL, struct file_limits,
			 max_connections),
	CYAML_FIELD_UINT("connections_per_address", OPTIONAL,
			 struct file_limits, connections_per_address),
	CYAML_FIELD_UINT("address_ipv6_bits", OPTIONAL, struct file_limits,
			 address_ipv6_bits),
	CYAML_FIELD_END
};

static const cyaml_schema_field_t admin_fields[] = {
	CYAML_FIELD_STRING_PTR("socket", TEXT_OPTIONAL, struct file_admin,
			       socket, 1, 107),
	CYAML_FIELD_STRING_PTR("listen", TEXT_OPTIONAL, struct file_admin,
			       listen, 1, 127),
	CYAML_FIELD_STRING_PTR("token_file", TEXT_OPTIONAL, struct file_admin,
			       token_file, 1, PATH_LEN_MAX),
	CYAML_FIELD_END
};

static const cyaml_schema_field_t metrics_fields[] = {
	CYAML_FIELD_STRING_PTR("listen", TEXT_OPTIONAL, struct file_metrics,
			       listen, 1, 127),
	CYAML_FIELD_END
};

static const cyaml_schema_field_t file_fields[] = {
	CYAML_FIELD_STRING_PTR("farm", CYAML_FLAG_POINTER, struct file, farm,
			       1, STEK_NAME_MAX),
	CYAML_FIELD_STRING_PTR("node", TEXT_OPTIONAL, struct file, node, 1,
			       STEK_NAME_MAX),
	CYAML_FIELD_STRING_PTR("farm_key", CYAML_FLAG_POINTER, struct file,
			       farm_key, 1, PATH_LEN_MAX),
	CYAML_FIELD_STRING_PTR("state_dir", TEXT_OPTIONAL, struct file,
			       state_dir, 1, PATH_LEN_MAX),
	CYAML_FIELD_STRING_PTR("user", TEXT_OPTIONAL, struct file, user, 1,
			       63),
	CYAML_FIELD_STRING_PTR("group", TEXT_OPTIONAL, struct file, group, 1,
			       63),
	CYAML_FIELD_MAPPING("store", OPTIONAL, struct file, store,
			    store_fields),
	CYAML_FIELD_SEQUENCE("stores", TEXT_OPTIONAL, struct file, stores,
			     &store_schema, 1, STEK_STORES_MAX),
	CYAML_FIELD_MAPPING("keys", OPTIONAL, struct file, keys, keys_fields),
	CYAML_FIELD_UINT("workers", OPTIONAL, struct file, workers),
	CYAML_FIELD_BOOL("pin_workers", OPTIONAL, struct file, pin_workers),
	CYAML_FIELD_MAPPING("log", OPTIONAL, struct file, log, log_fields),
	CYAML_FIELD_MAPPING("tls", OPTIONAL, struct file, tls, tls_fields),
	CYAML_FIELD_SEQUENCE("listen", TEXT_OPTIONAL, struct file, listen,
			     &listen_schema, 0, 64),
	CYAML_FIELD_SEQUENCE("hosts", TEXT_OPTIONAL, struct file, hosts,
			     &host_schema, 0, ENTRIES_MAX),
	CYAML_FIELD_STRING_PTR("client_deny", TEXT_OPTIONAL, struct file,
			       client_deny, 1, PATH_LEN_MAX),
	CYAML_FIELD_MAPPING("limits", OPTIONAL, struct file, limits,
			    limits_fields),
	CYAML_FIELD_MAPPING("admin", OPTIONAL, struct file, admin,
			    admin_fields),
	CYAML_FIELD_MAPPING("metrics", OPTIONAL, struct file, metrics,
			    metrics_fields),
	CYAML_FIELD_END
};

static const cyaml_schema_value_t file_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct file, file_fields),
};

struct number {
	const char *path;
	size_t offset;
	uint32_t least, most, usual;	/* usual: when the file has none */
};

static const struct number numbers[] = {
	{ "workers", offsetof(struct file, workers), 0, 64, 0 },
	{ "keys.period_s", offsetof(struct file, keys.period_s),
	  1, 2592000, 21600 },
	{ "keys.lifetime_s", offsetof(struct file, keys.lifetime_s),
	  1, 604800, 21600 },
	{ "keys.chain_s", offsetof(struct file, keys.chain_s),
	  1, 2592000, 86400 },
	{ "keys.pending", offsetof(struct file, keys.pending), 1, 8, 2 },
	{ "keys.rotate_delay_ms", offsetof(struct file, keys.rotate_delay_ms),
	  100, 600000, 5000 },
	{ "keys.revoke_delay_ms", offsetof(struct file, keys.revoke_delay_ms),
	  100, 600000, 2000 },
	{ "keys.rotate_interval_s",
	  offsetof(struct file, keys.rotate_interval_s), 1, 86400, 60 },
	{ "keys.beat_ms", offsetof(struct file, keys.beat_ms),
	  50, 60000, 1000 },
	/* RFC 8446 s5.5: 2^24.5 with AES-GCM. */
	{ "tls.records_per_key", offsetof(struct file, tls.records_per_key),
	  16, 1 << 24, 1 << 24 },
	{ "limits.handshake_timeout_ms",
	  offsetof(struct file, limits.handshake_timeout_ms),
	  100, 600000, 10000 },
	{ "limits.idle_timeout_ms",
	  offsetof(struct file, limits.idle_timeout_ms),
	  100, 86400000, 60000 },
	{ "limits.drain_delay_ms",
	  offsetof(struct file, limits.drain_delay_ms), 0, 600000, 0 },
	{ "limits.drain_timeout_ms",
	  offsetof(struct file, limits.drain_timeout_ms),
	  0, 600000, 10000 },
	{ "limits.total_timeout_ms",
	  offsetof(struct file, limits.total_timeout_ms), 0, 604800000, 0 },
	{ "limits.connections_per_address",
	  offsetof(struct file, limits.connections_per_address),
	  0, 1000000, 0 },
	{ "limits.address_ipv6_bits",
	  offsetof(struct file, limits.address_ipv6_bits), 32, 128, 64 },
	{ "limits.max_connections",
	  offsetof(struct file, limits.max_connections), 1, 1000000, 10000 },
};

/* Of each host. */
static const struct number host_numbers[] = {
	{ "tickets", offsetof(struct file_host, tickets), 0, 4, 2 },
	{ "client_depth", offsetof(struct file_host, client_depth), 0, 8, 4 },
	{ "client_reauth_s", offsetof(struct file_host, client_reauth_s),
	  0, 86400, 0 },
};

static uint32_t *number_in(void *base, const struct number *number)
{
	return (uint32_t *)(void *)((char *)base + number->offset);
}

static void number_check(struct doc *doc, const char *path, uint32_t *value,
			 const struct number *number, struct faults *faults)
{
	size_t line = doc_line(doc, "%s", path);

	if (line == 0) {
		*value = number->usual;
		return;
	}
	if (*value < number->least || *value > number->most)
		fault(faults, line, "found %u for %s, expected %u to %u",
		      *value, path, number->least, number->most);
}

static void numbers_check(struct file *file, struct doc *doc,
			  struct faults *faults)
{
	char path[64];
	size_t i, j;

	for (i = 0; i < CYAML_ARRAY_LEN(numbers); i++)
		number_check(doc, numbers[i].path,
			     number_in(file, &numbers[i]), &numbers[i],
			     faults);
	for (i = 0; i < file->hosts_count; i++) {
		for (j = 0; j < CYAML_ARRAY_LEN(host_numbers); j++) {
			snprintf(path, sizeof(path), "hosts[%zu].%s", i,
				 host_numbers[j].path);
			number_check(doc, path,
				     number_in(&file->hosts[i],
					       &host_numbers[j]),
				     &host_numbers[j], faults);
		}
	}
	if (doc_line(doc, "log.level") == 0)
		file->log.level = LOG_INFO;
	if (doc_line(doc, "log.format") == 0)
		file->log.format = LOG_LOGFMT;
}

static const cyaml_config_t config = {
	.mem_fn = cyaml_mem,
	.log_level = CYAML_LOG_ERROR,
	.flags = CYAML_CFG_NO_ALIAS,
};

struct file *file_new(const char *text, size_t len, struct doc **doc,
		      struct faults *faults)
{
	unsigned before = faults->n;
	cyaml_data_t *data = NULL;
	cyaml_err_t error;
	struct file *file;

	*doc = doc_new(text, len, faults);
	if (*doc == NULL)
		return NULL;
	doc_check(*doc, &file_schema, faults);
	if (faults->n > before)
		goto refuse;
	error = cyaml_load_data((const uint8_t *)text, len, &config,
				&file_schema, &data, NULL);
	if (error != CYAML_OK || data == NULL) {
		fault(faults, 1, "found %s, expected no anchors and aliases",
		      error == CYAML_ERR_ALIAS ? "an alias"
					       : cyaml_strerror(error));
		goto refuse;
	}
	file = data;
	numbers_check(file, *doc, faults);
	return file;
refuse:
	doc_free(*doc);
	*doc = NULL;
	return NULL;
}

void file_free(struct file *file)
{
	if (file != NULL)
		cyaml_free(&config, &file_schema, file, 0);
}
