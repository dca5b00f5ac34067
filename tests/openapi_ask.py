#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Asks nodes and holds every answer against the OpenAPI document.

Farm: doors to a node (Unix socket, loopback TCP, a host with backend: admin,
the tokenless listener) and the judge of what comes back. An answer is right if
the document has its operation, status, type, headers and schema, and, of a
problem, its kind as an example there. What was seen is kept, to be compared
with what the document promises.
"""
import http.client
import json
import socket
import ssl
import sys

LINES = "application/x-ndjson"
WATCHED = ("ETag", "Retry-After", "WWW-Authenticate", "Allow", "Location")


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


class Door:
    """One way to ask a node, and the headers that it needs."""

    def __init__(self, connect, headers=None, probes=False):
        self.connect, self.headers = connect, headers or {}
        self.probes = probes    # the tokenless listener: nothing else is there

    def ask(self, method, path, headers=None, body=None, connection=None):
        sent = dict(self.headers)
        sent.update(headers or {})
        link = connection or self.connect()
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        link.putrequest(method, path, skip_host="Host" in sent,
                        skip_accept_encoding=True)
        for name, value in sent.items():
            if value is not None:
                link.putheader(name, value)
        if body is not None and "Content-Length" not in sent:
            link.putheader("Content-Length", str(len(body)))
        link.endheaders(body.encode() if body is not None else None)
        answer = link.getresponse()
        if answer.getheader("Content-Type") == LINES and method == "GET":
            # Without end: the first, and one of those that come later.
            data = answer.readline() + answer.readline()
        else:
            data = answer.read()
        if connection is None:
            link.close()
        return answer, data


def unix_door(path):
    return Door(lambda: UnixConnection(path))


def tcp_door(port, token=None, probes=False):
    headers = {"Authorization": "Bearer " + token} if token else {}
    return Door(lambda: http.client.HTTPConnection("127.0.0.1", port,
                                                   timeout=60), headers, probes)


def tls_door(port, host, ca, certificate, key):
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(certificate, key)

    def connect():
        link = http.client.HTTPSConnection(host, port, timeout=60,
                                           context=context)
        link._create_connection = lambda _, *more: \
            socket.create_connection(("127.0.0.1", port), 60)
        return link
    return Door(connect)


class Judge:
    def __init__(self, document):
        self.document, self.seen, self.faults = document, set(), []
        self.answers = 0

    def fault(self, where, what):
        self.faults.append("%s: %s" % (where, what))
        print("FAULT %s: %s" % (where, what), flush=True)

    def response(self, door, method, path, status):
        """The response object, and the operation's id; None: undocumented."""
        doc = self.document
        method = "get" if method == "HEAD" else method.lower()
        path = path.split("?")[0]
        item = doc.root["paths"].get(path)
        if item is None and "/" not in path[1:]:
            item = doc.root["paths"]["/{file}"]
        shared = doc.root["components"]["responses"]
        if item is None or door.probes and status == 404:
            return (shared["NotFound"], None) if status == 404 else (None, None)
        if method not in item:
            return (shared["MethodNotAllowed"], None) if status == 405 \
                else (None, None)
        operation = item[method]
        found = operation["responses"].get(str(status))
        return doc.get(found), operation["operationId"]

    def header(self, where, answer, response):
        documented = response.get("headers", {})
        for name, header in documented.items():
            header, value = self.document.get(header), answer.getheader(name)
            if value is None:
                if header["required"]:
                    self.fault(where, "lacks the header " + name)
                continue
            if header["schema"]["type"] == "integer":
                value = int(value)
            for fault in self.document.faults(header["schema"], value):
                self.fault(where, "%s: %s" % (name, fault))
        for name in WATCHED:
            if answer.getheader(name) and name not in documented:
                self.fault(where, "has the undocumented header " + name)

    def content(self, where, answer, data, response):
        """The document, or None; and the kind of a problem."""
        mime = (answer.getheader("Content-Type") or "").split(";")[0]
        media = response.get("content", {}).get(mime)
        if media is None:
            if data or mime and answer.status != 304:
                self.fault(where, "is %s: %r" % (mime or "without a type",
                                                 data[:200]))
            return None, None
        if mime == LINES:
            for line in data.splitlines():
                for fault in self.document.faults(media["schema"],
                                                  json.loads(line)):
                    self.fault(where, fault)
            return json.loads(data.splitlines()[0]), None
        if not mime.endswith("json"):
            return data.decode(), None
        value = json.loads(data, object_pairs_hook=self.document.once)
        for fault in self.document.faults(media["schema"], value):
            self.fault(where, fault)
        if not mime.endswith("problem+json"):
            return value, None
        kind = value["type"].rsplit(":", 1)[1]
        if kind not in media["examples"]:
            self.fault(where, "may not be %s: %s" % (kind, value["detail"]))
        if value["status"] != answer.status:
            self.fault(where, "says another status")
        return value, kind

    def judge(self, door, method, path, answer, data):
        where = "%s %s %d" % (method, path, answer.status)
        self.answers += 1
        response, operation = self.response(door, method, path,
                                            answer.status)
        if response is None:
            self.fault(where, "is undocumented: %r" % data[:300])
            return None, None
        self.header(where, answer, response)
        if answer.getheader("Cache-Control") not in ("no-store", "no-cache"):
            self.fault(where, "may be kept in caches")
        if method == "HEAD":
            if data:
                self.fault(where, "has a body")
            return None, None
        value, kind = self.content(where, answer, data, response)
        self.seen.add((operation, str(answer.status), kind))
        return value, kind

    def ask(self, door, method, path, wanted, headers=None, body=None,
            connection=None):
        """Asks, judges, and demands a status ("412 ring-moved": and the kind;
        "": any that is documented)."""
        answer, data = door.ask(method, path, headers, body, connection)
        value, kind = self.judge(door, method, path, answer, data)
        got = str(answer.status) + (" " + kind if kind else "")
        if wanted and wanted not in (got, str(answer.status)):
            self.fault("%s %s" % (method, path), "is %s, not %s: %s"
                       % (got, wanted, data[:300].decode(errors="replace")))
        return value, answer

    def promised(self):
        """Each (operation, status, kind of problem) of the document."""
        for _, _, operation in self.document.operations():
            for status, response in operation["responses"].items():
                response = self.document.get(response)
                kinds = response.get("content", {}).get(
                    "application/problem+json", {}).get("examples", [None])
                for kind in kinds:
                    yield operation["operationId"], status, kind


if __name__ == "__main__":
    sys.exit("openapi_ask.py is a part of check_openapi.py")
