# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154,SC2034 # lib.sh and measure_2_hygiene.sh
#
# The half of measure_2_hygiene.sh about stekprobe audit: servers of OpenSSL's
# and wolfSSL's with one fault each, of which that one is to be found and nothing
# else; then servers as they are. hygiene_audit sets `audit_figure`.
audit_name=a.example.test
audit_other=b.example.test
audit_rows=0 audit_good=0

# seed NAME PROGRAM OPTION...: a helper that listens; sets `port`.
seed()
{
	local name=$1 program=$2

	shift 2
	free_port
	run "$name" "$STEKD_BUILD/tests/$program" --port "$port" "$@"
	await_of "$name" 20 "$name" grep -q listening "$work/log/$name"
}

# audit_row WHAT DUE OPTION... ADDRESS: DUE is what is to be found, "ID:SEVERITY"
# by blanks, in the order of the manual; every other finding is not.
audit_row()
{
	local what=$1 due=$2 code=0 status=0 got

	shift 2
	[ -z "$due" ] || status=1
	probe audit --json --sni "$audit_name" "$@" \
		>"$work/audit" 2>"$work/log/stekprobe" || code=$?
	got=$(jq -r '[.findings[] | select(.result == "found") |
		"\(.id):\(.severity)"] | join(" ")' "$work/audit")
	audit_rows=$((audit_rows + 1))
	if [ "$got $code" = "$due $status" ]; then
		audit_good=$((audit_good + 1))
	else
		cp "$work/audit" "$work/log/audit-$audit_rows"
		got+=" (exit $code) WRONG, due: ${due:-nothing}"
	fi
	printf '%-34s %s\n' "$what" "${got:-nothing found}" \
		"  judged" "$(jq -r '"\(10 - .not_judged) of 10, in " +
		"\(.connections) connections"' "$work/audit")"
}

# judged ID...: of the last row these were judged, with nothing found.
judged()
{
	local id

	for id; do
		[ "$(jq -r --arg id "$id" '.findings[] | select(.id == $id) |
			.result' "$work/audit")" = not_found ] || {
			cp "$work/audit" "$work/log/audit-judged"
			fall_short "$id was not judged"
		}
	done
}

# seeded WHAT DUE "FAULT..." OPTION...: at a server of OpenSSL's with two names.
seeded()
{
	local what=$1 due=$2 faults

	read -ra faults <<<"$3"
	shift 3
	: >"$work/log/seeded"
	seed seeded helper_hygiene \
		--host $audit_name "$work/$audit_name.pem" \
		"$work/$audit_name.key" \
		--host $audit_other "$work/$audit_other.pem" \
		"$work/$audit_other.key" "${faults[@]}"
	audit_row "$what" "$due" "$@" "127.0.0.1:$port"
	end seeded
}

# seeded_wolf WHAT DUE "FAULT..." OPTION...
seeded_wolf()
{
	local what=$1 due=$2 faults

	read -ra faults <<<"$3"
	shift 3
	: >"$work/log/seeded"
	seed seeded helper_hygiene_wolf --host "$work/$audit_name.pem" \
		"$work/$audit_name.key" "${faults[@]}"
	audit_row "$what" "$due" "$@" "127.0.0.1:$port"
	end seeded
}

# What the issue names, then the rest of the ten.
audit_seeded()
{
	local auth="--auth $audit_other $work/ca.pem" both=$audit_other
	local cert=(--auth-name "$audit_other" --cert "$work/client.pem"
		--key "$work/client.key")

	seeded "nothing" "" "--rotate 2" --other-sni $both --watch 5
	judged key_not_rotated shared_across_names unprotected bad_ticket_fails
	seeded "a hint of 30 days" lifetime:high "--lifetime 2592000"
	seeded_wolf "a hint of 30 days, TLS 1.3" lifetime:high \
		"--lifetime 2592000" --tls 1.3
	seeded_wolf "tickets outlive their hint" \
		"lifetime:medium key_not_rotated:medium" "--lifetime 3" \
		--tls 1.3 --watch 6
	seeded "tickets shared across names" shared_across_names:high \
		"--share" --other-sni $both
	seeded "never rotates" key_not_rotated:medium "" --watch 3
	seeded "takes tickets of authenticated" client_auth:critical \
		"--share $auth" "${cert[@]}"
	seeded "the control: it does not" "" "$auth" "${cert[@]}"
	judged client_auth
	seeded "block by block" unprotected:critical "--ecb --big 80"
	seeded_wolf "not encrypted" \
		"unprotected:critical weak_resumption:low" "--clear" --tls 1.2
	seeded_wolf "not authenticated" unprotected:critical "--no-mac" \
		--tls 1.3
	seeded "a bad ticket is fatal" bad_ticket_fails:medium "--fatal"
	seeded "psk_ke" weak_resumption:medium "--psk-ke"
	seeded "no extended master secret" weak_resumption:low "--legacy"
	seeded "early data twice" early_data_replay:high "--early"
	seeded "large tickets" ticket_size:low "--big 3000"
}

