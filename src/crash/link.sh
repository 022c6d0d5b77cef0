#!/bin/sh
# Links the program with the table of its functions' names (symbol.h): links it without, reads the
# names, links it with them, and again until nothing moves any more, which is after the second time
# unless the link itself optimizes. What moves for ever, or has no names to read, goes without.
#
#   link.sh FOLDER COMPILE LINK FILES NM     LINK -o PROGRAM TABLE FILES is what links
# shellcheck disable=SC2086 # commands and files are words
set -eu
folder=$1 compile=$2 link=$3 files=$4 nm=$5 here=$(dirname "$0")

with() { # a source of the table
	$compile -o "$folder/symbols.o" "$1"
	$link -o "$folder/linked" "$folder/symbols.o" $files
}

with "$here/symbol_none.c"
for pass in 1 2 3 4; do
	$nm -n --defined-only "$folder/linked" >"$folder/symbols.nm" 2>/dev/null ||
		{ reason="$nm cannot read it"; break; }
	awk -f "$here/symbols.awk" "$folder/symbols.nm" >"$folder/symbols.new"
	grep -q '^	{' "$folder/symbols.new" || { reason='it has none'; break; }
	if [ "$pass" -gt 1 ] && cmp -s "$folder/symbols.new" "$folder/symbols.c"; then
		exit 0
	fi
	mv "$folder/symbols.new" "$folder/symbols.c"
	with "$folder/symbols.c"
	reason='they move from link to link'
done
echo "warning: backtraces will have no names of functions: $reason" >&2
with "$here/symbol_none.c"
