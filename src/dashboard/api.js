// SPDX-License-Identifier: GPL-2.0-or-later
// api.js - requests to this node. The token lives in this object alone: no
// cookie, no storage, never in a URL. Whoever loads the page again must hand
// it over again; another program that later gets this port finds nothing.

// What came back instead of an answer. status 0: nothing did.
export class Problem extends Error {
	constructor(status, body) {
		super(body.detail || body.title || `HTTP status ${status}`);
		this.status = status;
		this.title = body.title ?? '';
		this.body = body;
		this.retryAfterS = null;
	}
}

// RFC 9457; what is no such document still has a status.
async function problemOf(response) {
	let body = {};

	try {
		body = await response.json();
	} catch {
		// A proxy's page, or nothing: the status must do.
	}
	const problem = new Problem(response.status, body);
	const after = Number(response.headers.get('Retry-After'));

	if (after > 0)
		problem.retryAfterS = after;
	return problem;
}

export class Api {
	#token = null;

	// null: none is needed, or none is held.
	setToken(token) { this.#token = token; }

	async #fetch(path, options) {
		const bearer = this.#token === null ? {}
			: {Authorization: `Bearer ${this.#token}`};
		let response;

		try {
			response = await fetch(path, {
				...options,
				headers: {...options.headers, ...bearer},
				cache: 'no-store',
				credentials: 'omit',
				redirect: 'error',
				referrerPolicy: 'no-referrer',
			});
		} catch (error) {
			if (error.name === 'AbortError')
				throw error;
			throw new Problem(0, {detail: 'the node does not answer'});
		}
		if (!response.ok)
			throw await problemOf(response);
		return response;
	}

	// `headers`: Idempotency-Key, If-Match.
	async post(path, body, headers) {
		const response = await this.#fetch(path, {
			method: 'POST',
			headers: {'Content-Type': 'application/json', ...headers},
			body: JSON.stringify(body),
		});

		try {
			return await response.json();
		} catch {
			throw new Problem(0, {
				detail: 'the answer broke off on its way',
			});
		}
	}

	// Calls onLine with each object of GET /v1/stream until it ends, which is
	// no error: the node stops, or has taken another token.
	async stream(onLine, signal) {
		const response = await this.#fetch('/v1/stream', {signal});
		const reader = response.body.getReader();
		const lines = new Lines();

		for (;;) {
			const {done, value} = await reader.read();

			if (done)
				return;
			for (const line of lines.add(value))
				onLine(JSON.parse(line));
		}
	}
}

// Whole lines out of pieces of any size, even inside a character.
export class Lines {
	#decoder = new TextDecoder();
	#rest = '';

	add(bytes) {
		const text = this.#rest + this.#decoder.decode(bytes, {stream: true});
		const lines = text.split('\n');

		this.#rest = lines.pop();
		return lines.filter((line) => line !== '');
	}
}

// The name of a change: a second request of that name changes nothing more.
export function requestName() {
	const bytes = crypto.getRandomValues(new Uint8Array(16));

	return 'dashboard-' + Array.from(bytes, (byte) =>
		byte.toString(16).padStart(2, '0')).join('');
}
