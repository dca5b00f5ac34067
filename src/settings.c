/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settings.c - makes struct settings of the configuration file and proves that
 * what it names exists and fits together. Faults are collected, so that one
 * run tells them all. Called by stekd.c.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin_auth.h"
#include "pin.h"
#include "settings_check.h"
#include "settings_file.h"
#include "tls.h"

struct reading {
	struct settings *out;
	struct file *file;
	struct doc *doc;
	struct faults faults;
	const char *dir;	/* of the configuration file, with '/', or "" */
	bool again;		/* by a process that has started */
};

/* The line of `path`, or of `parent` when the file leaves it out. */
__attribute__((format(printf, 3, 4)))
static struct place place(struct reading *r, const char *name,
			  const char *path, ...)
{
	char text[128];
	va_list args;

	va_start(args, path);
	vsnprintf(text, sizeof(text), path, args);
	va_end(args);
	return (struct place){ &r->faults, name, doc_line(r->doc, "%s", text) };
}

/* Allocation failure at start-up is as fatal as any other fault. */
static void *need(struct reading *r, void *p)
{
	if (p == NULL)
		fault(&r->faults, 0, "out of memory");
	return p;
}

static char *copy(struct reading *r, const char *text)
{
	return text != NULL ? need(r, strdup(text)) : NULL;
}

static char *copy_path(struct reading *r, const char *path)
{
	char *out = NULL;

	if (path == NULL)
		return NULL;
	if (path[0] == '/')
		return copy(r, path);
	if (asprintf(&out, "%s%s", r->dir, path) < 0)
		out = NULL;
	return need(r, out);
}

static void read_node(struct reading *r)
{
	struct place at = place(r, "farm", "farm");
	char host[256] = "";

	r->out->farm = copy(r, r->file->farm);
	check_name(&at, r->file->farm);
	at = place(r, "node", "node");
	if (r->file->node == NULL) {
		if (gethostname(host, sizeof(host) - 1) != 0)
			host[0] = '\0';
		at.name = "node (the host name, as none is given)";
	}
	r->out->node = copy(r, r->file->node ? r->file->node : host);
	if (r->out->node != NULL)
		check_name(&at, r->out->node);
}

/* Two links to one store would count its answer twice. */
static void check_twice(struct reading *r, size_t i)
{
	const struct file_store *stores = r->file->stores;
	size_t j;

	for (j = 0; j < i; j++) {
		if (strcmp(stores[j].url, stores[i].url) == 0)
			fault(&r->faults, doc_line(r->doc, "stores[%zu].url",
						   i),
			      "found the same URL twice in stores, expected "
			      "each store once");
	}
}

static void read_stores(struct reading *r)
{
	bool one = doc_line(r->doc, "store") != 0;
	size_t i, n = one ? 1 : r->file->stores_count;
	char name[32] = "store";

	if (one == (r->file->stores_count > 0)) {
		fault(&r->faults, doc_line(r->doc, one ? "stores" : "farm"),
		      "found %s, expected one of store and stores",
		      one ? "both store and stores" : "no store");
		return;
	}
	r->out->stores = need(r, calloc(n, sizeof(*r->out->stores)));
	if (r->out->stores == NULL)
		return;
	r->out->n_stores = n;
	if (one) {
		settings_store_read(&r->out->stores[0], &r->file->store,
				    r->doc, name, r->dir, &r->faults);
		return;
	}
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "stores[%zu]", i);
		settings_store_read(&r->out->stores[i], &r->file->stores[i],
				    r->doc, name, r->dir, &r->faults);
		check_twice(r, i);
	}
}

static void read_paths(struct reading *r)
{
	struct place at = place(r, "farm_key", "farm_key");

	r->out->farm_key = copy_path(r, r->file->farm_key);
	if (r->out->farm_key != NULL)
		check_file(&at, r->out->farm_key, true);
	r->out->state_dir = copy_path(r, r->file->state_dir);
	at = place(r, "state_dir", "state_dir");
	if (r->out->state_dir != NULL)
		check_directory(&at, r->out->state_dir);
}

static void read_tls(struct reading *r)
{
	const struct file_tls *tls = &r->file->tls;
	uint32_t i;

	r->out->ciphers = copy(r, tls->ciphers);
	r->out->groups = copy(r, tls->groups);
	r->out->records_per_key = tls->records_per_key;
	r->out->client_deny = settings_deny_read(r->file->client_deny, r->doc,
						 r->dir, &r->faults);
	r->out->tls12 = r->out->tls13 = tls->versions_count == 0;
	for (i = 0; i < tls->versions_count; i++) {
		r->out->tls12 |= tls->versions[i] == FILE_TLS12;
		r->out->tls13 |= tls->versions[i] == FILE_TLS13;
	}
}

static bool name_taken(const struct settings *settings, const char *name)
{
	size_t i, j;

	for (i = 0; i < settings->n_hosts; i++)
		for (j = 0; j < settings->hosts[i].n_names; j++)
			if (strcmp(settings->hosts[i].names[j], name) == 0)
				return true;
	return false;
}

