/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekprobe's command line. Everything is checked before the first connection,
 * so a mistake costs nothing but exit status 2.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0.1.0"
#endif

enum {
	OPT_TLS = 256,
	OPT_SNI,
	OPT_CA,
	OPT_GROUPS,
	OPT_PROXY,
	OPT_EXPECT,
	OPT_JSON,
	OPT_CSV,
	OPT_HTML,
	OPT_HELP,
	OPT_VERSION,
	OPT_CONNECT,
	OPT_CONNECTIONS,
	OPT_DURATION,
	OPT_CONCURRENCY,
	OPT_RATE,
	OPT_THREADS,
	OPT_RESUME,
	OPT_WARMUP,
	OPT_SINGLE_USE,
	OPT_OPEN_LOOP,
	OPT_REUSE,
	OPT_SERVER_PID,
	OPT_DEMAND_GROUP,
	OPT_DEMAND_SUITE,
	OPT_DEMAND_TICKETS,
	OPT_DEMAND_BYTES,
	OPT_PROGRESS,
	OPT_CERT,
	OPT_KEY,
	OPT_SUITES,
	OPT_SCHEMES,
	OPT_ALPN,
	OPT_FALLBACK,
	OPT_TIMEOUT,
	OPT_KEYLOG,
	OPT_NO_TRIALS,
};

/* Options from OPT_CONNECT on belong to one command, as the names say. */
static const struct option long_options[] = {
	{"tls", required_argument, NULL, OPT_TLS},
	{"sni", required_argument, NULL, OPT_SNI},
	{"ca", required_argument, NULL, OPT_CA},
	{"groups", required_argument, NULL, OPT_GROUPS},
	{"send-proxy", no_argument, NULL, OPT_PROXY},
	{"expect", required_argument, NULL, OPT_EXPECT},
	{"json", no_argument, NULL, OPT_JSON},
	{"csv", no_argument, NULL, OPT_CSV},
	{"html", required_argument, NULL, OPT_HTML},
	{"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION},
	{"tries", required_argument, NULL, OPT_TRIES},
	{"balanced", no_argument, NULL, OPT_BALANCED},
	{"most", required_argument, NULL, OPT_MOST},
	{"node-header", required_argument, NULL, OPT_NODE_HEADER},
	{"every", required_argument, NULL, OPT_EVERY},
	{"for", required_argument, NULL, OPT_FOR},
	{"rounds", required_argument, NULL, OPT_ROUNDS},
	{"connect", required_argument, NULL, OPT_CONNECT},
	{"connections", required_argument, NULL, OPT_CONNECTIONS},
	{"duration", required_argument, NULL, OPT_DURATION},
	{"concurrency", required_argument, NULL, OPT_CONCURRENCY},
	{"rate", required_argument, NULL, OPT_RATE},
	{"threads", required_argument, NULL, OPT_THREADS},
	{"resume", required_argument, NULL, OPT_RESUME},
	{"warmup", required_argument, NULL, OPT_WARMUP},
	{"single-use", no_argument, NULL, OPT_SINGLE_USE},
	{"open-loop", no_argument, NULL, OPT_OPEN_LOOP},
	{"reuse", no_argument, NULL, OPT_REUSE},
	{"server-pid", required_argument, NULL, OPT_SERVER_PID},
	{"demand-group", required_argument, NULL, OPT_DEMAND_GROUP},
	{"demand-suite", required_argument, NULL, OPT_DEMAND_SUITE},
	{"demand-tickets", required_argument, NULL, OPT_DEMAND_TICKETS},
	{"demand-bytes", required_argument, NULL, OPT_DEMAND_BYTES},
	{"progress", no_argument, NULL, OPT_PROGRESS},
	{"cert", required_argument, NULL, OPT_CERT},
	{"key", required_argument, NULL, OPT_KEY},
	{"suites", required_argument, NULL, OPT_SUITES},
	{"schemes", required_argument, NULL, OPT_SCHEMES},
	{"alpn", required_argument, NULL, OPT_ALPN},
	{"fallback", no_argument, NULL, OPT_FALLBACK},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"keylog", required_argument, NULL, OPT_KEYLOG},
	{"no-trials", no_argument, NULL, OPT_NO_TRIALS},
	{"rotations", required_argument, NULL, OPT_ROTATIONS},
	{"revoke", no_argument, NULL, OPT_REVOKE},
	{"kill-node", required_argument, NULL, OPT_KILL_NODE},
	{"kill-command", required_argument, NULL, OPT_KILL_COMMAND},
	{"lead", required_argument, NULL, OPT_LEAD},
	{"settle", required_argument, NULL, OPT_SETTLE},
	{"max-failed", required_argument, NULL, OPT_MAX_FAILED},
	{"force", no_argument, NULL, OPT_FORCE},
	{"socket", required_argument, NULL, OPT_SOCKET},
	{"url", required_argument, NULL, OPT_URL},
	{"token-file", required_argument, NULL, OPT_TOKEN_FILE},
	{"other-sni", required_argument, NULL, OPT_OTHER_SNI},
	{"also", required_argument, NULL, OPT_ALSO},
	{"auth-name", required_argument, NULL, OPT_AUTH_NAME},
	{"watch", required_argument, NULL, OPT_WATCH},
	{"fail-on", required_argument, NULL, OPT_FAIL_ON},
	{NULL, 0, NULL, 0},
};

