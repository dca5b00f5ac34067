# SPDX-License-Identifier: GPL-2.0-or-later
"""The other origin of measure_5_origin.sh.

measure_5_site.py DIR: reads DIR/plan.json, a list of targets, each with name,
base (http://HOST:PORT) and token. Serves at one port the page that attacks them
all, and at another a server that guards nothing, on which each attack must
succeed: else it would prove nothing on the others. Writes DIR/ports, a
DIR/report-PAGE.json for each page that was done, and DIR/unguarded.json: what
the unguarded server was asked for.
"""
import base64
import hashlib
import http.server
import json
import os
import sys
import threading
import time

here = sys.argv[1]
lock = threading.Lock()
asked = []

PAGE = """<!doctype html><meta charset=utf-8><title>other</title><body><script>
const targets = %(targets)s, name = %(name)s;
const done = [];
const wait = (ms) => new Promise((go) => setTimeout(go, ms));

// What ends neither well nor badly in three seconds has failed; where nothing is
// guarded it is given its time.
async function attempt(what, target, act) {
  const patience = target.name === "unguarded" ? 20000 : 3000;
  let got = null;
  try { got = await Promise.race([act(), wait(patience)]); } catch (e) { got = null; }
  done.push({what, target: target.name, got: got ? String(got) : ""});
}

function element(tag, attributes) {
  return new Promise((good, bad) => {
    const e = document.createElement(tag);
    e.onload = () => good("loaded");
    e.onerror = bad;
    Object.assign(e, attributes);
    document.body.append(e);
  });
}

function frame(attributes, fill) {
  const e = document.createElement("iframe");
  Object.assign(e, attributes);
  document.body.append(e);
  if (fill) fill(e);
  return e;
}

// Sent by a form into a frame of its own: the answer stays out of sight.
function form(target, action, enctype, fields) {
  const into = frame({name: "f" + Math.random()});
  const e = document.createElement("form");
  Object.assign(e, {method: "post", action: target.base + action, enctype,
    target: into.name});
  for (const [key, value] of Object.entries(fields)) {
    const field = document.createElement("input");
    Object.assign(field, {type: "hidden", name: key, value});
    e.append(field);
  }
  document.body.append(e);
  e.submit();
}

const json = {"Content-Type": "application/json"};
const text = (answer) => answer.ok ? answer.text() : null;

async function all(target) {
  const {base, token} = target;
  const bearer = {Authorization: "Bearer " + token};
  const read = (path, options) => () => fetch(base + path, options).then(text);
  await attempt("fetch", target, read("/v1/status"));
  await attempt("fetch page", target, read("/"));
  await attempt("fetch with token", target, read("/v1/status", {headers: bearer}));
  await attempt("fetch stream", target, () => fetch(base + "/v1/stream",
    {headers: bearer}).then((a) => a.ok ? a.body.getReader().read()
      .then((r) => r.value.length) : null));
  await attempt("rotate by fetch", target, read("/v1/rotate",
    {method: "POST", headers: {...json, ...bearer}, body: "{}"}));
  await attempt("exchange", target, read("/session",
    {method: "POST", headers: bearer}));
  await attempt("XHR", target, () => new Promise((good, bad) => {
    const x = new XMLHttpRequest();
    x.open("GET", base + "/v1/keys");
    x.setRequestHeader("Authorization", "Bearer " + token);
    x.onload = () => x.status === 200 ? good(x.responseText) : bad();
    x.onerror = bad;
    x.send();
  }));
  await attempt("script", target, () => element("script",
    {src: base + "/dashboard.js"}));
  await attempt("module", target, () => import(base + "/dashboard.js")
    .then(() => "imported"));
  await attempt("style", target, () => element("link",
    {rel: "stylesheet", href: base + "/dashboard.css"}));
  await attempt("EventSource", target, () => new Promise((good, bad) => {
    const e = new EventSource(base + "/v1/stream");
    e.onopen = () => good("open");
    e.onerror = bad;
  }));
  await attempt("WebSocket", target, () => new Promise((good, bad) => {
    const e = new WebSocket(base.replace("http", "ws") + "/v1/stream");
    e.onopen = () => good("open");
    e.onerror = bad;
  }));
  // Those that change without seeing an answer: what came of them is asked of
  // the node.
  fetch(base + "/v1/rotate", {method: "POST", mode: "no-cors", body: "{}"})
    .catch(() => 0);
  fetch(base + "/v1/rotate", {method: "POST", mode: "no-cors",
    body: new URLSearchParams({force: "true"})}).catch(() => 0);
  navigator.sendBeacon(base + "/v1/rotate", "{}");
  form(target, "/v1/rotate", "text/plain", {'{"force":true,"x":"': '"}'});
  form(target, "/v1/rotate", "application/x-www-form-urlencoded", {force: "true"});
  form(target, "/", "application/x-www-form-urlencoded", {once: token});
  new Image().src = base + "/v1/rotate";
  frame({src: base + "/"});
  frame({src: base + "/v1/rotate"});
  // A frame without an origin: it sends "Origin: null". Its form comes last, for
  // that takes it elsewhere and would end what it still fetches.
  frame({sandbox: "allow-scripts allow-forms"}, (e) => { e.srcdoc =
    "<form method=post enctype=text/plain action='" + base + "/v1/rotate'>" +
    "<input name='{}'></form><script>Promise.allSettled([" +
    "fetch('" + base + "/v1/status', {headers: {Authorization: 'Bearer " + token +
    "'}}).then(a => a.ok && a.text()).then(t => t && " +
    "parent.postMessage({target: '" + target.name + "', got: t}, '*'))," +
    "fetch('" + base + "/v1/rotate', {method: 'POST', mode: 'no-cors', body: '{}'})" +
    "]).then(() => document.forms[0].submit())<" + "/script>"; });
}

addEventListener("message", (event) => done.push({what: "frame without origin",
  target: event.data.target, got: event.data.got}));
(async () => {
  for (const target of targets) await all(target);
  await wait(1000);
  // The last thing that comes back by itself, at the server that gives it.
  const back = () => done.some((one) => one.target === "unguarded" &&
    one.what === "frame without origin");
  for (let i = 0; i < 300 && !back(); i++) await wait(100);
  await fetch("/report", {method: "POST", body: JSON.stringify({name, done})});
})();
</script>"""


