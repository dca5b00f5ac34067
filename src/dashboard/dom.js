// SPDX-License-Identifier: GPL-2.0-or-later
// dom.js - elements without markup: text is only ever set as text, so nothing
// that a store or a client said becomes HTML. Used by every view.

const SVG = 'http://www.w3.org/2000/svg';

function fill(node, attributes, children) {
	for (const [name, value] of Object.entries(attributes ?? {})) {
		if (value === null || value === undefined || value === false)
			continue;
		node.setAttribute(name, value === true ? '' : value);
	}
	node.append(...children.flat().filter((child) => child !== null));
	return node;
}

// el('p', {class: 'note'}, 'text', node...); a null child is left out.
export function el(name, attributes, ...children) {
	return fill(document.createElement(name), attributes, children);
}

export function svg(name, attributes, ...children) {
	return fill(document.createElementNS(SVG, name), attributes, children);
}

export const byId = (id) => document.getElementById(id);

// Changes the text only if it differs: a screen reader that stands on it, and
// a selection in it, are left alone.
export function setText(node, text) {
	if (node.textContent !== text)
		node.textContent = text;
}

function sameKind(old, fresh) {
	return old.nodeType === Node.ELEMENT_NODE && old.tagName === fresh.tagName &&
		old.childNodes.length === fresh.childNodes.length;
}

// Makes `old` look as `fresh`, and leaves every node alone that does already.
function become(old, fresh) {
	for (const {name} of [...old.attributes])
		if (!fresh.hasAttribute(name))
			old.removeAttribute(name);
	for (const {name, value} of fresh.attributes)
		if (old.getAttribute(name) !== value)
			old.setAttribute(name, value);
	[...fresh.childNodes].forEach((child, i) => {
		const there = old.childNodes[i];

		if (there.isEqualNode(child))
			return;
		if (sameKind(there, child))
			become(there, child);
		else
			there.replaceWith(child);
	});
}

// The same for all that is in `parent`.
export function setChildren(parent, ...children) {
	const fresh = parent.cloneNode(false);

	fresh.append(...children.flat().filter((child) => child !== null));
	if (parent.isEqualNode(fresh))
		return;
	if (sameKind(parent, fresh))
		become(parent, fresh);
	else
		parent.replaceChildren(...fresh.childNodes);
}

// A table as rows of cells; narrow screens show each row as a card, which
// would lose a table's meaning to screen readers without the roles.
// columns: [{name, number, head}], rows: [[cell...]], a cell text or node.
export function fillTable(table, columns, rows, empty) {
	const cell = (content, i) => {
		const {name, number, head} = columns[i];

		return el(head ? 'th' : 'td', {
			'role': head ? 'rowheader' : 'cell',
			'scope': head ? 'row' : null,
			'data-label': name,
			'class': number ? 'number' : content ? null : 'blank',
		}, content ?? '–');
	};
	const body = rows.map((row) => el('tr', {role: 'row'}, row.map(cell)));

	if (body.length === 0)
		body.push(el('tr', {role: 'row'}, el('td', {
			role: 'cell', colspan: columns.length, class: 'empty',
		}, empty ?? 'Nothing yet.')));
	table.setAttribute('role', 'table');
	setChildren(tablePart(table, 'thead'), el('tr', {role: 'row'},
		columns.map(({name, number}) => el('th', {
			role: 'columnheader', scope: 'col',
			class: number ? 'number' : null,
		}, name))));
	setChildren(tablePart(table, 'tbody'), body);
}

function tablePart(table, name) {
	let part = table.querySelector(name);

	if (!part) {
		part = el(name, {role: 'rowgroup'});
		table.append(part);
	}
	return part;
}