# The same key at a server of another name; and at another node of the service.
audit_hosts()
{
	local other node

	seed other helper_hygiene --host $audit_other \
		"$work/$audit_other.pem" "$work/$audit_other.key" \
		--share --secret shared
	other=$port
	seed node helper_hygiene --host $audit_name "$work/$audit_name.pem" \
		"$work/$audit_name.key" --share --secret shared
	node=$port
	seeded "a key shared across hosts" shared_across_hosts:high \
		"--share --secret shared" --also "127.0.0.1:$other"
	seeded "the control: a node of the farm" "" \
		"--share --secret shared" --also "127.0.0.1:$node"
	judged shared_across_hosts
	seeded "the control: another key" "" "--share" \
		--also "127.0.0.1:$other"
	judged shared_across_hosts
	end other
	end node
}

# ---- servers as they are -------------------------------------------------------

audit_node()
{
	keys_yaml="  period_s: 5
  lifetime_s: 10"
	write_config "$1" $audit_name
	keys_yaml=
	{
		sed '/^admin:/,$d' "$work/node-$1.yaml"
		cat <<-EOT
		  - names: [$audit_other]
		    certificate: $work/$audit_other.pem
		    key: $work/$audit_other.key
		    backend: builtin
		  - names: [mtls.example.test]
		    certificate: $work/$audit_name.pem
		    key: $work/$audit_name.key
		    client_auth: required
		    client_ca: $work/ca.pem
		    backend: builtin
		EOT
		sed -n '/^admin:/,$p' "$work/node-$1.yaml"
	} >"$work/node-$1.new"
	mv "$work/node-$1.new" "$work/node-$1.yaml"
	start_node "$1"
}

# stekd: none of the ten, and all of them judged.
audit_stekd()
{
	local n farm=audit

	for n in 11 12; do audit_node $n; done
	audit_row "stekd" "" --other-sni $audit_other --auth-name \
		mtls.example.test --cert "$work/client.pem" --key \
		"$work/client.key" --also "127.0.0.1:${tls_port[12]}" \
		--watch 13 "127.0.0.1:${tls_port[11]}"
	[ "$(jq .not_judged "$work/audit")" = 0 ] ||
		fall_short "stekd: $(jq -c '[.findings[] |
			select(.result == "not_judged")]' "$work/audit")"
	for n in 11 12; do stop_node $n; done
}

# A proxy as it comes: one key from its start to its end, OpenSSL's sessions.
audit_haproxy()
{
	free_port
	cat "$work/$audit_name.pem" "$work/$audit_name.key" >"$work/proxy.pem"
	cat >"$work/proxy.cfg" <<-EOT
	global
	  nbthread 1
	defaults
	  mode http
	  timeout connect 5s
	  timeout client 10s
	  timeout server 10s
	frontend proxy
	  bind 127.0.0.1:$port ssl crt $work/proxy.pem
	  http-request return status 200 content-type text/plain string ok
	EOT
	run proxy haproxy -db -f "$work/proxy.cfg"
	await_of proxy 10 haproxy curl -sk "https://127.0.0.1:$port/"
	audit_row "HAProxy" "key_not_rotated:medium weak_resumption:low" \
		--watch 2 "127.0.0.1:$port"
	end proxy
}

hygiene_audit()
{
	make_certificate $audit_name
	make_certificate $audit_other
	make_certificate client
	audit_seeded
	audit_hosts
	audit_stekd
	audit_haproxy
	[ "$audit_good" = "$audit_rows" ] ||
		fall_short "audit: $audit_good of $audit_rows servers right"
	audit_figure="$audit_good of $audit_rows servers judged right"
}
