// SPDX-License-Identifier: GPL-2.0-or-later
//
// The dashboard asks for the admin token, keeps it in memory alone, and shows
// how often clients resume.
const form = document.getElementById("ask");
const field = document.getElementById("token");
const state = document.getElementById("state");
const table = document.getElementById("stats");

async function ask(method, path, token) {
	return fetch(path, {
		method,
		headers: { Authorization: `Bearer ${token}` },
		cache: "no-store",
		credentials: "omit",
		redirect: "error",
	});
}

// What stekctl dashboard printed is good for one exchange; stekd knows no such
// path, and takes its token as it is.
async function exchange(token) {
	const answer = await ask("POST", "/session", token);

	return answer.ok ? (await answer.json()).token : token;
}

function row(name, counts) {
	const line = document.createElement("tr");

	for (const text of [name, counts.resumed, counts.full]) {
		const cell = document.createElement("td");

		cell.textContent = text;
		line.append(cell);
	}
	return line;
}

async function show(token) {
	const answer = await ask("GET", "/v1/stats", token);
	const document_ = await answer.json();

	if (!answer.ok) {
		state.textContent = `${document_.title}: ${document_.detail}`;
		return;
	}
	state.textContent = "";
	form.hidden = true;
	table.hidden = false;
	table.tBodies[0].replaceChildren(row("this node", document_.node),
		...(document_.farm ? [row("the farm", document_.farm)] : []));
}

async function start(make) {
	try {
		await show(await make());
	} catch (error) {
		state.textContent = `stekd cannot be asked: ${error.message}`;
	}
}

form.addEventListener("submit", (event) => {
	const given = field.value;

	event.preventDefault();
	field.value = "";
	start(() => exchange(given));
});

const session = document.querySelector("meta[name=stekd-session]");
const given = session.content;

session.remove();
if (given) {
	// A reload asks for the page, and does not send the form again.
	history.replaceState(null, "", "/");
	start(async () => given);
}
