# SPDX-License-Identifier: GPL-2.0-or-later
"""A client that offers post_handshake_auth, and never reads what it is asked.

CA HOST PORT: prints how many seconds the server waited for it.
"""
import os
import socket
import ssl
import sys
import time


def main():
    ca, host, port = sys.argv[1:]
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.post_handshake_auth = True
    plain = socket.create_connection(("127.0.0.1", int(port)), timeout=60)
    # Its time begins with the connection or later, never before this.
    began = time.monotonic()
    with context.wrap_socket(plain, server_hostname=host) as tls:
        # The bytes below TLS, up to the server's end.
        with socket.socket(fileno=os.dup(tls.fileno())) as below:
            below.settimeout(60)
            while below.recv(4096):
                pass
        print("%.1f" % (time.monotonic() - began))


main()
