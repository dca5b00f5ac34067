// SPDX-License-Identifier: GPL-2.0-or-later
// summary.js - what is seen first: whether all is well, and if not why; and
// six figures. An operator who is woken reads no further when these are good.
import {byId, el, setChildren, setText} from './dom.js';
import {clock, countdown, duration, percent, perSecond, plural,
	shortId} from './format.js';
import {activeKey, attention, membership} from './model.js';

// One tile: its name, its figure, a line of detail, and how it is judged.
function tile(name, figure, detail, grade) {
	return el('div', {class: `tile ${grade ?? ''}`}, el('dt', {}, name),
		el('dd', {}, el('span', {class: 'figure'}, figure),
			el('span', {class: 'detail quiet'}, detail)));
}

function nextRotation(line, now) {
	const next = line.ring.next.find((event) => event.kind === 'activate');

	if (!next)
		return tile('Next rotation', '–', 'none is planned', 'warn');
	return tile('Next rotation', countdown(next.at_ms - now),
		`at ${clock(next.at_ms)}, to ${shortId(next.key)}`);
}

function active(line) {
	const key = activeKey(line);

	return key ? tile('Active key', shortId(key.id), `epoch ${line.ring.epoch}, ` +
		plural(line.ring.keys.filter((one) =>
			!['revoked', 'gone'].includes(one.state)).length,
		'usable key'))
		: tile('Active key', 'none', 'no ticket is given', 'bad');
}

function store(line) {
	const up = line.store.stores.filter((one) => one.state === 'ok').length;

	return tile('Store', line.store.state, line.store.stores.length > 1
		? `${up} of ${line.store.stores.length} answer`
		: line.store.detail || 'answers',
	up === line.store.stores.length ? 'good' : up > 0 ? 'warn' : 'bad');
}

export function showTiles(line, now) {
	const {all, live, inSync} = membership(line);
	const minute = line.rates['1m'];

	setChildren(byId('tiles'),
		active(line), nextRotation(line, now),
		tile('Nodes in sync', `${inSync} of ${all}`,
			live === all ? 'all live' : `${live} live`,
			inSync === all ? 'good' : live === all ? 'warn' : 'bad'),
		tile('Clients that resume', percent(minute.resumption_rate),
			minute.resumption_rate === null ? 'no ticket offered in 1 min'
				: 'of those with a ticket, 1 min'),
		tile('Handshakes', `${perSecond(minute.handshakes_per_s)}/s`,
			`${perSecond(minute.failures_per_s)}/s fail, 1 min`),
		store(line));
}

// oldMs: the link is lost, and that is how old the line is; null: it is not.
export function showAttention(line, oldMs) {
	const list = attention(line);

	if (oldMs !== null)
		list.unshift({grave: true, text: 'No connection: what is shown is ' +
			`${duration(oldMs)} old`});

	const grave = list.some((one) => one.grave);
	const box = byId('attention');

	box.classList.toggle('bad', grave);
	box.classList.toggle('warn', !grave && list.length > 0);
	box.classList.toggle('good', list.length === 0);
	document.title = `${list.length === 0 ? '' : '(!) '}${line.farm} – stekd`;
	setText(byId('attention-h'), list.length === 0 ? 'All is well'
		: `${plural(list.length, 'thing')} to look at`);
	setChildren(byId('attention-list'), list.map((one) =>
		el('li', {class: one.grave ? 'grave' : ''}, one.text)));
}

export function showHeader(line) {
	setText(byId('farm'), line.farm);
	setText(byId('seen-from'), `as ${line.node} sees it, ` +
		`version ${line.version}`);
}
