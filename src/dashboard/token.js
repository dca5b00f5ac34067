// SPDX-License-Identifier: GPL-2.0-or-later
// token.js - where the token comes from. Never the query of a URL, which logs
// and histories keep, and never a cookie or storage, which outlive the page.
import {Problem} from './api.js';

// Over TLS the browser's client certificate says who asks.
export const withoutToken = () => location.protocol === 'https:';

// Empty as a node serves it. `stekctl dashboard` writes a token there, or "ask"
// when its one-time token has been spent and must be typed.
let exchange = false;

function fromPage() {
	const meta = document.querySelector('meta[name=stekd-session]');
	const content = meta?.content ?? '';

	meta?.remove();
	exchange = content === 'ask';
	return exchange ? '' : content;
}

function fromHash() {
	return new URLSearchParams(location.hash.slice(1)).get('token') ?? '';
}

// What `stekctl dashboard` wrote into the page, or "#token=..." of the address;
// read once, and taken out of both. null: it must be asked for.
export function handedOver() {
	const token = fromPage() || fromHash();

	if (token || location.hash || location.search)
		history.replaceState(null, '', location.pathname);
	return token || null;
}

// `stekctl dashboard` changes its one-time token for one that lasts; a node
// takes the token as it is.
export async function session(token) {
	let response;

	if (!exchange)
		return token;
	try {
		response = await fetch('session', {
			method: 'POST',
			headers: {Authorization: `Bearer ${token}`},
			cache: 'no-store', credentials: 'omit', redirect: 'error',
		});
	} catch {
		throw new Problem(0, {detail: 'stekctl dashboard does not answer.'});
	}
	if (!response.ok)
		throw new Problem(response.status, {detail:
			'stekctl dashboard does not take this token.'});
	return (await response.json()).token;
}
