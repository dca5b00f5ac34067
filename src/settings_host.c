/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settings_host.c - which host a server name means. Called by the workers for
 * each connection, with a name that the gate has put into lower case.
 */
#include <stddef.h>
#include <string.h>

#include "settings.h"

static bool has_name(const struct settings_host *host, const char *name,
		     bool wildcard)
{
	size_t i;

	for (i = 0; i < host->n_names; i++)
		if ((host->names[i][0] == '*') == wildcard &&
		    strcmp(host->names[i] + wildcard, name) == 0)
			return true;
	return false;
}

static const struct settings_host *
host_named(const struct settings *settings, const char *name, bool wildcard)
{
	size_t i;

	for (i = 0; i < settings->n_hosts; i++)
		if (has_name(&settings->hosts[i], name, wildcard))
			return &settings->hosts[i];
	return NULL;
}

bool settings_host_has(const struct settings_host *host, const char *name)
{
	const char *dot = strchr(name, '.');

	if (name[0] == '\0' || name[0] == '*')
		return false;
	return has_name(host, name, false) ||
		(dot != NULL && dot != name && has_name(host, dot, true));
}

const struct settings_host *settings_host(const struct settings *settings,
					  const char *name)
{
	const struct settings_host *host = NULL;
	const char *dot;
	size_t i;

	if (name != NULL && name[0] != '\0' && name[0] != '*') {
		host = host_named(settings, name, false);
		dot = strchr(name, '.');
		if (host == NULL && dot != NULL && dot != name)
			host = host_named(settings, dot, true);
	}
	for (i = 0; host == NULL && i < settings->n_hosts; i++)
		if (settings->hosts[i].is_default)
			host = &settings->hosts[i];
	return host;
}
