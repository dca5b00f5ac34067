#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An idle connection of TLS 1.3 takes at most 12 KiB of stekd's resident memory, and
# less than any peer's.
exec "$(dirname "$0")/bench/peers.sh" idle \
	--bound idle/tls13=1.0 \
	--most idle/tls13=12 "$@"