static void read_names(struct reading *r, const struct file_host *from,
		       struct settings_host *host, uint32_t index)
{
	char lower[256];
	uint32_t i;

	host->names = need(r, calloc(from->names_count, sizeof(char *)));
	if (host->names == NULL)
		return;
	for (i = 0; i < from->names_count; i++) {
		struct place at = place(r, "names", "hosts[%u].names[%u]",
					index, i);

		if (!check_host_name(&at, from->names[i], lower))
			continue;
		if (name_taken(r->out, lower)) {
			fault(&r->faults, at.line, "found host name '%s' a "
			      "second time, expected it once", lower);
			continue;
		}
		host->names[host->n_names] = copy(r, lower);
		host->n_names += host->names[host->n_names] != NULL;
	}
}

static void read_certificate(struct reading *r, const struct file_host *from,
			     struct settings_host *host, uint32_t index)
{
	struct place cert = place(r, "certificate", "hosts[%u].certificate",
				  index);
	struct place key = place(r, "key", "hosts[%u].key", index);
	char why[256] = "";
	bool good;

	host->certificate = copy_path(r, from->certificate);
	host->key = copy_path(r, from->key);
	if (host->certificate == NULL || host->key == NULL)
		return;
	good = check_file(&cert, host->certificate, false);
	good = check_file(&key, host->key, false) && good;
	if (good && tls_check_pair(host->certificate, host->key, why,
				   sizeof(why)) != 0)
		fault(&r->faults, cert.line, "found %s, expected a PEM "
		      "certificate chain and its key", why);
}

static void read_host(struct reading *r, uint32_t index)
{
	const struct file_host *from = &r->file->hosts[index];
	struct settings_host *host = &r->out->hosts[index];

	read_names(r, from, host, index);
	host->is_default = from->is_default;
	host->tickets = from->tickets;
	/* Without a group a ticket resumes at its own host only. */
	host->group = copy(r, from->group != NULL ? from->group
			      : host->n_names > 0 ? host->names[0] : "");
	settings_backend_read(host, from, r->doc, index, &r->faults);
	read_certificate(r, from, host, index);
	settings_client_read(host, from, r->doc, index, r->dir, &r->faults);
	settings_role_read(host, from, r->doc, index, &r->faults);
	if (host->client_auth == CLIENT_AFTER_HANDSHAKE && !r->out->tls13)
		fault(&r->faults,
		      doc_line(r->doc, "hosts[%u].client_auth", index),
		      "found client_auth: after-handshake without TLSv1.3, "
		      "expected it among tls.versions");
}

static void read_hosts(struct reading *r)
{
	bool have_default = false;
	uint32_t i;

	if (r->file->hosts_count == 0)
		return;
	r->out->hosts = need(r, calloc(r->file->hosts_count,
				       sizeof(*r->out->hosts)));
	if (r->out->hosts == NULL)
		return;
	for (i = 0; i < r->file->hosts_count; i++) {
		r->out->n_hosts = i + 1;
		read_host(r, i);
		if (r->file->hosts[i].is_default && have_default)
			fault(&r->faults, doc_line(r->doc, "hosts[%u].default",
						   i),
			      "found a second default host, expected one");
		have_default |= r->file->hosts[i].is_default;
	}
}

static void refuse_admin_at(struct reading *r, const char *path,
			    const struct settings_address *backend,
			    size_t line)
{
	if (strcmp(backend->text, path) == 0)
		fault(&r->faults, line, "found the admin socket as a backend, "
		      "expected another one");
}

/* The way to the admin endpoint must not lead through a public host. */
static void refuse_admin_backend(struct reading *r)
{
	char path[sizeof(((struct settings_address *)0)->text)];
	size_t i, j;

	if (r->out->admin_socket == NULL)
		return;
	snprintf(path, sizeof(path), "unix:%s", r->out->admin_socket);
	for (i = 0; i < r->out->n_hosts; i++) {
		const struct settings_host *host = &r->out->hosts[i];

		refuse_admin_at(r, path, &host->backend_address,
				doc_line(r->doc, "hosts[%zu].backend", i));
		for (j = 0; j < host->n_by_alpn; j++)
			refuse_admin_at(r, path, &host->by_alpn[j].address,
					doc_line(r->doc,
						 "hosts[%zu].backends[%zu]."
						 "backend", i, j));
	}
}

static void read_token(struct reading *r)
{
	struct place at = place(r, "admin.token_file", "admin.token_file");
	uint8_t digest[AUTH_DIGEST_LEN];
	char why[160];

	if (r->out->admin_token_file == NULL) {
		fault(&r->faults, doc_line(r->doc, "admin.listen"),
		      "found admin.listen without admin.token_file, expected "
		      "both");
		return;
	}
	if (check_file(&at, r->out->admin_token_file, true) &&
	    auth_token_read(r->out->admin_token_file, digest, why,
			    sizeof(why)) != 0)
		fault(&r->faults, at.line, "%s", why);
}

