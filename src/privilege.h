/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * privilege.h - what the process may do: nothing that it can give up.
 */
#ifndef STEKD_PRIVILEGE_H
#define STEKD_PRIVILEGE_H

#include "settings.h"

/* At the very start: no core, no ptrace by others, no private file for others,
 * nothing gained by what we might execute. */
void privilege_harden(void);

/*
 * For a secret that must be its reader's own: true when `path` is that user's,
 * as whom we then act until privilege_return() (0, or -1: we cannot go on).
 */
bool privilege_borrow(const struct settings *settings, const char *path);
int privilege_return(bool borrowed);

/*
 * Becomes the user and group of the settings, for good, and proves it; without
 * a user it does nothing. After every socket is bound, before any thread. 0, or
 * -1 and why.
 */
int privilege_drop(const struct settings *settings, const char *config,
		   char *why, size_t why_len);

#endif
