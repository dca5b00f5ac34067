// SPDX-License-Identifier: GPL-2.0-or-later
// rate.js - how often clients resume, over time: the share by TLS version, the
// handshakes per second below it, rotations and revocations as marks on both.
import {Canvas, join, linePath, linear, roundTicks, timeAxis, timeScale,
	valueAxis} from './chart.js';
import {byId, el, fillTable, setChildren, setText} from './dom.js';
import {clock, count, iso, moment, percent, perSecond,
	shortId} from './format.js';
import {VERSIONS, grouped, shares, speeds} from './model.js';

const LEFT = 46, RIGHT = 10, TOP = 34, UPPER = 150, GAP = 22, LOWER = 76;
const HEIGHT = TOP + UPPER + GAP + LOWER + 22;
const BOTTOM = TOP + UPPER + GAP + LOWER;
const CLASS = {'TLSv1.3': 'tls13', 'TLSv1.2': 'tls12'};

function markText(mark) {
	if (mark.kind === 'revoke')
		return 'revoked';
	return {rotate: 'rotated', revoke: 'replaced'}[mark.reason] ??
		'scheduled rotation';
}

export class RateView {
	#data = null;
	#spanMs = 900000;
	#cursor = null;

	constructor() {
		const place = byId('rate-chart');

		place.append(this.#legend());
		this.canvas = new Canvas(place, 'Resumption rate over time',
			(width) => this.#draw(width));
		this.read = el('p', {class: 'readout quiet'});
		place.append(this.read);
		byId('span').addEventListener('change', (event) => {
			this.#spanMs = Number(event.target.value);
			this.#shown();
		});
		this.canvas.root.addEventListener('pointermove', (event) => {
			const box = this.canvas.root.getBoundingClientRect();

			this.#cursor = event.clientX - box.left;
			this.canvas.redraw();
		});
		this.canvas.root.addEventListener('pointerleave', () => {
			this.#cursor = null;
			this.canvas.redraw();
		});
	}

	#legend() {
		const entry = (name, text) => el('li', {},
			el('span', {class: `swatch ${name}`, 'aria-hidden': 'true'}),
			text);

		return el('ul', {class: 'legend'},
			entry('tls13', 'TLS 1.3'), entry('tls12', 'TLS 1.2'),
			entry('resumed', 'resumed per second'),
			entry('full', 'full per second'),
			entry('rotation', 'rotation'), entry('revocation', 'revocation'));
	}

	show(model, now, utc) {
		const ms = model.line.history.bucket_ms;
		// One that has just begun says nothing yet.
		const buckets = model.buckets().filter((bucket) =>
			now - bucket.at_ms >= ms / 4);

		this.#data = {
			now, utc, ms, marks: model.line.history.marks,
			shares: Object.fromEntries(VERSIONS.map((version) =>
				[version, shares(buckets, version)])),
			speeds: speeds(buckets, ms, now),
			rates: model.line.rates,
		};
		this.#shown();
		this.#averages();
		this.#marks();
	}

	#shown() {
		if (!this.#data)
			return;
		this.canvas.redraw();
		this.#table();
	}

	#recent(list) {
		const from = this.#data.now - this.#spanMs - this.#data.ms;