def plan(unguarded):
    with open(os.path.join(here, "plan.json")) as file:
        targets = json.load(file)
    targets.append({"name": "unguarded", "base": unguarded, "token": "x"})
    return targets


def write(name, value):
    path = os.path.join(here, name)
    with open(path + ".part", "w") as file:
        file.write(value)
    os.rename(path + ".part", path)


# By a page: one by fetch, two by fetch without CORS, a beacon, two forms, and
# two by the frame without an origin.
ROTATIONS = 8
pages = 0


def all_rotations():
    with lock:
        return sum(one[:2] == ["POST", "/v1/rotate"]
                   for one in asked) >= ROTATIONS * pages


class Quiet(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, kind, text, more=()):
        data = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in more:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


class Site(Quiet):
    def do_GET(self):
        if not self.path.startswith("/page-"):
            self.answer("text/plain", "")
            return
        global pages
        with lock:
            pages += 1
        self.answer("text/html; charset=utf-8", PAGE % {
            "name": json.dumps(self.path[6:]),
            "targets": json.dumps(plan(self.server.unguarded))})

    def do_POST(self):
        report = json.loads(self.body())
        # Frames take their time; the page stands until it has its answer.
        until = time.monotonic() + 30
        while not all_rotations() and time.monotonic() < until:
            time.sleep(0.05)
        with lock:
            write("unguarded.json", json.dumps(asked))
        write("report-%s.json" % report["name"], json.dumps(report["done"]))
        self.answer("text/plain", "")


class Unguarded(Quiet):
    """Trusts everybody, as a careless admin endpoint does."""

    def note(self):
        with lock:
            asked.append([self.command, self.path, self.body().decode("latin1"),
                          self.headers.get("Origin", ""),
                          self.headers.get("Content-Type", "")])
        key = self.headers.get("Sec-WebSocket-Key")
        if key:
            self.upgrade(key)
            return
        kind, text = {
            "/dashboard.js": ("text/javascript", ""),
            "/dashboard.css": ("text/css", ""),
            "/v1/stream": ("text/event-stream", "data: secret\n\n"),
        }.get(self.path, ("text/html", "secret"))
        self.answer(kind, text, [
            ("Access-Control-Allow-Origin", "*"),
            ("Access-Control-Allow-Headers", "*, Authorization")])

    def upgrade(self, key):
        digest = hashlib.sha1(
            (key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept",
                         base64.b64encode(digest).decode())
        self.end_headers()
        self.close_connection = True

    do_GET = do_POST = do_OPTIONS = note


site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
careless = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Unguarded)
site.unguarded = "http://127.0.0.1:%d" % careless.server_port
threading.Thread(target=careless.serve_forever, daemon=True).start()
write("ports", "%d %d\n" % (site.server_port, careless.server_port))
site.serve_forever()
