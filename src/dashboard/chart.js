// SPDX-License-Identifier: GPL-2.0-or-later
// chart.js - what the charts share: an SVG that follows the width of its place,
// a time axis in the zone that the page shows, and marks. D3 (version 3) comes
// from a script of its own and is global.
import {svg} from './dom.js';
import {clock, day} from './format.js';

const d3 = globalThis.d3;

export const linear = () => d3.scale.linear();

export function timeScale(utc) {
	return utc ? d3.time.scale.utc() : d3.time.scale();
}

// A place for a chart: draw(width) is called with each new width, and by
// redraw(). The picture is one image with a name to screen readers; what it
// shows is in the table beside it.
export class Canvas {
	#place;
	#draw;
	#width = 0;

	constructor(place, name, draw) {
		this.#place = place;
		this.#draw = draw;
		this.root = svg('svg', {role: 'img', 'aria-label': name});
		place.append(this.root);
		this.select = d3.select(this.root);
		new ResizeObserver(() => this.#resized()).observe(place);
	}

	#resized() {
		const width = Math.floor(this.#place.clientWidth);

		if (width === this.#width || width === 0)
			return;
		this.#width = width;
		this.redraw();
	}

	redraw() {
		if (this.#width > 0)
			this.#draw(this.#width);
	}

	name(text) { this.root.setAttribute('aria-label', text); }

	size(width, height) {
		this.root.setAttribute('viewBox', `0 0 ${width} ${height}`);
		this.root.setAttribute('width', width);
		this.root.setAttribute('height', height);
	}

	// The group of this name, made when it is first asked for: groups stand
	// in the order of the first drawing.
	layer(name) {
		const found = this.select.select(`g.${name}`);

		return found.empty() ? this.select.append('g').attr('class', name)
			: found;
	}
}

// One element per datum: enter, update, exit. D3 3 gives the entered ones to
// the selection that updates.
export function join(group, name, className, data, key) {
	const picked = group.selectAll(`${name}.${className}`).data(data, key);

	picked.enter().append(name).attr('class', className);
	picked.exit().remove();
	return picked;
}

// At midnight the day, else the time of day.
function tickText(at, stepMs) {
	return clock(at) === '00:00:00' ? day(at).slice(5)
		: clock(at, stepMs < 60000);
}

// Vertical lines and their times at the foot, as many as there is room for.
export function timeAxis(group, x, top, bottom, width) {
	const ticks = x.ticks(Math.max(2, Math.min(9, Math.floor(width / 90))));
	const step = ticks.length > 1 ? ticks[1] - ticks[0] : 60000;
	const [low, high] = x.range();

	join(group, 'line', 'grid', ticks, Number)
		.attr('x1', x).attr('x2', x).attr('y1', top).attr('y2', bottom);
	join(group, 'text', 'tick', ticks.filter((at) =>
		x(at) > low + 14 && x(at) < high - 14), Number)
		.attr('x', x).attr('y', bottom + 15)
		.attr('text-anchor', 'middle')
		.text((at) => tickText(at, step));
}

// Horizontal lines with their values at the left.
export function valueAxis(group, y, left, right, ticks, text) {
	join(group, 'line', 'grid', ticks, Number)
		.attr('x1', left).attr('x2', right).attr('y1', y).attr('y2', y);
	join(group, 'text', 'tick', ticks, Number)
		.attr('x', left - 6).attr('y', (value) => y(value) + 4)
		.attr('text-anchor', 'end').text(text);
}

// Upper limit and ticks that are round: 1, 2 or 5 times a power of ten.
export function roundTicks(most, n) {
	const y = linear().domain([0, most || 1]).nice(n);

	return {top: y.domain()[1], ticks: y.ticks(n)};
}

export function linePath(x, y, value) {
	return d3.svg.line().x((d) => x(d.at_ms)).y((d) => y(value(d)))
		.defined((d) => value(d) !== null);
}
