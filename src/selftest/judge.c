/* Runs in the selftest. Must never pass an attempt that was refused in another way than expected:
 * then another layer refused it than the one under test. */
#include "judge.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ENDED_BY_SANDBOX "was ended by its sandbox for "
#define CRASHED          "crashed by "

#define put(array, ...) (void)snprintf(array, sizeof(array), __VA_ARGS__)

bool judge_beforehand(const struct expectation *e, unsigned landlock, bool mounted, struct row *row)
{
	if (e->kind == EXPECT_UNTESTED)
		put(row->result, "%s", e->reason);
	else if (e->landlock > landlock)
		put(row->result, "Landlock %u of this kernel is too old", landlock);
	else if (e->mount && !mounted)
		put(row->result, "only a mount of its own would refuse it");
	else
		return false;
	row->verdict = VERDICT_UNTESTED;
	return true;
}

/* --- what was expected ----------------------------------------------------------------------- */

static void expectation_describe(const struct expectation *e, struct row *row)
{
	switch (e->kind) {
	case EXPECT_END:
		put(row->expected, "ended: %s",
		    e->call < 0 ? "foreign call" : sandbox_call_name((uint64_t)e->call));
		break;
	case EXPECT_ERROR:
		put(row->expected, "%s", strerrorname_np(e->errors[0]));
		break;
	case EXPECT_REFUSAL:
		put(row->expected, "the keyholder refuses");
		break;
	case EXPECT_KILL:
		put(row->expected, "the master kills it");
		break;
	case EXPECT_UNRECORDED:
		put(row->expected, "ended: not recorded");
		break;
	case EXPECT_SUCCESS:
		put(row->expected, "a signature");
		break;
	case EXPECT_CONNECTED:
		put(row->expected, "connected");
		break;
	case EXPECT_RIGHT:
		put(row->expected, "right");
		break;
	case EXPECT_WRONG:
		put(row->expected, "wrong");
		break;
	case EXPECT_READ:
		put(row->expected, "read");
		break;
	case EXPECT_ABSENCE:
		put(row->expected, "not found");
		break;
	case EXPECT_PRESENCE:
		put(row->expected, "found");
		break;
	case EXPECT_NO_ROW:
	case EXPECT_UNTESTED:
		break;
	}
}

/* --- what happened --------------------------------------------------------------------------- */

static bool is_search(const struct expectation *e)
{
	return e->kind == EXPECT_ABSENCE || e->kind == EXPECT_PRESENCE;
}

static bool is_password(const struct expectation *e)
{
	return e->kind == EXPECT_RIGHT || e->kind == EXPECT_WRONG;
}

static void answer_describe(const struct expectation *e, const struct trial *t, struct row *row)
{
	const int error = t->result < 0 ? -t->result : 0;
	if (error == EKEYREJECTED)
		put(row->result, is_password(e) ? "wrong" : "refused");
	else if (error > 0)
		put(row->result, "%s",
		    strerrorname_np(error) != NULL ? strerrorname_np(error) : "?");
	else if (is_search(e))
		put(row->result, t->result > 0 ? "found %d times" : "not found", t->result);
	else if (e->kind == EXPECT_READ && t->result > 0)
		put(row->result, "read");
	else if (is_password(e) && t->result > 0)
		put(row->result, "right");
	else if (e->kind == EXPECT_CONNECTED && t->result > 0)
		put(row->result, "connected");
	else if (e->kind == EXPECT_SUCCESS)
		put(row->result, "%d bytes", t->result);
	else
		put(row->result, "it went through");
}

/* As the master words an end that counts like a forbidden call (master/pure/cause.h). */
static bool is_unrecorded(const struct trial *t)
{
	return t->end == TRIAL_ENDED && strncmp(t->said, CRASHED, strlen(CRASHED)) == 0 &&
	       (strstr(t->said, ", and its crash recorder could not run") != NULL ||
		strstr(t->said, " while that was being recorded") != NULL);
}

/* Writes "ended: socket" instead of the master's longer text. */
static void end_describe(const struct trial *t, struct row *row)
{
	static const char system_call[] = ENDED_BY_SANDBOX "the system call ";
	const char *said = t->said, *name = said + strlen(system_call);
	if (t->abused)
		put(row->result, "killed for abusing it");
	else if (strncmp(said, system_call, strlen(system_call)) == 0)
		put(row->result, "ended: %.*s", (int)strcspn(name, " "), name);
	else if (is_unrecorded(t))
		put(row->result, "ended: not recorded");
	else
		put(row->result, "%s",
		    said[0] != '\0' ? said : "it has ended, and the master did not say why");
}

static bool is_ended_for(const struct trial *t, long call)
{
	char unknown[] = ENDED_BY_SANDBOX "an unknown system call";
	char known[128];
	if (t->end != TRIAL_ENDED)
		return false;
	if (call < 0)
		return strcmp(t->said, unknown) == 0;
	put(known, ENDED_BY_SANDBOX "the system call %s (%ld)", sandbox_call_name((uint64_t)call),
	    call);
	return strcmp(t->said, known) == 0;
}

static bool is_met(const struct expectation *e, const struct trial *t)
{
	const bool answered = t->end == TRIAL_ANSWERED;
	switch (e->kind) {
	case EXPECT_END:
		return is_ended_for(t, e->call);
	case EXPECT_ERROR:
		return answered && t->result < 0 &&
		       (t->result == -e->errors[0] || t->result == -e->errors[1]);
	case EXPECT_REFUSAL:
	case EXPECT_WRONG:
		return answered && t->result == -EKEYREJECTED;
	case EXPECT_KILL:
		return t->end == TRIAL_ENDED && t->abused;
	case EXPECT_UNRECORDED:
		return is_unrecorded(t);
	case EXPECT_SUCCESS:
	case EXPECT_CONNECTED:
	case EXPECT_RIGHT:
	case EXPECT_READ:
	case EXPECT_PRESENCE:
		return answered && t->result > 0;
	case EXPECT_ABSENCE:
		return answered && t->result == 0;
	case EXPECT_NO_ROW:
	case EXPECT_UNTESTED:
		break;
	}
	return false;
}

/* What the attempt found missing on this machine. A kernel without 32-bit calls answers such a one
 * by SIGSEGV. */
static const char *lack_of(const struct expectation *e, const struct trial *t)
{
	static const char segv[] = CRASHED "SIGSEGV";
	if (e->kind == EXPECT_END && e->call < 0 && t->end == TRIAL_ENDED &&
	    strncmp(t->said, segv, strlen(segv)) == 0)
		return "this machine has no such calls";
	if (t->end == TRIAL_ANSWERED && t->result == -EAFNOSUPPORT)
		return "this machine has no such addresses";
	if (t->end == TRIAL_ANSWERED && t->result == -ENOTSUP)
		return "this machine has no such calls";
	return NULL;
}

void judge(const struct expectation *e, const struct trial *t, struct row *row)
{
	const char *lack = lack_of(e, t);
	expectation_describe(e, row);
	if (lack != NULL) {
		put(row->result, "%s", lack);
		row->verdict = VERDICT_UNTESTED;
		return;
	}
	switch (t->end) {
	case TRIAL_ANSWERED:
		answer_describe(e, t, row);
		break;
	case TRIAL_ENDED:
		if (is_ended_for(t, -1))
			put(row->result, "ended: foreign call");
		else
			end_describe(t, row);
		break;
	case TRIAL_SILENT:
		put(row->result, "no answer");
		break;
	}
	row->verdict = is_met(e, t) ? VERDICT_PASS : VERDICT_FAIL;
}
