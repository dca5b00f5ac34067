#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check_completion.sh - what bash completes is what the programs take: each
# command, each option with those commands that take it and with no other, the
# keys of a running node to revoke.
: "${top_builddir:?run by make check}"
STEKD_BUILD=$top_builddir
. "$(dirname "$0")/lib.sh"
need jq
export LC_ALL=C completions=$repo/deploy/completion
export STEKCTL_COMPLETION_S=60	# a slow machine is no fault
PATH=$STEKD_BUILD:$PATH

# completed WORD...: what the last word may become, asked as bash asks: it makes
# words of their own of ':' and '=' (COMP_WORDBREAKS) and of what follows them.
cat >"$work/complete" <<'EOT'
. "$completions/$1" || exit
[ "$(complete -p "$1")" = "complete -F _$1 $1" ] || exit
COMP_LINE=$* COMP_POINT=${#COMP_LINE} COMP_WORDS=() COMPREPLY=()
for word; do
	while [[ $word =~ ^([:=]+)[^:=] || $word =~ ^([^:=]+)[:=] ]]; do
		COMP_WORDS+=("${BASH_REMATCH[1]}")
		word=${word#"${BASH_REMATCH[1]}"}
	done
	COMP_WORDS+=("$word")
done
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
"_$1"
[ ${#COMPREPLY[@]} = 0 ] || printf '%s\n' "${COMPREPLY[@]}"
EOT
completed() { bash --norc "$work/complete" "$@" | sort; }

# becomes WANTED WORD...
becomes()
{
	local wanted=$1 got

	shift
	got=$(completed "$@" | tr '\n' ' ')
	[ "$got" = "${wanted:+$wanted }" ] ||
		fall_short "'$*' became '$got', expected '$wanted'"
}

# same WHAT WANTED GOT: two sorted lists.
same()
{
	[ "$2" = "$3" ] || fall_short "$1: '<' the program takes, '>' is" \
		"completed:" "$(diff <(echo "$2") <(echo "$3"))"
}

# called PROGRAM COMMAND OPTION: what it says to it. It does nothing: stekctl is
# told a token that has no place, stekprobe no address.
called()
{
	local nothing=() code=0

	[ "$1" != stekctl ] || nothing=(--token-file none)
	timeout 60 "$1" "$2" "${nothing[@]}" "$3" 2>&1 </dev/null || code=$?
	case $3:$code in
	--help:0 | --version:0 | *:2) ;;
	*) fall_short "$1 $2 $3 ended with $code" ;;
	esac
}

# taken PROGRAM COMMAND: which of all the options it takes.
taken()
{
	local option said

	for option in $(options_of "$1"); do
		said=$(called "$1" "$2" "$option=1") || exit
		case $said in
		*"allow an argument"* | *"unknown option"*)
			said=$(called "$1" "$2" "$option") || exit
			;;
		esac
		case $said in
		*"unknown command"* | *"unknown option"*)
			fall_short "$1 $2 $option: $said" ;;
		*"not belong to this command"*) ;;
		*) echo "$option" ;;
		esac
	done
}

options_of() { "$1" --help | grep -oE -- '--[a-z][a-z-]*' | sort -u; }

