/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekprobe handshake: runs the first connection, the one with its ticket, and
 * the trials after a failure, in this order.
 */
#include <stdio.h>

#include "handshake.h"

static const struct talk *failed_one(const struct handshake_result *result)
{
	if (result->first.end != TALK_GOOD)
		return &result->first;
	if (result->twice && result->second.end != TALK_GOOD)
		return &result->second;
	return NULL;
}

int handshake_run(const struct handshake_plan *plan,
		  struct handshake_result *out, FILE *err)
{
	SSL_CTX *ctx;
	const struct talk *failed;

	*out = (struct handshake_result){.trials.other_alert = -1};
	if (plan->offer.cert && cert_own_read(&out->own, plan->offer.cert)) {
		fprintf(err, "stekprobe: --cert: no certificate in PEM\n");
		return -1;
	}
	ctx = talk_context(&plan->offer, err);
	if (!ctx)
		return -1;
	talk_run(&out->first, &plan->offer, ctx, &plan->address, NULL, true);
	out->twice = out->first.end == TALK_GOOD && out->first.session &&
		     SSL_SESSION_is_resumable(out->first.session);
	if (out->twice)
		talk_run(&out->second, &plan->offer, ctx, &plan->address,
			 out->first.session, true);
	SSL_CTX_free(ctx);
	failed = failed_one(out);
	if (failed && plan->trials)
		trial_run(&out->trials, plan, failed);
	if (failed)
		explain(&out->causes, failed, &out->own, &out->trials);
	return 0;
}

void handshake_clear(struct handshake_result *result)
{
	talk_clear(&result->first);
	talk_clear(&result->second);
}

int handshake_verdict(const struct handshake_result *result, bool expect)
{
	if (result->first.stage <= TALK_CONNECT)
		return 3;
	if (failed_one(result))
		return 1;
	return expect && !(result->twice && result->second.resumed) ? 1 : 0;
}
