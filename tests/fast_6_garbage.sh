#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A flood of garbage tickets costs at most 1.2 times the CPU of as many full
# handshakes, for each connection: the measurement of node-10.
exec "$(dirname "$0")/node_10_garbage.sh"
