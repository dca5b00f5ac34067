#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# stekprobe farm names the one node of five that was given another farm key, and
# stekprobe audit finds what was seeded: a hint of 30 days, tickets shared across
# names, a key that does not change, a ticket taken past client authentication.
# farm does so with another farm name and a store of its own too, at the nodes'
# own addresses and through HAProxy (layer 4, in turns), and finds nothing in five
# good nodes; audit finds the rest of its ten at a server that has it, nothing
# else there, and none of the ten in stekd. The parts are in tests/hygiene_*.sh.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hygiene_farm.sh"
. "$(dirname "$0")/hygiene_audit.sh"
need jq redis-server redis-cli haproxy

hygiene_farm
hygiene_audit
echo "measure-2: farm: $farm_figure; audit: $audit_figure"
