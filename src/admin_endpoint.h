/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_endpoint.h - one HTTP endpoint, as admin.c (its life) and
 * admin_exchange.c (its connections) share it.
 */
#ifndef STEKD_ADMIN_ENDPOINT_H
#define STEKD_ADMIN_ENDPOINT_H

#include <microhttpd.h>

#include "admin_http.h"

enum endpoint_kind {
	ENDPOINT_UNIX,
	ENDPOINT_TCP,
	ENDPOINT_OPEN,
	ENDPOINT_TLS,	/* hosts of ours: admin_take() */
	ENDPOINTS
};

struct endpoint {
	struct admin *admin;
	enum endpoint_kind kind;
	struct MHD_Daemon *daemon;
	int fd;			/* -1: none; the daemon closes it */
	bool kept;		/* by systemd, with its path */
	struct settings_address bound;
};

struct admin {
	struct node *node;
	struct deadlines *deadlines;
	uint32_t deadline_ms;
	struct endpoint endpoints[ENDPOINTS];
};

/* What libmicrohttpd calls; `cls` is the endpoint. */
enum MHD_Result admin_on_request(void *cls, struct MHD_Connection *connection,
				 const char *path, const char *method,
				 const char *version, const char *data,
				 size_t *len, void **context);
void admin_on_completed(void *cls, struct MHD_Connection *connection,
			void **context,
			enum MHD_RequestTerminationCode code);
void admin_on_connection(void *cls, struct MHD_Connection *connection,
			 void **context,
			 enum MHD_ConnectionNotificationCode code);

#endif
