# SPDX-License-Identifier: GPL-2.0-or-later
"""For peers.sh: changes.py SOCKET: asks the stekd of this admin socket for a new
key every 100 ms, until a line comes on standard input. Prints how many ring
changes there were in a second; exit 1 if one was refused, or if no further key
would have had room in the ring before the line came."""
import http.client
import socket
import sys
import threading
import time

PERIOD_S = 0.1
MOST = 55     # a ring has room for 64 keys
ending = threading.Event()
answers = []


class Admin(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(sys.argv[1])


def change():
    admin = Admin("stekd", timeout=60)
    admin.request("POST", "/v1/rotate", '{"force":true}',
                  {"Content-Type": "application/json"})
    answers.append(admin.getresponse().status)
    admin.close()


def watch_input():
    sys.stdin.readline()
    ending.set()


threading.Thread(target=watch_input, daemon=True).start()
asked, began = [], time.monotonic()
print("begun", flush=True)
while not ending.is_set() and len(asked) < MOST:
    asked.append(threading.Thread(target=change))
    asked[-1].start()
    ending.wait(max(0, began + len(asked) * PERIOD_S - time.monotonic()))
full = not ending.is_set()
for one in asked:
    one.join()
seconds = time.monotonic() - began
print("%.2f" % (answers.count(200) / seconds), flush=True)
sys.exit(full or any(status != 200 for status in answers) or
         len(answers) != len(asked))
