#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# stekprobe farm names the one node of five that was given another farm key.
# So it does with another farm name and with a store of its own, each asked at
# the nodes' own addresses and through HAProxy (layer 4, in turns), and finds
# nothing in the five good nodes. The parts are in tests/hygiene_*.sh.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hygiene_farm.sh"
need jq redis-server redis-cli haproxy

hygiene_farm
echo "measure-2: farm: $farm_figure"
