/* Runs in a child while it starts, and in the master when it reads the record of a crash. */
#include "modules.h"

#include <elf.h>
#include <string.h>

/* The names and values of notes are padded to words of 4 bytes (elf(5)). */
static size_t padded(size_t size)
{
	return (size + 3) / 4 * 4;
}

static void build_id_copy(const struct dl_phdr_info *info, const ElfW(Phdr) * segment,
			  struct ipc_module *m)
{
	const char *at = (const char *)(uintptr_t)(info->dlpi_addr + segment->p_vaddr);
	const char *end = at + segment->p_memsz;
	while (at + sizeof(ElfW(Nhdr)) <= end) {
		const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)(const void *)at;
		const char *name = at + sizeof(*note);
		const char *value = name + padded(note->n_namesz);
		if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == sizeof(ELF_NOTE_GNU) &&
		    memcmp(name, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) == 0 &&
		    note->n_descsz >= sizeof(m->build_id))
			memcpy(m->build_id, value, sizeof(m->build_id));
		at = value + padded(note->n_descsz);
	}
}

void module_describe(const struct dl_phdr_info *info, struct ipc_module *ret)
{
	const char *slash = strrchr(info->dlpi_name, '/');
	*ret = (struct ipc_module){.bias = info->dlpi_addr, .start = UINT64_MAX};
	(void)strncpy(ret->name, slash != NULL ? slash + 1 : info->dlpi_name,
		      sizeof(ret->name) - 1);
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		const uint64_t start = info->dlpi_addr + segment->p_vaddr;
		if (segment->p_type == PT_NOTE && segment->p_align <= 4)
			build_id_copy(info, segment, ret);
		if (segment->p_type != PT_LOAD || (segment->p_flags & PF_X) == 0)
			continue;
		if (start < ret->start)
			ret->start = start;
		if (start + segment->p_memsz > ret->end)
			ret->end = start + segment->p_memsz;
	}
}

static int module_take(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct ipc_board *board = arg;
	(void)size;
	if (board->modules_count == IPC_MODULES_MAX)
		return 1;
	module_describe(info, &board->modules[board->modules_count++]);
	return 0;
}

void modules_take(struct ipc_board *board, uintptr_t *ret_text_start, uintptr_t *ret_text_end)
{
	board->modules_count = 0;
	(void)dl_iterate_phdr(module_take, board); /* the program itself comes first */
	*ret_text_start = board->modules[0].start;
	*ret_text_end = board->modules[0].end;
}