#define WARMUP_DEFAULT UINT32_MAX
#define OPEN_PLACES 1000	/* of an open loop, unless told */
#define OPEN_WARMUP 100

int options_number(const char *text, uint64_t least, uint64_t most,
		   uint64_t *out)
{
	unsigned long long value;
	char *end;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || value < least || value > most)
		return -1;
	*out = value;
	return 0;
}

int options_small(const char *text, unsigned least, unsigned most,
		  unsigned *out)
{
	uint64_t value;

	if (options_number(text, least, most, &value) != 0)
		return -1;
	*out = (unsigned)value;
	return 0;
}

static int versions(struct options *out, const char *text)
{
	bool both = strcmp(text, "both") == 0;

	out->versions[TLS_V12] = both || strcmp(text, "1.2") == 0;
	out->versions[TLS_V13] = both || strcmp(text, "1.3") == 0;
	return out->versions[TLS_V12] || out->versions[TLS_V13] ? 0 : -1;
}

/* Adds the processes of a comma-separated list. */
static int pid_list(struct load_plan *load, const char *text)
{
	for (const char *p = text; p;) {
		size_t len = strcspn(p, ",");
		char one[16];
		unsigned pid;

		if (len >= sizeof(one) || load->n_servers == LOAD_SERVERS_MAX)
			return -1;
		memcpy(one, p, len);
		one[len] = '\0';
		if (options_small(one, 1, INT32_MAX, &pid) != 0)
			return -1;
		load->servers[load->n_servers++] = (pid_t)pid;
		p = p[len] ? p + len + 1 : NULL;
	}
	return 0;
}

static int take_demand(struct demand *demand, int option, const char *arg)
{
	switch (option) {
	case OPT_DEMAND_GROUP:
		demand->group = arg;
		return arg[0] ? 0 : -1;
	case OPT_DEMAND_SUITE:
		demand->suite = arg;
		return !strchr(arg, ':') && tls_suites_valid(arg) ? 0 : -1;
	case OPT_DEMAND_TICKETS:
		demand->count_tickets = true;
		/* So many are kept, and more are not told from them. */
		return options_small(arg, 0, CONN_TICKETS_MAX - 1,
				     &demand->tickets);
	default:
		return options_number(arg, 1, INT64_MAX, &demand->bytes);
	}
}

static int take_load(struct options *out, int option, const char *arg)
{
	struct load_plan *load = &out->load;

	switch (option) {
	case OPT_CONNECT:
		return address_list(&out->addresses, &out->n_addresses, arg);
	case OPT_CONNECTIONS:
		return options_number(arg, 1, 1000000000, &load->connections);
	case OPT_DURATION:
		return options_small(arg, 1, 86400 * 7, &load->duration_s);
	case OPT_CONCURRENCY:
		return options_small(arg, 1, 20000, &load->concurrency);
	case OPT_RATE:
		return options_small(arg, 1, 1000000, &load->rate);
	case OPT_THREADS:
		return options_small(arg, 1, 256, &load->threads);
	case OPT_RESUME:
		return share_parse(arg, &load->share);
	case OPT_WARMUP:
		return options_small(arg, 0, 1000000, &load->warmup);
	case OPT_SINGLE_USE:
		load->single_use = true;
		return 0;
	case OPT_OPEN_LOOP:
		load->open_loop = true;
		return 0;
	case OPT_REUSE:
		load->reuse = true;
		return 0;
	case OPT_SERVER_PID:
		return pid_list(load, arg);
	case OPT_PROGRESS:
		load->progress = true;
		return 0;
	default:
		return take_demand(&load->demand, option, arg);
	}
}