static void read_admin(struct reading *r)
{
	const struct file_admin *admin = &r->file->admin;
	struct place at = place(r, "admin.socket", "admin.socket");

	r->out->admin_socket = copy_path(r, admin->socket);
	if (r->out->admin_socket != NULL && strlen(r->out->admin_socket) > 107)
		fault(&r->faults, at.line, "found a path of %zu bytes for "
		      "admin.socket, expected at most 107",
		      strlen(r->out->admin_socket));
	refuse_admin_backend(r);
	r->out->admin_token_file = copy_path(r, admin->token_file);
	at = place(r, "admin.listen", "admin.listen");
	if (admin->listen != NULL) {
		if (check_address(&at, admin->listen, &r->out->admin_listen))
			check_loopback(&at, &r->out->admin_listen);
		read_token(r);
	}
	at = place(r, "metrics.listen", "metrics.listen");
	if (r->file->metrics.listen != NULL)
		check_address(&at, r->file->metrics.listen,
			      &r->out->metrics_listen);
}

/* Processors may be taken from who runs already: that is no fault of the file. */
static void read_workers(struct reading *r)
{
	unsigned processors = pin_processors();
	struct settings *out = r->out;

	out->workers_asked = r->file->workers;
	out->workers = out->workers_asked ? out->workers_asked : processors;
	out->pin_workers = r->file->pin_workers;
	if (out->pin_workers && out->workers > processors && !r->again)
		fault(&r->faults, doc_line(r->doc, "pin_workers"),
		      "found pin_workers with %u workers, expected at most %u, "
		      "one for each processor that stekd may use",
		      out->workers, processors);
}

static void read_numbers(struct reading *r)
{
	const struct file *file = r->file;
	struct settings *out = r->out;

	out->policy = file->keys;
	out->log_level = file->log.level;
	out->log_format = file->log.format;
	out->handshake_timeout_ms = file->limits.handshake_timeout_ms;
	out->idle_timeout_ms = file->limits.idle_timeout_ms;
	out->drain_timeout_ms = file->limits.drain_timeout_ms;
	out->drain_delay_ms = file->limits.drain_delay_ms;
	out->total_timeout_ms = file->limits.total_timeout_ms;
	out->max_connections = file->limits.max_connections;
	out->address_connections = file->limits.connections_per_address;
	out->address_ipv6_bits = file->limits.address_ipv6_bits;
	if (file->keys.chain_s < file->keys.lifetime_s)
		fault(&r->faults, doc_line(r->doc, "keys"),
		      "found chain_s %u below lifetime_s %u, expected at least "
		      "as much", file->keys.chain_s, file->keys.lifetime_s);
}

static void convert(struct reading *r)
{
	read_node(r);
	settings_user_read(r->out, r->file, r->doc, &r->faults);
	read_paths(r);
	read_stores(r);
	read_workers(r);
	read_numbers(r);
	read_tls(r);
	settings_listen_read(r->out, r->file, r->doc, &r->faults);
	read_hosts(r);
	read_admin(r);
}

int settings_read(struct settings **out, const char *path, FILE *err)
{
	return settings_read_again(out, path, NULL, err);
}

int settings_read_again(struct settings **out, const char *path,
			const struct settings *fixed, FILE *err)
{
	struct reading r = { .faults = { err, path, 0 } };
	const char *slash = strrchr(path, '/');
	char *text, *dir = NULL;
	size_t len = 0;

	text = doc_slurp(&r.faults, path, &len);
	if (text == NULL)
		return -1;
	r.file = file_new(text, len, &r.doc, &r.faults);
	if (r.file == NULL)
		goto out;
	dir = need(&r, strndup(path, slash ? (size_t)(slash - path) + 1 : 0));
	r.out = need(&r, calloc(1, sizeof(*r.out)));
	if (dir == NULL || r.out == NULL)
		goto out;
	r.dir = dir;
	r.again = fixed != NULL;
	convert(&r);
	if (fixed != NULL && r.faults.n == 0)
		settings_fixed_check(fixed, r.out, r.doc, &r.faults);
	if (r.faults.n == 0) {
		*out = r.out;
		r.out = NULL;
	}
out:
	settings_free(r.out);
	file_free(r.file);
	doc_free(r.doc);
	free(dir);
	free(text);
	return r.faults.n == 0 ? 0 : -1;
}

static void host_free(struct settings_host *host)
{
	size_t i;

	for (i = 0; i < host->n_names; i++)
		free(host->names[i]);
	free(host->names);
	settings_backend_clear(host);
	free(host->group);
	free(host->certificate);
	free(host->key);
	settings_client_clear(host);
	settings_role_clear(host);
}

void settings_free(struct settings *settings)
{
	size_t i;

	if (settings == NULL)
		return;
	for (i = 0; i < settings->n_hosts; i++)
		host_free(&settings->hosts[i]);
	free(settings->hosts);
	settings_listen_clear(settings);
	free(settings->farm);
	free(settings->node);
	free(settings->user);
	free(settings->farm_key);
	free(settings->state_dir);
	for (i = 0; i < settings->n_stores; i++)
		settings_store_clear(&settings->stores[i]);
	free(settings->stores);
	free(settings->ciphers);
	free(settings->groups);
	free(settings->client_deny);
	free(settings->admin_socket);
	free(settings->admin_token_file);
	free(settings);
}
