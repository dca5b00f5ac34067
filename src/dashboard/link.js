// SPDX-License-Identifier: GPL-2.0-or-later
// link.js - keeps GET /v1/stream open: reads it, notices its silence, and
// comes again with growing pauses. Tells its owner each change of its state:
// connecting, live, lost (with when it tries again), refused (the token).

const PAUSE_MIN_MS = 500, PAUSE_MAX_MS = 15000;
// Lines come about each second; farms of hundreds of nodes say how much slower.
const SILENCE_MIN_MS = 6000;

// The pause before try `n`, from 0: doubled each time, and no two pages that
// lost the same node come back at the same moment.
export function pauseMs(n, random) {
	const whole = Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** n);

	return Math.round(whole * (0.75 + random / 2));
}

export class Link {
	#api;
	#owner;
	#tries = 0;
	#abort = null;
	#timer = null;
	#watch = null;

	// owner: {onLine(object), onState(name, {problem, againAt})}
	constructor(api, owner) {
		this.#api = api;
		this.#owner = owner;
	}

	open() {
		this.close();
		this.#owner.onState('connecting', {});
		this.#run();
	}

	close() {
		clearTimeout(this.#timer);
		clearTimeout(this.#watch);
		this.#abort?.abort();
		this.#abort = null;
	}

	async #run() {
		const abort = new AbortController();
		let problem = null;

		this.#abort = abort;
		this.#expect(abort, SILENCE_MIN_MS);
		try {
			await this.#api.stream((line) => this.#take(line, abort),
				abort.signal);
		} catch (error) {
			problem = error;
		}
		// Someone has called close(), and perhaps open() again.
		if (this.#abort !== abort)
			return;
		clearTimeout(this.#watch);
		if (problem?.status === 401 || problem?.status === 403)
			this.#owner.onState('refused', {problem});
		else
			this.#again(problem);
	}

	#take(line, abort) {
		if (this.#abort !== abort)
			return;
		this.#expect(abort, Math.max(SILENCE_MIN_MS,
			3 * (line.interval_ms ?? 0)));
		this.#tries = 0;
		this.#owner.onState('live', {});
		this.#owner.onLine(line);
	}

	#expect(abort, ms) {
		clearTimeout(this.#watch);
		this.#watch = setTimeout(() => abort.abort(), ms);
	}

	#again(problem) {
		const pause = Math.max(pauseMs(this.#tries, Math.random()),
			(problem?.retryAfterS ?? 0) * 1000);

		this.#tries++;
		this.#owner.onState('lost', {problem, againAt: Date.now() + pause});
		this.#timer = setTimeout(() => this.#run(), pause);
	}

	// Now, not after the pause.
	hurry() {
		clearTimeout(this.#timer);
		this.#tries = 0;
		this.open();
	}
}