# A program that dies says no word against an option.
mkdir "$work/dies"
for dies in "--json=1 ended with 124" "--json ended with 139"; do
	cat >"$work/dies/stekprobe" <<-EOT
		#!/bin/sh
		[ "\$1" != --help ] || exec echo --json
		[ "\$2" != ${dies%% *} ] || exit ${dies##* }
		echo "this does not allow an argument"
		exit 2
	EOT
	chmod +x "$work/dies/stekprobe"
	said=$(PATH=$work/dies:$PATH && taken stekprobe load 2>&1) &&
		fall_short "what dies takes an option: $said"
	[ "$said" = "falls short: stekprobe load $dies" ] ||
		fall_short "what dies was not told of: $said"
done

same stekd "$(options_of stekd)" "$(completed stekd --)"
commands=$(stekctl --help | sed -n 's/^  \([a-z][a-z-]*\)\( .*\)\{0,1\}$/\1/p' |
	sort)
same stekctl "$commands" "$(completed stekctl "")"
tests=$(stekprobe --help | sed -n 's/^[u ].* stekprobe \([a-z-]*\) .*/\1/p' |
	sort)
same stekprobe "$tests" "$(completed stekprobe "")"
[ "$(wc -w <<<"$commands $tests")" -gt 15 ] || fall_short "too few commands"
count=0
for command in $commands; do
	wanted=$(taken stekctl "$command")
	same "stekctl $command" "$wanted" "$(completed stekctl "$command" --)"
	count=$((count + $(wc -l <<<"$wanted")))
done
for command in $tests; do
	wanted=$(taken stekprobe "$command")
	same "stekprobe $command" "$wanted" \
		"$(completed stekprobe "$command" --)"
	count=$((count + $(wc -l <<<"$wanted")))
done
[ "$count" -gt 200 ] || fall_short "only $count options were compared"

becomes "reload revoke rotate" stekctl r
becomes "status" stekctl --socket /a/b --json statu
becomes "--idempotency-key --if-epoch" stekctl rotate --i
becomes "" stekctl status --f
becomes "--verify --version" stekctl audit --limit 5 --ver
becomes "add remove" stekctl deny ""
becomes "reload status" stekctl farm-key ""
becomes "" stekctl rotate --note ""
becomes "rotate" stekctl --url https://h:9443 rot
becomes "--force" stekctl --url "https://[::1]:9443" rotate --fo
becomes "revoke" stekctl --url=https://h:9443 --json rev
becomes "" stekctl --url h:r
becomes "" stekctl --url=
becomes "--append" stekctl --socket=/a/b keygen --a
becomes "" stekctl rotate --note=r
becomes "1.2 1.3 both" stekprobe load --tls ""
becomes "1.2 1.3 both" stekprobe load --tls=
becomes "1.2 1.3" stekprobe load h:443 --tls=1
becomes "" stekprobe load --rate=
becomes "--rounds" stekprobe farm --tls=1.3 h:443 --ro
becomes "critical" stekprobe audit --fail-on c
becomes "" stekprobe load --rate ""
becomes "--rounds" stekprobe farm --balanced --ro
becomes "" stekprobe no-such-command --
becomes "--check --config" stekd --c
: >"$work/a file" && : >"$work/a_key"
becomes "$work/a file $work/a_key" stekd -c "$work/a"
becomes "$work/a file $work/a_key" stekd "--config=$work/a"
becomes "$work/a_key" stekctl --token-file "$work/a_"
becomes "$work/a_key" stekctl "--token-file=$work/a_"
becomes "" stekctl --token-file "$work:$work/a_"
becomes "$work/a_key" stekprobe handshake h:443 "--ca=$work/a_"
becomes "$work/a_key" stekctl keygen --append "$work/a_"
becomes "$work/a_key" stekprobe handshake --json --key "$work/a_"

make_ca
make_certificate www.example.test
make_farm_key
start_node 1
keys=$(stekctl --socket "${admin_socket[1]}" --json keys |
	jq -r '.keys[].id' | sort | xargs)
[ "$(wc -w <<<"$keys")" -ge 1 ] || fall_short "no keys"
becomes "$keys" stekctl --socket "${admin_socket[1]}" revoke ""
becomes "$keys" stekctl "--socket=${admin_socket[1]}" revoke ""
one=${keys%% *}
becomes "$one" stekctl --socket "${admin_socket[1]}" revoke "${one:0:20}"
becomes "" stekctl --socket "$work/nobody" revoke ""
becomes "--all" stekctl --socket "$work/nobody" revoke --a
end node-1
say "$count options of $(wc -w <<<"$commands $tests") commands, as they are taken"
