// SPDX-License-Identifier: GPL-2.0-or-later
// rotate.js - unlocks the dashboard in four looks, rotates by the button of one
// of them, then by the keyboard alone in another, then with an answer that is
// lost, and asserts what each shows before, during and after. Prints a line of figures. See measure_4_dashboard.sh.
import assert from 'node:assert/strict';

import {LOOKS, View, allowed, figures, inBrowser, token} from './browser.js';

// The farm's names for what the page must show.
const NODES = ['node-1', 'node-2', 'node-3'];

// A wrong token is refused and said so; a right one, typed, opens the board.
async function unlockByForm(view) {
	await view.goto('');
	await view.lookAt('0-locked');
	await view.page.fill('#token', 'f'.repeat(64));
	await view.page.keyboard.press('Enter');
	await view.until('the refusal', () => document
		.getElementById('token-error').textContent.includes('not take'));
	view.expected(/401/);
	await view.lookAt('0-refused');
	await view.page.fill('#token', token());
	await view.page.keyboard.press('Enter');
	await view.board();
}

// Handed over in the hash, it is gone from the address at once.
async function unlockByHash(view) {
	await view.goto('#token=' + token());
	await view.board();
	assert.equal(new URL(view.page.url()).hash, '');
	assert.equal(await view.page.evaluate(() => document.cookie +
		localStorage.length + sessionStorage.length), '00');
}

const shownAt = (view, epoch, key, state) => view.until(
	`key ${key} ${state} at epoch ${epoch}`, ([number, id, word]) => {
		const rows = [...document.querySelectorAll('#ring-table tbody tr')];

		return document.querySelectorAll(
			`#nodes [data-epoch="${number}"]`).length === 3 &&
			rows.some((row) => row.textContent.includes(id) &&
				row.querySelector(`.badge.${word}`));
	}, [epoch, key, state]);

// The dialog as it is when the farm has answered: the key that was made.
async function acknowledged(view) {
	await view.until('the answer', () => document.querySelector(
		'#rotate-dialog[data-phase=done]'));
	for (const node of NODES)
		assert.match(await view.text(
			`#rotate-dialog [data-node=${node}]`),
		/acknowledged after \d+ ms/);
	const said = await view.text('#rotate-dialog [data-part=progress] p');

	assert.match(said, /3 of 3 nodes acknowledged/);
	return /key ([0-9a-f]{8})/.exec(said)[1];
}

async function rotateByButton(view) {
	await view.page.click('#rotate');
	await view.until('the preview', () => document.querySelector(
		'#rotate-dialog .preview').textContent.includes('3 nodes would'));
	await view.lookAt('2-asked');
	await view.page.click('#rotate-dialog [data-part=go]');
	const key = await acknowledged(view);

	await view.lookAt('2-acknowledged');
	await view.page.click('#rotate-dialog [data-part=cancel]');
	return key;
}

// The answer is lost on its way: asked again, nothing is done twice.
async function rotateTwice(view) {
	let lost = 0;

	await view.page.route('**/v1/rotate', async (route) => {
		const answer = await route.fetch();
		const dry = route.request().postDataJSON().dry_run;

		if (dry || lost++ > 0)
			await route.fulfill({response: answer});
		else
			await route.abort();
	});
	await allowed();
	await view.page.click('#rotate');
	await view.page.click('#rotate-dialog [data-part=go]');
	await view.until('the offer to ask again', () => document.querySelector(
		'#rotate-dialog [data-part=go]').textContent === 'Ask again');
	view.expected(/ERR_FAILED/);
	assert.match(await view.text('#rotate-dialog [data-part=error]'),
		/same request/);
	await view.page.click('#rotate-dialog [data-part=go]');
	const key = await acknowledged(view);

	assert.match(await view.text('#rotate-dialog [data-part=progress] p'),
		/had been done already/);
	await view.page.click('#rotate-dialog [data-part=cancel]');
	await view.page.unroute('**/v1/rotate');
	return key;
}

// The ring was changed since the dialog showed it: nothing is done, and the
// next try is for the ring as it is.
async function refuseTheLate(view) {
	await allowed();
	await view.page.click('#rotate-dialog [data-part=go]');
	await view.until('the refusal', () => document.querySelector(
		'#rotate-dialog [data-part=error]').textContent.includes('412'));
	view.expected(/412/);
	await view.page.click('#rotate-dialog [data-part=cancel]');
}

const focused = (view) => view.page.evaluate(() =>
	document.activeElement.dataset.part ?? document.activeElement.id);

// By Tab until it stands there, and it must be seen to.
async function tabTo(view, name) {
	for (let i = 0; i < 40; i++) {
		await view.page.keyboard.press('Tab');
		if (await focused(view) !== name)
			continue;
		const outline = await view.page.evaluate(() => {
			const style = getComputedStyle(document.activeElement);

			return [style.outlineStyle, parseFloat(style.outlineWidth)];
		});

		assert.ok(outline[0] !== 'none' && outline[1] >= 2,
			`${name} shows its focus`);
		return;
	}
	assert.fail(`Tab does not reach ${name}`);
}

async function rotateByKeyboard(view) {
	await view.page.evaluate(() => document.activeElement.blur());
	await tabTo(view, 'rotate');
	await view.page.keyboard.press('Enter');
	await tabTo(view, 'go');
	await view.page.keyboard.press('Enter');
	const key = await acknowledged(view);

	assert.equal(await focused(view), 'cancel');
	await view.page.keyboard.press('Enter');
	await view.until('the dialog to close', () =>
		!document.querySelector('dialog[open]'));
	assert.equal(await focused(view), 'rotate');
	return key;
}

// A mark where the new key took over, in the chart and in words.
const marked = (view, key) => view.until(`the mark of ${key}`, (id) =>
	document.querySelector('#rate-chart path.sign.rotation') &&
	[...document.querySelectorAll('#marks li')].some((li) =>
		li.textContent.includes('rotated') && li.textContent.includes(id)),
key);

await inBrowser(async (browser) => {
	const views = [];

	for (const look of LOOKS)
		views.push(await View.open(browser, look));
	const [wide, dark, narrow, small] = views;

	await unlockByForm(narrow);
	for (const view of views.filter((one) => one !== narrow))
		await unlockByHash(view);
	for (const view of views)
		await view.until('a rate', () => /^100 %|^99/.test(document
			.querySelector('#rates tbody td').textContent));
	const before = await wide.epoch();

	for (const view of views)
		await view.lookAt('1-before');

	await narrow.page.click('#rotate');
	const key = await rotateByButton(wide);

	await refuseTheLate(narrow);
	for (const view of views)
		await shownAt(view, before + 1, key, 'pending');
	for (const view of views)
		await view.lookAt('2-during');
	for (const view of views) {
		await shownAt(view, before + 1, key, 'active');
		await marked(view, key);
	}
	for (const view of views)
		await view.lookAt('3-after');

	const second = await rotateByKeyboard(small);

	for (const view of views)
		await shownAt(view, before + 2, second, 'pending');
	const third = await rotateTwice(dark);

	for (const view of views)
		await shownAt(view, before + 3, third, 'pending');
	assert.equal(await wide.text('#rates tbody td'), '100 %');
	console.log(JSON.stringify({before, ...figures}));
});
