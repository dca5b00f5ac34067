/* SPDX-License-Identifier: GPL-2.0-or-later */
/* secret_file.h - whether a file's mode keeps what it holds a secret. */
#ifndef STEK_SECRET_FILE_H
#define STEK_SECRET_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

/*
 * True when nobody but the owner has any right to the file of `st`, which was
 * opened as `path`, or when it lies in $CREDENTIALS_DIRECTORY as systemd makes
 * it. Whose file it is and of what kind is the caller's to look at. Thread-safe
 * as long as nobody changes the environment.
 */
bool stek__secret_file_good(const struct stat *st, const char *path);

#endif
