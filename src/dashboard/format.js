// SPDX-License-Identifier: GPL-2.0-or-later
// format.js - numbers, times and durations for people. Pure but for the choice
// of the zone, which the page's header changes. Tested by node.

let utc = false;

export const setUtc = (on) => { utc = on; };

const pad = (n, width = 2) => String(n).padStart(width, '0');

function parts(ms) {
	const at = new Date(ms);

	if (utc)
		return [at.getUTCFullYear(), at.getUTCMonth() + 1,
			at.getUTCDate(), at.getUTCHours(), at.getUTCMinutes(),
			at.getUTCSeconds()];
	return [at.getFullYear(), at.getMonth() + 1, at.getDate(),
		at.getHours(), at.getMinutes(), at.getSeconds()];
}

// "21:40:05", or with `seconds` false "21:40".
export function clock(ms, seconds = true) {
	const [, , , hour, minute, second] = parts(ms);

	return pad(hour) + ':' + pad(minute) + (seconds ? ':' + pad(second) : '');
}

export function day(ms) {
	const [year, month, date] = parts(ms);

	return `${year}-${pad(month)}-${pad(date)}`;
}

// With the day unless it is the day of `now`.
export function moment(ms, now) {
	return day(ms) === day(now) ? clock(ms) : day(ms) + ' ' + clock(ms);
}

export function iso(ms) {
	return new Date(ms).toISOString();
}

// Two units at most: "in" and "ago" are the caller's.
export function duration(ms) {
	const s = Math.max(0, Math.floor(ms / 1000));

	if (s < 60)
		return `${s} s`;
	if (s < 3600)
		return `${Math.floor(s / 60)} min ${pad(s % 60)} s`;
	if (s < 86400)
		return `${Math.floor(s / 3600)} h ` +
			`${pad(Math.floor(s % 3600 / 60))} min`;
	return `${Math.floor(s / 86400)} d ${Math.floor(s % 86400 / 3600)} h`;
}

// A countdown that keeps its width: "0:53:12", "2 d 03:10:00".
export function countdown(ms) {
	const s = Math.max(0, Math.ceil(ms / 1000));
	const days = Math.floor(s / 86400), hours = Math.floor(s % 86400 / 3600);
	const rest = `${pad(Math.floor(s % 3600 / 60))}:${pad(s % 60)}`;

	if (days > 0)
		return `${days} d ${pad(hours)}:${rest}`;
	return hours > 0 ? `${hours}:${rest}` : rest;
}

// A bucket's bound: "0.5 ms", "30 s", "12 h".
export function span(seconds) {
	if (seconds < 1)
		return `${Number((seconds * 1000).toPrecision(3))} ms`;
	if (seconds < 60)
		return `${Number(seconds.toPrecision(3))} s`;
	if (seconds < 3600)
		return `${Number((seconds / 60).toPrecision(3))} min`;
	return `${Number((seconds / 3600).toPrecision(3))} h`;
}

// "100 %" only of all: 99.996 % is 99.99 %, so that a loss never rounds away.
export function percent(share) {
	if (share === null || share === undefined || Number.isNaN(share))
		return '–';
	if (share === 1 || share === 0)
		return `${share * 100} %`;

	const down = Math.floor(share * 10000) / 100;

	return down < 10 || down >= 99 ? `${down.toFixed(2)} %`
		: `${(Math.floor(share * 1000) / 10).toFixed(1)} %`;
}

// "1 234 567", with a thin space that does not break.
export function count(n) {
	return n === null || n === undefined ? '–'
		: String(n).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

export function perSecond(n) {
	if (n === null || n === undefined)
		return '–';
	if (n >= 100)
		return count(Math.round(n));
	return n === 0 ? '0' : n < 0.01 ? '< 0.01' : n.toFixed(n < 10 ? 2 : 1);
}

export function signedMs(ms) {
	if (ms === null || ms === undefined)
		return '–';
	return `${ms < 0 ? '−' : '+'}${Math.abs(ms).toFixed(1)} ms`;
}

// Key ids are random: eight digits tell those of one ring apart.
export const shortId = (id) => (id ?? '').slice(0, 8);

export function plural(n, one, many = one + 's') {
	return `${n} ${n === 1 ? one : many}`;
}
