/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_farm.c - the node that the tests of the admin endpoint and of the
 * metrics ask. A farm without a worker is a key keeper, so it is a whole node.
 */
#include <check.h>
#include <dirent.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "admin_farm.h"
#include "feed.h"
#include "generation.h"
#include "sampler.h"

#include "deny.h"

#define PERIOD "CHECK_ADMIN_PERIOD_S"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool active;

uint32_t admin_farm_rotate_delay_ms = 40000;

static void on_event(void *user, const struct stek_event *event)
{
	struct node *node = user;

	if (node->sampler != NULL)
		sampler_wake(node->sampler);
	pthread_mutex_lock(&lock);
	active |= event->kind == STEK_EVENT_ACTIVE_KEY;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&lock);
}

static size_t on_beat(void *user, uint8_t *buf, size_t cap)
{
	struct counters sum;

	node_counters(user, &sum);
	node_facts(user, &sum.facts);
	return counters_pack(&sum, buf, cap);
}

static void write_token(const char *path)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(ADMIN_FARM_TOKEN "\n", f);
	fclose(f);
	ck_assert_int_eq(chmod(path, 0600), 0);
}

/*
 * A period that is not about to end: no key changes but by the test. The whole
 * farm has that of the process that began it.
 */
static uint32_t quiet_period_s(void)
{
	const char *begun = getenv(PERIOD);
	uint32_t period_s = begun ? (uint32_t)atoi(begun) : 21600;
	char text[16];

	while (!begun && period_s - (uint64_t)time(NULL) % period_s < 1200)
		period_s -= 1500;
	snprintf(text, sizeof(text), "%u", (unsigned)period_s);
	setenv(PERIOD, text, 1);
	return period_s;
}

/*
 * What every process of a farm in this directory agrees on. However slow the
 * machine, none counts as gone (three heartbeats), nor as late for a rotation
 * (half its delay); nothing waits for either.
 */
static void name_files(struct admin_farm *farm)
{
	struct settings *settings = &farm->settings;

	sprintf(farm->socket, "%s/admin.sock", farm->dir);
	sprintf(farm->token_file, "%s/token", farm->dir);
	sprintf(farm->store_url, "file:%s/store", farm->dir);
	sprintf(farm->farm_key, "%s/farm.key", farm->dir);
	farm->store.url = farm->store_url;
	settings->stores = &farm->store;
	settings->n_stores = 1;
	settings->policy.period_s = quiet_period_s();
	settings->policy.rotate_interval_s = 60;
	settings->policy.rotate_delay_ms = admin_farm_rotate_delay_ms;
	settings->policy.revoke_delay_ms = 400;
	settings->policy.beat_ms = 20000;
}

/* Also in a process without Check, which must assert nothing. */
static struct stek_farm *open_farm(struct admin_farm *farm, const char *node)
{
	const struct stek_farm_options options = {
		.farm = "test",
		.node = node,
		.farm_key_file = farm->farm_key,
		.store_url = farm->store_url,
		.policy = farm->settings.policy,
		.on_event = on_event,
		.on_beat = on_beat,
		.user = &farm->node,
	};
	struct stek_farm *out = NULL;
	char why[256] = "";

	active = false;
	if (stek_farm_open(&out, &options, why, sizeof(why)) != 0)
		fprintf(stderr, "%s: %s\n", node, why);
	return out;
}

/* What the settings say by now. */
static void configure(struct admin_farm *farm)
{
	struct generation *generation;
	char why[256] = "";

	ck_assert_msg(generation_new(&generation, &farm->node, &farm->settings,
				     NULL, why, sizeof(why)) == 0, "%s", why);
	ck_assert_msg(generation_install(&farm->node, generation, why,
					 sizeof(why)) == 0, "%s", why);
}

static void make_store(struct admin_farm *farm)
{
	char directory[128];

	snprintf(directory, sizeof(directory), "%s/real", farm->dir);
	ck_assert_int_eq(mkdir(directory, 0700), 0);
	ck_assert_int_eq(symlink("real", farm->store_url + strlen("file:")), 0);
}

