#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Of tests/deploy_6_front.sh: listens on the ports of a machine that nftables
guards, or asks from all addresses of the world who gets in where."""
import selectors
import socket
import sys
import time

PORTS = (22, 443, 6379, 9105, 16379, 26379)
# The last part of each address: who it is, and where it may go.
ALLOWED = {
    ("192.0.2.", "5"): {22, 9105},
    ("192.0.2.", "10"): {22, 443, 9105},
    ("192.0.2.", "17"): {22, 6379, 16379, 26379},
    ("192.0.2.", "99"): {22},
    ("2001:db8::", "5"): {22, 9105},
    ("2001:db8::", "10"): {22, 443, 9105},
    ("2001:db8::", "22"): {22, 6379, 16379, 26379},
    ("2001:db8::", "99"): {22},
}


def serve(sign):
    listeners = []
    for port in PORTS:
        listener = socket.create_server(("::", port), family=socket.AF_INET6,
                                        dualstack_ipv6=True, backlog=64)
        listeners.append(listener)
    open(sign, "w").close()
    while True:
        time.sleep(3600)


def family(net):
    return socket.AF_INET6 if ":" in net else socket.AF_INET


def begin(selector, net, last, port):
    sock = socket.socket(family(net), socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.bind((net + last, 0))
    sock.connect_ex((net + "21", port))
    selector.register(sock, selectors.EVENT_WRITE, (net, last, port))


def ask():
    """Who is let in must get in, however long that takes; the others have the
    time from then on, two seconds, to prove the rules wrong."""
    selector = selectors.DefaultSelector()
    due = {(net, last, port) for (net, last), ports in ALLOWED.items()
           for port in ports}
    for net, last in ALLOWED:
        for port in PORTS:
            begin(selector, net, last, port)
    got, refused = set(), set()
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for key, _ in selector.select(0.1):
            error = key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            (refused if error else got).add(key.data)
            selector.unregister(key.fileobj)
        if due <= got and end - time.monotonic() > 2:
            end = time.monotonic() + 2
    for what, found in (("shut out", due - got), ("let in", got - due),
                        ("refused", refused)):
        for net, last, port in sorted(found):
            print(f"{net}{last} port {port}: {what}")
    print(f"{len(due)} of {len(due)} ways open, "
          f"{len(ALLOWED) * len(PORTS) - len(due)} shut")
    return 0 if got == due and not refused else 1


if sys.argv[1] == "serve":
    serve(sys.argv[2])
sys.exit(ask())
