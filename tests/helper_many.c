/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper_many.c - many nodes of one farm in one process: each with its own sync
 * thread and connections, as libstek gives them to any program, so that a farm
 * of 256 fits a small machine. Called by tests/keys_4_scale.sh, which measures
 * at the store.
 *
 *	helper_many FARM FARM_KEY_FILE STORE_URL NODES
 *
 * Prints "ready" once every node holds the ring that the store holds. Then each
 * line of input asks for one rotation, whose answer is "rotated NODES MS", MS
 * until the last node's acknowledgement. Ends with its input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include <stek.h>

#define READY_TRIES 1200
#define PAUSE_MS 50

static void die(const char *what, const char *detail)
{
	fprintf(stderr, "helper_many: %s: %s\n", what, detail);
	exit(2);
}

static struct stek_farm *open_node(char **argv, size_t i)
{
	struct stek_farm_options options = {
		.farm = argv[1],
		.farm_key_file = argv[2],
		.store_url = argv[3],
		.policy = { .rotate_interval_s = 1 },
	};
	struct stek_farm *farm;
	char name[32], why[256];

	snprintf(name, sizeof(name), "sim-%zu", i);
	options.node = name;
	if (stek_farm_open(&farm, &options, why, sizeof(why)) != 0)
		die(name, why);
	if (stek_farm_start(farm) != 0)
		die(name, "does not start");
	return farm;
}

static bool all_equal(struct stek_farm **farms, size_t n)
{
	struct stek_status first, status;

	stek_farm_status(farms[0], &first);
	for (size_t i = 0; i < n; i++) {
		stek_farm_status(farms[i], &status);
		if (status.store != STEK_STORE_OK ||
		    !stek_farm_can_seal(farms[i]) ||
		    !stek_version_equal(&status.version, &first.version))
			return false;
	}
	return true;
}

static void await_all(struct stek_farm **farms, size_t n)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };

	for (int i = 0; i < READY_TRIES; i++) {
		if (all_equal(farms, n))
			return;
		nanosleep(&pause, NULL);
	}
	die("nodes", "do not hold one ring");
}

static void rotate(struct stek_farm *farm)
{
	const struct stek_rotate request = { .force = true, .who = "test" };
	struct stek_change change;
	uint32_t last_ms = 0;
	int err = stek_farm_rotate(farm, &request, &change);

	if (err)
		die("rotation", change.detail);
	for (size_t i = 0; i < change.n_acks; i++) {
		if (!change.acks[i].acknowledged)
			die("rotation", change.acks[i].name);
		if (change.acks[i].after_ms > last_ms)
			last_ms = change.acks[i].after_ms;
	}
	printf("rotated %zu %u\n", change.n_acks, last_ms);
	stek_change_clear(&change);
}

int main(int argc, char **argv)
{
	struct stek_farm **farms;
	struct rlimit files;
	char line[16];
	size_t n;

	if (argc != 5)
		die("usage", "see the head of helper_many.c");
	n = strtoul(argv[4], NULL, 10);
	farms = calloc(n, sizeof(*farms));
	if (!farms || getrlimit(RLIMIT_NOFILE, &files) != 0)
		die("start", "no memory");
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < n; i++)
		farms[i] = open_node(argv, i);
	await_all(farms, n);
	puts("ready");
	while (fgets(line, sizeof(line), stdin))
		rotate(farms[0]);
	for (size_t i = 0; i < n; i++)
		stek_farm_close(farms[i]);
	free(farms);
	return 0;
}
