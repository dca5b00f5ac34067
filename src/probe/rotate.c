/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekprobe rotate-test: a load in threads of its own, and in this one what is
 * done to the farm meanwhile, as an operator does it: over the admin endpoint
 * with stekctl's code, or by ending a process. An era of the load begins with
 * each request and with each answer, so every connection is counted under the
 * event that it met, whatever the clock says.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rotate.h"
#include "stop.h"

#define TURN_MS 20
#define RETRY_MOST_S 3600

extern char **environ;

struct run {
	const struct rotate_plan *plan;
	struct rotate_result *out;
	struct load_plan load;
	struct load_control control;
	struct cpu_sample victim;	/* who it is that is to go */
	atomic_bool load_ended;
	int load_error;
};

const char *rotate_word(enum rotate_kind kind)
{
	static const char *const words[] = {"rotation", "revocation", "loss"};

	return words[kind];
}

static void *load_main(void *arg)
{
	struct run *run = arg;

	run->load_error = load_run(&run->load, &run->out->load);
	atomic_store(&run->load_ended, true);
	return NULL;
}

/* Microseconds since the measured phase began. */
static int64_t since_begun(struct run *run)
{
	return conn_now_us() - atomic_load(&run->control.begun_us);
}

static bool over(struct run *run)
{
	return stop_asked() || atomic_load(&run->load_ended);
}

/* False if the run was over before. */
static bool wait_until(struct run *run, int64_t at_us)
{
	while (!over(run) && since_begun(run) < at_us)
		poll(NULL, 0, TURN_MS);
	return !over(run);
}

static void read_nodes(struct rotate_event *event, const json_t *nodes)
{
	size_t i;
	json_t *node;

	json_array_foreach(nodes, i, node) {
		int64_t after_ms = json_integer_value(
			json_object_get(node, "after_ms"));

		if (!json_is_true(json_object_get(node, "acknowledged"))) {
			event->late++;
			continue;
		}
		event->nodes++;
		if (after_ms > event->slowest_ms)
			event->slowest_ms = after_ms;
	}
}

int rotate_read(struct rotate_event *event, const struct ctl_reply *reply,
		int64_t now_ms, int64_t now_us)
{
	const char *why = json_string_value(
		json_object_get(reply->body, "detail"));
	const json_t *at = json_object_get(reply->body, "activate_at_ms");

	event->status = reply->status;
	event->nodes = event->late = 0;
	event->slowest_ms = 0;
	read_nodes(event, json_object_get(reply->body, "nodes"));
	if (reply->status < 200 || reply->status > 299) {
		snprintf(event->detail, sizeof(event->detail), "HTTP %ld: %s",
			 reply->status, why ? why : "no reason given");
		return -1;
	}
	if (!json_is_integer(at)) {
		snprintf(event->detail, sizeof(event->detail),
			 "the answer has no activate_at_ms; is that stekd?");
		return -1;
	}
	if (json_integer_value(at) > 0)
		event->active_us = now_us +
			(json_integer_value(at) - now_ms) * 1000;
	return 0;
}

/* The farm's clock, for activate_at_ms. */
static int farm_time(struct run *run, struct rotate_event *event,
		     int64_t *now_ms, int64_t *now_us)
{
	int64_t asked_us = since_begun(run);
	struct ctl_reply reply;
	const json_t *at;
	int result = -1;

	if (ctl_request(&run->plan->target, "/v1/status", NULL, &reply,
			event->detail, sizeof(event->detail)) != CTL_OK)
		return -1;
	at = json_object_get(reply.body, "now_ms");
	if (reply.status == 200 && json_is_integer(at)) {
		*now_ms = json_integer_value(at);
		*now_us = (asked_us + since_begun(run)) / 2;
		result = 0;
	} else {
		snprintf(event->detail, sizeof(event->detail),
			 "/v1/status: HTTP %ld; is that stekd, and the token "
			 "its own?", reply.status);
	}
	ctl_reply_clear(&reply);
	return result;
}

/* One request. 0, -1, or the seconds after which it may be repeated. */
static long ask_once(struct run *run, struct rotate_event *event)
{
	bool rotate = run->plan->kind == ROTATE_ROTATE;
	struct ctl_reply reply;
	int64_t now_ms, now_us;
	json_t *body;
	long result;

	if (farm_time(run, event, &now_ms, &now_us) != 0)
		return -1;
	body = json_object();
	if (!rotate)
		json_object_set_new(body, "all", json_true());
	else if (run->plan->force)
		json_object_set_new(body, "force", json_true());
	event->asked_us = since_begun(run);
	result = ctl_request(&run->plan->target,
			     rotate ? "/v1/rotate" : "/v1/revoke", body, &reply,
			     event->detail, sizeof(event->detail));
	event->answered_us = since_begun(run);
	json_decref(body);
	if (result != CTL_OK)
		return -1;
	result = rotate_read(event, &reply, now_ms, now_us);
	if (reply.status == 429 && reply.retry_after_s > 0 &&
	    reply.retry_after_s <= RETRY_MOST_S)
		result = reply.retry_after_s;
	ctl_reply_clear(&reply);
	return result;
}

/* A rate limit is waited for, under load. */
static int ask(struct run *run, struct rotate_event *event)
{
	for (;;) {
		long result = ask_once(run, event);

		if (result <= 0)
			return (int)result;
		fprintf(stderr, "stekprobe: the farm's rate limit: again in "
			"%ld s (--force)\n", result);
		if (!wait_until(run, since_begun(run) + result * 1000000))
			return -1;
	}
}

