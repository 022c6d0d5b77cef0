/*
 * Runs in every role while it starts: makes the kernel's filter from a table (calls.c). Must never
 * leave out a rule whose system call this machine has, nor leave open other ABIs of the machine (32
 * bit, x32), in which the numbers mean other calls.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

#define NUMBERS_MAX 0xffff /* above any machine's numbers, except x32's and ARM's private ones */

/* --- rules ----------------------------------------------------------------------------------- */

static struct scmp_arg_cmp check_compare(const struct check *c)
{
	struct scmp_arg_cmp is = {
	    .arg = c->argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = UINT32_MAX};
	switch (c->kind) {
	case CHECK_EQUAL:
		is.datum_b = c->value;
		break;
	case CHECK_OWN_PID:
		is.datum_b = (uint64_t)getpid();
		break;
	case CHECK_UNEQUAL:
		is.op = SCMP_CMP_NE;
		is.datum_a = c->value;
		break;
	case CHECK_AT_MOST:
		is.op = SCMP_CMP_LE;
		is.datum_a = c->value;
		break;
	case CHECK_CLEAR:
		is.datum_a = c->value;
		break;
	case CHECK_FLAGS:
		is.datum_a = ~(c->value >> 32);
		is.datum_b = c->value & UINT32_MAX;
		break;
	case CHECK_NONE:
	case CHECK_ANY: /* handled by other functions */
	case CHECK_OTHER:
	case CHECK_PLACE:
		abort();
	}
	return is;
}

/* A rule can only require all of its conditions, so "any of these bits" becomes one rule per
 * bit. */
static int rule_add_any(scmp_filter_ctx filter, uint32_t action, int number, const struct check *c)
{
	for (unsigned bit = 0; bit < 64; bit++) {
		const uint64_t mask = c->value & 1ULL << bit;
		const struct scmp_arg_cmp is_set = {
		    .arg = c->argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = mask};
		int error =
		    mask == 0 ? 0 : seccomp_rule_add_array(filter, action, number, 1, &is_set);
		if (error < 0)
			return error;
	}
	return 0;
}

/* The first number of the block has only zeros in the bits below its size. A descriptor outside the
 * block therefore differs from it in at least one higher bit: one rule per bit, up to the highest
 * bit of any descriptor. Like the kernel, the rules ignore the upper half of the argument. */
static int rule_add_other(scmp_filter_ctx filter, uint32_t action, int number,
			  const struct sandbox_plan *p, struct scmp_arg_cmp *compares,
			  unsigned count)
{
	const uint64_t end = (uint64_t)p->guarded_first + p->guarded_count;
	const uint64_t most = p->descriptors > end ? p->descriptors : end;
	for (uint64_t bit = p->guarded_count; bit <= most; bit <<= 1) {
		compares[0].datum_a = bit;
		compares[0].datum_b = ~(uint64_t)p->guarded_first & bit;
		int error = seccomp_rule_add_array(filter, action, number, count, compares);
		if (error < 0)
			return error;
	}
	return 0;
}

/* All bits of a pointer but those that number the places. */
static struct scmp_arg_cmp place_compare(const struct check *c, const struct sandbox_plan *p)
{
	const uint64_t inside = (p->pinned_bytes - 1) & ~(uint64_t)(SANDBOX_PLACE_BYTES - 1);
	return (struct scmp_arg_cmp){.arg = c->argument,
				     .op = SCMP_CMP_MASKED_EQ,
				     .datum_a = ~inside,
				     .datum_b = (uintptr_t)p->pinned};
}

