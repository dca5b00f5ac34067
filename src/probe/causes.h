/* SPDX-License-Identifier: GPL-2.0-or-later */
/* causes.h - the texts of causes by name, for explain.c. */
#ifndef PROBE_CAUSES_H
#define PROBE_CAUSES_H

#include "explain.h"

/* NULL if there is no cause of that name. */
const struct cause *cause_of(const char *name);

#endif