static int spawn_command(struct run *run, struct rotate_event *event)
{
	char *const argv[] = {"sh", "-c", (char *)run->plan->command, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t ours;
	int error, status = 0;
	pid_t pid;

	sigemptyset(&ours);
	sigaddset(&ours, SIGPIPE);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigdefault(&attr, &ours);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	posix_spawn_file_actions_init(&actions);
	/* Standard output is the report's. */
	posix_spawn_file_actions_adddup2(&actions, 2, 1);
	error = posix_spawn(&pid, "/bin/sh", &actions, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	if (error == 0 && waitpid(pid, &status, 0) == pid) {
		event->status = WIFEXITED(status) ? WEXITSTATUS(status)
						  : 128 + WTERMSIG(status);
		if (event->status == 0)
			return 0;
		snprintf(event->detail, sizeof(event->detail),
			 "the command ended with status %ld", event->status);
		return -1;
	}
	snprintf(event->detail, sizeof(event->detail), "cannot run /bin/sh: %s",
		 strerror(error));
	return -1;
}

/* SIGKILL, as a machine dies: no goodbye to clients, none to the farm. */
static int lose(struct run *run, struct rotate_event *event)
{
	pid_t pid = run->plan->victim;
	struct cpu_sample now;
	int result;

	event->asked_us = since_begun(run);
	if (run->plan->command) {
		result = spawn_command(run, event);
	} else if (cpu_read(&now, pid) != 0 || now.born != run->victim.born) {
		snprintf(event->detail, sizeof(event->detail),
			 "process %ld is gone already", (long)pid);
		result = -1;
	} else {
		result = kill(pid, SIGKILL);
		if (result != 0)
			snprintf(event->detail, sizeof(event->detail),
				 "cannot kill process %ld", (long)pid);
	}
	event->answered_us = since_begun(run);
	event->active_us = event->answered_us;
	return result;
}

static void cause(struct run *run)
{
	const struct rotate_plan *plan = run->plan;

	if (!wait_until(run, (int64_t)plan->lead_s * 1000000))
		return;
	/* Not to be done to a farm that nobody watches. */
	if (atomic_load(&run->control.good) == 0) {
		fputs("stekprobe: no connection ended well, so nothing was "
		      "asked of the farm\n", stderr);
		return;
	}
	while (run->out->n < plan->times && !over(run)) {
		struct rotate_event *event = &run->out->events[run->out->n++];

		atomic_fetch_add(&run->control.era, 1);
		event->done = (plan->kind == ROTATE_LOSE
				       ? lose(run, event)
				       : ask(run, event)) == 0;
		atomic_fetch_add(&run->control.era, 1);
		if (!event->done) {
			fprintf(stderr, "stekprobe: %s %zu: %s\n",
				rotate_word(plan->kind), run->out->n,
				event->detail);
			return;
		}
		if (event->active_us < event->answered_us)
			event->active_us = event->answered_us;
		wait_until(run, event->active_us +
					(int64_t)plan->settle_s * 500000);
		atomic_fetch_add(&run->control.era, 1);
		wait_until(run, event->active_us +
					(int64_t)plan->settle_s * 1000000);
	}
}

int rotate_run(const struct rotate_plan *plan, struct rotate_result *out)
{
	struct run run = {.plan = plan, .out = out, .load = plan->load};
	pthread_t thread;

	*out = (struct rotate_result){0};
	run.load.control = &run.control;
	run.load.connections = 0;
	run.load.duration_s = 0;
	if (plan->kind == ROTATE_LOSE && !plan->command &&
	    cpu_read(&run.victim, plan->victim) != 0) {
		fprintf(stderr, "stekprobe: there is no process %ld\n",
			(long)plan->victim);
		return -1;
	}
	if (pthread_create(&thread, NULL, load_main, &run) != 0)
		return -1;
	while (atomic_load(&run.control.begun_us) == 0 &&
	       !atomic_load(&run.load_ended))
		poll(NULL, 0, TURN_MS);
	cause(&run);
	out->ended_us = since_begun(&run);
	atomic_store(&run.control.end, true);
	pthread_join(thread, NULL);
	return run.load_error;
}

void rotate_clear(struct rotate_result *result)
{
	load_clear(&result->load);
}

struct moment rotate_before(const struct rotate_result *result)
{
	return course_sum(&result->load.eras, 0, 1);
}

struct moment rotate_since(const struct rotate_result *result, size_t i)
{
	return course_sum(&result->load.eras, 3 * i + 1, 3 * i + 4);
}

/*
 * Nothing that was revoked resumes, and all that was given since the replacement
 * is settled does. Of what was given in between, which opens nothing, the last
 * may be offered late: the newest tickets are offered first.
 */
static bool revoked_well(const struct rotate_result *result)
{
	struct moment all = course_sum(&result->load.eras, 0, SIZE_MAX);
	struct moment settled = course_sum(&result->load.eras, 3 * result->n,
					   SIZE_MAX);

	return all.old == 0 && settled.fresh > 0 && all.fresh_lost == 0 &&
	       settled.failed == 0 && settled.bare == 0;
}

int rotate_verdict(const struct rotate_plan *plan,
		   const struct rotate_result *result)
{
	struct moment all = course_sum(&result->load.eras, 0, SIZE_MAX);
	uint64_t short_of = all.lost;

	if (!result->load.reached)
		return 3;
	if (result->n < plan->times || !result->events[result->n - 1].done ||
	    result->load.warm_failed > 0 || all.failed > plan->most_failed)
		return 1;
	if (plan->kind == ROTATE_REVOKE)
		return revoked_well(result) ? 0 : 1;
	/* A failed connection has spent its ticket, and the next has none. */
	if (plan->kind == ROTATE_ROTATE)
		short_of += all.bare;
	if (all.resumed == 0)
		return 1;
	return all.resumed * SHARE_WHOLE <
	       (all.resumed + short_of) * plan->expect;
}
