#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Asks three nodes everything that the OpenAPI document has.

check_openapi.py DOCUMENT WORK ADMIN_PORT METRICS_PORT TLS_PORT PID_1 PID_3
PID_REDIS, for check_openapi.sh, which made the farm. Ends nodes 1 and redis.
"""
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time

from openapi_ask import Judge, tcp_door, tls_door, unix_door
from openapi_rules import Document

# What cannot be had from outside, or not in time, and who proves it.
UNSEEN = {
    ("rotate", "409", "conflict"): "other nodes write at each of 50 attempts",
    ("revoke", "409", "conflict"): "the same",
    ("revoke", "504", "nodes-late"): "a node that beats and does not read:"
                                     " check_revoke",
    ("revoke", "500", "internal"): "no memory",
    ("reloadFarmKey", "503", "unavailable"): "its thread is stuck",
}
PATIENCE_S = 90
TRIES = 8
STREAMS = 100


class Farm:
    def __init__(self, arguments):
        (document, work, admin, metrics, tls, *pids) = arguments
        self.work = work
        self.pids = [int(pid) for pid in pids]
        self.judge = Judge(Document(document))
        with open(work + "/token", encoding="ascii") as file:
            self.token = file.read().strip()
        self.unix = unix_door(work + "/node-1.sock")
        self.second = unix_door(work + "/node-2.sock")
        self.third = unix_door(work + "/node-3.sock")
        self.tcp = tcp_door(int(admin), self.token)
        self.stranger = tcp_door(int(admin))
        self.open = tcp_door(int(metrics), probes=True)
        self.reader, self.gone, self.nobody = [
            tls_door(int(tls), "admin.example.test", work + "/ca.pem",
                     work + "/%s.pem" % name, work + "/%s.key" % name)
            for name in ("reader", "gone", "nobody")]

    def get(self, path, wanted="200", door=None, **more):
        return self.judge.ask(door or self.unix, "GET", path, wanted, **more)

    def post(self, path, body, wanted="200", door=None, **more):
        headers = {"Content-Type": "application/json"}
        headers.update(more.pop("headers", {}))
        return self.judge.ask(door or self.unix, "POST", path, wanted,
                              headers=headers, body=body, **more)

    def operations(self):
        """Of one path and method each: both as they are asked."""
        for path, method, operation in self.judge.document.operations():
            yield path.replace("{file}", "dashboard.js"), method.upper(), \
                operation

    def tag(self):
        return self.get("/v1/ring")[1].getheader("ETag")


def until(condition, what):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            sys.exit("waited in vain for " + what)
        time.sleep(0.02)


def reading(farm):
    """Every GET by every door, and HEAD."""
    for path, method, operation in farm.operations():
        if method != "GET":
            continue
        for door in (farm.unix, farm.tcp, farm.reader):
            farm.get(path, door=door)
        farm.judge.ask(farm.unix, "HEAD", path, "200")
        if operation["tags"] == ["probes"]:
            farm.get(path, door=farm.open)
        _, answer = farm.get(path)
        tag = answer.getheader("ETag")
        if tag:
            farm.get(path, "304", headers={"If-None-Match": tag})
            farm.get(path, "200", headers={"If-None-Match": '"x"'})
    for path in ("/v1/status", "/v1/rotate", "/"):
        farm.get(path, "404", door=farm.open)
    served, _ = farm.get("/v1/openapi.json")
    if served != farm.judge.document.root:
        farm.judge.fault("/v1/openapi.json", "is another document")
    farm.get("/v1/audit?limit=1&verify=1")


def refusals(farm):
    """What is refused of every operation, whatever it is."""
    wrong = {"Authorization": "Bearer " + "0" * 64}
    for path, method, operation in farm.operations():
        # Refused by their headers: a body might come too late to be read.
        ask = lambda door, wanted, headers=None, **more: farm.judge.ask(
            door, method, path, wanted, headers=headers, **more)
        files = operation["tags"] == ["dashboard"]
        if not files:
            ask(farm.stranger, "401 unauthorized")
            ask(farm.stranger, "401 unauthorized", wrong)
        ask(farm.tcp, "403 forbidden-host", {"Host": "evil.test"})
        ask(farm.tcp, "403 forbidden-origin", {"Origin": "http://evil.test"})
        ask(farm.unix, "403 forbidden-origin",
            {"Sec-Fetch-Site": "cross-site"})
        ask(farm.unix, "400 bad-request", {"Idempotency-Key": "a b"})
        ask(farm.unix, "413 content-too-large",
            {"Content-Length": str(16 * 1024 + 1)})
        if "412" in operation["responses"]:
            ask(farm.unix, "412 precondition-failed", {"If-Match": '"x"'})
            ask(farm.unix, "400 bad-request", {"If-Match": "x"})
        if method == "POST":
            ask(farm.unix, "415 unsupported-media-type",
                {"Content-Type": "text/plain"})
            ask(farm.reader, "403 forbidden-role",
                {"Content-Type": "application/json"})
            ask(farm.unix, "400 bad-request", body="[]")
            ask(farm.unix, "400 bad-request", body='{"unknown":1}')
        ask(farm.nobody, "403 forbidden-role",
            {"Content-Type": "application/json"})
        for other in ("PUT", "DELETE", "OPTIONS", "PATCH"):
            farm.judge.ask(farm.unix, other, path, "405 method-not-allowed")
    for path in ("/v1", "/v1/status/", "/nothing", "/v1/rings"):
        farm.get(path, "404 not-found")
    for query in ("limit=0", "limit=10001", "limit=x", "verify=2"):
        farm.get("/v1/audit?" + query, "400 bad-request")


def malformed(farm):
    """What is no good HTTP is refused by the library, as the document says."""
    said = farm.judge.document.root["info"]["description"]
    long = b"a" * 40000
    for status, request in (
            (400, b"GET /v1/status HTTP/1.1\r\n\r\n"),
            (400, b"GET /v1/status HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n"),
            (400, b"POST /v1/rotate HTTP/1.1\r\nHost: x\r\n"
                  b"Content-Length: abc\r\n\r\n"),
            (414, b"GET /" + long + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
            (431, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + long + b"\r\n\r\n"),
            (505, b"GET / HTTP/2.7\r\nHost: x\r\n\r\n")):
        link = farm.unix.connect()
        link.connect()
        answer = b""
        try:
            link.sock.sendall(request)
        except BrokenPipeError:
            pass                # it has seen enough
        try:
            while True:
                data = link.sock.recv(65536)
                if not data:
                    break
                answer += data
        except ConnectionResetError:
            pass                # it does not read what it refuses
        link.close()
        if not answer.startswith(b"HTTP/1.1 %d " % status):
            farm.judge.fault(request[:40], "is not %d: %r" % (status, answer))
        if str(status) not in said:
            farm.judge.fault("info", "does not tell of %d" % status)


def other_users(farm):
    """A user that is neither root nor stekd's is refused by the socket."""
    if os.geteuid() != 0:
        for path, method, operation in farm.operations():
            UNSEEN[operation["operationId"], "403", "forbidden-peer"] = "root"
        return
    places = [farm.work, farm.work + "/node-1.sock"]
    modes = [stat.S_IMODE(os.stat(place).st_mode) for place in places]
    os.chmod(places[0], 0o711)
    os.chmod(places[1], 0o666)
    os.seteuid(65534)
    for path, method, _ in farm.operations():
        farm.judge.ask(farm.unix, method, path, "403 forbidden-peer")
    os.seteuid(0)
    for place, mode in zip(places, modes):
        os.chmod(place, mode)


