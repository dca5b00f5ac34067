// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_conn.c - a whole connection of a worker, wolfSSL included, between a
 * client and a backend that do what the input says. A real client of OpenSSL
 * (or one by hand, raw13.h) brings it behind the handshake; from there, and on
 * the way, the input cuts, spoils, delays, floods, resets, and puts its own
 * bytes in the place of records, on either side. Here are the steps that it may
 * take; conn_world.h is where they happen.
 *
 * An input is three bytes that say who the client is, then steps: a byte for
 * what, a byte for how, and where bytes are needed their number in two.
 */
#include <string.h>
#include <sys/socket.h>

#include "backend.h"
#include "conn_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* --- the input --- */

struct input {
	const uint8_t *at;
	size_t left;
};

static uint8_t byte_of(struct input *input)
{
	if (!input->left)
		return 0;
	input->left--;
	return *input->at++;
}

static const uint8_t *bytes_of(struct input *input, size_t *len)
{
	size_t wanted = (size_t)byte_of(input) << 8;
	const uint8_t *bytes;

	wanted |= byte_of(input);
	*len = wanted < input->left ? wanted : input->left;
	bytes = input->at;
	input->at += *len;
	input->left -= *len;
	return bytes;
}

/* --- the steps --- */

static void step_shake(struct input *input, uint8_t how)
{
	(void)input;
	world_shake();
	world_flush(how ? how : WORLD_SENT_MAX, 0, 0);
	world_turn();
}

static void step_spoil(struct input *input, uint8_t how)
{
	size_t at = (size_t)byte_of(input) << 8;

	at |= byte_of(input);
	world_shake();
	world_flush(WORLD_SENT_MAX, at, how);
	world_turn();
}

/* In the place of records. */
static void step_raw(struct input *input, uint8_t how)
{
	size_t len;
	const uint8_t *bytes = bytes_of(input, &len);

	if (world.client->fd >= 0)
		world_put(bytes, len, how ? how : WORLD_SENT_MAX);
	world_turn();
}

/* Plaintext of one's own: `how` times over. Returns its length, or 0. */
static size_t add_text(struct input *input, uint8_t how, uint8_t *out,
		       size_t room)
{
	size_t len, n = 0;
	const uint8_t *bytes = bytes_of(input, &len);

	for (unsigned i = 0; i <= how && len && n + len <= room; i++) {
		memcpy(out + n, bytes, len);
		n += len;
	}
	return n;
}

static void step_data(struct input *input, uint8_t how)
{
	uint8_t *out = world.up.bytes + world.up.len;
	size_t n = add_text(input, how, out, WORLD_SENT_MAX - world.up.len);
	size_t at, one;

	if (!world.shaken || !n)
		return;
	for (at = 0; world.by_hand && at < n; at += one) {
		one = n - at < 16384 ? n - at : 16384;
		raw13_put(world.raw, RAW13_DATA, out + at, one);
	}
	if (!world.by_hand && SSL_write(world.client->ssl, out, (int)n) <= 0)
		return;
	world.up.len += n;
	world_flush(WORLD_SENT_MAX, 0, 0);
	world_turn();
}

/* By hand: any bytes in a record of any type, under the right keys. */
static void step_record(struct input *input, uint8_t how)
{
	size_t len;
	const uint8_t *bytes = bytes_of(input, &len);

	if (!world.by_hand || how == RAW13_DATA)
		return;
	raw13_put(world.raw, how, bytes, len < 16384 ? len : 16384);
	world_flush(WORLD_SENT_MAX, 0, 0);
	world_turn();
}

static void step_update(struct input *input, uint8_t how)
{
	(void)input;
	for (int i = 0; world.shaken && i <= how % 64; i++) {
		if (world.by_hand)
			raw13_put_update(world.raw, how & 64);
		else if (!SSL_key_update(world.client->ssl, how & 64 ?
					 SSL_KEY_UPDATE_REQUESTED :
					 SSL_KEY_UPDATE_NOT_REQUESTED) ||
			 SSL_do_handshake(world.client->ssl) != 1)
			break;
	}
	world_flush(WORLD_SENT_MAX, 0, 0);
	world_turn();
}

