// SPDX-License-Identifier: GPL-2.0-or-later
// change.js - the two dialogs that change the ring. Both ask first for a dry
// run and show what would happen, name their request (so that a second try
// after a lost answer changes nothing more), and show each node's
// acknowledgement as the stream brings it, then as the answer says.
import {Problem, requestName} from './api.js';
import {byId, el, setChildren, setText} from './dom.js';
import {clock, countdown, plural, shortId} from './format.js';

// After these the same request cannot come to another end.
const SPENT = [412, 422, 504];

export class ChangeDialog {
	#name = null;
	#busy = false;
	#epoch = 0;
	#asked = 0;
	#acks = new Map();

	// page: {api, line(), now(), say(text)}
	constructor(id, path, page) {
		this.page = page;
		this.path = path;
		this.dialog = byId(id);
		this.dialog.addEventListener('submit', (event) => {
			event.preventDefault();
			this.#submit();
		});
		this.part('cancel').addEventListener('click', () =>
			this.dialog.close());
		// What is asked for has changed: it is another request.
		this.dialog.addEventListener('change', () => {
			if (this.#busy)
				return;
			this.#name = requestName();
			this.preview();
		});
	}

	part(name) { return this.dialog.querySelector(`[data-part=${name}]`); }

	open() {
		if (!this.#busy)
			this.#fresh();
		this.dialog.showModal();
	}

	#fresh() {
		this.#name = requestName();
		this.#acks.clear();
		this.part('note').value = '';
		this.reset();
		this.#phase('ask');
		setText(this.part('error'), '');
		setText(this.part('said'), '');
		this.preview();
	}

	// ask: to be filled in; sent: under way; done: nothing is left but to close.
	#phase(phase) {
		this.dialog.dataset.phase = phase;
		this.part('progress').hidden = phase === 'ask';
		this.part('go').hidden = phase === 'done';
		this.part('go').disabled = phase === 'sent';
		setText(this.part('cancel'), phase === 'ask' ? 'Cancel' : 'Close');
		for (const input of this.dialog.querySelectorAll('input'))
			input.disabled = phase !== 'ask';
		if (phase === 'done')
			this.part('cancel').focus();
	}

	// What would happen, by the node's own word. An answer that is overtaken
	// by a later question is dropped.
	async preview() {
		const body = this.body(), number = ++this.#asked;
		const place = this.part('preview');

		if (!body) {
			setChildren(place);
			return;
		}
		try {
			const answer = await this.page.api.post(this.path,
				{...body, dry_run: true}, {});

			if (number === this.#asked)
				setChildren(place, this.describe(answer));
		} catch (error) {
			if (number === this.#asked)
				setChildren(place, el('p', {class: 'warn'},
					`It would be refused now: ${said(error)}`));
		}
	}

	async #submit() {
		const wrong = this.wrong() ?? this.#wrongNote();
		const note = this.part('note').value.trim();
		const body = {...this.body(), ...note && {note}};

		setText(this.part('error'), wrong ? wrong.text : '');
		if (this.#busy || wrong) {
			wrong?.at.focus();
			return;
		}
		this.#busy = true;
		this.#asked++;
		this.#epoch = this.page.line().ring.epoch;
		this.#acks = new Map(this.page.line().nodes
			.filter((node) => node.state === 'live')
			.map((node) => [node.name, null]));
		this.#phase('sent');
		this.#progress('Waiting for the nodes …');
		try {
			this.#done(await this.page.api.post(this.path, body,
				{'Idempotency-Key': this.#name, ...this.headers()}));
		} catch (error) {
			this.#failed(error);
		} finally {
			this.#busy = false;
		}
	}

	// The audit is ASCII, so that it can be shown anywhere.
	#wrongNote() {
		return /^[ -~]*$/.test(this.part('note').value.trim()) ? null
			: {text: 'The reason may hold plain ASCII characters only.',
				at: this.part('note')};
	}

	#done(answer) {
		this.#take(answer.nodes);
		const acked = answer.nodes.filter((node) => node.acknowledged).length;
		const text = `${this.outcome(answer)} ${acked} of ` +
			`${plural(answer.nodes.length, 'node')} acknowledged.` +
			(answer.replayed ? ' It had been done already.' : '');

