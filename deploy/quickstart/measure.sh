# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # farm.sh sets what is read here
#
# What the quickstart measures on the running farm: the matrix, load before,
# during and after a rotation, and an emergency revoke. Sourced by
# quickstart.sh after farm.sh; every figure comes from stekprobe.
: "${dir:?}" "${build:?}" "${stray:?}"

probe_load()
{
	local name=$1
	shift
	"$build/stekprobe" load --connect "127.0.0.1:$front_port" \
		--sni "$server_name" --ca "$dir/ca.pem" --concurrency 8 \
		--tls both --resume 100 --json "$@" >"$dir/$name.json"
}

# One row of the table; fails if the farm did not do what PHASE promises.
phase_row()
{
	jq -r --arg phase "$1" '[$phase, .connections, .offered, .resumed,
		"\((.resumption_rate // 0) * 10000 | round / 100) %",
		.failed, .ticket_keys,
		(.latency_ms.full.p50 // .warmup.latency_ms.p50 // 0 | . * 100 | round / 100),
		(.latency_ms.resumed.p50 // 0 | . * 100 | round / 100)]
		| @tsv' "$dir/$2.json" |
		awk -F'\t' '{ printf "%-16s %11s %8s %8s %9s %7s %5s %9s %9s\n",
			$1, $2, $3, $4, $5, $6, $7, $8, $9 }'
}

phase_head()
{
	printf '%-16s %11s %8s %8s %9s %7s %5s %9s %9s\n' phase connections \
		offered resumed rate failed keys full-ms resumed-ms
}

lossless() { jq -e '.failed == 0 and .resumed == .offered' "$dir/$1.json" >/dev/null; }

# during NAME SECONDS COMMAND...: load for that long, COMMAND in its middle.
during()
{
	local name=$1 seconds=$2 pid
	shift 2
	: >"$dir/$name.progress"
	probe_load "$name" --duration "$seconds" --progress \
		2>"$dir/$name.progress" &
	pid=$!
	until [ -s "$dir/$name.progress" ] || ! kill -0 "$pid" 2>/dev/null; do
		read -rt 0.05 <> <(:) || :
	done
	read -rt "$(awk "BEGIN { print $seconds / 4 }")" <> <(:) || :
	"$@" >"$dir/$name.answer" 2>&1 || { cat "$dir/$name.answer" >&2; return 1; }
	wait "$pid" || { tail -n 3 "$dir/$name.progress" >&2; return 1; }
}

measure_matrix()
{
	say "Who resumes whose tickets (row: issued at, column: resumed at)"
	"$build/stekprobe" farm --tls both --tries 5 --sni "$server_name" \
		--ca "$dir/ca.pem" --expect 100 "${node_direct[@]:0:$nodes}" ||
		return 1
	$stray || return 0
	echo
	echo "The same with \"stray\", whose farm key is another:"
	"$build/stekprobe" farm --tls both --tries 5 --sni "$server_name" \
		--ca "$dir/ca.pem" "${node_direct[@]}" || :
}

measure_farm()
{
	local ok=0 admin=${node_admin[0]}
	measure_matrix || ok=1
	say "Load through HAProxy, every connection offering a ticket"
	phase_head
	probe_load before --connections 600 || ok=1
	phase_row before before
	during rotation 10 curl -sS --fail-with-body --unix-socket "$admin" \
		-X POST http://localhost/v1/rotate || ok=1
	phase_row "with a rotation" rotation
	probe_load after --connections 600 || ok=1
	phase_row after after
	during revoke 6 "$build/stekctl" --socket "$admin" revoke --all || :
	phase_row "with a revoke" revoke
	lossless before && lossless rotation && lossless after || ok=1
	jq -e '.failed == 0 and .resumed < .offered' "$dir/revoke.json" \
		>/dev/null || ok=1
	cat <<-'EOF'

	A rotation costs no resumption: old tickets open until their key expires.
	A revoke makes every ticket issued before it useless: those connections
	did a full handshake, and none failed.
	EOF
	say "The ring afterwards"
	"$build/stekctl" --socket "$admin" keys
	say "The nodes"
	"$build/stekctl" --socket "$admin" nodes
	if [ $ok != 0 ]; then
		echo "quickstart: something fell short; logs are in $dir/log" >&2
	fi
	return $ok
}
