// SPDX-License-Identifier: GPL-2.0-or-later
// lost.js - the node that serves the dashboard freezes and thaws: the page says
// that it is cut off and what it shows is old, and comes back by itself. Prints a
// line of figures. See measure_4_dashboard.sh.
import {LOOKS, View, figures, inBrowser, token} from './browser.js';

const freeze = (on) => process.kill(Number(process.env.DASHBOARD_NODE_PID),
	on ? 'SIGSTOP' : 'SIGCONT');

async function loseAndFind(views) {
	freeze(true);
	try {
		for (const view of views) {
			await view.until('the loss to be said', () =>
				document.body.dataset.link === 'lost' &&
				/lost/.test(document.getElementById('said').textContent) &&
				/is \d+ s old/.test(document.getElementById(
					'attention-list').textContent));
			await view.lookAt('4-lost');
		}
	} finally {
		freeze(false);
	}
	for (const view of views) {
		await view.until('the connection', () =>
			document.body.dataset.link === 'live' &&
			/back/.test(document.getElementById('said').textContent));
		await view.board();
	}
}

await inBrowser(async (browser) => {
	const views = [];

	for (const look of [LOOKS[0], LOOKS[3]]) {
		const view = await View.open(browser, look);

		await view.goto('#token=' + token());
		await view.board();
		views.push(view);
	}
	await loseAndFind(views);
	console.log(JSON.stringify(figures));
});