static void step_answer(struct input *input, uint8_t how)
{
	static uint8_t out[RAW13_ANSWER_MAX];
	uint8_t faults = byte_of(input);
	const struct raw13_answer answer = {
		.who = how % RAW13_WHO, .signer = (how >> 4) % RAW13_WHO,
		.no_certificate = faults & 1, .no_verify = faults & 2,
		.no_finished = faults & 4, .spoil_context = faults & 8,
		.spoil_verify = faults & 16, .spoil_finished = faults & 32,
	};
	bool signs = answer.who || answer.signer;

	if (!world.by_hand || !world.request_len || (!signs && !(faults & 2)))
		return;
	raw13_put(world.raw, RAW13_HANDSHAKE, out,
		  raw13_answer(world.raw, world.request, world.request_len,
			       &answer, out));
	world_flush(WORLD_SENT_MAX, 0, 0);
	world_turn();
}

/* Its end: by close_notify, by a FIN, by going away. */
static void step_end(struct input *input, uint8_t how)
{
	(void)input;
	if (how % 3 == 0 && world.shaken && !world.by_hand)
		(void)SSL_shutdown(world.client->ssl);
	world_flush(WORLD_SENT_MAX, 0, 0);
	if (how % 3 == 1 && world.client->fd >= 0)
		(void)shutdown(world.client->fd, SHUT_WR);
	if (how % 3 == 2 && world.client->fd >= 0) {
		backend_reset(world.client->fd);
		world.client->fd = -1;
	}
	world_turn();
}

static void step_backend(struct input *input, uint8_t how)
{
	uint8_t *out = world.down.bytes + world.down.len;
	size_t n = add_text(input, how, out, WORLD_SENT_MAX - world.down.len);
	ssize_t sent;

	if (world.backend < 0 || !n)
		return;
	sent = send(world.backend, out, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent > 0)
		world.down.len += (size_t)sent;
	world_turn();
}

static void step_backend_ends(struct input *input, uint8_t how)
{
	(void)input;
	if (world.backend < 0)
		return;
	if (how % 3 == 0)
		(void)shutdown(world.backend, SHUT_WR);
	if (how % 3 == 1)
		(void)shutdown(world.backend, SHUT_RD);
	if (how % 3 == 2) {
		backend_reset(world.backend);
		world.backend = -1;
	}
	world_turn();
}

static void step_wait(struct input *input, uint8_t how)
{
	(void)input;
	world_pass_ms(how * 100);
	world_turn();
}

static void step_stall(struct input *input, uint8_t how)
{
	(void)input;
	world.stalled = how & 1;
	world_turn();
}

static void step_drain(struct input *input, uint8_t how)
{
	(void)input;
	(void)how;
	world_drain();
	world_turn();
}

static void (*const steps[])(struct input *input, uint8_t how) = {
	step_shake, step_spoil, step_raw, step_data, step_record, step_update,
	step_answer, step_end, step_backend, step_backend_ends, step_wait,
	step_stall, step_drain,
};

/* --- all of it --- */

static void run_input(struct input *input)
{
	uint8_t first = byte_of(input), second = byte_of(input);

	world_open(first, second, byte_of(input));
	while (input->left >= 2) {
		uint8_t what = byte_of(input);

		steps[what % (sizeof(steps) / sizeof(steps[0]))](
			input, byte_of(input));
	}
	world_close();
}

/* A session of every host and version, for inputs that resume. */
static void keep_sessions(void)
{
	static const uint8_t visit[] = "\0\0\0\0\0\0\0\0\0\0";

	for (unsigned i = 0; i < 2 * WORLD_HOSTS; i++) {
		uint8_t bytes[3 + sizeof(visit)] = { (uint8_t)(i / 2 |
			(i % 2) << 3), RAW13_ALICE | 8, 0 };
		struct input input = { bytes, sizeof(bytes) };

		memcpy(bytes + 3, visit, sizeof(visit));
		run_input(&input);
		world_must(world.shaken);
		world_keep((int)i / 2, i % 2);
		world_forget();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static bool made;
	struct input input = { data, len };

	if (!made) {
		made = true;
		world_make();
		keep_sessions();
	}
	run_input(&input);
	world_forget();
	return 0;
}
