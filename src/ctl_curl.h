/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl_curl.h - what every transfer of stekctl has, for ctl_http.c and
 * dash_forward.c: how the admin endpoint is reached, and the bearer token in
 * its header.
 */
#ifndef STEKCTL_CTL_CURL_H
#define STEKCTL_CTL_CURL_H

#include <curl/curl.h>

#include "ctl.h"

/* Points the transfer at a path (with its query) of the target. */
CURLcode ctl_curl_aim(CURL *curl, const struct ctl_target *target,
		      const char *path, char detail[CURL_ERROR_SIZE]);

/* ctl_remote.c: the client certificate, for https: */
void ctl_curl_certificate(CURL *curl, const struct ctl_target *target);

/* Appends, or frees the whole list and returns NULL. */
struct curl_slist *ctl_curl_header(struct curl_slist *list, const char *text);

/* The same with the target's token, if it has one. */
struct curl_slist *ctl_curl_token(struct curl_slist *list,
				  const struct ctl_target *target);

/* Wipes and frees. */
void ctl_curl_headers_free(struct curl_slist *list);

/* One line on why it failed, with what to do. */
void ctl_curl_explain(const struct ctl_target *target, CURLcode code,
		      const char *detail, char *why, size_t why_len);

#endif
