/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekd.c - the daemon's main(): options, the configuration, the order in
 * which the parts of a node start and stop, and signals. Everything that can
 * be wrong is found before the first thread starts. stekd(8).
 */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "activation.h"
#include "admin.h"
#include "admin_route.h"
#include "deny.h"
#include "event.h"
#include "feed.h"
#include "generation.h"
#include "log.h"
#include "node.h"
#include "notify.h"
#include "privilege.h"
#include "quota.h"
#include "reload.h"
#include "sampler.h"
#include "tls.h"
#include "worker.h"

#define DEFAULT_CONFIG "/etc/stekd/stekd.yaml"
#define TURN_MS 1000

enum { EXIT_OK = 0, EXIT_START = 1, EXIT_CONFIG = 2 };

struct options {
	const char *config;
	bool check;
};

static void usage(FILE *out)
{
	fputs("usage: stekd [-c FILE] [--check]\n"
	      "  -c, --config FILE  read FILE instead of " DEFAULT_CONFIG "\n"
	      "      --check        check the configuration and exit\n"
	      "      --version      print the version and exit\n"
	      "  -h, --help         print this and exit\n"
	      "Runs one node of a farm in the foreground; SIGTERM drains it. "
	      "stekd(8)\n", out);
}

/* -1: go on; otherwise the exit status. */
static int parse_options(int argc, char **argv, struct options *out)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'k' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", known, NULL)) != -1) {
		switch (c) {
		case 'c':
			out->config = optarg;
			break;
		case 'k':
			out->check = true;
			break;
		case 'v':
			printf("stekd %s\n", stek_version_string());
			return EXIT_OK;
		case 'h':
			usage(stdout);
			return EXIT_OK;
		default:
			usage(stderr);
			return EXIT_CONFIG;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "stekd: unexpected argument: %s\n", argv[optind]);
	usage(stderr);
	return EXIT_CONFIG;
}

static void on_event(void *user, const struct stek_event *event)
{
	struct node *node = user;

	event_log(event);
	if (node->sampler != NULL)
		sampler_wake(node->sampler);
}

static size_t on_beat(void *user, uint8_t *buf, size_t cap)
{
	struct counters sum;

	node_counters(user, &sum);
	node_facts(user, &sum.facts);
	return counters_pack(&sum, buf, cap);
}

static struct stek_store_reach store_reach(const struct settings_store *store)
{
	return (struct stek_store_reach){
		.ca = store->ca,
		.certificate = store->certificate,
		.key = store->key,
		.server_name = store->server_name,
		.sentinel_user = store->sentinel_user,
		.sentinel_password_file = store->sentinel_password_file,
		.wait_replicas = store->wait_replicas,
		.wait_ms = store->wait_ms,
	};
}

static int open_farm(struct node *node, char *why, size_t why_len)
{
	const struct settings *settings = node->fixed;
	struct stek_store_config stores[STEK_STORES_MAX];
	const struct stek_farm_options options = {
		.farm = settings->farm,
		.node = settings->node,
		.farm_key_file = settings->farm_key,
		.state_dir = settings->state_dir,
		.stores = stores,
		.n_stores = settings->n_stores,
		.policy = settings->policy,
		.on_event = on_event,
		.on_beat = on_beat,
		.user = node,
	};
	bool borrowed, opened;
	size_t i;

	for (i = 0; i < settings->n_stores; i++)
		stores[i] = (struct stek_store_config){
			.url = settings->stores[i].url,
			.user = settings->stores[i].user,
			.password_file = settings->stores[i].password_file,
			.reach = store_reach(&settings->stores[i]),
		};
	borrowed = privilege_borrow(settings, settings->farm_key);
	opened = stek_farm_open(&node->farm, &options, why, why_len) == 0;
	if (privilege_return(borrowed) == 0)
		return opened ? 0 : -1;
	snprintf(why, why_len, "cannot act as root again");
	return -1;
}

static int make_workers(struct node *node, char *why, size_t why_len)
{
	unsigned i, n = node->fixed->workers;

	if (node->fixed->n_listen == 0)
		return 0;
	node->workers = calloc(n, sizeof(*node->workers));
	if (node->workers == NULL) {
		snprintf(why, why_len, "out of memory");
		return -1;
	}
	for (i = 0; i < n; i++) {
		if (worker_new(&node->workers[i], node, i, why, why_len) != 0)
			return -1;
		node->n_workers = i + 1;
	}
	return 0;
}

