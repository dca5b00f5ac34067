# SPDX-License-Identifier: GPL-2.0-or-later
"""For peers.sh: idle.py PORT SNI N PID: opens N connections of TLS 1.3 that say
nothing after their handshake, and prints by how many KiB the resident memory of
the process PID has grown for each."""
import resource
import socket
import ssl
import sys
import time

port, sni, count, pid = (int(sys.argv[1]), sys.argv[2], int(sys.argv[3]),
                         int(sys.argv[4]))
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
context.minimum_version = ssl.TLSVersion.TLSv1_3


def connect():
    plain = socket.create_connection(("127.0.0.1", port), 60)
    return context.wrap_socket(plain, server_hostname=sni)


def resident():
    """In KiB, once it has stood still for half a second."""
    last, since, until = None, time.monotonic(), time.monotonic() + 30
    while time.monotonic() < until:
        with open("/proc/%d/smaps_rollup" % pid) as file:
            now = next(int(line.split()[1]) for line in file
                       if line.startswith("Rss:"))
        if now != last:
            last, since = now, time.monotonic()
        if time.monotonic() - since >= 0.5:
            break
        time.sleep(0.05)
    return last


# What is allocated once is no connection's.
warm = [connect() for _ in range(100)]
for one in warm:
    one.close()
before = resident()
held = [connect() for _ in range(count)]
if any(one.version() != "TLSv1.3" for one in held):
    sys.exit("not TLS 1.3")
after = resident()
# They must still be there: nothing to read, but no end either.
for one in held:
    one.settimeout(0)
    try:
        if one.recv(1) == b"":
            sys.exit("a connection was closed meanwhile")
    except ssl.SSLWantReadError:
        pass
print("%.3f" % ((after - before) / count))
