// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * settings_store.c - one store of the configuration file: copies its options,
 * with paths made absolute, and checks what can be checked without asking it.
 * Called by settings.c.
 */
#include <stdlib.h>
#include <string.h>

#include "settings_check.h"
#include "settings_file.h"

#define WAIT_REPLICAS_MAX 16
#define WAIT_MS_MAX 800

struct store {
	struct doc *doc;
	struct faults *faults;
	const char *name;	/* "store" or "stores[N]" */
	const char *dir;
};

static struct place place(const struct store *s, const char *option)
{
	return (struct place){ s->faults, option,
		doc_line(s->doc, "%s.%s", s->name, option + strlen("store.")) };
}

static char *need(const struct store *s, char *text)
{
	if (text == NULL)
		fault(s->faults, 0, "out of memory");
	return text;
}

static char *copy(const struct store *s, const char *text)
{
	return text != NULL ? need(s, strdup(text)) : NULL;
}

/* A file that must be there. */
static char *copy_file(const struct store *s, const char *path,
		       const char *option, bool secret)
{
	struct place at = place(s, option);
	char *out = NULL;

	if (path == NULL)
		return NULL;
	if (path[0] == '/')
		out = strdup(path);
	else if (asprintf(&out, "%s%s", s->dir, path) < 0)
		out = NULL;
	if (need(s, out) != NULL)
		check_file(&at, out, secret);
	return out;
}

static void check_most(const struct store *s, const char *option,
		       uint32_t value, uint32_t most)
{
	struct place at = place(s, option);

	if (value > most)
		fault(s->faults, at.line, "found %u for %s, expected at most "
		      "%u", value, option, most);
}

void settings_store_read(struct settings_store *out,
			 const struct file_store *in, struct doc *doc,
			 const char *name, const char *dir,
			 struct faults *faults)
{
	const struct store s = { doc, faults, name, dir };
	struct place at = place(&s, "store.url");

	out->url = copy(&s, in->url);
	check_store_url(&at, in->url);
	out->user = copy(&s, in->user);
	out->password_file = copy_file(&s, in->password_file,
				       "store.password_file", true);
	out->ca = copy_file(&s, in->ca, "store.ca", false);
	out->certificate = copy_file(&s, in->certificate, "store.certificate",
				     false);
	out->key = copy_file(&s, in->key, "store.key", true);
	out->server_name = copy(&s, in->server_name);
	out->sentinel_user = copy(&s, in->sentinel_user);
	out->sentinel_password_file =
		copy_file(&s, in->sentinel_password_file,
			  "store.sentinel_password_file", true);
	check_most(&s, "store.wait_replicas", in->wait_replicas,
		   WAIT_REPLICAS_MAX);
	check_most(&s, "store.wait_ms", in->wait_ms, WAIT_MS_MAX);
	out->wait_replicas = in->wait_replicas;
	out->wait_ms = in->wait_ms;
}

void settings_store_clear(struct settings_store *store)
{
	free(store->url);
	free(store->user);
	free(store->password_file);
	free(store->ca);
	free(store->certificate);
	free(store->key);
	free(store->server_name);
	free(store->sentinel_user);
	free(store->sentinel_password_file);
}
