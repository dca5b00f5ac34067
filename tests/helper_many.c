/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper_many.c - many nodes of one farm in one process: each with its own sync
 * thread and connections, as libstek gives them to any program, so that a farm
 * of thousands fits a small machine. Called by tests/keys_4_scale.sh and
 * tests/fast_9_capacity.sh, which measure at the store.
 *
 *	helper_many FARM FARM_KEY_FILE STORE_URL NODES [PAYLOAD]
 *
 * PAYLOAD bytes are in each heartbeat: what stekd says of itself there. Prints
 * "ready" once every node holds the ring that the store holds. Then each line of
 * input is answered by one:
 *
 *	rotate	"rotated NODES MS", MS until the last node's acknowledgement
 *	most	"read NODES MS": all but one read the farm keys again
 *	last	"sealed NODES MS": that one does; MS until the farm key that is
 *		last in the file seals at every node
 *
 * Ends with its input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <stek.h>

#define READY_TRIES 12000
#define PAUSE_MS 50

static size_t payload;

static void die(const char *what, const char *detail)
{
	fprintf(stderr, "helper_many: %s: %s\n", what, detail);
	exit(2);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_a_bit(void)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };

	nanosleep(&pause, NULL);
}

static size_t on_beat(void *user, uint8_t *buf, size_t cap)
{
	size_t len = payload < cap ? payload : cap;

	(void)user;
	memset(buf, 'p', len);
	return len;
}

static struct stek_farm *open_node(char **argv, size_t i)
{
	struct stek_farm_options options = {
		.farm = argv[1],
		.farm_key_file = argv[2],
		.store_url = argv[3],
		.policy = { .rotate_interval_s = 1 },
		.on_beat = on_beat,
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
	for (int i = 0; i < READY_TRIES; i++) {
		if (all_equal(farms, n))
			return;
		pause_a_bit();
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

static void reload(struct stek_farm **farms, size_t from, size_t to)
{
	char why[256] = "";

	for (size_t i = from; i < to; i++) {
		if (stek_farm_key_reload(farms[i], "test", NULL, why,
					 sizeof(why)))
			die("farm key", why);
	}
}

static bool all_seal(struct stek_farm **farms, size_t n)
{
	struct stek_farm_key_status status;

	for (size_t i = 0; i < n; i++) {
		stek_farm_key_status(farms[i], &status);
		if (status.n < 2 || status.seals != status.n - 1)
			return false;
	}
	return true;
}

static void answer(struct stek_farm **farms, size_t n, const char *line)
{
	int64_t began_ms = now_ms();

	if (!strncmp(line, "rotate", 6)) {
		rotate(farms[0]);
	} else if (!strncmp(line, "most", 4)) {
		reload(farms, 0, n - 1);
		printf("read %zu %lld\n", n - 1,
		       (long long)(now_ms() - began_ms));
	} else if (!strncmp(line, "last", 4)) {
		reload(farms, n - 1, n);
		while (!all_seal(farms, n))
			pause_a_bit();
		printf("sealed %zu %lld\n", n,
		       (long long)(now_ms() - began_ms));
	} else {
		die("input", line);
	}
}

int main(int argc, char **argv)
{
	struct stek_farm **farms;
	struct rlimit files;
	char line[16];
	size_t n;

	if (argc != 5 && argc != 6)
		die("usage", "see the head of helper_many.c");
	n = strtoul(argv[4], NULL, 10);
	payload = argc == 6 ? strtoul(argv[5], NULL, 10) : 0;
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
		answer(farms, n, line);
	for (size_t i = 0; i < n; i++)
		stek_farm_close(farms[i]);
	free(farms);
	return 0;
}
