#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A connection costs two workers at most 1.05 of the CPU that it costs one beside
# another server's, clients and all placed alike, and with a ring change every
# 100 ms at most 1.03 of what it costs with none.
exec "$(dirname "$0")/bench/peers.sh" workers rotation \
	--bound workers/tls13-full=1.05 \
	--bound workers/tls13-resumed=1.05 \
	--bound workers/tls12-full=1.05 \
	--bound workers/tls12-resumed=1.05 \
	--bound rotation/tls13-full=1.03 \
	--bound rotation/tls13-resumed=1.03 "$@"