static int take_handshake(struct options *out, int option, const char *arg)
{
	struct offer *offer = &out->offer;

	switch (option) {
	case OPT_CERT:
		offer->cert = arg;
		return 0;
	case OPT_KEY:
		offer->key = arg;
		return 0;
	case OPT_SUITES:
		offer->suites = arg;
		return out->command != COMMAND_LOAD || tls_suites_valid(arg)
			       ? 0 : -1;
	case OPT_SCHEMES:
		offer->schemes = arg;
		return 0;
	case OPT_ALPN:
		offer->alpn = arg;
		return 0;
	case OPT_FALLBACK:
		offer->fallback = true;
		return 0;
	case OPT_TIMEOUT:
		return options_small(arg, 1, 3600, &offer->timeout_s);
	case OPT_KEYLOG:
		offer->keylog = arg;
		return 0;
	default:
		out->no_trials = true;
		return 0;
	}
}

static int take(struct options *out, int option, const char *arg)
{
	switch (option) {
	case OPT_TLS:
		return versions(out, arg);
	case OPT_SNI:
		out->tls.sni = arg;
		return arg[0] && strlen(arg) < 256 ? 0 : -1;
	case OPT_CA:
		out->tls.ca = arg;
		return 0;
	case OPT_GROUPS:
		out->tls.groups = arg;
		return tls_groups_valid(arg) ? 0 : -1;
	case OPT_PROXY:
		out->tls.send_proxy = true;
		return 0;
	case OPT_EXPECT:
		out->expect_given = true;
		return share_parse(arg, &out->expect);
	case OPT_JSON:
		out->format = REPORT_JSON;
		return 0;
	case OPT_CSV:
		out->format = REPORT_CSV;
		return 0;
	case OPT_HTML:
		out->html = arg;
		return arg[0] ? 0 : -1;
	default:
		if (option >= OPT_TRIES)
			return options_farm_take(out, option, arg);
		if (option >= OPT_OTHER_SNI)
			return options_audit_take(out, option, arg);
		if (option >= OPT_ROTATIONS)
			return options_rotate_take(out, option, arg);
		return option < OPT_CERT ? take_load(out, option, arg)
					 : take_handshake(out, option, arg);
	}
}

/* What follows from other options, and what does not go together. */
static int finish_load(struct load_plan *load, FILE *err)
{
	if (load->open_loop && !load->rate) {
		fputs("stekprobe: --open-loop needs --rate\n", err);
		return -1;
	}
	if (load->single_use && load->reuse) {
		fputs("stekprobe: either --single-use or --reuse\n", err);
		return -1;
	}
	if (!load->concurrency)
		load->concurrency = load->open_loop ? OPEN_PLACES : 10;
	if (load->warmup != WARMUP_DEFAULT)
		return 0;
	load->warmup = load->concurrency;
	if (load->open_loop && load->warmup > OPEN_WARMUP)
		load->warmup = OPEN_WARMUP;
	if (load->share == 0)
		load->warmup = 0;
	return 0;
}

static int finish_handshake(struct options *out, FILE *err)
{
	struct offer *offer = &out->offer;

	if (out->n_addresses != 1) {
		fputs("stekprobe: handshake takes one address (--help)\n", err);
		return -1;
	}
	if (!offer->cert != !offer->key) {
		fputs("stekprobe: --cert and --key go together\n", err);
		return -1;
	}
	offer->tls = out->tls;
	memcpy(offer->versions, out->versions, sizeof(offer->versions));
	return 0;
}

static int finish(struct options *out, FILE *err)
{
	struct load_plan *load = &out->load;

	if (out->n_addresses == 0) {
		fputs("stekprobe: an address is missing (--help)\n", err);
		return -1;
	}
	if (out->command == COMMAND_FARM)
		return options_farm_finish(out, err);
	if (load->connections && load->duration_s) {
		fputs("stekprobe: either --connections or --duration\n", err);
		return -1;
	}
	if (!load->connections && !load->duration_s)
		load->connections = 1000;
	if (finish_load(load, err) != 0)
		return -1;
	if (load->concurrency < load->threads) {
		fputs("stekprobe: --concurrency must not be below --threads\n",
		      err);
		return -1;
	}
	load->tls = out->tls;
	load->tls.suites = out->offer.suites;
	load->addresses = out->addresses;
	load->n = out->n_addresses;
	memcpy(load->versions, out->versions, sizeof(load->versions));
	return out->command == COMMAND_ROTATE ? options_rotate_finish(out, err)
					      : 0;
}