static int rule_add(scmp_filter_ctx filter, uint32_t action, int number,
		    const struct sandbox_plan *p, const struct rule *r)
{
	struct scmp_arg_cmp compares[RULE_CHECKS];
	const bool guards = r->checks[0].kind == CHECK_OTHER;
	unsigned count = 0;
	if (r->checks[0].kind == CHECK_ANY)
		return rule_add_any(filter, action, number, &r->checks[0]);
	for (unsigned i = 0; i < RULE_CHECKS && r->checks[i].kind != CHECK_NONE; i++) {
		if (r->checks[i].kind == CHECK_PLACE)
			compares[count++] = place_compare(&r->checks[i], p);
		else if (r->checks[i].kind != CHECK_OTHER)
			compares[count++] = check_compare(&r->checks[i]);
		else if (p->guarded_count > 0)
			compares[count++] = (struct scmp_arg_cmp){.arg = r->checks[i].argument,
								  .op = SCMP_CMP_MASKED_EQ};
	}
	return guards && p->guarded_count > 0
		   ? rule_add_other(filter, action, number, p, compares, count)
		   : seccomp_rule_add_array(filter, action, number, count, compares);
}

void sandbox_guard_block(unsigned from, unsigned count, struct sandbox_plan *p)
{
	unsigned size = 1;
	while (size < count)
		size *= 2;
	p->guarded_first = (from + size - 1) / size * size;
	p->guarded_count = size;
}

static uint32_t action_of(enum sandbox_role role, const struct rule *r)
{
	if (role != SANDBOX_MASTER && r->error == 0)
		return SCMP_ACT_ALLOW;
	return SCMP_ACT_ERRNO((uint16_t)(r->error != 0 ? r->error : EPERM));
}

static int refusal_add(scmp_filter_ctx filter, int number, const struct refusal *refused)
{
	if (refused == NULL)
		return 0;
	const struct check any = {CHECK_ANY, refused->argument, refused->bits};
	return rule_add_any(filter, SCMP_ACT_ERRNO((uint16_t)refused->error), number, &any);
}

/* Adds the whole table; counts the calls in it that this machine has. */
static int rules_add(scmp_filter_ctx filter, const struct sandbox_plan *p, uint32_t *ret_count)
{
	uint32_t count = 0;
	const struct rule *r;
	for (size_t i = 0; (r = calls_rule(p->role, p->needs, i)) != NULL; i++) {
		int number = seccomp_syscall_resolve_name(r->call.name);
		if (number < 0) /* not on this machine, or unknown to the library */
			continue;
		const uint32_t action = action_of(p->role, r);
		int error = rule_add(filter, action, number, p, r);
		if (error == 0)
			error = refusal_add(filter, number, calls_refusal(r->call.name, p->needs));
		if (error < 0)
			return error;
		count += r->call.condition != NULL; /* not another form of the row before */
	}
	*ret_count = count;
	return 0;
}

/* A tracer skips a call by setting its number to -1, and the kernel runs the filter on that, too.
 * As a real call, -1 always fails with ENOSYS. */
static int tracer_admit(scmp_filter_ctx filter, enum sandbox_role role)
{
	if (role == SANDBOX_MASTER) /* its filter allows it by default */
		return 0;
	int error = seccomp_attr_set(filter, SCMP_FLTATR_API_TSKIP, 1);
	return error < 0 ? error : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, -1, 0, NULL);
}

/* --- filters --------------------------------------------------------------------------------- */

static int filter_make(const struct sandbox_plan *p, scmp_filter_ctx *ret, uint32_t *ret_count)
{
	scmp_filter_ctx filter =
	    seccomp_init(p->role == SANDBOX_MASTER ? SCMP_ACT_ALLOW : SCMP_ACT_TRAP);
	if (filter == NULL)
		return -ENOMEM;
	int error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (error == 0) /* an earlier step did that, or was told to leave it out */
		error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
	if (error == 0) /* for all threads, or none */
		error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (error == 0) /* the kernel's own error codes */
		error = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1);
	if (error == 0)
		error = tracer_admit(filter, p->role);
	if (error == 0)
		error = rules_add(filter, p, ret_count);
	if (error < 0) {
		seccomp_release(filter);
		return error;
	}
	/* A search tree instead of a list, for the calls that the kernel's bitmap does not
	 * cover. */
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	*ret = filter;
	return 0;
}

