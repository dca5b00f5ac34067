// SPDX-License-Identifier: GPL-2.0-or-later
// model_test.js - what the dashboard makes of the stream, without a browser.
import assert from 'node:assert/strict';
import {webcrypto} from 'node:crypto';
import test from 'node:test';

import {Lines, requestName} from './dashboard/api.js';
import {pauseMs} from './dashboard/link.js';
import {Model, attention, grouped, phases, quantile, shares,
	speeds} from './dashboard/model.js';

// Browsers have it by this name, and so have later releases of node than 18.
globalThis.crypto ??= webcrypto;

const bucket = (n, resumed, refused, none) => ({
	n, at_ms: n * 10000,
	'TLSv1.3': {resumed, refused, none},
	'TLSv1.2': {resumed: 0, refused: 0, none: 0},
});

const line = (type, now_ms, buckets) =>
	({type, now_ms, history: {bucket_ms: 10000, buckets}});

test('a later line replaces the buckets that it has anew', () => {
	const model = new Model();

	model.take(line('snapshot', 20000, [bucket(0, 1, 0, 0),
		bucket(1, 1, 0, 0)]), 0);
	model.take(line('update', 21000, [bucket(1, 5, 0, 0),
		bucket(2, 7, 0, 0)]), 0);
	assert.deepEqual(model.buckets().map((b) => [b.n, b['TLSv1.3'].resumed]),
		[[0, 1], [1, 5], [2, 7]]);
});

test('a new stream begins the history anew', () => {
	const model = new Model();

	model.take(line('snapshot', 20000, [bucket(1, 1, 0, 0)]), 0);
	model.take(line('snapshot', 30000, [bucket(2, 1, 0, 0)]), 0);
	assert.deepEqual(model.buckets().map((b) => b.n), [2]);
});

test('history ends after an hour', () => {
	const model = new Model();

	model.take(line('snapshot', 20000, [bucket(1, 1, 0, 0)]), 0);
	model.take(line('update', 3610000, []), 0);
	assert.equal(model.buckets().length, 1);
	model.take(line('update', 3610001, []), 0);
	assert.equal(model.buckets().length, 0);
});

test('farm time goes on between two lines', () => {
	const model = new Model();

	model.take(line('snapshot', 20000, []), 5000);
	assert.equal(model.now(6000), 21000);
});

test('a share needs a ticket that was offered', () => {
	const list = shares([bucket(0, 3, 1, 9), bucket(1, 0, 0, 9)], 'TLSv1.3');

	assert.deepEqual(list.map((d) => [d.share, d.offered, d.handshakes]),
		[[0.75, 4, 13], [null, 0, 9]]);
});

test('the bucket that still fills counts the time that has passed', () => {
	const list = speeds([bucket(0, 20, 0, 10), bucket(1, 20, 5, 5)], 10000,
		12000);

	assert.deepEqual(list.map((d) => [d.resumed, d.full]),
		[[2, 1], [10, 5]]);
});

test('keys that were revoked at once are one event', () => {
	const revoke = (at_ms, key) => ({at_ms, kind: 'revoke', key});

	assert.deepEqual(grouped([revoke(1, 'a'), revoke(1, 'b'), revoke(2, 'c'),
		{at_ms: 2, kind: 'activate', key: 'd'}]).map((mark) => mark.keys),
	[['a', 'b'], ['c'], ['d']]);
});

test('a quantile lies within its bucket', () => {
	assert.equal(quantile([1, 2], [0, 0, 0], 0.5), null);
	assert.equal(quantile([1, 2], [4, 4, 0], 0.5), 1);
	assert.equal(quantile([1, 2], [4, 4, 0], 0.75), 1.5);
	assert.equal(quantile([1, 2], [0, 4, 0], 0.5), 1.5);
	assert.equal(quantile([1, 2], [0, 0, 4], 0.5), Infinity);
});

const key = (values) => ({made_at_ms: 10, activate_at_ms: 20,
	seal_until_ms: 40, expire_at_ms: 60, revoked_at_ms: null, ...values});
const spans = (one, ring) => phases(one, ring ?? [one])
	.map(({state, from, to}) => [state, from, to]);

test('a key is pending, active, retired', () => {
	assert.deepEqual(spans(key({})),
		[['pending', 10, 20], ['active', 20, 40], ['retired', 40, 60]]);
});

test('the next key ends the active time, unless it was revoked before', () => {
	const one = key({}), next = key({activate_at_ms: 30, made_at_ms: 25});

	assert.deepEqual(spans(one, [one, next])[1], ['active', 20, 30]);
	next.revoked_at_ms = 28;
	assert.deepEqual(spans(one, [one, next])[1], ['active', 20, 40]);
});

test('a revoked key is revoked from then on', () => {
	assert.deepEqual(spans(key({revoked_at_ms: 30})),
		[['pending', 10, 20], ['active', 20, 30], ['revoked', 30, 60]]);
	assert.deepEqual(spans(key({revoked_at_ms: 12})),
		[['pending', 10, 12], ['revoked', 12, 60]]);
});

test('the first key of a farm is active when it is made', () => {
	assert.deepEqual(spans(key({made_at_ms: 30})),
		[['active', 30, 40], ['retired', 40, 60]]);
});

test('of a forgotten key it is not told when it was made', () => {
	assert.deepEqual(spans(key({made_at_ms: 0, revoked_at_ms: 30}))[0],
		['active', 20, 30]);
});

const healthy = () => ({
	node: 'a', not_ready: [], degraded: [], audit: [],
	nodes: [{name: 'a', self: true, state: 'live', in_sync: true, epoch: 1,
		age_ms: 1, ready: true}],
});

test('nothing is wrong with a farm that is well', () => {
	assert.deepEqual(attention(healthy()), []);
});

test('what is wrong is told, the worst first', () => {
	const farm = healthy();

	farm.degraded = ['store not reached'];
	farm.audit = [{seq: 7, good: false, fault: 'MAC'}];
	farm.nodes.push({name: 'b', state: 'late', age_ms: 9000},
		{name: 'c', state: 'live', in_sync: false, epoch: 3},
		{name: 'd', state: 'live', in_sync: true, ready: false,
			reasons: ['draining']});
	assert.deepEqual(attention(farm).map((one) => one.text), [
		'b is late: no heartbeat for 9 s', 'd is not ready: draining',
		'audit entry 7 is broken: MAC', 'a: store not reached',
		'c does not hold this ring yet (epoch 3)']);
});

test('lines come whole out of pieces, also inside a character', () => {
	const bytes = new TextEncoder().encode('{"a":"ü"}\n\n{"b":1}\n{"c"');
	const lines = new Lines(), got = [];

	for (const byte of bytes)
		got.push(...lines.add(Uint8Array.of(byte)));
	assert.deepEqual(got, ['{"a":"ü"}', '{"b":1}']);
});

test('pauses grow to a bound, and differ', () => {
	assert.equal(pauseMs(0, 0.5), 500);
	assert.equal(pauseMs(3, 0.5), 4000);
	assert.equal(pauseMs(40, 0.5), 15000);
	assert.ok(pauseMs(3, 0) < pauseMs(3, 0.99));
});

test('a request has a name that the API takes', () => {
	assert.match(requestName(), /^[!-~]{1,64}$/);
	assert.notEqual(requestName(), requestName());
});
