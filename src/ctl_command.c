/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekctl's command line and commands: each asks the daemon's admin endpoint
 * and prints the answer; keygen alone needs no daemon.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include <stek.h>

#include "ctl.h"

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
	"\n"
	"  --socket PATH            admin socket ($STEKCTL_SOCKET, else\n"
	"                           /run/stekd/admin.sock)\n"
	"  --url URL                http://127.0.0.1:PORT instead, with\n"
	"  --token-file FILE        the bearer token (mode 0600)\n"
	"  --json                   print the daemon's JSON\n"
	"  --help, --version\n"
	"\n"
	"exit status: 0 good, 1 refused or failed, 2 wrong usage, 3 stekd cannot\n"
	"be reached, 4 not ready (status).\n";

struct invocation {
	struct ctl_target target;
	const char *token_file;
	struct ctl_watch watch;
	bool json, force, all, interval_given, count_given;
	bool append, dry_run, verify, limit_given;
	unsigned limit;
	const char *name;	/* --idempotency-key */
	char if_match[CTL_TAG_LEN];	/* of --if-epoch; "": none */
	char **args;		/* the command's operands */
	int n_args;
};

struct command {
	const char *name;
	int most_args;
	enum ctl_exit (*run)(const struct invocation *call);
};

static enum ctl_exit usage_error(const char *what)
{
	fprintf(stderr, "stekctl: %s (--help)\n", what);
	return CTL_USAGE;
}

static enum ctl_exit run_keygen(const struct invocation *call)
{
	if (call->n_args != 1)
		return usage_error("keygen needs the FILE to write");
	return ctl_keygen(call->args[0], call->append, call->json);
}

