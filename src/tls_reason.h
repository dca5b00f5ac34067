/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls_reason.h - what became of a wolfSSL error: one counted reason, and the
 * alert of the standard.
 */
#ifndef STEKD_TLS_REASON_H
#define STEKD_TLS_REASON_H

#include <stdint.h>

#include "counters.h"

struct tls_reason {
	int error;		/* of wolfSSL_get_error() */
	enum failure failure;
	uint8_t alert;		/* sent where the library sends none, or a
				   wrong one; 0: as it does */
};

/* Never NULL: FAIL_OTHER for an error that no row names. Any thread. */
const struct tls_reason *tls_reason_find(int error);

#endif
