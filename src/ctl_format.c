/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Times and shares as an operator reads them. Pure functions; the daemon's own
 * now_ms is what a time is relative to, so a wrong clock here misleads nobody.
 */
#include "ctl.h"

static const struct {
	int64_t seconds;
	char letter;
} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};

#define N_UNITS (sizeof(units) / sizeof(units[0]))

void ctl_duration(char out[CTL_TEXT_LEN], int64_t ms)
{
	int64_t seconds = ms / 1000;
	size_t i = 0;
	int64_t first;
	unsigned second;

	if (seconds < 0)
		seconds = -seconds;
	while (i + 1 < N_UNITS && seconds < units[i].seconds)
		i++;
	first = seconds / units[i].seconds;
	second = i + 1 == N_UNITS ? 0
				  : (uint8_t)(seconds % units[i].seconds /
					      units[i + 1].seconds);
	if (second == 0)
		snprintf(out, CTL_TEXT_LEN, "%lld%c", (long long)first,
			 units[i].letter);
	else
		snprintf(out, CTL_TEXT_LEN, "%lld%c%u%c", (long long)first,
			 units[i].letter, second, units[i + 1].letter);
}

void ctl_when(char out[CTL_TEXT_LEN], int64_t at_ms, int64_t now_ms)
{
	char text[CTL_TEXT_LEN];
	int64_t delta;

	if (__builtin_sub_overflow(at_ms, now_ms, &delta) ||
	    delta == INT64_MIN) {
		snprintf(out, CTL_TEXT_LEN, "never");
		return;
	}
	ctl_duration(text, delta);
	if (delta > -1000 && delta < 1000)
		snprintf(out, CTL_TEXT_LEN, "now");
	else if (delta > 0)
		snprintf(out, CTL_TEXT_LEN, "in %.28s", text);
	else
		snprintf(out, CTL_TEXT_LEN, "%.27s ago", text);
}

void ctl_percent(char out[CTL_TEXT_LEN], int64_t part, int64_t whole)
{
	int64_t tenths;

	if (whole <= 0) {
		snprintf(out, CTL_TEXT_LEN, "-");
		return;
	}
	tenths = (int64_t)((double)part * 1000.0 / (double)whole);
	if (part < whole && tenths >= 1000)
		tenths = 999;
	snprintf(out, CTL_TEXT_LEN, "%lld.%lld%%", (long long)(tenths / 10),
		 (long long)(tenths % 10));
}