def certificates(farm):
    """On a connection that is open, a certificate that is denied is refused."""
    links = {}
    for path, method, operation in farm.operations():
        link = farm.gone.connect()
        farm.get("/healthz", door=farm.gone, connection=link)
        links[path, method] = link
    der = subprocess.run(
        ["openssl", "x509", "-in", farm.work + "/gone.pem", "-noout",
         "-fingerprint", "-sha256"], check=True, capture_output=True, text=True)
    print_ = der.stdout.strip().split("=")[1]
    farm.post("/v1/deny", {"add": print_})
    for (path, method), link in links.items():
        farm.judge.ask(farm.gone, method, path, "403 forbidden-certificate",
                       headers={"Content-Type": "application/json"},
                       connection=link)
        link.close()
    farm.post("/v1/deny", {"remove": print_})


def bodies(farm):
    """The schemas of bodies take what the node takes, and nothing else."""
    keys, _ = farm.get("/v1/keys")
    key = keys["keys"][0]["id"]
    expect = {"epoch": keys["epoch"], "digest": keys["digest"]}
    some = [{}, {"dry_run": True}, {"force": True}, {"force": 1},
            {"force": None}, {"all": True}, {"all": False}, {"keys": []},
            {"all": "true"}, {"keys": [key]}, {"keys": [key, key]},
            {"keys": [key] * 64}, {"keys": [key] * 65}, {"keys": key},
            {"keys": [key.upper() + "A"]}, {"keys": [key[1:]]}, {"keys": [7]},
            {"all": True, "keys": [key]}, {"all": False, "keys": [key]},
            {"all": True, "force": True}, {"expect": expect},
            {"all": True, "expect": expect}, {"expect": {}}, {"expect": None},
            {"expect": {"epoch": 1}}, {"expect": dict(expect, x=1)},
            {"expect": dict(expect, epoch=-1)},
            {"expect": dict(expect, epoch=1.5)},
            {"expect": dict(expect, epoch="1")},
            {"expect": dict(expect, digest=keys["digest"][1:])},
            {"expect": dict(expect, digest=keys["digest"].upper() + "A")},
            {"note": "it leaked"}, {"note": ""}, {"note": "x" * 201},
            {"note": "cl\u00e9"}, {"note": 7}, {"all": True, "note": "y"},
            {"add": "ab" * 32}, {"add": "AB:" * 31 + "AB"}, {"add": "ab" * 31},
            {"add": "ab" * 32, "remove": "ab" * 32}, {"remove": "ab" * 32},
            {"add": 7}, {"add": "xy" * 32}]
    document = farm.judge.document
    for path, method, operation in farm.operations():
        if method != "POST":
            continue
        schema = operation["requestBody"]["content"]["application/json"]
        tries = list(some)
        tries += [one["value"] for one in schema["examples"].values()]
        for body in tries:
            if path in ("/v1/rotate", "/v1/revoke"):
                body = dict(body, dry_run=True)
            good = not document.faults(schema["schema"], body)
            answer, data = farm.unix.ask(
                "POST", path, {"Content-Type": "application/json"}, body)
            farm.judge.judge(farm.unix, "POST", path, answer, data)
            if good == (answer.status == 400):
                farm.judge.fault(path, "%s is %d, and the schema %s it" % (
                    json.dumps(body)[:200], answer.status,
                    "takes" if good else "refuses"))


