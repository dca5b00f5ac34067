/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Adds one finished connection of stekprobe load to the figures of its thread.
 * What was for the warm-up goes into figures of its own, so that caches which
 * are still cold and tickets that are not there yet spoil no measurement.
 */
#include "worker.h"

static int tally_warm(struct load_result *result, const struct conn *conn)
{
	result->warm_connections++;
	if (conn->failure[0]) {
		result->warm_failed++;
		reasons_add(&result->warm_failures, conn->failure, 1);
		return 0;
	}
	return samples_add(&result->warm, conn->handshake_us);
}

static void tally_counts(struct load_counts *counts, const struct conn *conn,
			 bool wanted)
{
	bool failed = conn->failure[0] != '\0';
	bool resumed = !failed && conn->resumed;
	bool offered = conn->offered && conn->hello_us != 0;

	counts->connections++;
	counts->wanted += wanted;
	counts->offered += offered;
	counts->failed += failed;
	counts->resumed += resumed;
	counts->full += !failed && !resumed;
	counts->lost += offered && !failed && !resumed;
	counts->elsewhere += resumed && conn->page.elsewhere;
}

static int tally_latency(struct load_result *result, const struct conn *conn,
			 const struct tally *how)
{
	/* From when it was due to the end of the handshake. */
	uint32_t whole = sample_of(conn->hello_us + conn->handshake_us -
				   how->due_us);
	int error = 0;

	if (conn->resumed) {
		error |= samples_add(&result->resumed, conn->handshake_us);
		error |= samples_add(&result->resumed_due, whole);
	} else {
		error |= samples_add(&result->full, conn->handshake_us);
		error |= samples_add(&result->full_due, whole);
	}
	return error;
}

/*
 * Each event has three eras: 3k-2 begins when the k-th is asked for, 3k-1 when it
 * has happened, 3k when its effect is settled. What was given before era 3k-2 is
 * old from era 3k-1 on.
 */
static bool is_old(const struct tally *how)
{
	unsigned happened = (how->era + 1) / 3;

	return happened > 0 && how->ticket_era < 3 * happened - 2;
}

/* Given and offered after the last event was settled, and before the next. */
static bool is_fresh(const struct tally *how)
{
	return how->era > 0 && how->era % 3 == 0 &&
	       how->ticket_era == how->era;
}

/* By the second in which it ended, and by the era in which it began. */
static int tally_course(struct load_result *result, const struct conn *conn,
			const struct tally *how)
{
	const struct outcome outcome = {
		.failed = conn->failure[0] != '\0',
		.resumed = conn->resumed,
		.offered = conn->offered && conn->hello_us != 0,
		.wanted = how->wanted,
		.old = is_old(how),
		.fresh = is_fresh(how),
		.at_us = how->now_us - how->begun_us,
	};
	struct moment *second, *era;

	second = course_at(&result->course,
			   outcome.at_us > 0
				   ? (size_t)(outcome.at_us / 1000000) : 0);
	era = course_at(&result->eras, how->era);
	if (!second || !era)
		return -1;
	moment_count(second, &outcome);
	moment_count(era, &outcome);
	return 0;
}

int tally_conn(struct load_result *result, const struct conn *conn,
	       const struct tally *how)
{
	int error = 0;

	if (conn->reached)
		result->reached = true;
	if (how->warming)
		return tally_warm(result, conn);
	tally_counts(&result->counts[conn->version], conn, how->wanted);
	error |= samples_add(&result->late,
			     sample_of(how->started_us - how->due_us));
	error |= tally_course(result, conn, how);
	if (conn->failure[0]) {
		reasons_add(&result->failures, conn->failure, 1);
		return error;
	}
	reasons_add(&result->groups, tls_group_name(conn->ssl), 1);
	return error | tally_latency(result, conn, how);
}

/* What tickets the servers give is no matter of warm or cold. */
int tally_ticket(struct load_result *result, enum tls_version version,
		 const SSL_SESSION *ticket, bool warming)
{
	uint8_t name[KEY_NAME_LEN];
	int error = samples_add(&result->lifetimes[version],
				tls_lifetime_s(ticket));

	result->counts[version].tickets += !warming;
	if (tls_ticket_name(ticket, name))
		error |= key_names_add(&result->keys[version], name);
	return error;
}
