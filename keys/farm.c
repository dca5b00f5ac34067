// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * farm.c - opens and closes a node's membership of a farm, and answers what
 * needs no store: names, time, the installed ring, the status. Called by the
 * application; the rest of a farm's life is the sync thread's.
 */
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/hash.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "secret.h"
#include "sync.h"

static int64_t clock_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t real_wall_ms(void *user)
{
	(void)user;
	return clock_ms(CLOCK_REALTIME);
}

static int64_t real_mono_ms(void *user)
{
	(void)user;
	return clock_ms(CLOCK_MONOTONIC);
}

/* Jitter only: the bias of the remainder does not matter. */
static uint32_t real_random_below(void *user, uint32_t bound)
{
	uint32_t value;

	(void)user;
	if (bound < 2 || stek__random(&value, sizeof(value)))
		return 0;
	return value % bound;
}

static const struct stek_io real_io = {
	.wall_ms = real_wall_ms,
	.mono_ms = real_mono_ms,
	.random_below = real_random_below,
};

static bool is_name(const char *name)
{
	size_t len = name ? strlen(name) : 0;

	return len > 0 && len <= STEK_NAME_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz"
		      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

static int refuse(char *why, size_t why_len, const char *option,
		  const char *found, const char *expected)
{
	snprintf(why, why_len, "%s: found %s%s%s, expected %s", option,
		 found ? "'" : "", found ? found : "nothing", found ? "'" : "",
		 expected);
	return STEK_EINVAL;
}

static int check_options(const struct stek_farm_options *options, char *why,
			 size_t why_len)
{
	const char *dir = options->state_dir;
	struct stat st;

	if (!is_name(options->farm))
		return refuse(why, why_len, "farm", options->farm,
			      "1 to 63 of A-Z a-z 0-9 . _ -");
	if (!is_name(options->node))
		return refuse(why, why_len, "node", options->node,
			      "1 to 63 of A-Z a-z 0-9 . _ -");
	if (!options->farm_key_file)
		return refuse(why, why_len, "farm_key_file", NULL,
			      "the path of a farm key");
	if (options->stores && (options->n_stores == 0 ||
				options->n_stores > STEK_STORES_MAX))
		return refuse(why, why_len, "stores", NULL, "1 to 4 of them");
	if (!options->stores && !options->store_url)
		return refuse(why, why_len, "store_url", NULL,
			      "redis://, unix: or file:");
	if (dir && (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode)))
		return refuse(why, why_len, "state_dir", dir, "a directory");
	return 0;
}

static int name_farm(struct stek_farm *farm,
		     const struct stek_farm_options *options)
{
	uint8_t digest[STEK_DIGEST_LEN];

	memcpy(farm->name, options->farm, strlen(options->farm) + 1);
	memcpy(farm->node, options->node, strlen(options->node) + 1);
	if (wc_Sha256Hash((const byte *)farm->node, (word32)strlen(farm->node),
			  digest))
		return STEK_ECRYPTO;
	farm->node_id = (uint32_t)digest[0] << 24 | (uint32_t)digest[1] << 16 |
			(uint32_t)digest[2] << 8 | digest[3];
	return 0;
}

static int open_store(struct stek_store **out, const char *farm,
		      const struct stek_store_config *config, char *why,
		      size_t why_len)
{
	const struct stek_store_options store = {
		.url = config->url,
		.user = config->user,
		.password_file = config->password_file,
		.farm = farm,
		.timeout_ms = STEK_STORE_TIMEOUT_MS,
		.reach = config->reach,
	};

	return stek__store_open(out, &store, why, why_len);
}

static void close_stores(struct stek_store **stores, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		stek__store_close(stores[i]);
}

static int open_stores(struct stek_store *out[STEK_STORES_MAX], size_t *n,
		       const struct stek_farm_options *options, char *why,
		       size_t why_len)
{
	const struct stek_store_config one = {
		.url = options->store_url,
		.user = options->store_user,
		.password_file = options->store_password_file,
		.reach = options->store_reach,
	};
	const struct stek_store_config *configs =
		options->stores ? options->stores : &one;
	size_t i, count = options->stores ? options->n_stores : 1;
	int err;

	for (i = 0; i < count; i++) {
		if (!configs[i].url) {
			err = refuse(why, why_len, "store_url", NULL,
				     "redis://, unix: or file:");
			goto refuse;
		}
		err = open_store(&out[i], options->farm, &configs[i], why,
				 why_len);
		if (err)
			goto refuse;
	}
	*n = count;
	return 0;
refuse:
	close_stores(out, i);
	return err;
}

/* The first ring: the kept one, or one that holds nothing. */
static int first_ring(struct stek_farm *farm)
{
	struct stek_ring *kept = NULL, *ring = NULL;
	int err;

	err = stek__ring_new(&ring, 0, NULL, 0, NULL, 0, 0);
	if (err)
		return err;
	stek__guard_init(&farm->guard, ring);
	err = stek__keep_read(farm->sync, &kept);
	if (err)
		return err;
	if (kept)
		stek__sync_install(farm->sync, kept);
	return 0;
}

