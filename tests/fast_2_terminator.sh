#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# As a terminator before the same plain TCP backend a connection costs stekd at
# most 0.65 of the CPU that the better of hitch and HAProxy spends, full and
# resumed, in TLS 1.3 and 1.2.
exec "$(dirname "$0")/bench/peers.sh" terminator \
	--bound terminator/tls13-full=0.65 \
	--bound terminator/tls13-resumed=0.65 \
	--bound terminator/tls12-full=0.65 \
	--bound terminator/tls12-resumed=0.65 "$@"
