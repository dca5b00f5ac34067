/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * secret_file.c - whether a file's mode keeps what it holds a secret. One rule
 * for farm keys, passwords, tokens and private keys. Called by whoever opens
 * such a file.
 */
#include "secret_file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OF_OTHERS (S_IRWXG | S_IRWXO)
/* What systemd leaves to group and others of its credentials: see below. */
#define BEYOND_CREDENTIAL (OF_OTHERS & ~S_IRGRP)
#define BEYOND_DIRECTORY (S_IWGRP | S_IRWXO)

static bool is_ours(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

/*
 * systemd gives a service its credentials by an access control list on files of
 * root (systemd.exec(5), LoadCredential=). With such a list the group's bits of
 * the mode are the list's mask: 0440 means "the service's user", nobody's group.
 */
static bool is_credential(const struct stat *st, const char *path)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	size_t len = dir != NULL ? strlen(dir) : 0;
	struct stat of_dir;

	if (len == 0 || dir[0] != '/' || strncmp(path, dir, len) != 0 ||
	    path[len] != '/' || strchr(path + len + 1, '/') != NULL ||
	    stat(dir, &of_dir) != 0)
		return false;
	return is_ours(st) && (st->st_mode & BEYOND_CREDENTIAL) == 0 &&
	       S_ISDIR(of_dir.st_mode) && is_ours(&of_dir) &&
	       (of_dir.st_mode & BEYOND_DIRECTORY) == 0;
}

bool stek__secret_file_good(const struct stat *st, const char *path)
{
	return (st->st_mode & OF_OTHERS) == 0 || is_credential(st, path);
}