int stek__farm_open_at(struct stek_farm **out,
		       const struct stek_farm_options *options,
		       const struct stek_io *io,
		       struct stek_store *const *given, size_t n_given,
		       char *why, size_t why_len)
{
	struct stek_store *stores[STEK_STORES_MAX] = { NULL };
	struct stek_farm *farm = NULL;
	size_t n = n_given;
	int err;

	if (n)
		memcpy(stores, given, n * sizeof(stores[0]));

	err = check_options(options, why, why_len);
	if (err)
		goto out;
	err = STEK_ENOMEM;
	/* The guard's slots stand on cache lines of their own. */
	farm = aligned_alloc(64, sizeof(*farm));
	if (!farm)
		goto out;
	memset(farm, 0, sizeof(*farm));
	farm->io = io ? *io : real_io;
	farm->policy = options->policy;
	err = name_farm(farm, options);
	if (!err)
		err = stek__policy_check(&farm->policy, why, why_len);
	if (!err)
		err = stek__farm_keys_read(&farm->farm_keys,
					   options->farm_key_file, why,
					   why_len);
	if (!err && !n)
		err = open_stores(stores, &n, options, why, why_len);
	if (!err)
		err = stek__sync_new(&farm->sync, farm, stores, n, options);
	if (err)
		goto out;
	n = 0;	/* the sync's from here */
	err = stek__roll_open(farm->sync, options->farm_key_file);
	if (err)
		goto out;
	stek__audit_open(farm->sync);
	err = first_ring(farm);
	if (err)
		goto out;
	*out = farm;
	return 0;
out:
	if (why_len && !why[0])
		snprintf(why, why_len, "%s", stek_strerror(err));
	close_stores(stores, n);
	stek_farm_close(farm);
	return err;
}

int stek__farm_open(struct stek_farm **out,
		    const struct stek_farm_options *options,
		    const struct stek_io *io, struct stek_store *store,
		    char *why, size_t why_len)
{
	return stek__farm_open_at(out, options, io, &store, store ? 1 : 0,
				  why, why_len);
}

int stek_farm_open(struct stek_farm **out,
		   const struct stek_farm_options *options, char *why,
		   size_t why_len)
{
	char unused[256];

	if (!why || !why_len) {
		why = unused;
		why_len = sizeof(unused);
	}
	why[0] = '\0';
	return stek__farm_open(out, options, NULL, NULL, why, why_len);
}

int stek_farm_start(struct stek_farm *farm)
{
	return stek__sync_start(farm->sync);
}

void stek_farm_close(struct stek_farm *farm)
{
	if (!farm)
		return;
	if (farm->sync)
		stek__sync_stop(farm->sync);
	stek__sync_free(farm->sync);
	stek__ring_unref(stek__guard_swap(&farm->guard, NULL));
	stek__farm_keys_free(farm->farm_keys);
	free(farm);
}

int64_t stek_farm_now_ms(const struct stek_farm *farm)
{
	return farm->io.wall_ms(farm->io.user) +
	       atomic_load_explicit(&farm->offset_ms, memory_order_relaxed);
}

const char *stek_farm_name(const struct stek_farm *farm)
{
	return farm->name;
}

const char *stek_farm_node(const struct stek_farm *farm)
{
	return farm->node;
}

uint32_t stek_farm_node_id(const struct stek_farm *farm)
{
	return farm->node_id;
}

bool stek_farm_can_seal(struct stek_farm *farm)
{
	int64_t now_ms = stek_farm_now_ms(farm);
	const struct stek_ring *ring;
	unsigned slot;
	bool can;

	ring = stek__guard_enter(&farm->guard, &slot);
	can = stek__schedule_sealing(ring, &farm->policy, now_ms) != NULL;
	stek__guard_leave(&farm->guard, slot);
	return can;
}

bool stek_farm_has_key(struct stek_farm *farm, const uint8_t name[STEK_ID_LEN])
{
	const struct stek_ring *ring;
	unsigned slot;
	bool has;

	ring = stek__guard_enter(&farm->guard, &slot);
	has = stek__ring_find(ring, name) != NULL;
	stek__guard_leave(&farm->guard, slot);
	return has;
}

void stek_farm_ring(struct stek_farm *farm, struct stek_ring_info *out)
{
	int64_t now_ms = stek_farm_now_ms(farm);
	const struct stek_ring *ring;
	unsigned slot;

	ring = stek__guard_enter(&farm->guard, &slot);
	stek__schedule_info(ring, &farm->policy, now_ms, out);
	stek__guard_leave(&farm->guard, slot);
}

/* The store answers, but the ring there cannot be opened. */
static void name_lacking(char *out, size_t len, const uint8_t *id)
{
	char hex[2 * STEK_FARM_KEY_ID_LEN + 1];
	size_t i;

	for (i = 0; i < STEK_FARM_KEY_ID_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", id[i]);
	snprintf(out, len, "the ring is sealed under farm key %s, which this "
		 "node lacks: add its line to the farm-key file and reload",
		 hex);
}

/* Which of several stores it was shows when its ring opens. */
static void refuse_stores(struct stek_status *out)
{
	size_t i;

	for (i = 0; i < out->n_stores; i++) {
		if (out->stores[i].state != STEK_STORE_OK)
			continue;
		out->stores[i].state = STEK_STORE_REFUSED;
		snprintf(out->stores[i].detail, sizeof(out->stores[i].detail),
			 "%s", out->store_detail);
	}
}

void stek_farm_status(struct stek_farm *farm, struct stek_status *out)
{
	const struct stek_ring *ring;
	unsigned slot;

	pthread_mutex_lock(&farm->sync->lock);
	*out = farm->sync->status;
	if (farm->sync->roll.told.lacking) {
		out->store = STEK_STORE_REFUSED;
		name_lacking(out->store_detail, sizeof(out->store_detail),
			     farm->sync->roll.told.ring);
		refuse_stores(out);
	}
	pthread_mutex_unlock(&farm->sync->lock);
	ring = stek__guard_enter(&farm->guard, &slot);
	out->version = ring->version;
	stek__guard_leave(&farm->guard, slot);
}
