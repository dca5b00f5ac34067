// SPDX-License-Identifier: GPL-2.0-or-later
// bars.js - the two histograms: the age of tickets when they resume, and the
// handshake time, full beside resumed. Both as the share of their own total:
// ten thousand resumptions and three full handshakes can still be compared.
import {Canvas, join, linear, roundTicks, valueAxis} from './chart.js';
import {byId, el, fillTable, setText} from './dom.js';
import {count, span} from './format.js';
import {quantile} from './model.js';

const HEIGHT = 174, TOP = 12, BOTTOM = 150, LEFT = 46;

const total = (counts) => counts.reduce((sum, n) => sum + n, 0);

// "to 5 s", and past the last bound "over 12 h".
function bucketNames(bounds) {
	return [...bounds.map((bound) => `to ${span(bound)}`),
		`over ${span(bounds[bounds.length - 1])}`];
}

// From the first bucket that holds anything to the last, a neighbour each.
function filled(series) {
	const n = series[0].counts.length;
	const used = [...Array(n).keys()].filter((i) =>
		series.some(({counts}) => counts[i] > 0));

	if (used.length === 0)
		return [...Array(n).keys()];

	const first = Math.max(0, used[0] - 1);
	const last = Math.min(n - 1, used[used.length - 1] + 1);

	return [...Array(last - first + 1).keys()].map((i) => i + first);
}

class Histogram {
	#series = null;
	#bounds = null;

	constructor(place, name, series) {
		if (series.length > 1)
			byId(place).append(el('ul', {class: 'legend'},
				series.map((one) => el('li', {}, el('span', {
					class: `swatch block ${one.className}`,
					'aria-hidden': 'true',
				}), one.name))));
		this.names = series;
		this.canvas = new Canvas(byId(place), name,
			(width) => this.#draw(width));
	}

	// The counts of each series, in the order in which they were named.
	show(bounds, lists) {
		this.#bounds = bounds;
		this.#series = lists.map((counts, i) =>
			({...this.names[i], counts, total: total(counts)}));
		this.canvas.redraw();
	}

	name(text) { this.canvas.name(text); }

	#draw(width) {
		if (!this.#series)
			return;
		const shown = filled(this.#series);
		const slot = (width - LEFT - 6) / shown.length;
		const bars = this.#series.flatMap((one, lane) => shown.map((i, at) => ({
			at, lane, className: one.className,
			share: one.total === 0 ? 0 : one.counts[i] / one.total,
			text: `${one.name}, ${bucketNames(this.#bounds)[i]}: ` +
				`${count(one.counts[i])} of ${count(one.total)}`,
		})));
		const {top, ticks} = roundTicks(
			Math.max(0.01, ...bars.map((bar) => bar.share)), 4);
		const y = linear().domain([0, top]).range([BOTTOM, TOP]);

		this.canvas.size(width, HEIGHT);
		valueAxis(this.canvas.layer('axis'), y, LEFT, width - 6, ticks,
			(v) => `${Math.round(v * 1000) / 10} %`);
		this.#bars(bars, y, slot);
		this.#names(shown, slot);
	}

	#bars(bars, y, slot) {
		const wide = Math.max(2, (slot - 4) / this.#series.length);
		const drawn = join(this.canvas.layer('bars'), 'rect', 'column', bars,
			(bar) => `${bar.at}.${bar.lane}`);

		drawn.attr('class', (bar) => `column ${bar.className}`)
			.attr('x', (bar) => LEFT + bar.at * slot + 2 + bar.lane * wide)
			.attr('width', Math.max(1, wide - 1))
			.attr('y', (bar) => y(bar.share))
			.attr('height', (bar) => BOTTOM - y(bar.share));
		drawn.each(function titled(bar) {
			if (!this.firstChild)
				this.append(document.createElementNS(
					this.namespaceURI, 'title'));
			this.firstChild.textContent = bar.text;
		});
	}

	// Under every n-th column, so that they do not run into each other.
	#names(shown, slot) {
		const every = Math.ceil(58 / slot);
		const named = shown.map((bucket, at) => ({bucket, at}))
			.filter(({at}) => at % every === 0);
		const text = ({bucket}) => bucket < this.#bounds.length
			? `≤ ${span(this.#bounds[bucket])}`
			: `> ${span(this.#bounds[bucket - 1])}`;

		join(this.canvas.layer('names'), 'text', 'tick', named,
			({bucket}) => bucket)
			.attr('x', ({at}) => LEFT + slot *
				(at > shown.length - every / 2 - 1 ? at + 1 : at + 0.5))
			.attr('y', BOTTOM + 16).attr('text-anchor', ({at}) =>
				at > shown.length - every / 2 - 1 ? 'end' : 'middle')
			.text(text);
	}
}

function spanOf(seconds, bounds) {
	if (seconds === null)
		return '–';
	return seconds === Infinity ? `over ${span(bounds[bounds.length - 1])}`
		: span(seconds);
}

function rows(bounds, ...lists) {
	return bucketNames(bounds).map((name, i) =>
		[name, ...lists.map((counts) => count(counts[i]))]);
}

export class AgesView {
	#histogram = new Histogram('ages-chart', 'Age of tickets',
		[{name: 'Tickets', className: 'resumed'}]);

	show({bounds_s: bounds, counts, sum_s: sum}) {
		const n = total(counts);

		this.#histogram.show(bounds, [counts]);
		setText(byId('ages-text'), n === 0 ? 'No ticket has resumed yet.'
			: `${count(n)} resumptions; half of the tickets were younger ` +
				`than ${spanOf(quantile(bounds, counts, 0.5), bounds)}, ` +
				`the mean is ${span(sum / n)}.`);
		fillTable(byId('ages'), [{name: 'Age', head: true},
			{name: 'Tickets', number: true}], rows(bounds, counts));
	}
}

export class TimesView {
	#histogram = new Histogram('times-chart', 'Handshake time', [
		{name: 'Full', className: 'full'},
		{name: 'Resumed', className: 'resumed'},
	]);

	show({bounds_s: bounds, full, resumed}) {
		const at = (one, q) => spanOf(quantile(bounds, one.counts, q), bounds);
		const text = (name, one) => `${name}: median ${at(one, 0.5)}, ` +
			`99 % within ${at(one, 0.99)} (${count(total(one.counts))})`;

		this.#histogram.show(bounds, [full.counts, resumed.counts]);
		setText(byId('times-text'), `${text('Full', full)}. ` +
			`${text('Resumed', resumed)}.`);
		fillTable(byId('times'), [{name: 'Time', head: true},
			{name: 'Full', number: true}, {name: 'Resumed', number: true}],
		rows(bounds, full.counts, resumed.counts));
		this.#histogram.name('Handshake time. ' + text('Full', full) +
			'. ' + text('Resumed', resumed));
	}
}