		this.#progress(text);
		this.#phase('done');
		this.#tell(text);
	}

	#failed(error) {
		this.#take(error.body?.nodes ?? []);
		this.#progress('');
		this.#phase('ask');
		this.part('progress').hidden = this.#acks.size === 0;
		setText(this.part('error'), this.#advice(error));
		if (SPENT.includes(error.status)) {
			this.#name = requestName();
			this.preview();
		}
		setText(this.part('go'), error.status === 0 ? 'Ask again'
			: this.verb);
		if (!this.dialog.open)
			this.page.say(this.#advice(error));
		if (!(error instanceof Problem))
			throw error;
	}

	#advice(error) {
		if (error.status === 0)
			return `No answer: ${error.message}. Whether it was done is ` +
				'not known. Asking again is safe: it is the same ' +
				'request, and is done once at most.';
		if (error.status === 412)
			return `${said(error)} Look again: this is the ring as it is now.`;
		return said(error);
	}

	// The dialog makes what is behind it inert, its live region too.
	#tell(text) {
		if (this.dialog.open)
			setText(this.part('said'), text);
		else
			this.page.say(text);
	}

	#take(nodes) {
		for (const node of nodes)
			this.#acks.set(node.name, node.acknowledged
				? `acknowledged after ${node.after_ms} ms`
				: false);
	}

	// A line of the stream: who holds a later ring than the one we changed.
	seen(line) {
		if (!this.#busy)
			return;
		for (const node of line.nodes)
			if (node.in_sync && node.epoch > this.#epoch &&
				this.#acks.get(node.name) === null)
				this.#acks.set(node.name, 'acknowledged');
		this.#progress('Waiting for the nodes …');
	}

	#progress(text) {
		const word = (state) => state === null ? 'waiting'
			: state === false ? 'has not acknowledged' : state;
		const grade = (state) => state === null ? 'warn'
			: state === false ? 'bad' : 'good';

		setChildren(this.part('progress'), text ? el('p', {}, text) : null,
			el('ul', {class: 'acks'},
				[...this.#acks].map(([name, state]) =>
					el('li', {'data-node': name},
						el('strong', {}, name), ' ',
						el('span', {class: `badge ${grade(state)}`},
							word(state))))));
	}
}

// A problem document in a sentence.
function said(error) {
	const wait = error.retryAfterS
		? ` Again in ${plural(error.retryAfterS, 'second')}.` : '';

	return `${error.message}${error.status ? ` (${error.status})` : ''}.${wait}`;
}

function holders(nodes) {
	const late = nodes.filter((node) => !node.acknowledged);

	return late.length === 0
		? `${plural(nodes.length, 'node')} would be asked; all hold the ` +
			'present ring.'
		: `Of ${plural(nodes.length, 'node')} these do not hold the present ` +
			`ring: ${late.map((node) => node.name).join(', ')}.`;
}

export class RotateDialog extends ChangeDialog {
	verb = 'Rotate now';
	#expect = null;

	constructor(page) { super('rotate-dialog', '/v1/rotate', page); }

	reset() {
		this.#expect = this.page.line().ring;
		this.part('force').checked = false;
		setText(this.part('go'), this.verb);
	}

	body() { return {force: this.part('force').checked}; }

	wrong() { return null; }

	// The ring that was looked at last: the dry run's, once it has answered.
	headers() {
		return {'If-Match': `"${this.#expect.epoch}-${this.#expect.digest}"`};
	}

	describe(answer) {
		const now = this.page.now();

		this.#expect = answer;
		return [
			el('p', {}, `The ring is at epoch ${answer.epoch}. The new ` +
				'key would be active at ' +
				`${clock(answer.activate_at_ms)}, in ` +
				`${countdown(answer.activate_at_ms - now)}.`),
			el('p', {}, holders(answer.nodes)),
		];
	}

	outcome(answer) {
		return `Rotated: epoch ${answer.epoch}, key ${shortId(answer.key)} ` +
			`is active from ${clock(answer.activate_at_ms)}.`;
	}
}

export class RevokeDialog extends ChangeDialog {
	verb = 'Revoke';

	constructor(page) { super('revoke-dialog', '/v1/revoke', page); }

	reset() {
		const keys = this.page.line().ring.keys.filter((key) =>
			!['revoked', 'gone'].includes(key.state));

		setText(this.part('farm'), this.page.line().farm);
		this.part('confirm').value = '';
		setText(this.part('go'), this.verb);
		this.part('keys').replaceChildren(el('legend', {}, 'Which keys'),
			el('label', {class: 'check'}, el('input', {type: 'checkbox',
				value: 'all'}), ' All: no ticket given before now opens'),
			...keys.map((key) => el('label', {class: 'check'},
				el('input', {type: 'checkbox', value: key.id}), ' ',
				el('code', {}, shortId(key.id)), ' ',
				el('span', {class: `badge ${key.state}`}, key.state))));
	}

	#chosen() {
		return [...this.part('keys').querySelectorAll('input:checked')]
			.map((input) => input.value);
	}

	body() {
		const chosen = this.#chosen();

		if (chosen.length === 0)
			return null;
		return chosen.includes('all') ? {all: true} : {keys: chosen};
	}

	wrong() {
		const confirm = this.part('confirm');

		if (this.#chosen().length === 0)
			return {text: 'Choose which keys are to be revoked.',
				at: this.part('keys').querySelector('input')};
		if (confirm.value.trim() !== this.page.line().farm)
			return {text: 'The name of the farm is another: type ' +
				`${this.page.line().farm}.`, at: confirm};
		return null;
	}

	// None: a revocation is not held up because somebody else has rotated.
	headers() { return {}; }

	describe(answer) {
		return [
			el('p', {}, `${plural(answer.revoked, 'key')} would open nothing ` +
				`more: ${(answer.revoked_keys ?? []).map(shortId)
					.join(', ')}.`),
			el('p', {}, holders(answer.nodes)),
		];
	}

	outcome(answer) {
		return `Revoked ${plural(answer.revoked, 'key')}: epoch ` +
			`${answer.epoch}.` + (answer.activate_at_ms
			? ' The replacement is active from ' +
				`${clock(answer.activate_at_ms)}.` : '');
	}
}
