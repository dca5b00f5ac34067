#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# embed.sh NAME FILE [NAME FILE]...: writes each file to the standard output as an
# array of bytes of that name, with its length as NAME_len. Called by make.
set -eu
LC_ALL=C
export LC_ALL

echo '/* Made by src/probe/report_page/embed.sh. */'
echo '#include "html_parts.h"'
while [ $# -gt 0 ]; do
	[ -s "$2" ] || {
		echo "embed.sh: $2 is empty or missing" >&2
		exit 1
	}
	echo "const char $1[] = {"
	od -An -v -tx1 <"$2" | sed "s/ *\([0-9a-f][0-9a-f]\)/'\\\\x\1',/g"
	printf '};\nconst size_t %s_len = sizeof(%s);\n' "$1" "$1"
	shift 2
done
