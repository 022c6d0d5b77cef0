"""Makes a live process make a system call, as code that has taken it over would."""
import ctypes
import os
import platform

import pytest
from harness import need_root, wait_for

PTRACE_GETREGS, PTRACE_SETREGS, PTRACE_ATTACH, PTRACE_DETACH = 12, 13, 16, 17
WALL = 0x40000000


class Registers(ctypes.Structure):  # struct user_regs_struct
    _fields_ = [(name, ctypes.c_ulonglong) for name in
                "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags "
                "rsp ss fs_base gs_base ds es fs gs".split()]


def inject(pid, number, *arguments):
    """Makes an idle process, which stands behind its epoll_wait(), make another system call."""
    if platform.machine() != "x86_64":
        pytest.skip("knows the registers of x86_64 only")
    need_root()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]

    def ptrace(what, data=None):
        if libc.ptrace(what, pid, None, data) < 0:
            if what == PTRACE_ATTACH:
                pytest.skip("no ptrace(2) here")
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def attempt():
        registers = Registers()
        ptrace(PTRACE_ATTACH)
        os.waitpid(pid, WALL)
        try:
            ptrace(PTRACE_GETREGS, ctypes.addressof(registers))
            with open(f"/proc/{pid}/mem", "rb", 0) as memory:
                memory.seek(registers.rip - 2)
                if memory.read(2) != b"\x0f\x05" or registers.orig_rax > 1 << 32:
                    return False
            for name, value in zip(("rdi", "rsi", "rdx", "r10", "r8", "r9"), arguments):
                setattr(registers, name, value)
            registers.rip -= 2
            registers.rax = number
            registers.orig_rax = (1 << 64) - 1
            ptrace(PTRACE_SETREGS, ctypes.addressof(registers))
            return True
        finally:
            ptrace(PTRACE_DETACH)

    wait_for(attempt, "standing in a system call")
