# bash completion of bulkhead-isolation. Its options are those of its --help, its scenarios those that
# it lists: a new one needs no line here.
_bulkhead_isolation() {
	local IFS=$'\n' word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} takes=
	local line options names=()
	# For bash a "=" is a word of its own: --html=FILE has three.
	[[ $before != "=" ]] || before=${COMP_WORDS[COMP_CWORD - 2]}
	[[ $word != "=" ]] || word=
	mapfile -t options < <("${COMP_WORDS[0]}" --help 2>/dev/null |
		sed -n '/^ *-/{s/^ *//;s/  .*//;s/,//g;p;}')
	for line in "${options[@]}"; do
		[[ " $line " != *" $before "* ]] || takes=${line##* }
		line=${line% [A-Z]*}
		names+=("${line%% *}" "${line##* }")
	done
	case $takes:$word in
	FILE:*)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		;;
	DIR:*)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		;;
	[A-Z]*) ;;
	*:-*) mapfile -t COMPREPLY < <(compgen -W "${names[*]}" -- "$word" | sort -u) ;;
	*)
		compopt -o filenames 2>/dev/null
		names=("$("${COMP_WORDS[0]}" --list 2>/dev/null | sed 's/ .*//')")
		mapfile -t COMPREPLY < <(
			compgen -W "${names[*]}" -- "$word"
			compgen -f -X '!*.toml' -- "$word"
			compgen -d -- "$word"
		)
		;;
	esac
}
complete -F _bulkhead_isolation bulkhead-isolation
