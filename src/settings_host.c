/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settings_host.c - which host a server name means. Called by the workers for
 * each connection, with a name that the gate has put into lower case.
 */
#include <stddef.h>
#include <string.h>

#include "settings.h"

static const struct settings_host *
host_named(const struct settings *settings, const char *name, bool wildcard)
{
	size_t i, j;

	for (i = 0; i < settings->n_hosts; i++) {
		const struct settings_host *host = &settings->hosts[i];

		for (j = 0; j < host->n_names; j++)
			if ((host->names[j][0] == '*') == wildcard &&
			    strcmp(host->names[j] + wildcard, name) == 0)
				return host;
	}
	return NULL;
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
