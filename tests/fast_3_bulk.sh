#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A gigabyte through the terminator, AES-128-GCM, costs stekd no more CPU than
# the better of hitch and HAProxy.
exec "$(dirname "$0")/bench/peers.sh" bulk \
	--bound bulk/aes128gcm=1.0 "$@"
