/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sanitized.h - whether this runs under a sanitizer. It has mlock(2) do nothing;
 * and its own library is bound lazily, for which the dynamic linker saves the
 * vector registers, secrets that were just copied among them, to the stack. (Our
 * programs are bound at once, -z now; check_secret_traces failed without it.)
 */
#ifndef STEK_TESTS_SANITIZED_H
#define STEK_TESTS_SANITIZED_H

#include <stdbool.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#define SANITIZED \
	(__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED false
#endif

#endif
