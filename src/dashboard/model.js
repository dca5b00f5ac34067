// SPDX-License-Identifier: GPL-2.0-or-later
// model.js - what the page knows: the last line of the stream, the hour of
// history merged from all lines, and what follows from them (what needs a
// look, what comes next). Pure: time is handed in. Tested by node.

const HISTORY_MS = 3600000;
export const VERSIONS = ['TLSv1.3', 'TLSv1.2'];

export class Model {
	line = null;
	#buckets = new Map();
	// Farm time minus this machine's, from the last line.
	#ahead_ms = 0;

	take(line, atMs) {
		// Another node, or this one started anew, counts buckets its own way.
		if (line.type === 'snapshot')
			this.#buckets.clear();
		for (const bucket of line.history?.buckets ?? [])
			this.#buckets.set(bucket.n, bucket);
		for (const [n, bucket] of this.#buckets)
			if (bucket.at_ms < line.now_ms - HISTORY_MS)
				this.#buckets.delete(n);
		this.line = line;
		this.#ahead_ms = line.now_ms - atMs;
	}

	// Farm time, by this machine's clock.
	now(atMs) { return atMs + this.#ahead_ms; }

	buckets() {
		return [...this.#buckets.values()].sort((a, b) => a.n - b.n);
	}
}

// [{at_ms, share, resumed, offered, handshakes}] of one version. A bucket in
// which no ticket was offered has no share: the line has a gap there.
export function shares(buckets, version) {
	return buckets.map((bucket) => {
		const {none = 0, refused = 0, resumed = 0} = bucket[version] ?? {};
		const offered = resumed + refused;

		return {
			at_ms: bucket.at_ms, resumed, offered,
			handshakes: none + offered,
			share: offered === 0 ? null : resumed / offered,
		};
	});
}

// Handshakes a second, resumed and full, of both versions. The bucket that
// still fills is divided by what has passed of it.
export function speeds(buckets, bucketMs, nowMs) {
	return buckets.map((bucket) => {
		const ms = Math.min(bucketMs, Math.max(1000, nowMs - bucket.at_ms));
		const sum = {none: 0, refused: 0, resumed: 0};

		for (const version of VERSIONS)
			for (const kind of Object.keys(sum))
				sum[kind] += bucket[version]?.[kind] ?? 0;
		return {
			at_ms: bucket.at_ms,
			resumed: sum.resumed * 1000 / ms,
			full: (sum.none + sum.refused) * 1000 / ms,
		};
	});
}

// Keys that were revoked at once are one event: {...mark, keys}.
export function grouped(marks) {
	const list = [];

	for (const mark of marks) {
		const last = list[list.length - 1];

		if (last?.kind === mark.kind && last.at_ms === mark.at_ms)
			last.keys.push(mark.key);
		else
			list.push({...mark, keys: [mark.key]});
	}
	return list;
}

// The value below which a share `q` of a histogram lies, by straight lines
// within buckets; null without samples, Infinity past the last bound.
export function quantile(bounds, counts, q) {
	const total = counts.reduce((sum, n) => sum + n, 0);
	let below = 0;

	if (total === 0)
		return null;
	for (let i = 0; i < bounds.length; i++) {
		if (counts[i] > 0 && below + counts[i] >= q * total) {
			const low = i === 0 ? 0 : bounds[i - 1];

			return low + (bounds[i] - low) *
				(q * total - below) / counts[i];
		}
		below += counts[i];
	}
	return Infinity;
}

// What an operator should look at, worst first: {grave, text}.
export function attention(line) {
	const list = [];
	const grave = (text) => list.push({grave: true, text});
	const mild = (text) => list.push({grave: false, text});
	const name = line.node;

	for (const reason of line.not_ready)
		grave(`${name} is not ready: ${reason}`);
	for (const reason of line.degraded)
		mild(`${name}: ${reason}`);
	for (const node of line.nodes) {
		if (node.state !== 'live')
			grave(`${node.name} is ${node.state}: no heartbeat ` +
				`for ${Math.round(node.age_ms / 1000)} s`);
		else if (!node.in_sync)
			mild(`${node.name} does not hold this ring yet ` +
				`(epoch ${node.epoch})`);
		if (node.ready === false && !node.self && node.state === 'live')
			grave(`${node.name} is not ready: ` +
				(node.reasons ?? []).join(', '));
	}
	for (const entry of line.audit ?? [])
		if (!entry.good)
			grave(`audit entry ${entry.seq} is broken: ${entry.fault}`);
	if (line.audit === null)
		mild('the store does not give the audit');
	return list.sort((a, b) => b.grave - a.grave);
}

// The share of offered tickets that were taken, for the farm, over a window.
export const rateOf = (line, window) => line.rates?.[window] ?? null;

// Who is there and who holds the ring of this node.
export function membership(line) {
	const live = line.nodes.filter((node) => node.state === 'live');

	return {
		all: line.nodes.length,
		live: live.length,
		inSync: live.filter((node) => node.in_sync).length,
	};
}

export const activeKey = (line) =>
	line.ring.keys.find((key) => key.state === 'active') ?? null;

// When `key` stops sealing: its own time is over, or the next one takes over.
function sealEnd(key, keys) {
	const next = keys.filter((other) =>
		other.activate_at_ms > key.activate_at_ms &&
		(other.revoked_at_ms ?? Infinity) > other.activate_at_ms);

	return Math.min(key.seal_until_ms,
		...next.map((other) => other.activate_at_ms));
}

// The spans of a key's bar on the time line, [{state, from, to}]. The first
// key of a farm is made after the time from which it counts as active; of one
// that was revoked and forgotten it is not known when it was made (0).
export function phases(key, keys) {
	const end = key.revoked_at_ms ?? Infinity;
	const active = Math.max(key.activate_at_ms, key.made_at_ms);
	const retired = sealEnd(key, keys);
	const spans = [
		['pending', key.made_at_ms || active, active],
		['active', active, retired],
		['retired', retired, key.expire_at_ms],
	].map(([state, from, to]) => ({state, from, to: Math.min(to, end)}));

	if (end < key.expire_at_ms)
		spans.push({state: 'revoked', from: end, to: key.expire_at_ms});
	return spans.filter(({from, to}) => from < to);
}
