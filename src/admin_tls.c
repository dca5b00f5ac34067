/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_tls.c - lets requests of an admin host in, or says why not. Called by
 * admin.c with the headers of each request; what its role allows is then
 * admin_route.c's to decide.
 */
#include <string.h>
#include <strings.h>

#include "admin_tls.h"

#define SCHEME "https://"

/* A link from elsewhere may open the page, which then tells it nothing. */
static bool is_followed_link(const struct admin_site *site)
{
	return site->file && site->origin == NULL &&
		site->fetch_mode != NULL && site->fetch_dest != NULL &&
		strcmp(site->fetch_mode, "navigate") == 0 &&
		strcmp(site->fetch_dest, "document") == 0;
}

/*
 * Whatever a page of another site can make a browser send: a request without
 * Origin that says nothing of itself is left to those who are no browsers.
 */
static bool is_same_origin(const struct admin_site *site)
{
	size_t len = sizeof(SCHEME) - 1;

	if (is_followed_link(site))
		return true;
	if (site->fetch_site != NULL &&
	    strcmp(site->fetch_site, "same-origin") != 0 &&
	    strcmp(site->fetch_site, "none") != 0)
		return false;
	return site->origin == NULL ||
		(strncmp(site->origin, SCHEME, len) == 0 &&
		 strcasecmp(site->origin + len, site->host) == 0);
}

/*
 * A form of another site's page sends neither, and a script of it is first
 * asked for leave, which nobody gives (Fetch: CORS-preflight).
 */
static bool is_no_form(const struct admin_site *site)
{
	return strcmp(site->method, "POST") != 0 ||
		site->content_type != NULL || site->request != NULL;
}

bool admin_tls_may_ask(struct node *node, const struct admin_peer *peer,
		       const struct admin_site *site,
		       struct admin_grant *grant, struct admin_answer *answer)
{
	admin_peer_judge(node, peer, site->host, grant);
	if (grant->gone)
		admin_problem_of(answer, PROBLEM_FORBIDDEN_CERTIFICATE, NULL,
				 "this certificate is not taken here any "
				 "more; connect again");
	else if (!grant->named)
		admin_problem_of(answer, PROBLEM_FORBIDDEN_HOST, NULL,
				 "Host must be a name of this host");
	else if (!is_same_origin(site))
		admin_problem_of(answer, PROBLEM_FORBIDDEN_ORIGIN, NULL,
				 "requests of other sites' pages are refused");
	else if (!is_no_form(site))
		admin_problem_of(answer, PROBLEM_FORBIDDEN_ORIGIN, NULL,
				 "a change needs Content-Type: "
				 "application/json or an Idempotency-Key, "
				 "which no other site's page can send");
	else if (grant->role == ROLE_NONE)
		admin_problem_of(answer, PROBLEM_FORBIDDEN_ROLE,
				 json_pack("{s:s, s:s}", "role",
					   role_name(ROLE_NONE), "needs",
					   role_name(ROLE_READ)),
				 "this certificate has no role here");
	else
		return true;
	return false;
}
