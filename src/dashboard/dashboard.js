// SPDX-License-Identifier: GPL-2.0-or-later
// dashboard.js - the page: gets the token, holds the stream, and lets the views
// show each line of it. Everything comes from the node that served the page.
import {Api} from './api.js';
import {AgesView, TimesView} from './bars.js';
import {RevokeDialog, RotateDialog} from './change.js';
import {byId, setText} from './dom.js';
import {clock, duration, setUtc} from './format.js';
import {Link} from './link.js';
import {Model} from './model.js';
import {RateView} from './rate.js';
import {RingView} from './ring.js';
import {showAttention, showHeader, showTiles} from './summary.js';
import {showAudit, showHeat, showNodes, showRefusals,
	showStores} from './tables.js';
import {handedOver, session, withoutToken} from './token.js';

const api = new Api();
const model = new Model();
const now = () => model.now(Date.now());
let utc = false;
let state = {name: 'locked'};
let lastAt = null;
let views = null;

function say(text) { setText(byId('said'), text); }

const page = {api, now, say, line: () => model.line};
const dialogs = [new RotateDialog(page), new RevokeDialog(page)];

function makeViews() {
	return {ring: new RingView(), rate: new RateView(),
		ages: new AgesView(), times: new TimesView()};
}

const oldMs = () => state.name === 'live' ? null : Date.now() - lastAt;

// What changes with the clock, and with the link.
function showState() {
	linkText();
	showAttention(model.line, oldMs());
	showTiles(model.line, now());
	setText(byId('clock'), clock(now()));
}

function show() {
	const line = model.line;

	if (!line)
		return;
	views ??= makeViews();
	showHeader(line);
	showState();
	views.ring.show(line, now(), utc);
	views.rate.show(model, now(), utc);
	showNodes(line, now());
	showRefusals(line);
	showHeat(line);
	views.ages.show(line.ages);
	views.times.show(line.times);
	showStores(line, now());
	showAudit(line, now());
}

// ---- the link ------------------------------------------------------------------

const link = new Link(api, {
	onLine(line) {
		model.take(line, Date.now());
		lastAt = Date.now();
		if (byId('board').hidden)
			unlocked();
		show();
		for (const dialog of dialogs)
			dialog.seen(line);
	},
	onState(name, details) {
		const before = state.name;

		state = {name, ...details};
		// A first try that follows a loss is still a loss to who looks on.
		document.body.dataset.link = name === 'connecting' &&
			model.line ? 'lost' : name;
		byId('link-now').hidden = name !== 'lost';
		if (name === 'refused')
			refused(details.problem);
		if (name === 'live' && before === 'lost')
			say('The connection is back.');
		if (name === 'lost' && before === 'live')
			say('The connection to the node is lost. What is shown is old.');
		linkText();
		if (model.line && name === 'lost')
			showState();
	},
});

function linkText() {
	const old = lastAt === null ? ''
		: `, data ${duration(Date.now() - lastAt)} old`;
	const texts = {
		locked: () => 'Locked',
		connecting: () => 'Connecting …',
		live: () => 'Live',
		refused: () => 'Refused',
		lost: () => (model.line ? 'Connection lost'
			: `No connection: ${state.problem?.message ?? 'it ended'}`) +
			`${old}; ` +
			(state.againAt > Date.now()
				? `again in ${duration(state.againAt - Date.now() + 999)}`
				: 'trying again'),
	};

	setText(byId('link-text'), texts[state.name]());
}

byId('link-now').addEventListener('click', () => link.hurry());

// ---- the token -----------------------------------------------------------------

function unlocked() {
	byId('unlock').hidden = true;
	byId('board').hidden = false;
	byId('tools').hidden = false;
	byId('lock').hidden = withoutToken();
	byId('token').value = '';
}

function locked(why) {
	link.close();
	api.setToken(null);
	for (const dialog of dialogs)
		dialog.dialog.close();
	byId('unlock').hidden = false;
	byId('token-ask').hidden = withoutToken();
	byId('board').hidden = true;
	byId('tools').hidden = true;
	setText(byId('token-error'), why);
	byId('token').focus();
}

function refused(problem) {
	locked(problem.status === 401 && !withoutToken()
		? 'The node does not take this token. A reload may have given it ' +
			'another; the file is named by admin.token_file.'
		: `The node refuses: ${problem.message} (${problem.status}).`);
}

async function unlock(token) {
	try {
		api.setToken(await session(token));
	} catch (problem) {
		locked(problem.message);
		return;
	}
	setText(byId('token-error'), '');
	link.open();
}

byId('token-form').addEventListener('submit', (event) => {
	event.preventDefault();
	unlock(byId('token').value.trim());
});

byId('lock').addEventListener('click', () => {
	locked('');
	state = {name: 'locked'};
	document.body.dataset.link = 'locked';
	linkText();
});

// ---- what the header does --------------------------------------------------------

byId('utc').addEventListener('click', () => {
	utc = !utc;
	setUtc(utc);
	byId('utc').setAttribute('aria-pressed', String(utc));
	foot();
	show();
});
byId('rotate').addEventListener('click', () => dialogs[0].open());
byId('revoke').addEventListener('click', () => dialogs[1].open());

function foot() {
	const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

	setText(byId('foot'), utc ? 'Times are in UTC.'
		: `Times are in this browser's zone${zone ? `, ${zone}` : ''}.`);
}

setInterval(() => {
	linkText();
	if (!model.line || byId('board').hidden)
		return;
	showState();
	views.ring.tick(now());
}, 1000);

foot();
if (withoutToken()) {
	api.setToken(null);
	link.open();
} else {
	const token = handedOver();

	if (token)
		unlock(token);
	else
		byId('token').focus();
}
