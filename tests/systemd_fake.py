#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What systemd does for a service, for check_systemd.sh.

systemd_fake.py LOG WATCHDOG_MS NAME=ADDRESS... -- COMMAND...
Listens on each ADDRESS (HOST:PORT, port 0 takes a free one, or a path), passes
the sockets to COMMAND under their names, and writes what it is told to LOG, a
line a message with '|' for the newlines, after the line "address NAME ADDRESS"
for each socket. SIGUSR1 ends the command and, when it is gone, starts it
again on the same sockets; SIGTERM ends it for good, and the exit status is its.
The address "file:PATH" passes an open file instead, "pid:PID" no socket but
another LISTEN_PID.
"""
import os
import select
import signal
import socket
import sys

log, watchdog_ms = open(sys.argv[1], "a", buffering=1), int(sys.argv[2])
split = sys.argv.index("--")
command = sys.argv[split + 1:]
names, held, listen_pid = [], [], None

for argument in sys.argv[3:split]:
    name, _, address = argument.partition("=")
    if address.startswith("pid:"):
        listen_pid = address[4:]
        continue
    names.append(name)
    if address.startswith("file:"):
        held.append(open(address[5:]))
        continue
    if "/" in address:
        held.append(socket.socket(socket.AF_UNIX))
        held[-1].bind(address)
    else:
        host, _, port = address.rpartition(":")
        held.append(socket.socket(socket.AF_INET))
        held[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held[-1].bind((host, int(port)))
        address = "%s:%d" % held[-1].getsockname()
    held[-1].listen(256)
    log.write(f"address {name} {address}\n")

told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
told.bind(sys.argv[1] + ".notify")


def start():
    pid = os.fork()
    if pid:
        return pid
    signal.set_wakeup_fd(-1)
    # Out of the way first: some of them may stand where others go.
    high = [os.dup2(h.fileno(), 200 + i) for i, h in enumerate(held)]
    for i, fd in enumerate(high):
        os.dup2(fd, 3 + i, inheritable=True)
        os.close(fd)
    os.closerange(3 + len(held), 256)
    os.environ.update(LISTEN_FDS=str(len(held)),
                      LISTEN_PID=listen_pid or str(os.getpid()),
                      LISTEN_FDNAMES=":".join(names),
                      NOTIFY_SOCKET=sys.argv[1] + ".notify")
    if watchdog_ms:
        os.environ.update(WATCHDOG_USEC=str(watchdog_ms * 1000),
                          WATCHDOG_PID=str(os.getpid()))
    os.execv(command[0], command)


again = last = False


def on_signal(number, frame):
    global again, last
    again, last = number == signal.SIGUSR1, number != signal.SIGUSR1
    os.kill(child, signal.SIGTERM)


wake, wake_up = os.pipe()
os.set_blocking(wake_up, False)
signal.set_wakeup_fd(wake_up)
for number in (signal.SIGUSR1, signal.SIGTERM):
    signal.signal(number, on_signal)
signal.signal(signal.SIGCHLD, lambda number, frame: None)
child = start()
while True:
    ready, _, _ = select.select([told, wake], [], [])
    if told in ready:
        text = told.recv(4096).decode()
        log.write(text.replace("\n", "|") + "\n")
        continue
    os.read(wake, 64)
    gone, status = os.waitpid(child, os.WNOHANG)
    if not gone:
        continue
    log.write(f"ended {os.waitstatus_to_exitcode(status)}\n")
    if not again:
        sys.exit(os.waitstatus_to_exitcode(status) & 255)
    again = False
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    child = start()
    log.write(f"started {child}\n")
