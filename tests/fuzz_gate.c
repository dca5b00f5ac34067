// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_gate.c - strangers' first bytes through the gate. What holds for every
 * input: no byte beyond it is read, a hello that passes is incomplete one byte
 * earlier, and the way it is cut into records changes nothing in what is seen.
 */
#include <stdlib.h>
#include <string.h>

#include "gate.h"
#include "hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(int fact)
{
	if (!fact)
		abort();
}

static void reframe(const struct gate_hello *hello, const uint8_t *message,
		    size_t chunk)
{
	static uint8_t scratch[GATE_HELLO_MAX];
	static uint8_t framed[2 * GATE_BUFFER_MAX];
	struct gate_hello again;
	size_t n = hello_frame(message, hello->hello_len, chunk, framed);

	if (n >= GATE_BUFFER_MAX)
		return;
	must(gate_parse(&again, framed, n, scratch) == GATE_PASS);
	must(again.consumed == n);
	again.consumed = hello->consumed;
	again.split = hello->split;
	must(!memcmp(&again, hello, sizeof(again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t scratch[GATE_HELLO_MAX];
	static uint8_t message[GATE_HELLO_MAX];
	struct gate_hello hello, cut;

	switch (gate_parse(&hello, data, len, scratch)) {
	case GATE_MORE:
		must(len < GATE_BUFFER_MAX);
		return 0;
	case GATE_REFUSE:
		must(hello.why && hello.failure != FAIL_NONE);
		return 0;
	case GATE_PASS:
		break;
	}
	must(hello.consumed <= len && hello.hello_len <= GATE_HELLO_MAX);
	memcpy(message, hello.split ? scratch : data + 5, hello.hello_len);
	must(gate_parse(&cut, data, hello.consumed - 1, scratch) == GATE_MORE);
	reframe(&hello, message, 1 + hello.hello_len / 2);
	reframe(&hello, message, 3);
	reframe(&hello, message, 16384);
	return 0;
}
