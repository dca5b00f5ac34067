/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reload.c - reads the configuration, the certificates and the farm keys again
 * while the node serves. Whatever can fail comes first; then the new generation
 * is installed, which cannot. Called by stekd.c for SIGHUP and by
 * admin_reload.c for POST /v1/reload.
 */
#include "reload.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "generation.h"
#include "log.h"
#include "notify.h"

#define FAULTS_LOGGED 20

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Everything that can fail. NULL: `err` says why. */
static struct generation *prepare(struct node *node, const char *who,
				  const char *from, FILE *err)
{
	struct settings *settings = NULL;
	struct generation *generation = NULL;
	char why[512] = "";

	if (settings_read_again(&settings, node->config, node->fixed, err))
		return NULL;
	if (generation_new(&generation, node, settings, settings, why,
			   sizeof(why)) != 0) {
		fprintf(err, "%s: %s\n", node->config, why);
		settings_free(settings);
		return NULL;
	}
	/* Last: the only change of what is not the generation's. */
	if (stek_farm_key_reload(node->farm, who, from, why,
				 sizeof(why)) != 0) {
		fprintf(err, "%s\n", why);
		generation_free(generation);
		return NULL;
	}
	return generation;
}

static void log_faults(const char *who, const char *faults, uint64_t present)
{
	const char *line = faults, *end;
	unsigned n = 0;
	char text[512];

	for (; *line != '\0'; line = end + (*end == '\n')) {
		end = strchrnul(line, '\n');
		snprintf(text, sizeof(text), "%.*s", (int)(end - line), line);
		if (n++ < FAULTS_LOGGED)
			log_event(LOG_ERROR, "configuration refused", "who",
				  LOG_STR, who, "detail", LOG_STR, text, NULL);
	}
	log_event(LOG_ERROR, "not reloaded", "who", LOG_STR, who, "faults",
		  LOG_INT, (int64_t)n, "generation", LOG_INT,
		  (int64_t)present, NULL);
}

static void note(struct node *node, const char *who, const char *from,
		 const struct reload *reload)
{
	struct stek_note entry = {
		.who = who, .from = from, .action = "reload", .result = "ok",
	};
	char text[64];

	snprintf(text, sizeof(text), "generation %llu",
		 (unsigned long long)reload->generation);
	entry.detail = text;
	if (!reload->good) {
		entry.result = "refused";
		entry.detail = reload->faults;
	}
	if (stek_farm_audit_note(node->farm, &entry) != 0)
		log_event(LOG_WARN, "the reload is not in the audit", "who",
			  LOG_STR, who, NULL);
}

/* Nothing after STOPPING=1. */
static void tell_systemd(const struct node *node, const struct reload *reload)
{
	if (node->draining)
		return;
	notify("READY=1\nSTATUS=serving, configuration %llu%s",
	       (unsigned long long)reload->generation, reload->good ? "" :
	       "; the last reload was refused, see the log");
}

static void succeed(struct node *node, struct generation *generation,
		    const char *who, struct reload *out)
{
	const struct settings *settings = generation->settings;
	size_t n_hosts = settings->n_hosts;

	log_alter(settings->log_level, settings->log_format);
	node->reloads_good++;
	node->reloaded_at_ms = out->at_ms;
	log_event(LOG_INFO, "configuration reloaded", "who", LOG_STR, who,
		  "generation", LOG_INT, (int64_t)out->generation, "hosts",
		  LOG_INT, (int64_t)n_hosts, "took_ms", LOG_INT, out->took_ms,
		  NULL);
}

void reload_run(struct node *node, const char *who, const char *from,
		struct reload *out)
{
	int64_t began_ms;
	struct generation *next;
	char why[512] = "";
	size_t len = 0;
	FILE *err;

	memset(out, 0, sizeof(*out));
	pthread_mutex_lock(&one_at_a_time);
	began_ms = now_ms();
	if (!node->draining)
		notify_reloading();
	err = open_memstream(&out->faults, &len);
	next = err != NULL ? prepare(node, who, from, err) : NULL;
	if (next != NULL &&
	    generation_install(node, next, why, sizeof(why)) != 0) {
		fprintf(err, "%s\n", why);
		generation_free(next);
		next = NULL;
	}
	if (err != NULL)
		fclose(err);
	out->good = next != NULL;
	out->generation = generation_number(node);
	out->at_ms = stek_farm_now_ms(node->farm);
	out->took_ms = now_ms() - began_ms;
	if (next != NULL) {
		succeed(node, next, who, out);
		reload_clear(out);
	} else {
		node->reloads_failed++;
		if (out->faults == NULL || out->faults[0] == '\0') {
			free(out->faults);
			out->faults = strdup("out of memory\n");
		}
		log_faults(who, out->faults != NULL ? out->faults : "",
			   out->generation);
	}
	tell_systemd(node, out);
	note(node, who, from, out);
	pthread_mutex_unlock(&one_at_a_time);
}

void reload_clear(struct reload *reload)
{
	free(reload->faults);
	reload->faults = NULL;
}
