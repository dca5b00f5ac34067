/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stekctl: the operator's command. What it does stands in ctl_command.c. */
#include <sys/prctl.h>
#include <sys/resource.h>

#include <curl/curl.h>

#include "ctl.h"

int main(int argc, char **argv)
{
	const struct rlimit no_core = {0, 0};
	enum ctl_exit result;

	/* Tokens and farm keys pass through this process's memory. */
	setrlimit(RLIMIT_CORE, &no_core);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	result = ctl_run(argc, argv);
	curl_global_cleanup();
	return (int)result;
}
