/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl_options.c - stekctl's command line. Called by ctl_command.c, which knows
 * what options belong to which command.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include <stek.h>

#include "ctl_options.h"

static const char usage[] =
	"usage: stekctl [OPTION...] COMMAND\n"
	"\n"
	"  keygen FILE | --append FILE\n"
	"                           make a farm key, or one more in the file\n"
	"                           (needs no daemon)\n"
	"  status                   this node; exit 4 when it is not ready\n"
	"  keys                     the keys of the ring, never their secrets\n"
	"  nodes                    the members of the farm\n"
	"  stats                    handshakes and resumption\n"
	"  rotate [--force]         a new key now; waits for every live node\n"
	"  revoke KEYID... | --all  keys that open nothing from now on\n"
	"     both: --dry-run       say what would happen, change nothing\n"
	"           --idempotency-key NAME\n"
	"                           a second request of that name within 24 h\n"
	"                           gets the first answer and changes nothing\n"
	"           --note TEXT     why, for the audit\n"
	"           --if-epoch N    only if the ring is of that epoch (or of\n"
	"                           the version EPOCH-DIGEST)\n"
	"  audit [--limit N] [--verify]\n"
	"                           who changed what; exit 1 when it is broken\n"
	"  farm-key [status|reload] roll over to another farm key\n"
	"  reload                   take the configuration file as it is now;\n"
	"                           no connection is dropped\n"
	"  deny [add|remove FINGERPRINT]\n"
	"                           client certificates refused by this node\n"
	"  watch [--interval SECONDS] [--count N]\n"
	"  dashboard [--port N] [--no-open]\n"
	"                           the dashboard in this user's browser, by a\n"
	"                           port of 127.0.0.1, until Ctrl-C\n"
	"\n"
	"  --socket PATH            admin socket ($STEKCTL_SOCKET, else\n"
	"                           /run/stekd/admin.sock)\n"
	"  --url URL                http://127.0.0.1:PORT instead, with\n"
	"  --token-file FILE        the bearer token (mode 0600); or\n"
	"  --url https://HOST:PORT  a host with backend: admin, with\n"
	"  --cert FILE [--key FILE] the client certificate, its key (mode 0600),\n"
	"  [--passphrase-file FILE] the key's passphrase (mode 0600), and\n"
	"  [--ca FILE]              who signs for the host\n"
	"  --json                   print the daemon's JSON\n"
	"  --help, --version\n"
	"\n"
	"exit status: 0 good, 1 refused or failed, 2 wrong usage, 3 stekd cannot\n"
	"be reached, 4 not ready (status).\n";

void ctl_usage(FILE *out)
{
	fputs(usage, out);
}

enum {
	OPT_SOCKET = 256,
	OPT_URL,
	OPT_TOKEN_FILE,
	OPT_CERT,
	OPT_KEY,
	OPT_CA,
	OPT_PASSPHRASE_FILE,
	OPT_JSON,
	OPT_FORCE,
	OPT_ALL,
	OPT_INTERVAL,
	OPT_COUNT,
	OPT_APPEND,
	OPT_DRY_RUN,
	OPT_IDEMPOTENCY_KEY,
	OPT_IF_EPOCH,
	OPT_NOTE,
	OPT_LIMIT,
	OPT_VERIFY,
	OPT_PORT,
	OPT_NO_OPEN,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{"socket", required_argument, NULL, OPT_SOCKET},
	{"url", required_argument, NULL, OPT_URL},
	{"token-file", required_argument, NULL, OPT_TOKEN_FILE},
	{"cert", required_argument, NULL, OPT_CERT},
	{"key", required_argument, NULL, OPT_KEY},
	{"ca", required_argument, NULL, OPT_CA},
	{"passphrase-file", required_argument, NULL, OPT_PASSPHRASE_FILE},
	{"json", no_argument, NULL, OPT_JSON},
	{"force", no_argument, NULL, OPT_FORCE},
	{"all", no_argument, NULL, OPT_ALL},
	{"interval", required_argument, NULL, OPT_INTERVAL},
	{"count", required_argument, NULL, OPT_COUNT},
	{"append", no_argument, NULL, OPT_APPEND},
	{"dry-run", no_argument, NULL, OPT_DRY_RUN},
	{"idempotency-key", required_argument, NULL, OPT_IDEMPOTENCY_KEY},
	{"if-epoch", required_argument, NULL, OPT_IF_EPOCH},
	{"note", required_argument, NULL, OPT_NOTE},
	{"limit", required_argument, NULL, OPT_LIMIT},
	{"verify", no_argument, NULL, OPT_VERIFY},
	{"port", required_argument, NULL, OPT_PORT},
	{"no-open", no_argument, NULL, OPT_NO_OPEN},
	{"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

static bool take_number(const char *text, unsigned *out)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value < 1 || value > 1000000)
		return false;
	*out = (unsigned)value;
	return true;
}

