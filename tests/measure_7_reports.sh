#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The pages that stekprobe --html writes show what was measured. Chromium opens
# each without a network: no error on its console, the heat map with its one
# stray node, the charts with a bar for each second and a mark for each rotation.
. "$(dirname "$0")/lib.sh"
need chromium jq redis-server python3

host=www.example.test
pages=0

# page NAME COMMAND...: measures, and has Chromium show $work/NAME.html; the
# document that came of it is $work/NAME.dom.
page()
{
	local name=$1

	shift
	probe "$@" --sni "$host" --ca "$work/ca.pem" --html "$work/$name.html" \
		--json >"$work/$name.json" 2>"$work/log/probe" ||
		[ "$name" = farm ] || fall_short "stekprobe $1"
	HOME=$work/home timeout 300 chromium --headless --no-sandbox \
		--disable-gpu --disable-quic --disable-dev-shm-usage --no-first-run \
		--disable-background-networking --disable-component-update \
		--disable-sync --user-data-dir="$work/chromium" \
		--proxy-server=127.0.0.1:9 --enable-logging=stderr \
		--dump-dom "file://$work/$name.html" >"$work/$name.dom" \
		2>"$work/log/chromium" </dev/null || fall_short "chromium"
	if grep -a ':CONSOLE' "$work/log/chromium"; then
		fall_short "$name.html: an error on the console"
	fi
	pages=$((pages + 1))
}

# shown NAME SELECTION N: so often in the document, which is well-formed enough
# for a parser that knows nothing of HTML's liberties.
shown()
{
	local n

	n=$(python3 - "$work/$1.dom" "$2" <<-'EOT'
	import sys
	from html.parser import HTMLParser
	class Count(HTMLParser):
	    n = 0
	    def handle_starttag(self, tag, attrs):
	        want = sys.argv[2].split(".")
	        classes = (dict(attrs).get("class") or "").split()
	        self.n += tag == want[0] and set(want[1:]) <= set(classes)
	count = Count()
	count.feed(open(sys.argv[1], encoding="utf-8").read())
	print(count.n)
	EOT
	)
	[ "$n" = "$3" ] || fall_short "$1.html: $n times $2, expected $3"
}

text_shown() { grep -qF "$2" "$work/$1.dom" || fall_short "$1.html lacks: $2"; }

make_ca
make_certificate "$host"
make_farm_key
make_farm_key "$work/other.key"
start_redis
keys_yaml="  rotate_delay_ms: 6000
  rotate_interval_s: 1"
start_node 1
start_node 2
farm_key=$work/other.key
farm=other
start_node 3
all=127.0.0.1:${tls_port[1]},127.0.0.1:${tls_port[2]}

page farm farm --tls both --tries 2 "127.0.0.1:${tls_port[1]}" \
	"127.0.0.1:${tls_port[2]}" "127.0.0.1:${tls_port[3]}"
# Three by three in two versions; the stray's row and column but its own.
shown farm td.heat 18
shown farm td.heat.none 8
for name in node-1 node-2 node-3; do text_shown farm "$name"; done
[ "$(jq -r '.strays | join(" ")' "$work/farm.json")" = node-3 ] ||
	fall_short "$(cat "$work/farm.json")"

page load load --connect "$all" --tls both --resume 50 --duration 3 --rate 50 \
	--open-loop
seconds=$(jq '[.course[] | select(.resumed > 0)] | length' "$work/load.json")
shown load rect.fill-resumed $((seconds + 2))
shown load path.line-full 1
shown load path.line-resumed 1
jq -e '([.distribution.full[]] | add) == .full and
	([.distribution.resumed[]] | add) == .resumed and
	(.distribution.bounds_ms | length) == (.distribution.full | length)' \
	"$work/load.json" >/dev/null || fall_short "the distribution"

page rotate rotate-test --connect "$all" --tls both --rate 40 --rotations 2 \
	--lead 1 --settle 2 --force --socket "${admin_socket[1]}"
shown rotate g.mark 4
text_shown rotate "Each rotation"

page handshake handshake "127.0.0.1:${tls_port[1]}"
text_shown handshake NewSessionTicket
text_shown handshake "The second, with its ticket"

page audit audit "127.0.0.1:${tls_port[1]}"
shown audit section 11
text_shown audit bad_ticket_fails

probe handshake "127.0.0.1:${tls_port[1]}" --html "$work/none/x.html" \
	>"$work/out" 2>&1 && fall_short "a page where none can be"
grep -q "none/x.html: No such file" "$work/out" || fall_short "$(cat "$work/out")"
echo "measure-7: $pages pages opened by Chromium without a network, no error;" \
	"18 cells of a heat map, 8 of them of the stray, $seconds seconds of" \
	"load, 2 rotations marked, 1 handshake in flights, 10 findings judged"
