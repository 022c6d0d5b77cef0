# Makes the table of crash/symbol.h out of what `nm -n --defined-only` prints of the program.
BEGIN {
	print "#include \"crash/symbol.h\"\n"
}
# Addresses are compared as texts: 0e345 and 0e360, as numbers, are the same.
$2 ~ /^[Tti]$/ && $3 ~ /^[A-Za-z_]/ && $3 !~ /^(_start|_init|_fini)$/ && ($1 "") != last {
	last = $1 ""
	table = table "\t{0x" $1 ", " at "},\n"
	names = names "\t\"" $3 "\\0\"\n"
	at += length($3) + 1
	count++
}
BEGIN {
	at = 0
}
END {
	printf "const struct symbol symbol_table[] = {\n%s};\n", table
	printf "const uint32_t symbol_count = %d;\n", count
	printf "const char symbol_names[] =\n%s;\n", names
}