/* Asks and prints. `ready` (may be NULL) gets the answer's member. */
static enum ctl_exit ask(const struct invocation *call, const char *path,
			 const json_t *body,
			 void (*show)(const json_t *answer, FILE *out),
			 bool *ready)
{
	struct ctl_reply reply;
	enum ctl_exit result;
	char why[512];

	result = ctl_request_if(&call->target, path, body ? call->name : NULL,
				call->if_match[0] ? call->if_match : NULL,
				body, &reply, why, sizeof(why));
	if (result != CTL_OK) {
		fprintf(stderr, "stekctl: %s\n", why);
		return result;
	}
	if (reply.status < 200 || reply.status > 299) {
		result = CTL_REFUSED;
		ctl_show_problem(&reply, stderr);
	} else if (!json_is_object(reply.body)) {
		result = CTL_REFUSED;
		fputs("stekctl: the answer is not JSON; is that stekd?\n",
		      stderr);
	} else if (!call->json) {
		show(reply.body, stdout);
	}
	if (call->json && reply.body) {
		json_dumpf(reply.body, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	if (ready)
		*ready = json_is_true(json_object_get(reply.body, strncmp(
				path, "/v1/audit", 9) ? "ready" : "good"));
	ctl_reply_clear(&reply);
	return result;
}

static enum ctl_exit run_status(const struct invocation *call)
{
	bool ready = false;
	enum ctl_exit result = ask(call, "/v1/status", NULL, ctl_show_status,
				   &ready);

	return result == CTL_OK && !ready ? CTL_NOT_READY : result;
}

static enum ctl_exit run_keys(const struct invocation *call)
{
	return ask(call, "/v1/keys", NULL, ctl_show_keys, NULL);
}

static enum ctl_exit run_nodes(const struct invocation *call)
{
	return ask(call, "/v1/nodes", NULL, ctl_show_nodes, NULL);
}

static enum ctl_exit run_stats(const struct invocation *call)
{
	return ask(call, "/v1/stats", NULL, ctl_show_stats, NULL);
}

static enum ctl_exit run_rotate(const struct invocation *call)
{
	json_t *body = json_object();
	enum ctl_exit result;

	if (call->force)
		json_object_set_new(body, "force", json_true());
	if (call->dry_run)
		json_object_set_new(body, "dry_run", json_true());
	result = ask(call, "/v1/rotate", body, ctl_show_change, NULL);
	json_decref(body);
	return result;
}

static bool key_id_valid(const char *text)
{
	return strlen(text) == 2 * STEK_ID_LEN &&
	       strspn(text, "0123456789abcdef") == 2 * STEK_ID_LEN;
}

static enum ctl_exit run_revoke(const struct invocation *call)
{
	enum ctl_exit result;
	json_t *body, *keys;

	if (call->all == (call->n_args > 0))
		return usage_error("revoke needs either KEYID... or --all");
	for (int i = 0; i < call->n_args; i++) {
		if (!key_id_valid(call->args[i]))
			return usage_error("a KEYID is 32 lower-case hex digits, "
					   "as in: stekctl keys");
	}
	body = json_object();
	if (call->all)
		json_object_set_new(body, "all", json_true());
	if (call->dry_run)
		json_object_set_new(body, "dry_run", json_true());
	keys = json_array();
	for (int i = 0; i < call->n_args; i++)
		json_array_append_new(keys, json_string(call->args[i]));
	if (!call->all)
		json_object_set(body, "keys", keys);
	result = ask(call, "/v1/revoke", body, ctl_show_change, NULL);
	json_decref(keys);
	json_decref(body);
	return result;
}

static enum ctl_exit run_audit(const struct invocation *call)
{
	enum ctl_exit result;
	bool good = false;
	char path[64];

	snprintf(path, sizeof(path), "/v1/audit?limit=%u&verify=%d",
		 call->limit_given ? call->limit : 50, call->verify);
	result = ask(call, path, NULL, ctl_show_audit, &good);
	return result == CTL_OK && !good ? CTL_REFUSED : result;
}

/* A change that needs nothing but to be asked for. */
static enum ctl_exit tell(const struct invocation *call, const char *path,
			  void (*show)(const json_t *answer, FILE *out))
{
	json_t *body = json_object();
	enum ctl_exit result = ask(call, path, body, show, NULL);

	json_decref(body);
	return result;
}

static enum ctl_exit run_farm_key(const struct invocation *call)
{
	const char *what = call->n_args > 0 ? call->args[0] : "status";

	if (strcmp(what, "status") == 0)
		return ask(call, "/v1/farm-key", NULL, ctl_show_farm_key,
			   NULL);
	if (strcmp(what, "reload") != 0)
		return usage_error("farm-key takes status or reload");
	return tell(call, "/v1/farm-key/reload", ctl_show_farm_key);
}

static enum ctl_exit run_reload(const struct invocation *call)
{
	return tell(call, "/v1/reload", ctl_show_reload);
}

static enum ctl_exit run_deny(const struct invocation *call)
{
	const char *wrong;
	json_t *body = ctl_deny_body(call->n_args, call->args, &wrong);
	enum ctl_exit result = wrong ? usage_error(wrong) :
		ask(call, "/v1/deny", body, ctl_show_deny, NULL);

	json_decref(body);
	return result;
}

static enum ctl_exit run_watch(const struct invocation *call)
{
	struct ctl_watch options = call->watch;

	options.json = call->json;
	return ctl_watch(&call->target, &options, stdout);
}

static const struct command commands[] = {
	{"audit", 0, run_audit},     {"deny", 2, run_deny},
	{"farm-key", 1, run_farm_key},
	{"keygen", 1, run_keygen},   {"status", 0, run_status},
	{"keys", 0, run_keys},	     {"nodes", 0, run_nodes},
	{"stats", 0, run_stats},     {"rotate", 0, run_rotate},
	{"revoke", 64, run_revoke},  {"reload", 0, run_reload},
	{"watch", 0, run_watch},
};

enum {
	OPT_SOCKET = 256,
	OPT_URL,
	OPT_TOKEN_FILE,
	OPT_JSON,
	OPT_FORCE,
	OPT_ALL,
	OPT_INTERVAL,
	OPT_COUNT,
	OPT_APPEND,
	OPT_DRY_RUN,
	OPT_IDEMPOTENCY_KEY,
	OPT_IF_EPOCH,
	OPT_LIMIT,
	OPT_VERIFY,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{"socket", required_argument, NULL, OPT_SOCKET},
	{"url", required_argument, NULL, OPT_URL},
	{"token-file", required_argument, NULL, OPT_TOKEN_FILE},
	{"json", no_argument, NULL, OPT_JSON},
	{"force", no_argument, NULL, OPT_FORCE},
	{"all", no_argument, NULL, OPT_ALL},
	{"interval", required_argument, NULL, OPT_INTERVAL},
	{"count", required_argument, NULL, OPT_COUNT},
	{"append", no_argument, NULL, OPT_APPEND},
	{"dry-run", no_argument, NULL, OPT_DRY_RUN},
	{"idempotency-key", required_argument, NULL, OPT_IDEMPOTENCY_KEY},
	{"if-epoch", required_argument, NULL, OPT_IF_EPOCH},
	{"limit", required_argument, NULL, OPT_LIMIT},
	{"verify", no_argument, NULL, OPT_VERIFY},
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

static bool take_option(struct invocation *call, int option)
{
	switch (option) {
	case OPT_SOCKET:
		call->target.socket = optarg;
		return *optarg != '\0' && strlen(optarg) < 108;
	case OPT_URL:
		call->target.url = optarg;
		return ctl_url_valid(optarg) && strlen(optarg) < 200;
	case OPT_TOKEN_FILE:
		call->token_file = optarg;
		return true;
	case OPT_JSON:
		call->json = true;
		return true;
	case OPT_FORCE:
		call->force = true;
		return true;
	case OPT_ALL:
		call->all = true;
		return true;
	case OPT_APPEND:
		call->append = true;
		return true;
	case OPT_DRY_RUN:
		call->dry_run = true;
		return true;
	case OPT_VERIFY:
		call->verify = true;
		return true;
	case OPT_IDEMPOTENCY_KEY:
		call->name = optarg;
		return name_valid(optarg);
	case OPT_IF_EPOCH:
		return ctl_tag(call->if_match, optarg);
	case OPT_LIMIT:
		call->limit_given = true;
		return take_number(optarg, &call->limit) &&
		       call->limit <= 10000;
	case OPT_INTERVAL:
		call->interval_given = true;
		return take_number(optarg, &call->watch.interval_s);
	default:
		call->count_given = true;
		return take_number(optarg, &call->watch.count);
	}
}

/* 0: go on; 1: done (help); -1: wrong, told. */
static int parse(struct invocation *call, int argc, char **argv)
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
			fputs(usage, stdout);
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
					    "in the clear)" : "");
		return -1;
	}
	call->args = argv + optind + 1;
	call->n_args = argc - optind - 1;
	return 0;
}