void admin_farm_open(struct admin_farm *farm)
{
	uint8_t id[8];

	memset(farm, 0, sizeof(*farm));
	strcpy(farm->dir, "/tmp/check_admin.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(farm->dir));
	name_files(farm);
	make_store(farm);
	write_token(farm->token_file);
	ck_assert_int_eq(stek_farm_key_generate(farm->farm_key, id), 0);
	farm->node.fixed = &farm->settings;
	farm->node.farm = open_farm(farm, "node-1");
	ck_assert_ptr_nonnull(farm->node.farm);
	farm->node.deny = deny_new();
	ck_assert_ptr_nonnull(farm->node.deny);
	farm->node.started_at_ms = stek_farm_now_ms(farm->node.farm);
	farm->node.sampler = sampler_new(&farm->node);
	farm->node.feed = feed_new();
	ck_assert_ptr_nonnull(farm->node.sampler);
	ck_assert_ptr_nonnull(farm->node.feed);
	configure(farm);
}

void admin_farm_start(struct admin_farm *farm)
{
	struct timespec until;

	ck_assert_int_eq(stek_farm_start(farm->node.farm), 0);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 30;
	pthread_mutex_lock(&lock);
	while (!active)
		ck_assert_int_eq(pthread_cond_timedwait(&changed, &lock,
							&until), 0);
	pthread_mutex_unlock(&lock);
}

/* True when the store says that `name` is live and holds our ring. */
static bool in_sync(struct admin_farm *farm, const char *name)
{
	struct stek_member *members = NULL;
	struct stek_ring_info ring;
	bool found = false;
	size_t i, n = 0;

	stek_farm_ring(farm->node.farm, &ring);
	if (stek_farm_members(farm->node.farm, 1000, &members, &n) != 0)
		return false;
	for (i = 0; i < n; i++)
		found |= members[i].live &&
			 strcmp(members[i].name, name) == 0 &&
			 stek_version_equal(&members[i].version, &ring.version);
	free(members);
	return found;
}

int admin_farm_member(char **argv)
{
	struct admin_farm farm;
	struct stek_farm *member;

	memset(&farm, 0, sizeof(farm));
	snprintf(farm.dir, sizeof(farm.dir), "%s", argv[1]);
	name_files(&farm);
	member = open_farm(&farm, argv[2]);
	if (member == NULL || stek_farm_start(member) != 0)
		return EXIT_FAILURE;
	for (;;)
		pause();
}

pid_t admin_farm_join(struct admin_farm *farm, const char *name)
{
	char self[PATH_MAX] = "";
	pid_t child;

	/* By its name: under valgrind the link leads elsewhere when it is run. */
	ck_assert_int_gt(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(self, "member", farm->dir, name, NULL);
		_exit(127);
	}
	while (!in_sync(farm, name)) {
		ck_assert_int_eq(waitpid(child, NULL, WNOHANG), 0);
		poll(NULL, 0, 5);
	}
	return child;
}

/*
 * A file in its place: a directory that is gone would be made anew, and is, by
 * the sync thread, in the moment between its end and the file's beginning. So
 * there is no such moment: the store is a link, which the file replaces.
 */
void admin_farm_lose_store(struct admin_farm *farm)
{
	char file[128];

	snprintf(file, sizeof(file), "%s/file", farm->dir);
	write_token(file);
	ck_assert_int_eq(rename(file, farm->store_url + strlen("file:")), 0);
}

struct admin *admin_farm_serve(struct admin_farm *farm, uint32_t deadline_ms)
{
	struct settings *settings = &farm->settings;
	struct admin *admin = NULL;
	struct sockaddr_in *loopback;
	char why[256] = "";

	admin_farm_open(farm);
	admin_farm_start(farm);
	loopback = (void *)&settings->admin_listen.addr;
	loopback->sin_family = AF_INET;
	loopback->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	settings->admin_listen.len = sizeof(*loopback);
	settings->metrics_listen = settings->admin_listen;
	settings->admin_socket = farm->socket;
	settings->admin_token_file = farm->token_file;
	configure(farm);
	ck_assert_msg(admin_start_with(&admin, &farm->node, deadline_ms, why,
				       sizeof(why)) == 0, "%s", why);
	return admin;
}

static void empty(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	char name[600];

	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] == '.' && (entry->d_name[1] == '\0' ||
						entry->d_name[1] == '.'))
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (unlink(name) != 0)
			empty(name);
	}
	if (directory != NULL)
		closedir(directory);
	rmdir(path);
}

void admin_farm_close(struct admin_farm *farm)
{
	generation_end(&farm->node);
	deny_free(farm->node.deny);
	stek_farm_close(farm->node.farm);
	sampler_free(farm->node.sampler);
	feed_free(farm->node.feed);
	node_forget_names(&farm->node);
	empty(farm->dir);
}
