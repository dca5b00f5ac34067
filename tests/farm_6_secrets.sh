#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# No key, farm key, token or password stands in Redis (keys, values, and all
# commands as MONITOR sees them), in logs, in /metrics, in any admin answer, in
# an argument list or an environment; and the search finds planted ones.
. "$(dirname "$0")/farm_common.sh"
leak=$STEKD_BUILD/tests/helper_leak

looker=$(openssl rand -hex 16)
STEKD_REDIS_USER="user looker on >$looker ~* &* +@all"
export STEKD_REDIS_USER
farm_up
redis=$(farm_fact .redis)
redis()
{
	REDISCLI_AUTH=$looker redis-cli -p "${redis##*:}" --user looker \
		--no-auth-warning "$@"
}
mkdir "$work/seen"
redis monitor >"$work/seen/monitor" 2>&1 &
monitor=$!
await 10 "MONITOR" grep -q OK "$work/seen/monitor"

# Everything that the farm says, with a rotation, a revoke and load among it.
token=$farm_dir/${names[0]}/admin.token
admin_tcp=$(farm_fact '.admin_tcp[0]')
ask()
{
	local name=$1 path=$2
	shift 2
	curl -sS -i --max-time 20 "$@" "http://$admin_tcp$path" \
		-H @<(printf 'Authorization: Bearer %s\n' "$(cat "$token")") \
		>"$work/seen/answer.$name"
}
load --connect "$front" --connections 200 --tls both --resume 50 \
	>"$work/seen/load.json"
# A revoked key is wiped, so copies of the ring are kept from before.
kept=$farm_dir/${names[0]}/ring.quickstart
await 20 "the ring to be kept" test -s "$kept"
cp "$kept" "$work/ring.1"
ask rotate /v1/rotate -X POST
await 10 "the new ring to be kept" test "$kept" -nt "$work/ring.1"
cp "$kept" "$work/ring.2"
ask revoke /v1/revoke -X POST -H 'Content-Type: application/json' \
	--data '{"all":true}'
for path in status keys nodes stats; do
	ask $path /v1/$path
	"$ctl" --socket "${admins[1]}" $path >"$work/seen/ctl.$path"
	"$ctl" --socket "${admins[1]}" --json $path >"$work/seen/ctl.$path.json"
done
ask metrics /metrics
ask unknown /v1/unknown
ask wrong "/v1/revoke" -X POST --data '{"all":'
grep -q '"key"' "$work/seen/answer.rotate" || fall_short "the rotation"
grep -q '"revoked"' "$work/seen/answer.revoke" || fall_short "the revoke"
curl -sS "http://${metrics[0]}/metrics" >"$work/seen/metrics"
for name in "${names[@]}"; do
	tr '\0' '\n' <"/proc/$(farm_pid "$name")/cmdline" >"$work/seen/argv.$name"
	tr '\0' '\n' <"/proc/$(farm_pid "$name")/environ" >"$work/seen/env.$name"
done
redis save >/dev/null
mv "$farm_dir/dump.rdb" "$work/seen/dump.rdb"
redis --raw keys '*' >"$work/seen/redis.keys"
while read -r key; do
	redis dump "$key" >"$work/seen/redis.${key//[^a-z]/_}"
	case $(redis type "$key") in
	hash) redis --raw hgetall "$key" ;;
	stream) redis --raw xrange "$key" - + ;;
	*) redis --raw get "$key" ;;
	esac >"$work/seen/redis.raw.${key//[^a-z]/_}"
done <"$work/seen/redis.keys"
[ "$(wc -l <"$work/seen/redis.keys")" -ge 3 ] || fall_short "Redis holds too little"
kill $monitor
cp "$farm_dir"/log/*.log "$work/seen/"

# The stekd password for Redis passes MONITOR and AUTH in hashed form only.
cat "$token" "$farm_dir/redis.password" >"$work/texts"
known=(quickstart "$farm_dir/farm.key"
	"$work/ring.1,$work/ring.2,$kept" "$work/texts")
mkdir "$work/planted"
planted=$("$leak" "${known[@]}" plant "$work/planted")
missed=0
for file in "$work/planted"/*; do
	if "$leak" "${known[@]}" search "$file" >/dev/null; then
		missed=$((missed + 1))
	fi
done
[ $missed = 0 ] || fall_short "$missed planted secrets were not found"
"$leak" "${known[@]}" search "$work"/seen/* >"$work/found" ||
	{ cat "$work/found"; fall_short "secrets where none may be"; }
echo "farm-6: none found ($(tail -n 1 "$work/found"));" \
	"all planted ones found ($planted)"
