# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# redis_load.sh - what a farm costs its Redis, as the server itself counts it, and
# farms of helper_many, in one process. Sourced after lib.sh by tests/keys_4_scale.sh
# and tests/fast_9_capacity.sh.

# ---- what the server counts ----------------------------------------------------

# The commands that these tests themselves send, and those that run in scripts
# alone, are no load by a node's connection.
inner='info|config|hset|hmget|exists|time|publish'

calls()
{
	redis INFO commandstats | tr -d '\r' | sed -n \
		's/^cmdstat_\([^:]*\):calls=\([0-9]*\).*/\1 \2/p'
}

# snapshot NAME: when, sent, inside scripts, bytes.
snapshot()
{
	calls >"$work/calls.$1"
	echo "$(now_ms)" \
		"$(awk -v i="^($inner)$" '$1 !~ i { n += $2 } END { print n + 0 }' \
			"$work/calls.$1")" \
		"$(awk -v i="^($inner)$" '$1 ~ i && !/^(info|config) / { n += $2 }
			END { print n + 0 }' "$work/calls.$1")" \
		"$(redis INFO stats | tr -d '\r' | awk -F: \
			'/^total_net_(in|out)put_bytes:/ { n += $2 }
			END { print n }')" >"$work/snapshot.$1"
}

# per_node FROM TO NODES: "commands inside bytes", each per node and second.
per_node()
{
	paste "$work/snapshot.$1" "$work/snapshot.$2" | awk -v n="$3" '{
		t = ($5 - $1) / 1000
		printf "%.3f %.3f %.0f\n", ($6 - $2) / t / n,
			($7 - $3) / t / n, ($8 - $4) / t / n }'
}

wait_ms()
{
	local until=$(($(now_ms) + $1))

	while [ "$(now_ms)" -lt "$until" ]; do pause; done
}

# ---- many nodes ----------------------------------------------------------------

said() { [ "$(grep -c "^$1" "$work/log/many")" = "$2" ]; }

# begin_many N [PAYLOAD]: an empty store, and N nodes that agree about it; what is
# written to $many_in asks them.
begin_many()
{
	redis FLUSHALL >/dev/null
	rm -f "$work/many.in"
	mkfifo "$work/many.in"
	: >"$work/log/many"
	exec {many_in}<>"$work/many.in"
	# shellcheck disable=SC2016 # for the inner shell
	run many sh -c 'exec "$@" <"$0"' "$work/many.in" \
		"$STEKD_BUILD/tests/helper_many" "$farm" "$work/farm.key" \
		"$store_url" "$@"
	await_of many 600 "$1 members" said ready 1
}

end_many()
{
	end many KILL
	exec {many_in}>&-
}
