# SPDX-License-Identifier: GPL-2.0-or-later
"""A stekd for check_dashboard.sh that does what no good one does.

dash_upstream.py DIR: serves at a loopback port, which it writes to DIR/port.
/v1/stream sends a line, waits until DIR/go exists, sends a second line and goes
on without an end; DIR/gone tells how many streams their client has left.
/v1/cookie answers with headers that no browser should get.
"""
import http.server
import os
import sys
import threading
import time

here = sys.argv[1]
gone = 0
lock = threading.Lock()


def write(name, value):
    path = os.path.join(here, name)
    with open(path + ".part", "w") as file:
        file.write(value)
    os.rename(path + ".part", path)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, kind, text, more=()):
        data = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in more:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def chunk(self, text):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text.encode()))
        self.wfile.flush()

    def stream(self):
        global gone
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.chunk("first\n")
        while not os.path.exists(os.path.join(here, "go")):
            time.sleep(0.02)
        self.chunk("second\n")
        # Silence: that the client has left is seen by its end of the socket.
        while self.connection.recv(1):
            pass
        with lock:
            gone += 1
            write("gone", "%d\n" % gone)

    def do_GET(self):
        if self.path == "/":
            self.answer("text/html",
                        '<meta name="stekd-session" content="">')
        elif self.path == "/v1/cookie":
            self.answer("text/plain", "x", [
                ("Set-Cookie", "a=b"), ("Access-Control-Allow-Origin", "*"),
                ("Server", "x"), ("Retry-After", "7")])
        elif self.path == "/v1/stream":
            self.stream()
        else:
            self.answer("application/json", "{}")


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
write("port", "%d\n" % server.server_port)
server.serve_forever()
