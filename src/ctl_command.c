/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekctl's commands: each asks the daemon's admin endpoint and prints the
 * answer; keygen alone needs no daemon. The command line: ctl_options.c.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include <stek.h>

#include "ctl_options.h"

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
	if (call->note)
		json_object_set_new(body, "note", json_string(call->note));
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
	if (call->note)
		json_object_set_new(body, "note", json_string(call->note));
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

static enum ctl_exit run_dashboard(const struct invocation *call)
{
	struct dash_options options = call->dashboard;

	options.json = call->json;
	return ctl_dashboard(&call->target, &options, stdout);
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
	{"watch", 0, run_watch},     {"dashboard", 0, run_dashboard},
};

/* Options that belong to one command are errors with the others. */
static bool options_fit(const struct invocation *call, const char *name)
{
	bool watch = strcmp(name, "watch") == 0;
	bool audit = strcmp(name, "audit") == 0;
	bool change = strcmp(name, "rotate") == 0 ||
		      strcmp(name, "revoke") == 0;

	if ((call->append && strcmp(name, "keygen") != 0) ||
	    ((call->dry_run || call->name || call->note ||
	      call->if_match[0]) &&
	     !change) ||
	    ((call->verify || call->limit_given) && !audit) ||
	    ((call->port_given || call->dashboard.no_open) &&
	     strcmp(name, "dashboard") != 0))
		return false;
	return (!call->force || strcmp(name, "rotate") == 0) &&
	       (!call->all || strcmp(name, "revoke") == 0) &&
	       ((!call->interval_given && !call->count_given) || watch);
}

static enum ctl_exit run(struct invocation *call, const char *name)
{
	const struct command *command = NULL;
	char why[512], own[40];
	const char *wrong;

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
	wrong = ctl_way_wrong(&call->target, call->token_file,
			      call->passphrase_file);
	if (wrong)
		return usage_error(wrong);
	if (ctl_way_prepare(&call->target, call->token_file,
			    call->passphrase_file, why, sizeof(why)) != 0) {
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
	int parsed = ctl_parse(&call, argc, argv);

	if (parsed != 0)
		return parsed < 0 ? CTL_USAGE : CTL_OK;
	if (call.n_args < 0) {
		ctl_usage(stderr);
		return CTL_USAGE;
	}
	result = run(&call, argv[optind]);
	ctl_token_wipe(&call.target);
	return result;
}
