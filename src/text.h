/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * text.h - addresses and ids as people read them, and documents as text.
 */
#ifndef STEKD_TEXT_H
#define STEKD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define TEXT_ADDRESS_MAX 128

/* "192.0.2.1:443", "[2001:db8::1]:443", "unix:/path", "" if unknown. */
void text_address(char *out, size_t cap, const struct sockaddr_storage *addr);

/* Lower-case; `out` takes 2 * len + 1 bytes. */
void text_hex(char *out, const uint8_t *bytes, size_t len);

/* Back: true if `text` begins with 2 * len lower-case digits. */
bool text_unhex(uint8_t *out, const char *text, size_t len);

/* As json_dumps() with these flags, but NULL whenever memory was short. */
struct json_t;
char *text_json(const struct json_t *json, size_t flags);

#endif