		return list.filter((entry) => entry.at_ms >= from);
	}

	#draw(width) {
		if (!this.#data)
			return;
		const x = timeScale(this.#data.utc)
			.domain([this.#data.now - this.#spanMs, this.#data.now])
			.range([LEFT, width - RIGHT]);
		const right = width - RIGHT;
		const y = linear().domain([0, 1]).range([TOP + UPPER, TOP]);

		this.canvas.size(width, HEIGHT);
		timeAxis(this.canvas.layer('axis'), x, TOP, BOTTOM, width);
		valueAxis(this.canvas.layer('shares'), y, LEFT, right,
			[0, 0.25, 0.5, 0.75, 1], (v) => `${v * 100} %`);
		this.#speedLines(x, right);
		this.#shareLines(x, y);
		this.#markLines(x, right);
		this.#cursorLine(x);
		this.#clip(width);
	}

	// Lines begin left of the chart when its time is cut out of more.
	#clip(width) {
		const layer = this.canvas.layer('defs');

		if (layer.select('clipPath').empty())
			layer.append('clipPath').attr('id', 'rate-clip').append('rect');
		layer.select('rect').attr({x: LEFT, y: 0, height: HEIGHT,
			width: Math.max(0, width - RIGHT - LEFT)});
	}

	// A bucket stands for all of its time: the line passes its middle.
	#middle(list) {
		return this.#recent(list).map((entry) => ({...entry,
			at_ms: Math.min(entry.at_ms + this.#data.ms / 2,
				this.#data.now)}));
	}

	#shareLines(x, y) {
		const lines = VERSIONS.map((version) => ({
			version, points: this.#middle(this.#data.shares[version]),
		}));
		const layer = this.canvas.layer('lines')
			.attr('clip-path', 'url(#rate-clip)');

		join(layer, 'path', 'line', lines, (line) => line.version)
			.attr('class', (line) => `line ${CLASS[line.version]}`)
			.attr('d', (line) =>
				linePath(x, y, (d) => d.share)(line.points));
	}

	#speedLines(x, right) {
		const points = this.#middle(this.#data.speeds);
		const most = Math.max(0, ...points.map((d) =>
			Math.max(d.resumed, d.full)));
		const {top, ticks} = roundTicks(most, 3);
		const y = linear().domain([0, top])
			.range([BOTTOM, BOTTOM - LOWER]);

		valueAxis(this.canvas.layer('speeds'), y, LEFT, right, ticks,
			(v) => `${count(v)}/s`);
		join(this.canvas.layer('speed-lines')
			.attr('clip-path', 'url(#rate-clip)'), 'path', 'speed',
		['full', 'resumed'], String)
			.attr('class', (kind) => `speed ${kind}`)
			.attr('d', (kind) => linePath(x, y, (d) => d[kind])(points));
	}

	// A revocation and the key that takes over stand close together: their
	// signs differ, and only one text is written where there is room for one.
	#markLines(x, right) {
		const marks = this.#data.marks.filter((mark) =>
			x(mark.at_ms) >= LEFT && x(mark.at_ms) <= right);
		const layer = this.canvas.layer('marks');
		let free = right + 1;

		for (const mark of [...marks].reverse()) {
			const at = x(mark.at_ms);

			mark.left = at > right - 100;
			mark.text = at + (mark.left ? 0 : 96) < free
				? markText(mark) : '';
			if (mark.text)
				free = at - (mark.left ? 96 : 0);
		}
		const kind = (mark) => mark.kind === 'revoke' ? 'revocation'
			: 'rotation';
		const key = (mark) => mark.kind + mark.key;

		join(layer, 'line', 'mark', marks, key)
			.attr('class', (mark) => `mark ${kind(mark)}`)
			.attr('x1', (mark) => x(mark.at_ms))
			.attr('x2', (mark) => x(mark.at_ms))
			.attr('y1', TOP - 8).attr('y2', BOTTOM);
		join(layer, 'path', 'sign', marks, key)
			.attr('class', (mark) => `sign ${kind(mark)}`)
			.attr('transform', (mark) =>
				`translate(${x(mark.at_ms)},${TOP - 14})`)
			.attr('d', (mark) => mark.kind === 'revoke'
				? 'M-5-5L5 5M5-5L-5 5' : 'M-6-5H6L0 6Z');
		join(layer, 'text', 'mark-text', marks, key)
			.attr('class', (mark) => `mark-text ${kind(mark)}`)
			.attr('text-anchor', (mark) => mark.left ? 'end' : 'start')
			.attr('x', (mark) => x(mark.at_ms) + (mark.left ? -9 : 9))
			.attr('y', TOP - 10).text((mark) => mark.text);
	}

	#cursorLine(x) {
		const at = this.#cursor, shown = at !== null && at >= LEFT;
		const layer = this.canvas.layer('cursor');

		join(layer, 'line', 'cursor-line', shown ? [at] : [])
			.attr('x1', at).attr('x2', at).attr('y1', TOP)
			.attr('y2', BOTTOM);
		if (!shown) {
			setText(this.read, `One point for ${this.#data.ms / 1000} s. ` +
				'Point at the chart to read a value.');
			return;
		}
		const ms = x.invert(at).getTime();
		const of = (list) => list.find((entry) => entry.at_ms <= ms &&
			ms < entry.at_ms + this.#data.ms);

		setText(this.read, clock(ms) + VERSIONS.map((version) => {
			const d = of(this.#data.shares[version]);

			return ` · ${version.replace('v', ' ')} ` +
				`${percent(d?.share)} of ${count(d?.offered ?? 0)}`;
		}).join('') + ` · ${perSecond(of(this.#data.speeds)?.resumed ?? 0)}` +
			` resumed/s, ${perSecond(of(this.#data.speeds)?.full ?? 0)} full/s`);
	}

	// At most thirty rows, newest first: a minute each when an hour is shown.
	#table() {
		const {shares: by, speeds: speed, now} = this.#data;
		const rows = this.#recent(speed).map((entry, i) => {
			const of = (version) => this.#recent(by[version])[i];

			return [clock(entry.at_ms), percent(of('TLSv1.3')?.share),
				percent(of('TLSv1.2')?.share),
				perSecond(entry.resumed), perSecond(entry.full)];
		});
		const step = Math.max(1, Math.ceil(rows.length / 30));

		fillTable(byId('rate-table'), [
			{name: 'From', head: true}, {name: 'TLS 1.3', number: true},
			{name: 'TLS 1.2', number: true},
			{name: 'Resumed/s', number: true},
			{name: 'Full/s', number: true},
		], rows.reverse().filter((row, i) => i % step === 0),
		`No handshake in the time up to ${clock(now)}.`);
	}

	#averages() {
		const windows = [['1m', '1 min'], ['5m', '5 min'], ['60m', '60 min']];
		const row = (name, value) => [name, ...windows.map(([key]) =>
			value(this.#data.rates[key]))];

		fillTable(byId('rates'), [{name: 'Over', head: true},
			...windows.map(([, name]) => ({name, number: true}))], [
			row('Resumed', (r) => percent(r.resumption_rate)),
			...VERSIONS.map((version) => row(version.replace('v', ' '),
				(r) => percent(r.by_version[version]?.resumption_rate))),
			row('Handshakes/s', (r) => perSecond(r.handshakes_per_s)),
			row('Failed/s', (r) => perSecond(r.failures_per_s)),
			row('Connections/s', (r) => perSecond(r.connections_per_s)),
		]);
	}

	#marks() {
		const {marks, now} = this.#data;

		setChildren(byId('marks'), marks.length === 0
			? el('li', {class: 'quiet'}, 'None within the hour.')
			: grouped(marks).slice(-6).reverse().map((mark) => el('li', {},
				el('span', {class: `sign-text ${mark.kind}`,
					'aria-hidden': 'true'},
				mark.kind === 'revoke' ? '✕' : '▼'), ' ',
				el('time', {datetime: iso(mark.at_ms)},
					moment(mark.at_ms, now)),
				` ${markText(mark)} `,
				mark.keys.map((id) => el('code', {}, `${shortId(id)} `)))));
	}
}
