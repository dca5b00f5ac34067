/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekprobe: measures from the client's side how often TLS sessions resume
 * across a farm. This file ties options, measurement and report together.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <curl/curl.h>

#include "html.h"
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

/* The page that --html asks for: what --json prints, and who shows it. */
struct sheet {
	FILE *file;		/* NULL: no page is wanted */
	FILE *json;
	char *text;
	size_t len;
};

/* Before anything is measured: a wrong path must not cost a measurement. */
static int sheet_open(struct sheet *sheet, const char *path)
{
	*sheet = (struct sheet){0};
	if (!path)
		return 0;
	sheet->file = fopen(path, "we");
	if (sheet->file)
		sheet->json = open_memstream(&sheet->text, &sheet->len);
	if (sheet->json)
		return 0;
	fprintf(stderr, "stekprobe: --html %s: %s\n", path, strerror(errno));
	if (sheet->file)
		fclose(sheet->file);
	return -1;
}

/* "127.0.0.1:8443, 127.0.0.1:8444, as www.example.com" */
static char *about(const struct options *options)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	for (size_t i = 0; i < options->n_addresses; i++)
		fprintf(out, "%s%s", i ? ", " : "", options->addresses[i].text);
	if (options->tls.sni)
		fprintf(out, ", as %s", options->tls.sni);
	fclose(out);
	return text;
}

static int sheet_close(struct sheet *sheet, const struct options *options,
		      const char *command)
{
	char *who = about(options);
	struct html_report report = {
		.command = command,
		.about = who ? who : "",
		.made_at = time(NULL),
	};
	int ret = 0;

	if (sheet->file) {
		fclose(sheet->json);
		report.json = sheet->text;
		report.json_len = sheet->len;
		if (sheet->len > 0)
			ret = html_write(&report, sheet->file);
		if (fclose(sheet->file) != 0 || ret != 0) {
			fprintf(stderr, "stekprobe: --html %s: %s\n",
				options->html, strerror(errno));
			ret = -1;
		}
	}
	free(sheet->text);
	free(who);
	return ret;
}

static int run_farm(const struct options *options, FILE *json)
{
	struct farm_result result;
	int status = 1;

	if (farm_run(&options->farm, &result) == 0) {
		farm_print(&result, options->format, stdout);
		if (json)
			farm_print(&result, REPORT_JSON, json);
		status = farm_verdict(&result, options->expect);
	}
	farm_clear(&result);
	return status;
}

static int run_load(const struct options *options, FILE *json)
{
	struct load_result result;
	int status = 1;

	if (load_run(&options->load, &result) == 0) {
		load_print(&options->load, &result, options->format, stdout);
		if (json)
			load_print(&options->load, &result, REPORT_JSON, json);
		status = load_verdict(&result, options->expect);
	}
	load_clear(&result);
	return status;
}

static int run_handshake(const struct options *options, FILE *json)
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
		else if (options->format == REPORT_CSV)
			handshake_print_csv(&result, stdout);
		else
			handshake_print(&plan, &result, stdout);
		if (json)
			handshake_print_json(&plan, &result, json);
		status = handshake_verdict(&result, options->expect > 0);
	}
	handshake_clear(&result);
	return status;
}

static int run_audit(const struct options *options, FILE *json)
{
	struct audit_result *result = malloc(sizeof(*result));
	struct audit_plan plan = options->audit;
	int status = 2;

	if (!result)
		return 1;
	plan.address = options->addresses[0];
	if (audit_run(&plan, result, stderr) == 0) {
		audit_print(&plan, result, options->format, stdout);
		if (json)
			audit_print(&plan, result, REPORT_JSON, json);
		status = audit_verdict(result, plan.fail_on);
	}
	free(result);
	return status;
}

static int run_rotate(const struct options *options, FILE *json)
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
		if (json)
			rotate_print(&options->rotate, result, REPORT_JSON,
				     json);
		status = rotate_verdict(&options->rotate, result);
	}
	rotate_clear(result);
	free(result);
	curl_global_cleanup();
	return status;
}

static const struct {
	const char *name;
	int (*run)(const struct options *options, FILE *json);
} commands[] = {
	[COMMAND_FARM] = {"farm", run_farm},
	[COMMAND_LOAD] = {"load", run_load},
	[COMMAND_ROTATE] = {"rotate-test", run_rotate},
	[COMMAND_HANDSHAKE] = {"handshake", run_handshake},
	[COMMAND_AUDIT] = {"audit", run_audit},
};

/* A page that could not be written is a failure, if nothing else is. */
static int run(const struct options *options)
{
	struct sheet sheet;
	int status;

	if (sheet_open(&sheet, options->html) != 0)
		return 2;
	status = commands[options->command].run(options, sheet.json);
	if (sheet_close(&sheet, options, commands[options->command].name) != 0 &&
	    status == 0)
		status = 1;
	return status;
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
