#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Long-lived connections for node_6_reload.sh.

serve PORT...: a plain TCP server on each port that returns what it gets.
hold PORT SNI CA N: N TLS connections, half of each version, that send a line,
wait for its echo, and again, until SIGTERM; then the number of lines, or what
became of the first connection that was dropped or garbled, and exit status 1.
"""
import asyncio
import signal
import ssl
import sys


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def serve(ports):
    for port in ports:
        await asyncio.start_server(echo, "127.0.0.1", int(port))
    print("ready", flush=True)
    await asyncio.Event().wait()


async def one(number, port, sni, ca, stop, opened):
    version = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)[number % 2]
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = context.maximum_version = version
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname=sni)
    lines = 0
    while not stop.is_set():
        line = b"connection %d line %d\n" % (number, lines)
        writer.write(line)
        if await asyncio.wait_for(reader.readline(), 30) != line:
            raise RuntimeError(f"connection {number} ended or was garbled "
                               f"after {lines} lines")
        lines += 1
        if lines == 1:
            opened.append(number)
        await asyncio.sleep(0.05)
    writer.close()
    return lines


async def hold(port, sni, ca, count):
    stop, opened = asyncio.Event(), []
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    tasks = [asyncio.create_task(one(i, port, sni, ca, stop, opened))
             for i in range(count)]
    while len(opened) < count and not any(t.done() for t in tasks):
        await asyncio.sleep(0.02)
    if len(opened) == count:
        print("ready", flush=True)
    print(sum(await asyncio.gather(*tasks)), flush=True)


if sys.argv[1] == "serve":
    asyncio.run(serve(sys.argv[2:]))
else:
    asyncio.run(hold(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5])))