static void log_listeners(const struct node *node)
{
	struct settings_address bound;
	size_t i;

	for (i = 0; node->n_workers > 0 && i < node->fixed->n_listen; i++)
		if (worker_address(node->workers[0], i, &bound) == 0)
			log_event(LOG_INFO, "listening", "address", LOG_STR,
				  bound.text, "role", LOG_STR, "tls", NULL);
}

/* The parts that need no thread: also what --check does. 0 or -1. */
static int prepare(struct node *node, char *why, size_t why_len)
{
	struct generation *first;

	if (wolfSSL_Init() != WOLFSSL_SUCCESS) {
		snprintf(why, why_len, "wolfSSL does not initialise");
		return -1;
	}
	if (open_farm(node, why, why_len) != 0)
		return -1;
	node->quota = quota_new(node->fixed->max_connections);
	if (!node->quota) {
		snprintf(why, why_len, "no memory for the connections' table");
		return -1;
	}
	node->deny = deny_new();
	if (node->deny == NULL) {
		snprintf(why, why_len, "out of memory");
		return -1;
	}
	node->started_at_ms = stek_farm_now_ms(node->farm);
	node->sampler = sampler_new(node);
	node->feed = feed_new();
	if (node->sampler == NULL || node->feed == NULL) {
		snprintf(why, why_len, "out of memory");
		return -1;
	}
	if (generation_new(&first, node, node->fixed, NULL, why, why_len) != 0)
		return -1;
	if (generation_install(node, first, why, why_len) != 0) {
		generation_free(first);
		return -1;
	}
	return 0;
}