def changing(farm):
    """Rotations and revocations, and what comes of them."""
    ring, _ = farm.get("/v1/ring")
    expect = {"epoch": ring["epoch"], "digest": ring["digest"]}
    tag = farm.tag()
    farm.post("/v1/rotate", {"dry_run": True})
    farm.post("/v1/rotate", "", headers={"If-Match": tag,
                                         "Idempotency-Key": "first"})
    farm.post("/v1/rotate", {}, "429 rate-limited")
    again, _ = farm.post("/v1/rotate", "", door=farm.second, headers={
        "If-Match": tag, "Idempotency-Key": "first"})
    if again["replayed"] is not True:
        farm.judge.fault("/v1/rotate", "is done twice")
    for body, headers in (({"force": True, "expect": expect}, {}),
                          ({"force": True}, {"If-Match": tag})):
        farm.post("/v1/rotate", body, "412 ring-moved", headers=headers)
        body = {"all": True, **body}
        body.pop("force")
        farm.post("/v1/revoke", body, "412 ring-moved", headers=headers)
    farm.get("/v1/ring", "412 ring-moved", headers={"If-Match": tag})
    for path, body in (("/v1/rotate", {"force": True}),
                       ("/v1/revoke", {"all": True})):
        farm.post(path, body, "422 idempotency-key-reused",
                  headers={"Idempotency-Key": "first"})
    epoch = '"%d"' % farm.get("/v1/keys")[0]["epoch"]
    farm.post("/v1/rotate", {"force": True, "note": "a drill"},
              headers={"If-Match": epoch})
    farm.post("/v1/revoke", {"keys": ["0" * 32]}, "404 no-such-key")
    key = farm.get("/v1/keys")[0]["keys"][0]["id"]
    farm.post("/v1/revoke", {"keys": [key], "dry_run": True})
    farm.post("/v1/revoke", {"keys": [key]}, headers={"If-Match": farm.tag()})
    farm.post("/v1/revoke", {"all": True}, door=farm.tcp)
    for door in (farm.unix, farm.second):
        farm.get("/v1/keys", door=door)
        farm.get("/v1/audit?limit=10000&verify=1", door=door)


def late(farm):
    """A node that stopped just now; and one name at two nodes at once."""
    for path, body, wanted in (
            ("/v1/rotate", {"force": False}, (504, 409)),
            ("/v1/revoke", {"all": True}, (None, 409))):
        for number in range(TRIES):
            name = "late%s-%d" % (path.replace("/", "-"), number)
            got = both(farm, path, body, name, wanted[0] is None)
            if got[1] == wanted[1] and wanted[0] in (None, got[0]):
                break
            # Not rate-limited then.
            farm.post("/v1/revoke", {"all": True}, "")


def both(farm, path, body, name, go_on):
    """One request at nodes 1 and 2 while node 3 stands still. Whether the first
    is over by the time of the second is up to the machine."""
    headers = {"Idempotency-Key": name}
    got = []
    first = threading.Thread(target=lambda: got.append(farm.post(
        path, body, "", headers=headers)[1].status))
    until(lambda: all(one["in_sync"] and one["live"] for one in
                      farm.get("/v1/nodes")[0]["nodes"]), "all nodes")
    before = len(asked(farm))
    os.kill(farm.pids[1], signal.SIGSTOP)
    try:
        first.start()
        until(lambda: len(asked(farm)) > before, "the request in the audit")
        _, second = farm.post(path, body, "", door=farm.second,
                              headers=headers)
        if go_on:
            os.kill(farm.pids[1], signal.SIGCONT)
        first.join()
    finally:
        os.kill(farm.pids[1], signal.SIGCONT)
    return got[0], second.status


