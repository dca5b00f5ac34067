/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The handshake command's report for people. All that came from the peer has
 * been through clean_text() or is printed as a number.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "alert.h"
#include "handshake.h"

static double ms(int64_t us)
{
	return (double)us / 1000.0;
}

static void date_text(char out[32], int64_t at_s)
{
	time_t at = (time_t)at_s;
	struct tm tm;

	gmtime_r(&at, &tm);
	strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* ---- flights ---------------------------------------------------------------- */

enum { DIAGRAM = 52, MIDDLE = 21, ARROW = 9 };

/*
 * Client's messages at the left, the server's at the right, an arrow between for
 * the first of a flight. A long name moves the arrow and not what follows.
 */
static void diagram(char out[DIAGRAM + 1], const struct flight_event *event,
		    bool first)
{
	const char *arrow = event->by_server ? "<--------" : "-------->";
	char name[80];
	int len, at = MIDDLE;

	flight_event_name(event, name);
	len = (int)strnlen(name, DIAGRAM - ARROW - 1);
	memset(out, ' ', DIAGRAM);
	out[DIAGRAM] = '\0';
	memcpy(out + (event->by_server ? DIAGRAM - len : 0), name, (size_t)len);
	if (event->by_server && at > DIAGRAM - len - ARROW - 1)
		at = DIAGRAM - len - ARROW - 1;
	if (!event->by_server && at < len + 1)
		at = len + 1;
	if (first)
		memcpy(out + at, arrow, ARROW);
}

static void print_flights(const struct flight *flight, FILE *out)
{
	unsigned number = 0;
	char line[DIAGRAM + 1];

	fprintf(out, "\n%9s %-26s%26s %5s keys\n", "ms", "Client", "Server",
		"bytes");
	for (size_t i = 0; i < flight->n; i++) {
		const struct flight_event *event = &flight->events[i];

		diagram(line, event, event->number != number);
		number = event->number;
		fprintf(out, "%9.3f %s %5u %s\n", ms(event->at_us), line,
			event->size, flight_keys_name(event->keys));
	}
	if (flight->left_out)
		fprintf(out, "%9s ... and %zu more\n", "", flight->left_out);
	fprintf(out, "%9s %u flights; on the wire %" PRIu64 " bytes sent, %"
		PRIu64 " received\n", "", number, flight->wire[0],
		flight->wire[1]);
}

/* ---- what was agreed on ----------------------------------------------------- */

static void print_negotiated(const struct talk *talk, FILE *out)
{
	const char *none = "-";

	if (talk->version[0] == '\0')
		return;
	fprintf(out, "\nNegotiated\n"
		"  version                 %s\n"
		"  cipher suite            %s\n"
		"  group                   %s\n"
		"  server's signature      %s\n"
		"  application protocol    %s\n"
		"  extended master secret  %s\n"
		"  session                 %s\n",
		talk->version, talk->suite, talk->group[0] ? talk->group : none,
		talk->scheme[0] ? talk->scheme : none,
		talk->alpn[0] ? talk->alpn : none, talk->ems ? "yes" : "no",
		talk->resumed ? "resumed" : talk->offered ?
		"new: the ticket was not taken" : "new");
}

static void print_chain(const struct talk *talk, bool verified, FILE *out)
{
	char from[32], until[32];

	if (talk->n_certs == 0)
		return;
	fputs("\nCertificates of the server\n", out);
	for (size_t i = 0; i < talk->n_certs; i++) {
		const struct cert *cert = &talk->certs[i];

		date_text(from, cert->not_before_s);
		date_text(until, cert->not_after_s);
		fprintf(out, "  %zu  %s\n     issued by  %s\n", i,
			cert->subject, cert->issuer);
		if (cert->names[0])
			fprintf(out, "     names      %s\n", cert->names);
		fprintf(out, "     valid      %s to %s%s\n     key        %s, "
			"signed by %s\n     SHA-256    %s\n", from, until,
			talk->begun_s < cert->not_before_s ? " (NOT YET)" :
			talk->begun_s > cert->not_after_s ? " (EXPIRED)" : "",
			cert->key, cert->signature, cert->fingerprint);
	}
	if (!talk->name_matches)
		fputs("  the first one is not for the name asked for\n", out);
	if (!verified)
		fputs("  not verified (no --ca)\n", out);
	else if (talk->verify_error == X509_V_OK)
		fputs("  verified\n", out);
	else
		fprintf(out, "  does not verify: %s (certificate %d)\n",
			X509_verify_cert_error_string(talk->verify_error),
			talk->verify_depth);
}

static void print_ticket(const struct flight_ticket *ticket, FILE *out)
{
	fprintf(out, "  lifetime %u s, size %u bytes, key name ",
		ticket->lifetime_s, ticket->size);
	for (int i = 0; ticket->named && i < KEY_NAME_LEN; i++)
		fprintf(out, "%02x", ticket->name[i]);
	fputs(ticket->named ? "\n" : "-\n", out);
	if (!ticket->tls13)
		return;
	fprintf(out, "    age_add %u, nonce ", ticket->age_add);
	for (int i = 0; i < ticket->nonce_len; i++)
		fprintf(out, "%02x", ticket->nonce[i]);
	if (ticket->early_data)
		fprintf(out, ", early data up to %u bytes\n",
			ticket->early_data_max);
	else
		fputs(", no early data\n", out);
}

static void print_tickets(const struct flight *flight, FILE *out)
{
	fprintf(out, "\nTickets: %zu\n", flight->n_tickets);
	for (size_t i = 0; i < flight->n_tickets; i++)
		print_ticket(&flight->tickets[i], out);
}

/* ---- how it ended ----------------------------------------------------------- */

static void print_client_certificate(const struct talk *talk, FILE *out)
{
	int sent = flight_find(&talk->flight, false, HS_CERTIFICATE);

	if (flight_find(&talk->flight, true, HS_CERTIFICATE_REQUEST) < 0)
		return;
	fprintf(out, "\nThe server asked for a client certificate; %s%s.\n",
		sent < 0 ? "it came to no answer" :
		talk->flight.events[sent].empty ? "none was sent" :
		"one was sent", !talk->ca_known ? "" : talk->ca_listed ?
		", from a CA that it lists" : ", from a CA that it does not list");
}

static void print_good(const struct talk *talk, FILE *out)
{
	fprintf(out, "\nGood: %s.", talk->accepted ?
		"the server has gone along" :
		"done here; the server has not shown that it goes along");
	if (talk->page.status)
		fprintf(out, " It answered HTTP %d%s%s.", talk->page.status,
			talk->page.node[0] ? " as node " : "",
			talk->page.node);
	fputc('\n', out);
}

static void print_failed(const struct talk *talk, FILE *out)
{
	char first[5 * sizeof(talk->first)];

	fprintf(out, "\nFailed (%s, at %s)", talk_end_name(talk->end),
		talk_stage_name(talk->stage));
	if (talk->alert >= 0)
		fprintf(out, ": %s sent the alert %s (%d), %s",
			talk->end == TALK_ALERTED ? "the server" : "this client",
			alert_name(talk->alert), talk->alert,
			talk->alert_keys == KEYS_NONE ? "in the clear" :
			"under ");
	if (talk->alert >= 0 && talk->alert_keys != KEYS_NONE)
		fprintf(out, "%s keys", flight_keys_name(talk->alert_keys));
	fputs(".\n", out);
	if (talk->verify_error != X509_V_OK && talk->end == TALK_DECLINED)
		fprintf(out, "  the certificate: %s\n",
			X509_verify_cert_error_string(talk->verify_error));
	else if (talk->error[0])
		fprintf(out, "  the library here says: %s\n", talk->error);
	if (talk->end == TALK_NOT_TLS) {
		clean_text(first, sizeof(first), talk->first, talk->n_first);
		fprintf(out, "  the server's first bytes: %s\n", first);
	}
}

static void print_trials(const struct trials *trials, FILE *out)
{
	if (trials->n == 0)
		return;
	fprintf(out, "  %u further connection%s tried", trials->n,
		trials->n == 1 ? " was" : "s were");
	if (trials->helped != ASPECT_NONE)
		fprintf(out, "; the server answers with %s",
			trial_aspect_name(trials->helped));
	if (trials->plain)
		fputs("; the server answers to plain HTTP", out);
	if (trials->other_alert >= 0)
		fprintf(out, "; in the other version the server says %s (%d)",
			alert_name(trials->other_alert), trials->other_alert);
	if (trials->clock_known)
		fprintf(out, "; the clock here is %+" PRId64 " s off the "
			"server's", trials->clock_off_s);
	fputs("\n", out);
}

static void print_causes(const struct handshake_result *result, FILE *out)
{
	const struct causes *causes = &result->causes;

	if (causes->n == 0)
		return;
	print_trials(&result->trials, out);
	for (size_t i = 0; i < causes->n; i++) {
		const struct cause *cause = causes->list[i];

		fprintf(out, "%s %s (%s)\n", i == 0 ? "Likely cause:" :
			"Or:", cause->what, cause->name);
		for (int c = 0; c < CHECKS_MAX && cause->check[c]; c++)
			fprintf(out, "  check %s\n", cause->check[c]);
	}
}

static void print_talk(const struct handshake_plan *plan,
		       const struct talk *talk, FILE *out)
{
	if (talk->connect_us)
		fprintf(out, "TCP %.3f ms", ms(talk->connect_us));
	if (talk->handshake_us)
		fprintf(out, ", handshake %.3f ms", ms(talk->handshake_us));
	if (talk->connect_us)
		fprintf(out, ", all %.3f ms\n", ms(talk->total_us));
	if (talk->flight.n)
		print_flights(&talk->flight, out);
	print_negotiated(talk, out);
	print_chain(talk, plan->offer.tls.ca != NULL, out);
	print_client_certificate(talk, out);
	if (talk->handshake_us)
		print_tickets(&talk->flight, out);
	if (talk->end == TALK_GOOD)
		print_good(talk, out);
	else
		print_failed(talk, out);
}

/* ---- what changed ----------------------------------------------------------- */

static void change(const char *what, const char *was, const char *is, FILE *out)
{
	if (strcmp(was, is) != 0)
		fprintf(out, "  %-22s%s, now %s\n", what, was[0] ? was : "-",
			is[0] ? is : "-");
}

static void print_changes(const struct talk *was, const struct talk *is,
			  FILE *out)
{
	fprintf(out, "\nWhat changed\n  session               %s\n",
		is->resumed ? "resumed with the ticket" :
		"new again: the server did not take the ticket");
	change("version", was->version, is->version, out);
	change("cipher suite", was->suite, is->suite, out);
	change("group", was->group, is->group, out);
	change("application protocol", was->alpn, is->alpn, out);
	change("node", was->page.node, is->page.node, out);
	if (is->resumed)
		fprintf(out, "  certificates          %zu, now %zu\n",
			was->n_certs, is->n_certs);
	fprintf(out, "  bytes received        %" PRIu64 ", now %" PRIu64
		"\n  handshake             %.3f ms, now %.3f ms\n",
		was->flight.wire[1], is->flight.wire[1],
		ms(was->handshake_us), ms(is->handshake_us));
}

void handshake_print(const struct handshake_plan *plan,
		     const struct handshake_result *result, FILE *out)
{
	const struct talk *first = &result->first;

	fprintf(out, "%s%s%s%s\n", plan->address.text,
		first->peer[0] ? " (" : "", first->peer,
		first->peer[0] ? ")" : "");
	print_talk(plan, first, out);
	if (result->twice) {
		fputs("\nOnce more, with that ticket\n", out);
		print_talk(plan, &result->second, out);
		if (result->second.end == TALK_GOOD)
			print_changes(first, &result->second, out);
	} else if (first->end == TALK_GOOD) {
		fputs("\nNo ticket came that a client could come back with.\n",
		      out);
	}
	print_causes(result, out);
}