/* Options that belong to one command are errors with the others. */
static bool options_fit(const struct invocation *call, const char *name)
{
	bool watch = strcmp(name, "watch") == 0;
	bool audit = strcmp(name, "audit") == 0;
	bool change = strcmp(name, "rotate") == 0 ||
		      strcmp(name, "revoke") == 0;

	if ((call->append && strcmp(name, "keygen") != 0) ||
	    ((call->dry_run || call->name || call->if_match[0]) &&
	     !change) ||
	    ((call->verify || call->limit_given) && !audit))
		return false;
	return (!call->force || strcmp(name, "rotate") == 0) &&
	       (!call->all || strcmp(name, "revoke") == 0) &&
	       ((!call->interval_given && !call->count_given) || watch);
}

static enum ctl_exit run(struct invocation *call, const char *name)
{
	const struct command *command = NULL;
	char why[512], own[40];

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, name) == 0)
			command = &commands[i];
	}
	if (!command) {
		fprintf(stderr, "stekctl: unknown command: %s (--help)\n",
			name);
		return CTL_USAGE;
	}
	if (call->n_args > command->most_args)
		return usage_error("too many operands");
	if (!options_fit(call, name))
		return usage_error("an option does not belong to this command");
	if (call->token_file && !call->target.url)
		return usage_error("--token-file goes with --url");
	if (call->token_file &&
	    ctl_token_read(call->target.token, call->token_file, why,
			   sizeof(why)) != 0) {
		fprintf(stderr, "stekctl: %s\n", why);
		return CTL_USAGE;
	}
	if (!call->name && ctl_name(own, sizeof(own)))
		call->name = own;
	return command->run(call);
}

enum ctl_exit ctl_run(int argc, char **argv)
{
	struct invocation call;
	enum ctl_exit result;
	int parsed = parse(&call, argc, argv);

	if (parsed != 0)
		return parsed < 0 ? CTL_USAGE : CTL_OK;
	if (call.n_args < 0) {
		fputs(usage, stderr);
		return CTL_USAGE;
	}
	result = run(&call, argv[optind]);
	ctl_token_wipe(&call.target);
	return result;
}
