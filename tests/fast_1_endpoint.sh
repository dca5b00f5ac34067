#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# As an endpoint a connection costs stekd a good part less CPU than the best of
# nginx, HAProxy and h2o, with the same group, suite, tickets and resumption: 0.60
# and 0.55 of it in TLS 1.3, full and resumed, 0.65 and 0.80 in TLS 1.2.
exec "$(dirname "$0")/bench/peers.sh" endpoint \
	--bound endpoint/tls13-full=0.60 --bound endpoint/tls13-resumed=0.55 \
	--bound endpoint/tls12-full=0.65 --bound endpoint/tls12-resumed=0.80 "$@"