/* Returns 0, or the errno that says why this kernel or container has no filters. Asked first, so
 * that another error is not taken for it. */
static int availability(void)
{
	const uint32_t action = SECCOMP_RET_TRAP;
	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0 ? errno : 0;
}

static int confine(const struct sandbox_plan *p, struct sandbox_level *l, struct err *err)
{
	scmp_filter_ctx filter = NULL;
	uint32_t count = 0;
	int error = availability();
	if (error != 0) {
		level_lack(l, SANDBOX_SECCOMP, error);
		return 0;
	}
	error = filter_make(p, &filter, &count);
	if (error == 0)
		error = seccomp_load(filter);
	if (error == 0) {
		l->system_calls = count;
		level_reach(l, SANDBOX_SECCOMP);
	} else if (error == -EACCES) { /* no_new_privs was left out */
		level_lack(l, SANDBOX_SECCOMP, -error);
		error = 0;
	} else {
		err_set(err, "seccomp: %s", strerror(-error));
	}
	seccomp_release(filter);
	return error < 0 ? -1 : 0;
}

/* Without a block, connect() would be allowed with any pointer or none. */
static bool is_pinned(const struct sandbox_plan *p)
{
	return p->pinned != NULL && p->pinned_bytes >= SANDBOX_PLACE_BYTES &&
	       (p->pinned_bytes & (p->pinned_bytes - 1)) == 0 &&
	       ((uintptr_t)p->pinned & (p->pinned_bytes - 1)) == 0;
}

int seccomp_confine(const struct sandbox_plan *p, struct sandbox_level *l, struct err *err)
{
	if ((p->needs & SANDBOX_PINNED) != 0 && !is_pinned(p)) {
		err_set(err, "it has no block of addresses that a filter can judge");
		return -1;
	}
	if (layer_left_out(p, SANDBOX_SECCOMP))
		return 0;
	l->addresses = p->addresses;
	l->names = p->names;
	return confine(p, l, err);
}

/* FNV-1a over the contents of the rules (draft-eastlake-fnv). */
static uint64_t mix(uint64_t mark, const void *data, size_t len)
{
	const unsigned char *bytes = data;
	for (size_t i = 0; i < len; i++)
		mark = (mark ^ bytes[i]) * 0x100000001b3;
	return mark;
}

uint64_t sandbox_master_mark(void)
{
	uint64_t mark = 0xcbf29ce484222325;
	const struct rule *r;
	for (size_t i = 0; (r = calls_rule(SANDBOX_MASTER, 0, i)) != NULL; i++) {
		mark = mix(mark, r->call.name, strlen(r->call.name) + 1);
		mark = mix(mark, r->call.condition, strlen(r->call.condition) + 1);
		mark = mix(mark, &r->error, sizeof(r->error));
	}
	return mark != 0 ? mark : 1;
}

static uint32_t rules_count(void)
{
	uint32_t count = 0;
	const struct rule *r;
	for (size_t i = 0; (r = calls_rule(SANDBOX_MASTER, 0, i)) != NULL; i++)
		count += seccomp_syscall_resolve_name(r->call.name) >= 0;
	return count;
}

int seccomp_confine_master(struct sandbox_level *l, uint64_t in_force, struct err *err)
{
	const struct sandbox_plan master = {.role = SANDBOX_MASTER};
	if (in_force == sandbox_master_mark()) {
		l->system_calls = rules_count();
		level_reach(l, SANDBOX_SECCOMP);
		return 0;
	}
	return confine(&master, l, err);
}

const char *sandbox_call_name(uint64_t number)
{
	static _Thread_local char name[32];
	char *found = number > NUMBERS_MAX
			  ? NULL
			  : seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)number);
	struct text t;
	text_init(&t, name, sizeof(name));
	text_add_str(&t, found != NULL ? found : "?");
	free(found);
	return name;
}
