# bash completion of bulkheadctl. The program itself knows what can follow.
_bulkheadctl() {
	local IFS=$'\n' word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	if [[ $before == -s || $before == --socket ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" complete \
		"${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)" -- "$word")
}
complete -F _bulkheadctl bulkheadctl
