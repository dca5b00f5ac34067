/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_peer.c - hands over who speaks on a connection of an admin host, and
 * judges it for each of its requests: a reload, a denied certificate or a new
 * revocation list holds for connections that are open. conn_admin.c sends,
 * admin.c receives and asks.
 */
#include "admin_peer.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "generation.h"

int admin_peer_send(const struct admin_peer *peer, int fd)
{
	/* A new pair takes it at once. */
	return send(fd, peer, sizeof(*peer), MSG_NOSIGNAL | MSG_DONTWAIT) ==
		(ssize_t)sizeof(*peer) ? 0 : -1;
}

int admin_peer_receive(struct admin_peer *peer, int fd)
{
	return recv(fd, peer, sizeof(*peer), MSG_DONTWAIT) ==
		(ssize_t)sizeof(*peer) ? 0 : -1;
}

/* "NAME" or "NAME:PORT"; which port the client sees is not ours to know. */
static bool is_named(const struct settings_host *host, const char *header)
{
	char name[256];
	size_t len = header != NULL ? strcspn(header, ":") : 0, i;

	if (len == 0 || len >= sizeof(name) ||
	    (header[len] == ':' &&
	     (header[len + 1] == '\0' ||
	      header[len + 1 + strspn(header + len + 1, "0123456789")])))
		return false;
	for (i = 0; i < len; i++)
		name[i] = (char)tolower((unsigned char)header[i]);
	name[len] = '\0';
	return settings_host_has(host, name);
}

static void identify(const struct admin_peer *peer,
		     const struct role_entry *entry, struct admin_grant *out)
{
	char hex[2 * STEK_DIGEST_LEN + 1];
	const char *name = "";

	text_hex(hex, peer->identity.fingerprint, STEK_DIGEST_LEN);
	if (entry != NULL && entry->name != NULL)
		name = entry->name;
	else if (entry != NULL && entry->certificate != NULL)
		name = entry->certificate;
	snprintf(out->who, sizeof(out->who), "cert:%s%s%s", hex,
		 name[0] != '\0' ? " " : "", name);
	text_address(out->from, sizeof(out->from), &peer->from);
}

void admin_peer_judge(struct node *node, const struct admin_peer *peer,
		      const char *header, struct admin_grant *out)
{
	struct generation *generation = generation_take(node);
	const struct settings_host *host = settings_host(generation->settings,
		peer->server_name[0] != '\0' ? peer->server_name : NULL);
	const struct role_entry *entry = NULL;

	memset(out, 0, sizeof(*out));
	out->gone = host == NULL || host->backend != BACKEND_ADMIN ||
		!tls_hosts_take_still(generation->hosts, host, &peer->identity,
				      peer->mark,
				      stek_farm_now_ms(node->farm));
	if (!out->gone) {
		entry = role_find((struct host_roles){ host->roles,
						       host->n_roles },
				  peer->identity.fingerprint, peer->names);
		out->named = is_named(host, header);
	}
	if (entry != NULL)
		out->role = entry->role;
	identify(peer, entry, out);
	generation_release(generation);
}
