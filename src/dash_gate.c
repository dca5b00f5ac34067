/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dash_gate.c - which requests stekctl dashboard lets through, by their method,
 * target and what a browser says of where they come from. Called by
 * ctl_dashboard.c before it looks at any token.
 */
#include <string.h>
#include <strings.h>

#include "admin_auth.h"
#include "dash.h"

static const char form_type[] = "application/x-www-form-urlencoded";

/*
 * We listen at 127.0.0.1 alone, so [::1] is somebody else's, and any other name
 * was rebound to us.
 */
static bool host_good(const char *host, unsigned port)
{
	return host != NULL && host[0] != '[' && auth_host_good(host, port);
}

/* Nothing that would have to be decoded, or that climbs. */
static bool uri_good(const char *uri)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz0123456789-._~/?=&";
	size_t len = strspn(uri, allowed);

	return uri[0] == '/' && uri[len] == '\0' && len < DASH_URI_MAX &&
	       strstr(uri, "//") == NULL && strstr(uri, "/.") == NULL;
}

/* "/", and what lies beside it and looks like a file of a page. */
static bool is_file(const char *uri)
{
	static const char *const endings[] = { ".css", ".html", ".js", ".svg",
					       ".txt" };
	size_t i, len = strcspn(uri, "?");

	if (len == 1)
		return true;
	if (memchr(uri + 1, '/', len - 1) != NULL)
		return false;
	for (i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		size_t ending = strlen(endings[i]);

		if (len > ending && strncmp(uri + len - ending, endings[i],
					    ending) == 0)
			return true;
	}
	return false;
}

static bool is(const char *text, const char *wanted)
{
	return text != NULL && strcmp(text, wanted) == 0;
}

/* A form comes from a file of the user's, which has no origin. */
static bool form_origin_good(const struct dash_ask *ask, unsigned port)
{
	return ask->origin == NULL || is(ask->origin, "null") ||
	       (auth_origin_good(ask->origin, NULL, port) &&
		auth_origin_same(ask->origin, ask->host));
}

static enum dash_verdict kind_of(const struct dash_ask *ask)
{
	bool post = is(ask->method, "POST");

	if (!post && !is(ask->method, "GET") && !is(ask->method, "HEAD"))
		return DASH_BAD_METHOD;
	if (post && is(ask->uri, "/session"))
		return DASH_EXCHANGE;
	if (post && is(ask->uri, "/") && ask->type != NULL &&
	    strcasecmp(ask->type, form_type) == 0)
		return DASH_FORM;
	if (!post && is_file(ask->uri))
		return DASH_FILE;
	return DASH_FORWARD;
}

enum dash_verdict dash_judge(const struct dash_ask *ask, unsigned port)
{
	enum dash_verdict kind;

	if (!host_good(ask->host, port))
		return DASH_BAD_HOST;
	if (!uri_good(ask->uri))
		return DASH_BAD_PATH;
	kind = kind_of(ask);
	if (kind == DASH_BAD_METHOD)
		return kind;
	if (kind == DASH_FORM)
		return form_origin_good(ask, port) ? kind : DASH_BAD_SITE;
	/* A link from elsewhere may open the page, which then tells it nothing. */
	if (kind == DASH_FILE && ask->origin == NULL &&
	    is(ask->fetch_mode, "navigate") && is(ask->fetch_dest, "document"))
		return kind;
	if (!auth_origin_good(ask->origin, ask->fetch_site, port) ||
	    !auth_origin_same(ask->origin, ask->host))
		return DASH_BAD_SITE;
	return kind;
}
