# bash completion of bulkheadctl. The program itself knows what can follow.
_bulkheadctl() {
	local IFS=$'\n' word=${COMP_WORDS[COMP_CWORD]} before words=()
	# For bash a "=" is a word of its own: --socket=PATH has three.
	for before in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		[[ $before == "=" ]] || words+=("$before")
	done
	[[ $word != "=" ]] || word=
	before=${words[*]: -1}
	if [[ $before == -s || $before == --socket ]]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" complete \
		"${words[@]}" 2>/dev/null)" -- "$word")
}
complete -F _bulkheadctl bulkheadctl