static bool name_valid(const char *name)
{
	size_t i;

	for (i = 0; name[i]; i++) {
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	}
	return i > 0 && i <= 64;
}

static bool note_valid(const char *note)
{
	size_t i;

	for (i = 0; note[i]; i++) {
		if (note[i] < ' ' || note[i] > '~')
			return false;
	}
	return i > 0 && i <= STEK_NOTE_MAX;
}

/* What an option without a value sets, or NULL: it takes one. */
static bool *flag_of(struct invocation *call, int option)
{
	switch (option) {
	case OPT_JSON:
		return &call->json;
	case OPT_FORCE:
		return &call->force;
	case OPT_ALL:
		return &call->all;
	case OPT_APPEND:
		return &call->append;
	case OPT_DRY_RUN:
		return &call->dry_run;
	case OPT_VERIFY:
		return &call->verify;
	case OPT_NO_OPEN:
		return &call->dashboard.no_open;
	default:
		return NULL;
	}
}

static bool take_option(struct invocation *call, int option)
{
	bool *flag = flag_of(call, option);

	if (flag != NULL)
		return *flag = true;
	switch (option) {
	case OPT_SOCKET:
		call->target.socket = optarg;
		return *optarg != '\0' && strlen(optarg) < 108;
	case OPT_URL:
		call->target.url = optarg;
		return (ctl_url_valid(optarg) || ctl_url_is_remote(optarg)) &&
		       strlen(optarg) < 200;
	case OPT_TOKEN_FILE:
		call->token_file = optarg;
		return true;
	case OPT_CERT:
		call->target.cert = optarg;
		return *optarg != '\0';
	case OPT_KEY:
		call->target.key = optarg;
		return *optarg != '\0';
	case OPT_CA:
		call->target.ca = optarg;
		return *optarg != '\0';
	case OPT_PASSPHRASE_FILE:
		call->passphrase_file = optarg;
		return true;
	case OPT_IDEMPOTENCY_KEY:
		call->name = optarg;
		return name_valid(optarg);
	case OPT_NOTE:
		call->note = optarg;
		return note_valid(optarg);
	case OPT_IF_EPOCH:
		return ctl_tag(call->if_match, optarg);
	case OPT_LIMIT:
		call->limit_given = true;
		return take_number(optarg, &call->limit) &&
		       call->limit <= 10000;
	case OPT_PORT:
		call->port_given = true;
		return take_number(optarg, &call->dashboard.port) &&
		       call->dashboard.port <= 65535;
	case OPT_INTERVAL:
		call->interval_given = true;
		return take_number(optarg, &call->watch.interval_s);
	default:
		call->count_given = true;
		return take_number(optarg, &call->watch.count);
	}
}

int ctl_parse(struct invocation *call, int argc, char **argv)
{
	const char *socket = getenv("STEKCTL_SOCKET");
	int option, index = 0;

	*call = (struct invocation){.watch = {.interval_s = 2}};
	call->target.socket = socket && *socket ? socket
						: "/run/stekd/admin.sock";
	optind = 0;		/* glibc: start afresh, for the tests */
	while ((option = getopt_long(argc, argv, "h", long_options, &index)) !=
	       -1) {
		if (option == OPT_HELP || option == 'h') {
			ctl_usage(stdout);
			return 1;
		}
		if (option == OPT_VERSION) {
			printf("stekctl %s\n", stek_version_string());
			return 1;
		}
		if (option == '?')
			return -1;
		if (take_option(call, option))
			continue;
		fprintf(stderr, "stekctl: --%s: wrong value: %s%s\n",
			long_options[index].name, optarg,
			option == OPT_URL ? " (expected http://127.0.0.1:PORT:"
					    " only loopback, the token travels "
					    "in the clear; or "
					    "https://HOST:PORT)" : "");
		return -1;
	}
	call->args = argv + optind + 1;
	call->n_args = argc - optind - 1;
	return 0;
}
