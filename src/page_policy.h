/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * page_policy.h - what a browser is told with every answer, by stekd and by
 * stekctl dashboard: the page runs our own files alone, asks nobody else, and
 * cannot be framed; what is no page may do still less.
 */
#ifndef STEKD_PAGE_POLICY_H
#define STEKD_PAGE_POLICY_H

#define PAGE_POLICY "default-src 'none'; script-src 'self'; " \
	"style-src 'self'; connect-src 'self'; img-src 'self' data:; " \
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

#endif
