#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# embed.sh TABLE FOLDER FILE...: writes the files, plain and by gzip, to the
# standard output as a table of src/asset.h. Each is served under its own name in
# that folder, index.html as the folder itself too. The same files give the same
# bytes: no name or time of a build is in it. Called by make.
set -eu
LC_ALL=C
export LC_ALL

fail()
{
	echo "embed.sh: $*" >&2
	exit 1
}

# type_of FILE
type_of()
{
	case $1 in
	*.html) echo 'text/html; charset=utf-8' ;;
	*.css) echo 'text/css; charset=utf-8' ;;
	*.json) echo 'application/json' ;;
	*.js) echo 'text/javascript; charset=utf-8' ;;
	*.svg) echo 'image/svg+xml' ;;
	*.txt) echo 'text/plain; charset=utf-8' ;;
	*) fail "$1: add its content type to embed.sh" ;;
	esac
}

# array NAME: the standard input as an array of that name.
array()
{
	echo "static const uint8_t $1[] = {"
	od -An -v -tx1 | sed 's/ *\([0-9a-f][0-9a-f]\)/0x\1,/g'
	echo '};'
}

# entry PATH NUMBER TYPE HASH
entry()
{
	printf '\t{ "%s", "%s",\n\t  { "\\"%s\\"", plain_%s, sizeof(plain_%s) },' \
		"$1" "$3" "$4" "$2" "$2"
	printf '\n\t  { "\\"%s-gzip\\"", gzip_%s, sizeof(gzip_%s) } },\n' \
		"$4" "$2" "$2"
}

echo '/* Made by src/dashboard/embed.sh. */'
echo '#include "asset.h"'
name_of_table=$1
folder=$2
shift 2
number=0
table=
for file in "$@"; do
	[ -s "$file" ] || fail "$file is empty or missing"
	name=${file##*/}
	type=$(type_of "$name")
	hash=$(sha256sum <"$file" | cut -c1-32)
	array "plain_$number" <"$file"
	gzip -9n <"$file" | array "gzip_$number"
	table="$table$(entry "$folder$name" "$number" "$type" "$hash")
"
	[ "$name" != index.html ] ||
		table="$table$(entry "$folder" "$number" "$type" "$hash")
"
	number=$((number + 1))
done
printf 'const struct asset %s[] = {\n%s};\n' "$name_of_table" "$table"
echo "const size_t ${name_of_table}_n = sizeof($name_of_table) / sizeof(${name_of_table}[0]);"
