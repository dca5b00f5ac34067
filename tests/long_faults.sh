#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# keys-2 for fifteen minutes: 180 faults under load, no resumption lost among
# connected nodes, no handshake failed.
exec "$(dirname "$0")/keys_2_faults.sh" 900 "$@"
