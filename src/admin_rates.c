/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_rates.c - rates as the documents show them: over one, five and sixty
 * minutes, of a node and of the farm. Called by admin_stats.c and by the event
 * stream.
 */
#include "admin_stats.h"

static json_t *share_json(const struct rate *rate, int first, int last)
{
	double share = rate_resumption(rate, first, last);

	return share < 0 ? json_null() : json_real(share);
}

/* Handshakes of versions, those that failed not among them. */
static double shakes(const struct rate *rate, int first, int last)
{
	double sum = 0;
	int kind, share;

	for (kind = first; kind <= last; kind++)
		for (share = 0; share < RATES_SHARES; share++)
			sum += rate->shakes[kind][share];
	return sum;
}

static double a_second(const struct rate *rate, double n)
{
	return rate->over_s > 0 ? n / rate->over_s : 0;
}

static json_t *rate_json(const struct rate *rate)
{
	json_t *by = json_object();
	int kind;

	for (kind = 0; kind < TLS_KINDS; kind++)
		json_object_set_new(by, admin_stats_kind(kind),
			json_pack("{s:f, s:o}", "handshakes_per_s",
				  a_second(rate, shakes(rate, kind, kind)),
				  "resumption_rate",
				  share_json(rate, kind, kind)));
	return json_pack("{s:f, s:f, s:f, s:f, s:o, s:o}",
			 "over_s", rate->over_s,
			 "connections_per_s",
			 a_second(rate, rate->connections),
			 "handshakes_per_s",
			 a_second(rate, shakes(rate, 0, TLS_KINDS - 1)),
			 "failures_per_s", a_second(rate, rate->failures),
			 "resumption_rate",
			 share_json(rate, 0, TLS_KINDS - 1),
			 "by_version", by);
}

json_t *admin_rates_json(const struct farm_sample *farm,
			 const struct sampled *one)
{
	json_t *all = json_object();
	struct rate rate;
	int window;

	for (window = 0; window < RATES_WINDOWS; window++) {
		rates_read(&one->rates, (enum rates_window)window,
			   farm->now_ms, farm->late_ms, &rate);
		json_object_set_new(all, rates_window_name(
					    (enum rates_window)window),
				    rate_json(&rate));
	}
	return all;
}

/* Also of nodes that are gone: what they did in the window, the farm did. */
json_t *admin_rates_farm(const struct farm_sample *farm)
{
	json_t *all = json_object();
	struct rate rate, sum;
	int window;
	size_t i;

	for (window = 0; window < RATES_WINDOWS; window++) {
		sum = (struct rate){ 0 };
		for (i = 0; i < farm->n; i++) {
			rates_read(&farm->nodes[i]->rates,
				   (enum rates_window)window, farm->now_ms,
				   farm->late_ms, &rate);
			rate_sum(&sum, &rate);
		}
		json_object_set_new(all, rates_window_name(
					    (enum rates_window)window),
				    rate_json(&sum));
	}
	return all;
}
