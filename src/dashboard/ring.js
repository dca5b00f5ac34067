// SPDX-License-Identifier: GPL-2.0-or-later
// ring.js - the key ring as a time line: a bar for each key, cut where its
// state changes, and the line that says now; the same as a table; and what
// comes next, with countdowns.
import {Canvas, join, timeAxis, timeScale} from './chart.js';
import {byId, el, fillTable, setChildren, setText} from './dom.js';
import {countdown, iso, moment, plural, shortId} from './format.js';
import {phases} from './model.js';

const ROW = 42, TOP = 26, FOOT = 24, BAR = 12;
const WORDS = {activate: 'becomes active', retire: 'stops sealing',
	expire: 'expires'};

function whyMade(key) {
	if (!key.made_by)
		return '';
	return ({schedule: 'by schedule', rotate: 'by rotation',
		revoke: 'in place of a revoked one'}[key.reason] ?? key.reason) +
		`, by ${key.made_by}`;
}

// What its label on the chart says besides the id.
function stateText(key, now) {
	if (key.state === 'pending')
		return `pending, active in ${countdown(key.activate_at_ms - now)}`;
	if (key.state === 'revoked')
		return `revoked at ${moment(key.revoked_at_ms, now)}`;
	return key.state;
}

export class RingView {
	#line = null;
	#now = 0;
	#utc = false;

	constructor() {
		this.canvas = new Canvas(byId('ring-chart'), 'Key ring',
			(width) => this.#draw(width));
		// What hatches the bars of revoked keys.
		const pattern = this.canvas.layer('defs').append('pattern')
			.attr({id: 'hatch', width: 6, height: 6,
				patternUnits: 'userSpaceOnUse',
				patternTransform: 'rotate(45)'});

		pattern.append('rect').attr({width: 6, height: 6, class: 'hatch-back'});
		pattern.append('line').attr({x1: 0, x2: 0, y1: 0, y2: 6,
			class: 'hatch-line'});
	}

	show(line, now, utc) {
		this.#line = line;
		this.#utc = utc;
		this.#now = now;
		this.canvas.redraw();
		this.#table();
		this.#next();
	}

	// Between two lines of the stream only the clock goes on.
	tick(now) {
		this.#now = now;
		if (!this.#line)
			return;
		for (const node of byId('next').querySelectorAll('[data-at]'))
			setText(node, this.#due(Number(node.dataset.at)));
		this.canvas.redraw();
	}

	#keys() {
		return this.#line.ring.keys.filter((key) => key.state !== 'gone');
	}

	#due(at) {
		return at <= this.#now ? 'now' : `in ${countdown(at - this.#now)}`;
	}

	#draw(width) {
		if (!this.#line)
			return;
		const keys = this.#keys(), now = this.#now;
		const bars = keys.flatMap((key, row) =>
			phases(key, this.#line.ring.keys)
				.map((span) => ({...span, row, id: key.id})));
		const height = TOP + keys.length * ROW + FOOT;
		const end = Math.max(now, ...bars.map((bar) => bar.to));
		// Of the past only what is not seen to change any more is cut off.
		const begin = Math.max(now - (end - now) / 5,
			Math.min(now - (end - now) / 20,
				...bars.map((bar) => bar.from)));
		const x = timeScale(this.#utc).range([4, width - 4])
			.domain([begin, end]).clamp(true);

		this.canvas.size(width, height);
		timeAxis(this.canvas.layer('axis'), x, TOP - 4, height - FOOT + 2,
			width);
		this.#bars(bars, x, begin);
		this.#nowLine(x, height, width);
		this.#labels(keys, x(now) < width / 3 ? x(now) + 8 : 4, width);
		this.canvas.name(`Key ring, epoch ${this.#line.ring.epoch}: ` +
			keys.map((key) => `${shortId(key.id)} ` +
				key.state).join(', '));
	}

	#bars(bars, x, begin) {
		join(this.canvas.layer('bars'), 'rect', 'bar', bars,
			(bar) => bar.id + bar.state)
			.attr('class', (bar) => `bar ${bar.state}`)
			.attr('fill', (bar) => bar.state === 'revoked'
				? 'url(#hatch)' : null)
			.attr('x', (bar) => x(bar.from))
			.attr('width', (bar) => Math.max(bar.to < begin ? 0 : 1.5,
				x(bar.to) - x(bar.from)))
			.attr('y', (bar) => TOP + bar.row * ROW + 19 +
				(bar.state === 'pending' ? 3 : 0))
			.attr('height', (bar) => bar.state === 'pending'
				? BAR - 6 : BAR);
	}

	// Right of the line that says now, unless it stands far to the right.
	#labels(keys, left, width) {
		const row = (key, i) => TOP + i * ROW + 13;

		join(this.canvas.layer('ids'), 'text', 'id', keys, (key) => key.id)
			.attr('x', left).attr('y', row).text((key) => shortId(key.id));
		join(this.canvas.layer('states'), 'text', 'state', keys,
			(key) => key.id)
			.attr('class', (key) => `state ${key.state}`)
			.attr('x', left + 72).attr('y', row)
			.text((key) => stateText(key, this.#now) +
				(width > 640 && whyMade(key)
					? ` · made ${whyMade(key)}` : ''));
	}

	#nowLine(x, height, width) {
		const at = x(this.#now), layer = this.canvas.layer('now');

		join(layer, 'line', 'now-line', [at]).attr('x1', at).attr('x2', at)
			.attr('y1', TOP - 6).attr('y2', height - FOOT + 2);
		join(layer, 'text', 'now-text', [at])
			.attr('x', Math.min(width - 24, Math.max(24, at)))
			.attr('y', 13).attr('text-anchor', 'middle').text('now');
	}

	#table() {
		const at = (ms) => ms ? el('time', {datetime: iso(ms)},
			moment(ms, this.#now)) : null;

		fillTable(byId('ring-table'), [
			{name: 'Key', head: true}, {name: 'State'}, {name: 'Made'},
			{name: 'Active from'}, {name: 'Opens until'},
			{name: 'Revoked'},
		], this.#line.ring.keys.map((key) => [
			el('code', {title: key.id}, shortId(key.id)),
			el('span', {class: `badge ${key.state}`}, key.state),
			key.made_by ? `${moment(key.made_at_ms, this.#now)}, ` +
				whyMade(key) : null,
			at(key.activate_at_ms), at(key.expire_at_ms),
			at(key.revoked_at_ms),
		]), 'The ring is empty: no ticket is given until the store answers.');
	}

	#next() {
		const all = this.#line.ring.next;
		// That one key takes over from another is one event.
		const events = all.filter((event) => event.kind !== 'retire' ||
			!all.some((other) => other.kind === 'activate' &&
				other.at_ms === event.at_ms)).slice(0, 5);

		setChildren(byId('next'), events.length === 0
			? el('li', {class: 'quiet'}, 'Nothing is planned.')
			: events.map((event) => el('li', {},
				el('span', {class: 'due', 'data-at': event.at_ms},
					this.#due(event.at_ms)), ' ',
				el('span', {}, el('code', {}, shortId(event.key)),
					` ${WORDS[event.kind] ?? event.kind}`), ' ',
				el('time', {class: 'quiet',
					datetime: iso(event.at_ms)},
				moment(event.at_ms, this.#now)))));
	}
}

export const ringText = (ring) =>
	`epoch ${ring.epoch}, ${plural(ring.keys.length, 'key')}`;
