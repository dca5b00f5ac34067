// SPDX-License-Identifier: GPL-2.0-or-later
// tables.js - what is best read as a table: nodes, refusals and failures with
// bars in their rows, the heat map of issuers and resumers, stores, audit.
import {byId, el, fillTable, setChildren, svg} from './dom.js';
import {count, duration, iso, moment, percent, perSecond, plural, shortId,
	signedMs} from './format.js';

const REFUSED = {
	unknown: 'key not known', expired: 'expired', revoked: 'key revoked',
	policy: 'other host or policy', forged: 'forged',
	chain: 'chain too old', format: 'not a ticket of this farm',
	limit: 'too many tickets in one hello',
	identity: 'client certificate no longer good',
	psk_ke: 'offered under psk_ke only',
};

const words = (name) => name.replaceAll('_', ' ');

function badge(kind, text) {
	return el('span', {class: `badge ${kind}`}, text);
}

function readiness(node, line) {
	if (node.state !== 'live')
		return badge('bad', node.state);
	if (node.self)
		return line.ready ? badge('good', 'ready')
			: badge('bad', `not ready: ${line.not_ready.join(', ')}`);
	if (node.ready === false)
		return badge('bad', `not ready: ${(node.reasons ?? []).join(', ')}`);
	// Of the others a heartbeat need not tell it.
	return badge('good', node.ready ? 'ready' : 'live');
}

export function showNodes(line, now) {
	fillTable(byId('nodes'), [
		{name: 'Node', head: true}, {name: 'State'}, {name: 'Ring'},
		{name: 'Heartbeat', number: true}, {name: 'Clock', number: true},
		{name: 'Resumed, 1 min', number: true},
		{name: 'Handshakes/s', number: true},
		{name: 'Open', number: true}, {name: 'Up since'},
	], line.nodes.map((node) => [
		el('span', {title: `node id ${node.id}`}, node.name,
			node.self ? el('span', {class: 'quiet'}, ' (this one)') : null),
		readiness(node, line),
		el('span', {'data-epoch': node.epoch}, `epoch ${node.epoch} `,
			node.in_sync ? badge('good', 'in sync')
				: badge('warn', 'other ring')),
		`${duration(node.age_ms)} ago`,
		signedMs(node.clock_offset_ms),
		percent(node.rates?.['1m']?.resumption_rate),
		perSecond(node.rates?.['1m']?.handshakes_per_s),
		count(node.open),
		node.started_at_ms ? el('time', {datetime: iso(node.started_at_ms)},
			moment(node.started_at_ms, now)) : null,
	]), 'The store does not say who is in the farm.');
}

// A bar as wide as its share.
function bar(share) {
	return svg('svg', {class: 'bar-cell', 'aria-hidden': 'true', width: '100%',
		height: 10}, svg('rect', {width: `${share * 100}%`, height: 10, rx: 2}));
}

function showCounts(table, counts, nameOf, empty) {
	const rows = Object.entries(counts).filter(([, n]) => n > 0)
		.sort((a, b) => b[1] - a[1]);
	const all = rows.reduce((sum, [, n]) => sum + n, 0);

	fillTable(table, [{name: 'Reason', head: true},
		{name: 'Number', number: true}, {name: 'Share'}],
	rows.map(([name, n]) => [nameOf(name), count(n), el('div',
		{class: 'share'}, bar(n / all), percent(n / all))]), empty);
}

export function showRefusals(line) {
	showCounts(byId('refusals'), line.refusals,
		(name) => REFUSED[name.replace(/^refused_|_key$/g, '')] ?? words(name),
		'None: every ticket that was offered was taken.');
	showCounts(byId('failures'), line.failures, words, 'None.');
}

// Ten steps of colour; the number stands in each field too.
function heatCell(n, most) {
	const step = n === 0 ? 0 : 1 + Math.floor(8.999 * Math.sqrt(n / most));

	return el('td', {class: `number heat-${Math.min(9, step)}`},
		n === 0 ? '0' : count(n));
}

export function showHeat(line) {
	const {nodes, cells} = line.heat;
	const by = new Map(cells.map(([from, to, n]) => [`${from}.${to}`, n]));
	const most = Math.max(1, ...cells.map(([, , n]) => n));
	// "other" stands for issuers that are not counted apart.
	const used = (side) => nodes.map((name, i) => i).filter((i) =>
		nodes[i] !== 'other' || cells.some((cell) => cell[side] === i));
	const issuers = used(0), resumers = used(1);

	setChildren(byId('heat'),
		el('thead', {}, el('tr', {},
			el('th', {scope: 'col'}, 'issued by ↓ resumed at →'),
			resumers.map((i) => el('th', {scope: 'col', class: 'number'},
				nodes[i])))),
		el('tbody', {}, issuers.map((from) => el('tr', {},
			el('th', {scope: 'row'}, nodes[from]),
			resumers.map((to) =>
				heatCell(by.get(`${from}.${to}`) ?? 0, most))))));
}

export function showStores(line, now) {
	const kinds = {ok: 'good', connecting: 'warn'};

	setChildren(byId('stores'), line.store.stores.map((store) =>
		el('dl', {class: 'facts'},
			el('dt', {}, 'Address'), el('dd', {}, el('code', {}, store.url)),
			el('dt', {}, 'State'), el('dd', {},
				badge(kinds[store.state] ?? 'bad', store.state),
				` for ${duration(now - store.since_ms)}`,
				store.detail ? `: ${store.detail}` : ''),
			el('dt', {}, 'Last answer'), el('dd', {}, store.ok_at_ms
				? `${duration(now - store.ok_at_ms)} ago` : 'none yet'),
			el('dt', {}, 'Clock'), el('dd', {}, store.clock_known
				? `${signedMs(store.clock_offset_ms)} from this node's`
				: 'not known yet'))));
}

function auditRing(says) {
	if (says.epoch_after === undefined)
		return null;
	return says.epoch_before === says.epoch_after ? `epoch ${says.epoch_after}`
		: `epoch ${says.epoch_before} → ${says.epoch_after}`;
}

function auditNodes(says) {
	return says.live === undefined ? null
		: `${says.acknowledged} of ${plural(says.live, 'node')}`;
}

function auditResult(row, says) {
	if (!row.good)
		return badge('bad', `broken: ${row.fault}`);
	const text = [says.result, says.detail].filter(Boolean).join(': ');

	// Entered before a change that has a name begins; its end follows.
	if (says.result === 'asked for')
		return badge('retired', text);
	return badge(says.result === 'ok' || says.result === undefined ? 'good'
		: 'warn', text || 'ok');
}

export function showAudit(line, now) {
	const entries = [...line.audit ?? []].reverse();

	fillTable(byId('audit'), [
		{name: 'No.', head: true}, {name: 'Time'}, {name: 'Action'},
		{name: 'Who'}, {name: 'At node'}, {name: 'Ring'},
		{name: 'Acknowledged'}, {name: 'Result'}, {name: 'Reason'},
	], entries.map((row) => {
		const says = typeof row.entry === 'object' ? row.entry : {};

		return [
			String(row.seq),
			says.at_ms ? el('time', {datetime: iso(says.at_ms)},
				moment(says.at_ms, now)) : null,
			el('span', {}, words(says.action ?? '–'), says.key
				? el('code', {class: 'after'}, shortId(says.key)) : null),
			[says.who, says.from].filter(Boolean).join(' from '),
			says.node, auditRing(says), auditNodes(says),
			auditResult(row, says), says.note,
		];
	}), line.audit === null ? 'The store does not give the audit.'
		: 'No change has been made yet.');
}