def asked(farm):
    rows = farm.get("/v1/audit?limit=1000", door=farm.second)[0]["entries"]
    return [row for row in rows if row["entry"]["result"] == "asked for"]


def files(farm):
    """Configuration, farm keys and denials, good and bad."""
    yaml, key = farm.work + "/node-1.yaml", farm.work + "/farm.key"
    for path, name, kind in (("/v1/reload", yaml, "refused-configuration"),
                             ("/v1/farm-key/reload", key, "refused-farm-key")):
        farm.post(path, {})
        with open(name, encoding="ascii") as file:
            good = file.read()
        with open(name, "a", encoding="ascii") as file:
            file.write("nonsense\n")
        farm.post(path, {}, "409 " + kind)
        with open(name, "w", encoding="ascii") as file:
            file.write(good)
        farm.post(path, {})
    farm.post("/v1/deny", {"add": "ab" * 32})
    farm.post("/v1/deny", {"add": "ab" * 32})
    farm.get("/v1/deny")
    os.rename(farm.work + "/deny", farm.work + "/deny.away")
    farm.post("/v1/deny", {"remove": "ab" * 32}, "500 internal")
    farm.post("/v1/deny", {"add": "cd" * 32}, "500 deny-not-stored")
    os.rename(farm.work + "/deny.away", farm.work + "/deny")
    farm.post("/v1/reload", {})


def streams(farm):
    """As many as the node serves, and one more."""
    links = []
    for _ in range(STREAMS):
        links.append(farm.unix.connect())
        links[-1].request("GET", "/v1/stream")
        answer = links[-1].getresponse()
        if answer.status != 200:
            farm.judge.judge(farm.unix, "GET", "/v1/stream", answer,
                             answer.read())
            break
    for link in links:
        link.close()


def full(farm):
    """The ring takes no more keys by hand than it has room for."""
    for _ in range(70):
        _, answer = farm.post("/v1/rotate", {"force": True}, "")
        if answer.status != 200:
            break
    farm.post("/v1/rotate", {"force": True}, "409 ring-full")
    for path in ("/v1/keys", "/v1/ring", "/v1/status",
                 "/v1/audit?limit=10000"):
        farm.get(path)


def alone(farm):
    """Without the store, and at last on the way out."""
    tag = farm.tag()
    os.kill(farm.pids[2], signal.SIGKILL)
    until(lambda: farm.get("/v1/status")[0]["store"]["state"] != "ok",
          "the store to be missed")
    farm.get("/v1/nodes", "503 unavailable")
    farm.get("/v1/audit", "503 unavailable")
    for path in ("/v1/stats", "/v1/farm-key", "/v1/keys", "/v1/ring",
                 "/readyz", "/metrics"):
        farm.get(path)
    farm.post("/v1/rotate", {"force": True}, "503 unavailable")
    farm.post("/v1/farm-key/reload", {}, "")
    farm.post("/v1/revoke", {"all": True}, "503 unavailable",
              headers={"If-Match": tag})
    farm.post("/v1/revoke", {"all": True}, "503 revoked-here")
    farm.get("/v1/keys")
    os.kill(farm.pids[0], signal.SIGTERM)
    until(lambda: farm.get("/readyz", "")[1].status == 503, "draining")
    farm.get("/v1/status")


def missing(farm):
    """What the document promises and no node gave."""
    for operation, status, kind in farm.judge.promised():
        what = operation, status, kind
        if what in farm.judge.seen:
            continue
        if what in UNSEEN or status == "500" and kind == "internal":
            continue
        farm.judge.fault("%s %s %s" % what, "is promised, and was not seen")


def main():
    farm = Farm(sys.argv[1:])
    for part in (reading, refusals, malformed, other_users, certificates,
                 bodies, changing, late, files, streams, full, alone, missing):
        began = time.monotonic()
        part(farm)
        print("%-12s %5d answers, %.1f s" % (
            part.__name__, farm.judge.answers, time.monotonic() - began),
            flush=True)
    kinds = {kind for _, _, kind in farm.judge.seen if kind}
    print("%d answers of %d operations, %d kinds of problems, %d faults" % (
        farm.judge.answers, len({one[0] for one in farm.judge.seen if one[0]}),
        len(kinds), len(farm.judge.faults)))
    sys.exit(1 if farm.judge.faults else 0)


if __name__ == "__main__":
    main()
