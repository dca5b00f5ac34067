/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settings_check.h - checks of single values of the configuration. Each tells
 * its fault, with the line given, and returns whether the value is good.
 */
#ifndef STEKD_SETTINGS_CHECK_H
#define STEKD_SETTINGS_CHECK_H

#include "settings.h"
#include "settings_doc.h"

/* Where a value stands: its name in messages, and its line. */
struct place {
	struct faults *faults;
	const char *name;
	size_t line;
};

/* HOST:PORT or [V6]:PORT, numeric. */
bool check_address(const struct place *at, const char *text,
		   struct settings_address *out);
bool check_loopback(const struct place *at,
		    const struct settings_address *address);

/* tcp:HOST:PORT, unix:/PATH, builtin or admin. */
bool check_backend(const struct place *at, const char *text,
		   enum backend_kind *kind, struct settings_address *out);

/* [A-Za-z0-9._-]{1,63}: of a farm or a node. */
bool check_name(const struct place *at, const char *text);

/* A host name, "*." first or not; written to `lower` (256 bytes). */
bool check_host_name(const struct place *at, const char *text, char *lower);

/* A regular file that can be read; `secret`: by no group and no others. */
bool check_file(const struct place *at, const char *path, bool secret);
bool check_directory(const struct place *at, const char *path);

bool check_store_url(const struct place *at, const char *url);

#endif