/* True if `option` may stand behind `command`. */
static bool belongs(int option, enum command command)
{
	if (option < OPT_CONNECT)
		return true;
	if (option >= OPT_TRIES)
		return command == COMMAND_FARM;
	if (option >= OPT_OTHER_SNI)
		return command == COMMAND_AUDIT;
	if (option >= OPT_ROTATIONS)
		return command == COMMAND_ROTATE;
	if (option >= OPT_CERT)
		return command == COMMAND_HANDSHAKE ||
		       (command == COMMAND_LOAD && option == OPT_SUITES) ||
		       (command == COMMAND_AUDIT && option != OPT_SUITES &&
			option != OPT_SCHEMES && option != OPT_FALLBACK &&
			option != OPT_NO_TRIALS);
	/* rotate-test ends the load by itself. */
	return command == COMMAND_LOAD ||
	       (command == COMMAND_ROTATE && option != OPT_CONNECTIONS &&
		option != OPT_DURATION);
}

/* The options of `out->command`, then the addresses, which load has not. */
static int parse_rest(struct options *out, int argc, char **argv, FILE *err)
{
	int option, index = 0;

	while ((option = getopt_long(argc, argv, "", long_options, &index)) !=
	       -1) {
		if (option == '?') {
			fprintf(err, "stekprobe: unknown option or missing "
				     "value: %s (--help)\n", argv[optind - 1]);
			return -1;
		}
		if (!belongs(option, out->command)) {
			fprintf(err, "stekprobe: --%s does not belong to this "
				     "command\n", long_options[index].name);
			return -1;
		}
		if (take(out, option, optarg) != 0) {
			fprintf(err, "stekprobe: --%s: wrong value: %s\n",
				long_options[index].name, optarg);
			return -1;
		}
	}
	for (; optind < argc; optind++) {
		if (out->command != COMMAND_LOAD &&
		    address_list(&out->addresses, &out->n_addresses,
				 argv[optind]) == 0)
			continue;
		fprintf(err, "stekprobe: not HOST:PORT or [IPV6]:PORT, or not "
			     "expected here: %s\n", argv[optind]);
		return -1;
	}
	if (out->command == COMMAND_AUDIT)
		return options_audit_finish(out, err);
	return out->command == COMMAND_HANDSHAKE ? finish_handshake(out, err)
						 : finish(out, err);
}

int options_parse(struct options *out, int argc, char **argv, FILE *err)
{
	*out = (struct options){
		.farm = {.tries = 5, .most = 2000},
		.versions = {true, true},
		.offer = {.timeout_s = 10},
		.load = {.threads = 1,
			 .share = SHARE_WHOLE, .warmup = WARMUP_DEFAULT},
		.rotate = {.lead_s = 2, .settle_s = 3,
			   .most_failed = UINT64_MAX},
	};
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			fputs(options_usage, stdout);
			return 1;
		}
		if (strcmp(argv[i], "--version") == 0) {
			puts("stekprobe " PACKAGE_VERSION);
			return 1;
		}
	}
	if (argc >= 2 && strcmp(argv[1], "farm") == 0)
		out->command = COMMAND_FARM;
	if (argc >= 2 && strcmp(argv[1], "load") == 0)
		out->command = COMMAND_LOAD;
	if (argc >= 2 && strcmp(argv[1], "handshake") == 0)
		out->command = COMMAND_HANDSHAKE;
	if (argc >= 2 && strcmp(argv[1], "rotate-test") == 0)
		out->command = COMMAND_ROTATE;
	if (argc >= 2 && strcmp(argv[1], "audit") == 0)
		out->command = COMMAND_AUDIT;
	if (out->command == COMMAND_NONE) {
		fputs(options_usage, err);
		return -1;
	}
	optind = 0;		/* glibc: start afresh, for the tests */
	opterr = 0;
	return parse_rest(out, argc - 1, argv + 1, err);
}

void options_clear(struct options *options)
{
	free(options->addresses);
	free(options->audit.hosts);
	ctl_token_wipe(&options->rotate.target);
	*options = (struct options){0};
}
