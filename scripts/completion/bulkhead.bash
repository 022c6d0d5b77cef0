# bash completion of bulkhead. Its options are those of its --help: a new one needs no line here.
_bulkhead() {
	local IFS=$'\n' word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} takes=
	local part='1,/^selftest /' line options names=()
	# For bash a "=" is a word of its own: --config=FILE has three.
	[[ $before != "=" ]] || before=${COMP_WORDS[COMP_CWORD - 2]}
	[[ $word != "=" ]] || word=
	# Those of selftest stand below the paragraph that begins with it.
	if ((COMP_CWORD > 1)) && [[ ${COMP_WORDS[1]} == selftest ]]; then
		part='/^selftest /,$'
	fi
	mapfile -t options < <("${COMP_WORDS[0]}" --help 2>/dev/null |
		sed -n "$part{/^ *-/{s/^ *//;s/  .*//;s/,//g;p;};}")
	for line in "${options[@]}"; do
		[[ " $line " != *" $before "* ]] || takes=${line##* }
		line=${line% [A-Z]*}
		names+=("${line%% *}" "${line##* }")
	done
	case $takes in
	FILE)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	LAYER) names=(seccomp landlock user chroot keyholder verifier mounts) ;;
	[A-Z]*) names=() ;;
	*) ((COMP_CWORD > 1)) || names+=(selftest) ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "${names[*]}" -- "$word" | sort -u)
}
complete -F _bulkhead bulkhead
