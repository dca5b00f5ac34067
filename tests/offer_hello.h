/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * offer_hello.h - the ClientHello of offer.c.
 */
#ifndef TESTS_OFFER_HELLO_H
#define TESTS_OFFER_HELLO_H

#include "hello.h"
#include "offer.h"

/* Writes the hello; true if it offers TLS 1.3. */
bool offer_build(struct hello *out, const struct offer *what);

#endif
