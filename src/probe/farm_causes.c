/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The texts of what judge.c may find, in one table: what it is, and what to
 * check there. The names are part of the JSON and of stekprobe.1.
 */
#include "farm.h"

static const struct farm_cause causes[FARM_STATES] = {
	[FARM_SHARES] = {"shares", "shares keys with the farm", {0}},
	[FARM_UNKNOWN] = {"unknown", "whose node could not be told",
		{"does each node name itself (--node-header, stekd's page)"}},
	[FARM_ABSENT] = {"absent", "has answered in an earlier round or "
		"another version, and not in this one",
		{"has the load balancer taken it out (its health checks)",
		 "is it running"}},
	[FARM_UNDECIDED] = {"undecided", "too little was measured to tell",
		{"more --tries (5 decide a cell that always resumes, or never)",
		 "behind a load balancer more --connections"}},
	[FARM_SEVERAL] = {"several", "several nodes answer at this address",
		{"give the nodes' own addresses",
		 "or this address alone with --balanced"}},
	[FARM_LOSES] = {"loses", "shares keys, and does not always resume",
		{"was a key rotated or revoked meanwhile (stekctl audit)",
		 "is the node loaded so that it refuses tickets",
		 "do several processes or nodes answer at one address"}},
	[FARM_ONE_WAY] = {"one_way", "does not open the tickets of a node with "
		"which others of its class share",
		{"has each node the whole set of keys (stekctl nodes: epoch)",
		 "the clocks of both",
		 "do several processes or nodes answer at one address"}},
	[FARM_BEHIND] = {"behind", "the others open its tickets, and it does "
		"not open theirs",
		{"a stale set of keys: its epoch (stekctl nodes, stekd_ring_epoch)",
		 "does it reach the store (readyz, its log)",
		 "is its clock behind, so that it takes their key for not valid",
		 "a key file that was not installed there yet"}},
	[FARM_AHEAD] = {"ahead", "it opens the others' tickets, and they do not "
		"open its own",
		{"have the others its newest key (stekctl nodes: epoch)",
		 "is its clock ahead, so that it seals with a key too early",
		 "a key file that was installed there first"}},
	[FARM_STRAY] = {"stray", "resumes its own tickets, and shares keys with "
		"no other class",
		{"its farm key (stekctl farm-key status; the file farm_key)",
		 "its farm's name, and its store (configuration: farm, store.url)",
		 ("are the keys installed, and is its epoch the others' "
		  "(stekctl nodes)"),
		 "its clock (stekctl nodes: offset)",
		 "the host's policy: client CA, client_auth, certificates"}},
	[FARM_NOTHING] = {"nothing", "resumes nothing, not even its own tickets",
		{"do several processes answer there, each with keys of its own",
		 "has it a key at all (readyz), and is the host's policy strict",
		 "does its log refuse the store's ring, as sealed under another "
		 "farm key (the file farm_key)",
		 "does it accept tickets, or only give them"}},
	[FARM_NO_TICKETS] = {"no_tickets", "gives no tickets",
		{"are tickets switched off there",
		 "has it a key that seals (readyz: does it reach the store)",
		 "does its log refuse the store's ring, as sealed under another "
		 "farm key (the file farm_key)"}},
	[FARM_FAILING] = {"failing", "handshakes with it fail",
		{"stekprobe handshake with that address explains why"}},
	[FARM_UNREACHABLE] = {"unreachable", "no TCP connection",
		{"is it running, and does it listen there (ss -tln)",
		 "the address, and firewalls"}},
};

const struct farm_cause *farm_cause(enum farm_state state)
{
	return &causes[state];
}
