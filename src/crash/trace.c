/* Runs in the master, after a child has crashed, on the record that it left. Must never follow an
 * address of the child, nor trust a module that is not one of the master's own. */
#include "crash/trace.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include "modules.h"
#include "symbol.h"

/* --- the signal ------------------------------------------------------------------------------ */

static const char *code_text(int number, int code)
{
	static const struct {
		int number, code;
		const char *text;
	} codes[] = {
	    {SIGSEGV, SEGV_MAPERR, "address not mapped"},
	    {SIGSEGV, SEGV_ACCERR, "access not allowed"},
	    {SIGBUS, BUS_ADRALN, "address not aligned"},
	    {SIGBUS, BUS_ADRERR, "no such memory"},
	    {SIGBUS, BUS_OBJERR, "error of the memory"},
	    {SIGILL, ILL_ILLOPC, "no such instruction"},
	    {SIGILL, ILL_ILLOPN, "no such instruction"},
	    {SIGFPE, FPE_INTDIV, "integer division by zero"},
	    {SIGFPE, FPE_INTOVF, "integer overflow"},
	    {SIGTRAP, TRAP_BRKPT, "breakpoint"},
	};
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].number == number && codes[i].code == code)
			return codes[i].text;
	return code == SI_KERNEL && number == SIGSEGV ? "address not of the machine's form" : NULL;
}

void trace_signal(const struct ipc_crash *c, struct text *t)
{
	const char *name = sigabbrev_np(c->signal), *code = code_text(c->signal, c->code);
	if (name != NULL)
		text_addf(t, "SIG%s", name);
	else
		text_addf(t, "signal %d", c->signal);
	/* If the user's queue of signals is full, the kernel keeps a signal and loses its sender,
	 * which then looks like process 0 (signal(7)). A sender outside this PID namespace looks
	 * like that, too. */
	if (c->code <= 0 && c->code != SI_TKILL && c->sender_pid <= 0)
		text_add_str(t, " (sender unknown)");
	else if (c->code <= 0 && c->code != SI_TKILL)
		text_addf(t, " (sent by process %d of user %u)", c->sender_pid, c->sender_uid);
	else if (code != NULL && c->code != SI_KERNEL)
		text_addf(t, " (%s: 0x%llx)", code, (unsigned long long)c->address);
	else if (code != NULL)
		text_addf(t, " (%s)", code);
}

/* --- addresses ------------------------------------------------------------------------------- */

static bool module_of(const struct ipc_view *view, uint64_t address, struct ipc_module *ret)
{
	for (unsigned i = 0; ipc_view_module(view, i, ret); i++)
		if (address >= ret->start && address < ret->end)
			return true;
	return false;
}

struct own_copy {
	const struct ipc_module *wanted;
	struct ipc_module found;
};

static int is_same(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct own_copy *own = arg;
	(void)size;
	module_describe(info, &own->found);
	return strcmp(own->found.name, own->wanted->name) == 0 &&
	       memcmp(own->found.build_id, own->wanted->build_id, IPC_MODULE_BUILDID) == 0 &&
	       own->found.end - own->found.start == own->wanted->end - own->wanted->start;
}

/* A library exports only some names, so an address far after one belongs to a static function. */
static const char *library_function(const struct ipc_module *m, uint64_t linked,
				    uint64_t *ret_offset)
{
	struct own_copy own = {.wanted = m};
	Dl_info info;
	if (dl_iterate_phdr(is_same, &own) == 0)
		return NULL;
	const uint64_t address = own.found.bias + linked;
	if (address < own.found.start || address >= own.found.end ||
	    dladdr((void *)(uintptr_t)address, &info) == 0 || info.dli_sname == NULL)
		return NULL;
	*ret_offset = address - (uint64_t)(uintptr_t)info.dli_saddr;
	return info.dli_sname;
}

/* After an upgrade in place, a child may run an earlier version of the program, whose functions are
 * elsewhere. */
static const char *program_function(const struct ipc_module *m, uint64_t linked,
				    uint64_t *ret_offset)
{
	struct own_copy own = {.wanted = m};
	return dl_iterate_phdr(is_same, &own) != 0 ? symbol_find(linked, ret_offset) : NULL;
}

/* A return address may be after the end of its function, if that function does not return after the
 * call. The byte before it belongs to the call. */
static void frame_describe(const struct ipc_view *view, uint64_t address, bool returned,
			   struct text *t)
{
	struct ipc_module m;
	uint64_t offset = 0;
	const char *name;
	if (!module_of(view, address - returned, &m)) {
		text_addf(t, "0x%llx", (unsigned long long)address);
		return;
	}
	const uint64_t linked = address - returned - m.bias;
	bool own = m.name[0] == '\0';
	name = own ? program_function(&m, linked, &offset) : library_function(&m, linked, &offset);
	if (name != NULL)
		text_addf(t, "%s+0x%" PRIx64, name, offset + returned);
	else
		text_addf(t, "+0x%" PRIx64, linked + returned);
	if (!own) {
		text_add_str(t, " (");
		text_add_escaped(t, m.name, strlen(m.name));
		text_add_char(t, ')');
	}
}

void trace_backtrace(const struct ipc_view *view, const struct ipc_crash *c, struct text *t)
{
	frame_describe(view, c->pc, false, t);
	for (unsigned i = 0; i < c->frames_count && i < IPC_FRAMES_MAX; i++) {
		text_add_str(t, " < ");
		frame_describe(view, c->frames[i], true, t);
	}
}
