# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients of an admin host, for node_11_roles.sh.

admin_client.py CA CERT KEY HOST COMMAND...

resume VERSION METHOD PATH FIRST SECOND  a ticket of the node at port FIRST is
                       offered at SECOND; prints "resumed|full STATUS"
keep PORT PATH...      one connection; for each line of input the next PATH is
                       asked on it; prints the status and the problem's type
late PORT PATH BODY    a POST whose headers are taken ("100") before a line of
                       input is awaited and the body sent; prints the status
                       and the problem's type
raw PORT TEXT          sends TEXT (with \\r and \\n written so) as it is; prints
                       the status lines of all answers
proxied PORT FROM PATH a PROXY header that names FROM, then a POST of {}
weak PORT              TLS 1.2 without extended_master_secret
drain PORT PATH        asks, prints the status, reads to the end: prints "ended"
                       when a stream is whole, "clean" if the end came by
                       close_notify

METHOD POST sends {"dry_run":true} as JSON.
"""
import http.client
import json
import re
import socket
import ssl
import sys

NO_EXTENDED_MASTER_SECRET = 1       # SSL_OP_, of OpenSSL 3


def context(version=None, options=0):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(ca)
    made.load_cert_chain(cert, key)
    if version:
        made.minimum_version = made.maximum_version = version
    made.options |= options
    return made


def connect(made, port, session=None, before=b""):
    raw = socket.create_connection(("127.0.0.1", int(port)), timeout=30)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    raw.sendall(before)
    return made.wrap_socket(raw, server_hostname=host, session=session,
                            suppress_ragged_eofs=False)


def ask(sock, method, path, body=b'{"dry_run":true}'):
    """Status and document; the connection stays open."""
    if method != "POST":
        body = b""
    head = (f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n"
            f"Content-Length: {len(body)}\r\n")
    if body:
        head += "Content-Type: application/json\r\n"
    sock.sendall(head.encode() + b"\r\n" + body)
    answer = http.client.HTTPResponse(sock, method=method)
    answer.begin()
    text = answer.read()
    try:
        return answer.status, json.loads(text)
    except ValueError:
        return answer.status, {}


def resume(version, method, path, first, second):
    made = context(getattr(ssl.TLSVersion, version))
    sock = connect(made, first)
    ask(sock, "GET", "/healthz")
    session = sock.session
    sock.close()
    sock = connect(made, second, session)
    status, _ = ask(sock, method, path)
    print("resumed" if sock.session_reused else "full", status)


def keep(port, *paths):
    sock = connect(context(), port)
    for path in paths:
        sys.stdin.readline()
        status, problem = ask(sock, "GET", path)
        print(status, problem.get("type", "-"), flush=True)


def late(port, path, body):
    sock = connect(context(), port)
    sock.sendall((f"POST {path} HTTP/1.1\r\nHost: {host}\r\n"
                  "Content-Type: application/json\r\nExpect: 100-continue\r\n"
                  f"Content-Length: {len(body)}\r\n\r\n").encode())
    print(sock.recv(65536).split()[1].decode(), flush=True)
    sys.stdin.readline()
    sock.sendall(body.encode())
    answer = http.client.HTTPResponse(sock, method="POST")
    answer.begin()
    print(answer.status, json.loads(answer.read()).get("type", "-"))


def raw(port, text):
    sock = connect(context(), port)
    sock.sendall(text.replace("\\r", "\r").replace("\\n", "\n").encode())
    answer = b""
    try:
        while part := sock.recv(65536):
            answer += part
    except (ssl.SSLError, ConnectionError):
        pass
    print(*re.findall(r"HTTP/1\.1 (\d+) ", answer.decode()))


def proxied(port, source, path):
    address, from_port = source.rsplit(":", 1)
    header = f"PROXY TCP4 {address} 127.0.0.1 {from_port} {port}\r\n"
    sock = connect(context(), port, before=header.encode())
    print(ask(sock, "POST", path, b"{}")[0])


def weak(port):
    try:
        connect(context(ssl.TLSVersion.TLSv1_2, NO_EXTENDED_MASTER_SECRET),
                port)
        print("connected")
    except ssl.SSLError as error:
        print(error.reason)


def drain(port, path):
    sock = connect(context(), port)
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    print(sock.recv(65536).split()[1].decode(), flush=True)
    tail = b""
    try:
        while part := sock.recv(65536):
            tail = (tail + part)[-7:]
            if tail == b"\r\n0\r\n\r\n":
                print("ended", flush=True)
        print("clean", flush=True)
    except (ssl.SSLError, OSError) as error:
        print("cut", error, flush=True)


ca, cert, key, host, command = sys.argv[1:6]
{"resume": resume, "keep": keep, "late": late, "raw": raw, "proxied": proxied,
 "weak": weak, "drain": drain}[command](*sys.argv[6:])
