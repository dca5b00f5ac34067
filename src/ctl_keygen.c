/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekctl keygen: a farm key in a file, without any daemon. Called by
 * ctl_command.c.
 */
#include <stek.h>

#include "ctl.h"

enum ctl_exit ctl_keygen(const char *file, bool append, bool json)
{
	uint8_t id[8];
	char hex[2 * sizeof(id) + 1], why[512] = "";
	int error;

	if (append) {
		error = stek_farm_key_append(file, id, why, sizeof(why));
		if (error != STEK_OK) {
			fprintf(stderr, "stekctl: %s\n", why);
			return CTL_REFUSED;
		}
	} else {
		error = stek_farm_key_generate(file, id);
	}
	if (error == STEK_EREFUSED) {
		fprintf(stderr, "stekctl: %s exists; a farm key is never "
				"overwritten\n", file);
		return CTL_REFUSED;
	}
	if (error != STEK_OK) {
		fprintf(stderr, "stekctl: %s: %s\n", file,
			stek_strerror(error));
		return CTL_REFUSED;
	}
	for (size_t i = 0; i < sizeof(id); i++)
		snprintf(hex + 2 * i, 3, "%02x", id[i]);
	if (json)
		printf("{\"id\":\"%s\"}\n", hex);
	else
		printf("farm key %s written to %s; copy the file to every node "
		       "of the farm\n", hex, file);
	return CTL_OK;
}