/* A balancer that asks /readyz stops sending before the ports are closed. */
static void lame_duck(struct node *node)
{
	struct generation *present = generation_take(node);
	uint32_t ms = present->settings->drain_delay_ms;
	struct timespec left = { ms / 1000, (long)(ms % 1000) * 1000000 };

	generation_release(present);
	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

/* Drains the workers that run; a second signal ends the process at once. */
static void drain(struct node *node, size_t running)
{
	sigset_t signals;
	size_t i;

	node->draining = true;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
	if (running > 0 && running == node->n_workers)
		lame_duck(node);
	for (i = 0; i < running; i++)
		worker_drain(node->workers[i]);
	for (i = 0; i < running; i++)
		worker_join(node->workers[i]);
}

/*
 * Takes any state of starting. The workers have been joined and have no
 * connections, but until the farm is closed its heartbeats read their counters.
 */
static void dismantle(struct node *node, struct admin *admin)
{
	size_t i;

	admin_stop(admin);
	generation_end(node);
	deny_free(node->deny);
	stek_farm_close(node->farm);
	for (i = 0; i < node->n_workers; i++)
		worker_free(node->workers[i]);
	free(node->workers);
	quota_free(node->quota);
	activation_free(node->activation);
	sampler_free(node->sampler);
	feed_free(node->feed);
	node_forget_names(node);
	wolfSSL_Cleanup();
}

static void reload(struct node *node)
{
	struct reload result;

	reload_run(node, "SIGHUP", NULL, &result);
	reload_clear(&result);
}

/* systemd ends what does not turn any more, and starts it anew. */
static void feed_watchdog(struct node *node)
{
	bool all = true;
	size_t i;

	for (i = 0; i < node->n_workers; i++)
		all = worker_turns(node->workers[i]) && all;
	if (all)
		notify("WATCHDOG=1");
}

static int64_t mono_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until SIGTERM or SIGINT; meanwhile learns who else is in the farm. */
static void serve(struct node *node, const sigset_t *signals)
{
	uint32_t watchdog_ms = notify_watchdog_ms();
	uint32_t turn_ms = TURN_MS;
	int64_t learnt_ms = 0;
	struct timespec wait;
	int got;

	if (watchdog_ms != 0 && watchdog_ms / 3 < turn_ms)
		turn_ms = watchdog_ms / 3 + 1;
	wait.tv_sec = turn_ms / 1000;
	wait.tv_nsec = (long)(turn_ms % 1000) * 1000000;
	for (;;) {
		if (watchdog_ms != 0)
			feed_watchdog(node);
		got = sigtimedwait(signals, NULL, &wait);
		if (got == SIGTERM || got == SIGINT)
			break;
		if (got == SIGHUP)
			reload(node);
		(void)generation_reap(node);
		if (mono_ms() - learnt_ms < TURN_MS)
			continue;
		learnt_ms = mono_ms();
		node_learn_names(node);
		admin_note(node);
	}
	log_event(LOG_INFO, "stopping", "signal", LOG_STR,
		  got == SIGTERM ? "SIGTERM" : "SIGINT", NULL);
}

static int start_workers(struct node *node, size_t *running, char *why,
			 size_t why_len)
{
	for (*running = 0; *running < node->n_workers; ++*running)
		if (worker_start(node->workers[*running]) != 0) {
			snprintf(why, why_len, "cannot start worker %zu: %s",
				 *running, strerror(errno));
			return -1;
		}
	return 0;
}

/* Every socket, of systemd's or our own, while we may still be root. */
static int bind_all(struct node *node, struct admin **admin, char *why,
		    size_t why_len)
{
	if (activation_take(&node->activation, why, why_len) != 0 ||
	    make_workers(node, why, why_len) != 0 ||
	    admin_open(admin, node, why, why_len) != 0)
		return -1;
	node->admin = *admin;
	return activation_check(node->activation, why, why_len);
}

static int run(struct node *node)
{
	struct admin *admin = NULL;
	size_t running = 0;
	sigset_t signals;
	int status = EXIT_START;
	char why[512] = "";

	/* Blocked in every thread that starts from here on. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);

	if (prepare(node, why, sizeof(why)) != 0) {
		status = EXIT_CONFIG;
		goto out;
	}
	if (bind_all(node, &admin, why, sizeof(why)) != 0 ||
	    privilege_drop(node->fixed, node->config, why, sizeof(why)) != 0)
		goto out;
	log_listeners(node);
	if (stek_farm_start(node->farm) != 0) {
		snprintf(why, sizeof(why), "cannot start the sync thread");
		goto out;
	}
	/* The workers hand connections to the endpoint. */
	if (admin_serve(admin, why, sizeof(why)) != 0 ||
	    start_workers(node, &running, why, sizeof(why)) != 0)
		goto out;
	log_event(LOG_INFO, "ready to serve", "farm", LOG_STR,
		  node->fixed->farm, "workers", LOG_INT,
		  (int64_t)node->n_workers, "version", LOG_STR,
		  stek_version_string(), NULL);
	notify("READY=1\nSTATUS=serving, configuration 1");
	serve(node, &signals);
	notify("STOPPING=1\nSTATUS=waiting for connections to end");
	status = EXIT_OK;
out:
	if (status != EXIT_OK)
		log_event(LOG_ERROR, "cannot start", "detail", LOG_STR, why,
			  NULL);
	drain(node, running);
	dismantle(node, admin);
	if (status == EXIT_OK)
		log_event(LOG_INFO, "stopped", NULL);
	return status;
}

static int check(struct node *node, const char *path)
{
	char why[512] = "";
	int failed = prepare(node, why, sizeof(why));

	dismantle(node, NULL);
	if (failed) {
		fprintf(stderr, "%s: %s\n", path, why);
		return EXIT_CONFIG;
	}
	printf("%s: good\n", path);
	return EXIT_OK;
}

int main(int argc, char **argv)
{
	struct options options = { .config = DEFAULT_CONFIG };
	struct settings *settings = NULL;
	struct node node;
	int status = parse_options(argc, argv, &options);

	if (status >= 0)
		return status;
	privilege_harden();
	if (settings_read(&settings, options.config, stderr) != 0)
		return EXIT_CONFIG;
	log_setup(settings->log_level, settings->log_format, settings->node);
	memset(&node, 0, sizeof(node));
	node.fixed = settings;
	node.config = options.config;
	status = options.check ? check(&node, options.config) : run(&node);
	settings_free(settings);
	return status;
}
