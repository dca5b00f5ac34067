/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekprobe: measures from the client's side how often TLS sessions resume
 * across a farm. This file ties options, measurement and report together.
 */
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <curl/curl.h>

#include "options.h"
#include "stop.h"

/* Every connection is a descriptor, and the usual soft limit is 1024. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int run_farm(const struct options *options)
{
	struct farm_result result;
	int status = 1;

	if (farm_run(&options->farm, &result) == 0) {
		farm_print(&result, options->format, stdout);
		status = farm_verdict(&result, options->expect);
	}
	farm_clear(&result);
	return status;
}

static int run_load(const struct options *options)
{
	struct load_result result;
	int status = 1;

	if (load_run(&options->load, &result) == 0) {
		load_print(&options->load, &result, options->format, stdout);
		status = load_verdict(&result, options->expect);
	}
	load_clear(&result);
	return status;
}

static int run_handshake(const struct options *options)
{
	struct handshake_plan plan = {
		.offer = options->offer,
		.address = options->addresses[0],
		.trials = !options->no_trials,
	};
	struct handshake_result result;
	int status = 2;

	if (handshake_run(&plan, &result, stderr) == 0) {
		if (options->format == REPORT_JSON)
			handshake_print_json(&plan, &result, stdout);
		else
			handshake_print(&plan, &result, stdout);
		status = handshake_verdict(&result, options->expect > 0);
	}
	handshake_clear(&result);
	return status;
}

static int run_audit(const struct options *options)
{
	struct audit_result *result = malloc(sizeof(*result));
	struct audit_plan plan = options->audit;
	int status = 2;

	if (!result)
		return 1;
	plan.address = options->addresses[0];
	if (audit_run(&plan, result, stderr) == 0) {
		audit_print(&plan, result, options->format, stdout);
		status = audit_verdict(result, plan.fail_on);
	}
	free(result);
	return status;
}

static int run_rotate(const struct options *options)
{
	const struct rlimit no_core = {0, 0};
	struct rotate_result *result = malloc(sizeof(*result));
	int status = 1;

	if (!result)
		return 1;
	/* The admin endpoint's token is in this process's memory. */
	setrlimit(RLIMIT_CORE, &no_core);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	if (rotate_run(&options->rotate, result) == 0) {
		rotate_print(&options->rotate, result, options->format, stdout);
		status = rotate_verdict(&options->rotate, result);
	}
	rotate_clear(result);
	free(result);
	curl_global_cleanup();
	return status;
}

static int run(const struct options *options)
{
	switch (options->command) {
	case COMMAND_FARM:
		return run_farm(options);
	case COMMAND_HANDSHAKE:
		return run_handshake(options);
	case COMMAND_ROTATE:
		return run_rotate(options);
	case COMMAND_AUDIT:
		return run_audit(options);
	default:
		return run_load(options);
	}
}

int main(int argc, char **argv)
{
	struct options options;
	int status = options_parse(&options, argc, argv, stderr);

	if (status != 0) {
		options_clear(&options);
		return status < 0 ? 2 : 0;
	}
	stop_on_signals();
	raise_file_limit();
	for (size_t i = 0; i < options.n_addresses; i++)
		address_resolve(&options.addresses[i]);
	for (size_t i = 0; i < options.audit.n_hosts; i++)
		address_resolve(&options.audit.hosts[i]);
	status = run(&options);
	options_clear(&options);
	if (status == 3)
		fputs("stekprobe: nothing was reachable\n", stderr);
	return status;
}
