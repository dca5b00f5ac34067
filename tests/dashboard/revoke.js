// SPDX-License-Identifier: GPL-2.0-or-later
// revoke.js - all keys are revoked by the button of the dashboard, which asks for
// more than a click. Prints a line of figures. See measure_4_dashboard.sh.
import assert from 'node:assert/strict';

import {LOOKS, View, figures, inBrowser, token} from './browser.js';

const NOTE = 'drill: the key of node-2 is taken as leaked';

// Without the farm's name nothing goes out.
async function refuseTheHasty(view) {
	let posts = 0;

	view.page.on('request', (request) => {
		const body = request.postDataJSON();

		posts += request.method() === 'POST' && !body.dry_run;
	});
	await view.page.click('#revoke');
	await view.page.click('#revoke-dialog [data-part=go]');
	assert.match(await view.text('#revoke-dialog [data-part=error]'),
		/Choose which keys/);
	await view.page.check('#revoke-dialog input[value=all]');
	await view.page.fill('#revoke-farm', 'another');
	await view.page.click('#revoke-dialog [data-part=go]');
	assert.match(await view.text('#revoke-dialog [data-part=error]'),
		/name of the farm/);
	await view.page.fill('#revoke-farm', process.env.DASHBOARD_FARM);
	await view.page.fill('#revoke-note', 'clé');
	await view.page.click('#revoke-dialog [data-part=go]');
	assert.match(await view.text('#revoke-dialog [data-part=error]'),
		/ASCII/);
	await view.page.fill('#revoke-farm', '');
	await view.page.fill('#revoke-note', NOTE);
	assert.equal(posts, 0, 'nothing was revoked');
}

async function revokeAll(view) {
	await refuseTheHasty(view);
	await view.until('the preview', () => document.querySelector(
		'#revoke-dialog .preview').textContent.includes('would open nothing'));
	await view.lookAt('5-asked');
	await view.page.fill('#revoke-farm', process.env.DASHBOARD_FARM);
	await view.page.click('#revoke-dialog [data-part=go]');
	await view.until('the answer', () => document.querySelector(
		'#revoke-dialog[data-phase=done]'));
	await view.lookAt('5-acknowledged');
	const said = await view.text('#revoke-dialog [data-part=progress] p');

	assert.match(said, /3 of 3 nodes acknowledged/);
	await view.page.click('#revoke-dialog [data-part=cancel]');
	return Number(/Revoked (\d+) key/.exec(said)[1]);
}

const idsOf = (view) => view.page.evaluate(() =>
	[...document.querySelectorAll('#ring-table tbody tr')]
		.filter((row) => !row.querySelector('.badge.revoked'))
		.map((row) => row.querySelector('code').title));

async function shown(view, ids) {
	await view.until('the keys to be revoked', (list) => list.every((id) =>
		document.querySelector(`#ring-table code[title="${id}"]`)
			?.closest('tr').querySelector('.badge.revoked')), ids);
	await view.until('a new key to be active', () =>
		document.querySelector('#ring-table .badge.active'));
	await view.until('refused tickets', () =>
		[...document.querySelectorAll('#refusals tbody tr')].some((row) =>
			row.textContent.includes('revoked')));
	await view.until('the mark', () =>
		document.querySelector('#rate-chart path.sign.revocation'));
	await view.until('the audit', (note) => [...document
		.querySelectorAll('#audit tbody tr')].some((row) =>
		/revoke/.test(row.textContent) && row.textContent.includes(note)),
	NOTE);
}

await inBrowser(async (browser) => {
	const views = [];

	for (const look of [LOOKS[0], LOOKS[3]]) {
		const view = await View.open(browser, look);

		await view.goto('#token=' + token());
		await view.board();
		views.push(view);
	}
	const ids = await idsOf(views[0]);
	const revoked = await revokeAll(views[0]);

	assert.equal(revoked, ids.length);
	for (const view of views) {
		await shown(view, ids);
		await view.lookAt('6-after');
	}
	console.log(JSON.stringify({ids, ...figures}));
});
