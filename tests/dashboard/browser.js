// SPDX-License-Identifier: GPL-2.0-or-later
// browser.js - headless Chromium with the dashboard in it, at two widths, light
// and dark. What holds in every state is checked here: no console error, no
// request to any other host, no sideways scrolling, nothing that axe-core calls
// serious. Used by rotate.js and revoke.js.
import assert from 'node:assert/strict';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {createRequire} from 'node:module';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {chromium} from 'playwright-core';

const axe = readFileSync(createRequire(import.meta.url)
	.resolve('axe-core/axe.min.js'), 'utf8');
const {DASHBOARD_URL: url, DASHBOARD_TOKEN_FILE: tokenFile,
	DASHBOARD_SHOTS: shots} = process.env;

export const LOOKS = [
	{width: 1600, height: 1000, colorScheme: 'light'},
	{width: 1600, height: 1000, colorScheme: 'dark'},
	{width: 360, height: 780, colorScheme: 'light'},
	{width: 360, height: 780, colorScheme: 'dark'},
];
export const token = () => readFileSync(tokenFile, 'utf8').trim();

// Until the node would rotate again: the last time may be less than the least
// interval ago, which a browser would call an error.
export async function allowed() {
	const until = Date.now() + 60000;
	let answer;

	do {
		answer = await fetch(new URL('v1/rotate', url), {
			method: 'POST', body: '{"dry_run":true}',
			headers: {'Authorization': `Bearer ${token()}`,
				'Content-Type': 'application/json'},
		});
		await answer.arrayBuffer();
	} while (answer.status === 429 && Date.now() < until);
	assert.equal(answer.status, 200, 'the node would rotate');
}

export const figures = {shots: 0, audits: 0, requests: 0};

// One page in one look, and all that it asked for and complained of.
export class View {
	#problems = [];

	static async open(browser, look) {
		const context = await browser.newContext({
			viewport: {width: look.width, height: look.height},
			colorScheme: look.colorScheme,
			reducedMotion: 'reduce',
			timezoneId: 'Europe/Berlin',
		});
		const view = new View();

		view.look = `${look.width}-${look.colorScheme}`;
		view.page = await context.newPage();
		view.page.setDefaultTimeout(60000);
		view.#watch();
		return view;
	}

	#watch() {
		const origin = new URL(url).origin;

		this.page.on('console', (message) => {
			if (['error', 'warning'].includes(message.type()))
				this.#problems.push(message.text());
		});
		this.page.on('pageerror', (error) =>
			this.#problems.push(error.stack));
		this.page.on('request', (request) => {
			figures.requests++;
			if (new URL(request.url()).origin !== origin)
				this.#problems.push(`asked ${request.url()}`);
			if (request.url().includes(token()))
				this.#problems.push('the token is in a URL');
		});
	}

	// What is complained of here is meant to be: takes it off the list.
	expected(pattern) {
		const rest = this.#problems.filter((text) => !pattern.test(text));

		assert.equal(rest.length, this.#problems.length - 1,
			`${this.look}: one complaint like ${pattern}`);
		this.#problems = rest;
	}

	async goto(hash) { await this.page.goto(url + hash); }

	async board() {
		await this.page.waitForSelector('#board:not([hidden]) #tiles .tile');
		await this.until('three nodes in sync',
			() => document.querySelectorAll('#nodes tbody tr').length === 3 &&
				document.querySelectorAll('#nodes [data-epoch] .good')
					.length === 3);
	}

	// Polls in the page until the condition holds there.
	async until(what, condition, value) {
		try {
			await this.page.waitForFunction(condition, value,
				{timeout: 60000});
		} catch (error) {
			const text = await this.page.locator('body').innerText();

			throw new Error(`${this.look}: waited in vain for ${what}; ` +
				`the page says\n${text}\n${error.message}`);
		}
	}

	async text(selector) {
		return (await this.page.locator(selector).first().innerText()).trim();
	}

	async epoch() {
		return Number(await this.page
			.locator('#nodes tr:has-text("this one") [data-epoch]')
			.getAttribute('data-epoch'));
	}

	// A picture, after the checks that hold in every state.
	async lookAt(state) {
		const [shown, there] = await this.page.evaluate(() =>
			[document.documentElement.scrollWidth, innerWidth]);

		assert.ok(shown <= there,
			`${this.look}: ${shown} px wide in ${there} (${state})`);
		await this.#audit(state);
		assert.deepEqual(this.#problems, [], `${this.look}, ${state}`);
		await this.page.screenshot({
			path: join(shots, `${state}-${this.look}.png`),
			fullPage: !await this.page.locator('dialog[open]').count(),
		});
		figures.shots++;
	}

	// By the debugger: the page's own policy lets no script in.
	async #audit(state) {
		const session = await this.page.context().newCDPSession(this.page);
		const run = (expression) => session.send('Runtime.evaluate',
			{expression, awaitPromise: true, returnByValue: true,
				allowUnsafeEvalBlockedByCSP: true});
		await run(axe + ';0');
		const {result, exceptionDetails} = await run(
			'axe.run().then((r) => r.violations.map((v) => ({id: v.id, ' +
			'impact: v.impact, at: v.nodes.map((n) => n.html)})))');

		assert.equal(exceptionDetails, undefined);
		assert.ok(Array.isArray(result.value), `axe ran (${state})`);
		assert.deepEqual(result.value.filter(({impact}) =>
			['serious', 'critical'].includes(impact)), [],
		`${this.look}, ${state}: axe-core`);
		await session.detach();
		figures.audits++;
	}
}

// Runs `work` with a browser of its own, which leaves nothing behind.
export async function inBrowser(work) {
	const home = mkdtempSync(join(tmpdir(), 'stekd-chromium-'));
	const browser = await chromium.launch({
		executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
		env: {...process.env, HOME: home},
		args: ['--no-sandbox', '--disable-gpu', '--disable-quic',
			'--disable-dev-shm-usage', '--no-first-run',
			'--disable-background-networking',
			'--disable-component-update', '--disable-sync'],
	});

	try {
		await work(browser);
	} finally {
		await browser.close();
		rmSync(home, {recursive: true, force: true, maxRetries: 20,
			retryDelay: 100});
	}
}
