# The table of counters of the next version (tests.mk): two more counters and one more reason for a
# failed handshake, in the middle, so that every number has another place in memory.
/ONE(accepted,/i\
	ONE(next_answers, SUM, "next_answers", "answers", "answers", "Answers.") \\
/ONE(requests,/i\
	ONE(next_time, SUM, "next_time", "time", "microseconds", "Time.") \\
/FAILURE(CHOICE,/i\
	FAILURE(NEXT, "next") \\
