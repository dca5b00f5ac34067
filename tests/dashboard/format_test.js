// SPDX-License-Identifier: GPL-2.0-or-later
// format_test.js - numbers, times and durations as the dashboard writes them.
import assert from 'node:assert/strict';
import test from 'node:test';

import {clock, count, countdown, day, duration, moment, percent, perSecond,
	plural, setUtc, shortId, signedMs, span} from './dashboard/format.js';

const AT = Date.UTC(2026, 10, 21, 23, 4, 5);

test('a time is that of the browser\'s zone, and of UTC when asked', () => {
	assert.equal(process.env.TZ, 'Asia/Tokyo');
	assert.equal(clock(AT), '08:04:05');
	assert.equal(day(AT), '2026-11-22');
	setUtc(true);
	assert.equal(clock(AT), '23:04:05');
	assert.equal(clock(AT, false), '23:04');
	assert.equal(day(AT), '2026-11-21');
});

test('a moment has its day only when it is another', () => {
	assert.equal(moment(AT, AT + 60000), '23:04:05');
	assert.equal(moment(AT, AT + 3600000), '2026-11-21 23:04:05');
});

test('a loss never rounds away', () => {
	assert.equal(percent(1), '100 %');
	assert.equal(percent(0.999999), '99.99 %');
	assert.equal(percent(0.98765), '98.7 %');
	assert.equal(percent(0.00009), '0.00 %');
	assert.equal(percent(0), '0 %');
	assert.equal(percent(null), '–');
});

test('a duration has two units at most', () => {
	assert.equal(duration(-5), '0 s');
	assert.equal(duration(59999), '59 s');
	assert.equal(duration(61000), '1 min 01 s');
	assert.equal(duration(3 * 3600000 + 60000), '3 h 01 min');
	assert.equal(duration(50 * 3600000), '2 d 2 h');
});

test('a countdown ends at its moment, not a second before', () => {
	assert.equal(countdown(1), '00:01');
	assert.equal(countdown(0), '00:00');
	assert.equal(countdown(-1), '00:00');
	assert.equal(countdown(3599001), '1:00:00');
	assert.equal(countdown(2 * 86400000 + 3600000), '2 d 01:00:00');
});

test('bounds of buckets are told in their unit', () => {
	assert.equal(span(0.0005), '0.5 ms');
	assert.equal(span(2.5), '2.5 s');
	assert.equal(span(300), '5 min');
	assert.equal(span(43200), '12 h');
});

test('numbers', () => {
	assert.equal(count(1234567), '1\u202f234\u202f567');
	assert.equal(count(null), '–');
	assert.equal(perSecond(0.004), '< 0.01');
	assert.equal(perSecond(0), '0');
	assert.equal(perSecond(3.14159), '3.14');
	assert.equal(perSecond(1234.5), '1\u202f235');
	assert.equal(signedMs(-0.25), '−0.3 ms');
	assert.equal(plural(1, 'node'), '1 node');
	assert.equal(plural(2, 'node'), '2 nodes');
	assert.equal(shortId('0123456789abcdef'), '01234567');
});
