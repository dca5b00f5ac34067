# SPDX-License-Identifier: GPL-2.0-or-later
"""Both ends around two nodes, for node_3_identity.sh.

backend PORT-FILE                 answers each connection with what its PROXY
                                  header says of the client, as JSON
chain CA CERT KEY HOST N PORT...  one full handshake, then N resumptions, each
                                  at the next node with the newest ticket, in
                                  TLS 1.2 and again in 1.3; prints a line each
keep CA CERT KEY HOST PORT...     a ticket of each version from the first node;
                                  after a line of input they are offered at all

A line is "version full|resumed JSON", or "version refused REASON".
"""
import json
import os
import socket
import ssl
import struct
import sys
import threading

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def tlvs(data):
    while data:
        kind, length = struct.unpack(">BH", data[:3])
        yield kind, data[3:3 + length]
        data = data[3 + length:]


def read_header(sock):
    head = b""
    while len(head) < 16:
        head += sock.recv(16 - len(head))
    length = struct.unpack(">H", head[14:])[0]
    body = b""
    while len(body) < length:
        body += sock.recv(length - len(body))
    says = {"fingerprint": None}
    for kind, value in tlvs(body[12:]):      # behind two IPv4 addresses
        if kind == 0x20:
            says["client"], says["verify"] = struct.unpack(">BI", value[:5])
        elif kind == 0xe0:
            says["resumed"] = value[0]
        elif kind == 0xe2:
            says["fingerprint"] = value.hex()
    return says


def serve(sock):
    with sock:
        says = json.dumps(read_header(sock))
        sock.recv(4096)
        sock.sendall(says.encode() + b"\n")


def backend(port_file):
    server = socket.create_server(("127.0.0.1", 0), backlog=64)
    with open(port_file + ".new", "w") as out:
        print(server.getsockname()[1], file=out)
    os.rename(port_file + ".new", port_file)
    while True:
        sock, _ = server.accept()
        threading.Thread(target=serve, args=(sock,), daemon=True).start()


def context(version, ca, cert, key):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(ca)
    made.load_cert_chain(cert, key)
    made.minimum_version = made.maximum_version = version
    return made


def connect(made, host, port, session):
    """The backend's answer, whether it was resumed, and the ticket."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with made.wrap_socket(raw, server_hostname=host,
                              session=session) as sock:
            sock.sendall(b"who am I?\n")
            answer = b""
            while not answer.endswith(b"\n"):
                part = sock.recv(4096)
                if not part:
                    raise ssl.SSLError(0, "no answer")
                answer += part
            return answer.decode().strip(), sock.session_reused, sock.session


def one(made, version, host, port, session):
    try:
        answer, reused, session = connect(made, host, port, session)
        print(version.name, "resumed" if reused else "full", answer)
    except (ssl.SSLError, ConnectionError) as error:
        print(version.name, "refused", str(error).replace("\n", " "))
    return session


def chain(ca, cert, key, host, n, *ports):
    for version in VERSIONS:
        made = context(version, ca, cert, key)
        session = None
        for i in range(int(n) + 1):
            session = one(made, version, host,
                          int(ports[i % len(ports)]), session)


def keep(ca, cert, key, host, *ports):
    held = []
    for version in VERSIONS:
        made = context(version, ca, cert, key)
        held.append((made, version, one(made, version, host, int(ports[0]),
                                        None)))
    print("held", flush=True)
    sys.stdin.readline()
    for made, version, session in held:
        for port in ports:
            one(made, version, host, int(port), session)


if __name__ == "__main__":
    {"backend": backend, "chain": chain, "keep": keep}[sys.argv[1]](
        *sys.argv[2:])
