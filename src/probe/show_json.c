/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The handshake command's report for programs. Strings are plain ASCII by the
 * time they come here, so that none can make invalid JSON.
 */
#include <stdio.h>
#include <time.h>

#include <jansson.h>

#include "alert.h"
#include "handshake.h"

static json_t *ms(int64_t us)
{
	return us ? json_real((double)us / 1000.0) : json_null();
}

/* A string, or null when it is empty. */
static json_t *text(const char *value)
{
	return value[0] ? json_string(value) : json_null();
}

static json_t *date(int64_t at_s)
{
	time_t at = (time_t)at_s;
	struct tm tm;
	char out[32];

	gmtime_r(&at, &tm);
	strftime(out, sizeof(out), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(out);
}

static json_t *hex(const uint8_t *bytes, size_t len)
{
	char out[2 * 255 + 1] = "";

	for (size_t i = 0; i < len; i++)
		sprintf(out + 2 * i, "%02x", bytes[i]);
	return json_string(out);
}

static json_t *flights(const struct flight *flight)
{
	json_t *list = json_array();
	char name[80];

	for (size_t i = 0; i < flight->n; i++) {
		const struct flight_event *event = &flight->events[i];

		flight_event_name(event, name);
		json_array_append_new(list, json_pack(
			"{s:i,s:s,s:s,s:i,s:s,s:o}",
			"flight", (int)event->number,
			"from", event->by_server ? "server" : "client",
			"message", name,
			"bytes", (int)event->size,
			"keys", flight_keys_name(event->keys),
			"ms", json_real((double)event->at_us / 1000.0)));
	}
	return list;
}

static json_t *tickets(const struct flight *flight)
{
	json_t *list = json_array();

	for (size_t i = 0; i < flight->n_tickets; i++) {
		const struct flight_ticket *ticket = &flight->tickets[i];
		json_t *one = json_pack("{s:I,s:i,s:o}",
			"lifetime_s", (json_int_t)ticket->lifetime_s,
			"bytes", ticket->size,
			"key_name", ticket->named ?
			hex(ticket->name, KEY_NAME_LEN) : json_null());

		if (ticket->tls13) {
			json_object_set_new(one, "age_add",
					    json_integer(ticket->age_add));
			json_object_set_new(one, "nonce",
				hex(ticket->nonce, ticket->nonce_len));
			json_object_set_new(one, "early_data_bytes",
				ticket->early_data ?
				json_integer(ticket->early_data_max) :
				json_null());
		}
		json_array_append_new(list, one);
	}
	return list;
}

static json_t *chain(const struct talk *talk)
{
	json_t *list = json_array();

	for (size_t i = 0; i < talk->n_certs; i++) {
		const struct cert *cert = &talk->certs[i];

		json_array_append_new(list, json_pack(
			"{s:s,s:s,s:s,s:o,s:o,s:s,s:s,s:s}",
			"subject", cert->subject, "issuer", cert->issuer,
			"names", cert->names,
			"not_before", date(cert->not_before_s),
			"not_after", date(cert->not_after_s),
			"key", cert->key, "signature", cert->signature,
			"sha256", cert->fingerprint));
	}
	return list;
}

static json_t *negotiated(const struct talk *talk)
{
	if (talk->version[0] == '\0')
		return json_null();
	return json_pack("{s:s,s:s,s:o,s:o,s:o,s:b,s:b}",
		"version", talk->version, "cipher_suite", talk->suite,
		"group", text(talk->group),
		"signature_scheme", text(talk->scheme),
		"application_protocol", text(talk->alpn),
		"extended_master_secret", talk->ems,
		"resumed", talk->resumed);
}

static json_t *alert(const struct talk *talk)
{
	if (talk->alert < 0)
		return json_null();
	return json_pack("{s:s,s:i,s:s,s:s}",
		"name", alert_name(talk->alert), "number", talk->alert,
		"from", talk->end == TALK_ALERTED ? "server" : "client",
		"keys", flight_keys_name(talk->alert_keys));
}

static json_t *verification(const struct handshake_plan *plan,
			    const struct talk *talk)
{
	if (!plan->offer.tls.ca || talk->n_certs == 0)
		return json_null();
	if (talk->verify_error == X509_V_OK)
		return json_string("ok");
	return json_string(X509_verify_cert_error_string(talk->verify_error));
}

static json_t *connection(const struct handshake_plan *plan,
			  const struct talk *talk)
{
	char first[5 * sizeof(talk->first)];
	const struct flight *flight = &talk->flight;

	clean_text(first, sizeof(first), talk->first,
		   talk->end == TALK_NOT_TLS ? talk->n_first : 0);
	return json_pack("{s:s,s:s,s:b,s:o,s:o,s:o,s:o,s:I,s:I,s:i,s:o,s:o,"
			 "s:o,s:o,s:o,s:b,s:o,s:o,s:o,s:o,s:o}",
		"end", talk_end_name(talk->end),
		"stage", talk_stage_name(talk->stage),
		"accepted", talk->accepted,
		"connect_ms", ms(talk->connect_us),
		"handshake_ms", ms(talk->handshake_us),
		"total_ms", ms(talk->total_us),
		"messages", flights(flight),
		"bytes_sent", (json_int_t)flight->wire[0],
		"bytes_received", (json_int_t)flight->wire[1],
		"messages_left_out", (int)flight->left_out,
		"negotiated", negotiated(talk),
		"certificates", chain(talk),
		"name_matches", talk->n_certs ?
		json_boolean(talk->name_matches) : json_null(),
		"verification", verification(plan, talk),
		"tickets", tickets(flight),
		"client_certificate_asked",
		flight_find(flight, true, HS_CERTIFICATE_REQUEST) >= 0,
		"alert", alert(talk),
		"error", text(talk->error),
		"first_bytes", text(first),
		"http_status", talk->page.status ?
		json_integer(talk->page.status) : json_null(),
		"node", text(talk->page.node));
}

static json_t *causes(const struct causes *causes)
{
	json_t *list = json_array();

	for (size_t i = 0; i < causes->n; i++) {
		const struct cause *cause = causes->list[i];
		json_t *checks = json_array();

		for (int c = 0; c < CHECKS_MAX && cause->check[c]; c++)
			json_array_append_new(checks,
					      json_string(cause->check[c]));
		json_array_append_new(list, json_pack("{s:s,s:s,s:o}",
			"name", cause->name, "what", cause->what,
			"check", checks));
	}
	return list;
}

static json_t *trials(const struct trials *trials)
{
	return json_pack("{s:i,s:o,s:b,s:o,s:o}",
		"connections", (int)trials->n,
		"answered_with", text(trial_aspect_name(trials->helped)),
		"plain_http", trials->plain,
		"alert_in_other_version", trials->other_alert >= 0 ?
		json_string(alert_name(trials->other_alert)) : json_null(),
		"clock_off_s", trials->clock_known ?
		json_integer(trials->clock_off_s) : json_null());
}

void handshake_print_json(const struct handshake_plan *plan,
			  const struct handshake_result *result, FILE *out)
{
	json_t *root = json_pack("{s:s,s:o,s:o,s:o,s:o,s:o}",
		"address", plan->address.text,
		"peer", text(result->first.peer),
		"first", connection(plan, &result->first),
		"second", result->twice ?
		connection(plan, &result->second) : json_null(),
		"causes", causes(&result->causes),
		"trials", trials(&result->trials));

	json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	fputc('\n', out);
	json_decref(root);
}
