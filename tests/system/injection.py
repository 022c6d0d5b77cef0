"""Makes a live process make a system call, as code that has taken it over would."""
import ctypes
import errno
import os
import platform
import signal

import pytest
from harness import need_root, wait_for

PTRACE_GETREGS, PTRACE_SETREGS, PTRACE_ATTACH, PTRACE_DETACH, PTRACE_SYSCALL = 12, 13, 16, 17, 24
WALL = 0x40000000


class Registers(ctypes.Structure):  # struct user_regs_struct
    _fields_ = [(name, ctypes.c_ulonglong) for name in
                "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags "
                "rsp ss fs_base gs_base ds es fs gs".split()]


DATA = object()  # as an argument: where the data is in its memory; (DATA, 24): from its byte 24 on


def inject(pid, number, *arguments, data=b""):
    """Makes an idle process, which waits in epoll_wait(), make another system call. If there is
    data, it is written below the stack first, and the process continues as if epoll_wait() had
    been interrupted. Without data epoll_wait() returns the result of the call, which should be
    0."""
    if platform.machine() != "x86_64":
        pytest.skip("knows the registers of x86_64 only")
    need_root()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]

    def ptrace(what, data=0):
        if libc.ptrace(what, pid, None, data) < 0:
            if what == PTRACE_ATTACH:
                pytest.skip("no ptrace(2) here")
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def forget_result(registers):
        """From the entry of the call to its exit; a signal on the way is delivered by detaching."""
        for _ in range(2):
            ptrace(PTRACE_SYSCALL)
            _, status = os.waitpid(pid, WALL)
            if not os.WIFSTOPPED(status) or os.WSTOPSIG(status) != signal.SIGTRAP:
                return os.WSTOPSIG(status) if os.WIFSTOPPED(status) else 0
        ptrace(PTRACE_GETREGS, ctypes.addressof(registers))
        registers.rax = (1 << 64) - errno.EINTR
        ptrace(PTRACE_SETREGS, ctypes.addressof(registers))
        return 0

    def attempt():
        registers = Registers()
        deliver = 0
        ptrace(PTRACE_ATTACH)
        os.waitpid(pid, WALL)
        try:
            ptrace(PTRACE_GETREGS, ctypes.addressof(registers))
            room = registers.rsp - 1024 - len(data)
            with open(f"/proc/{pid}/mem", "r+b", 0) as memory:
                memory.seek(registers.rip - 2)
                if memory.read(2) != b"\x0f\x05" or registers.orig_rax > 1 << 32:
                    return False
                memory.seek(room)
                memory.write(data)
            for name, value in zip(("rdi", "rsi", "rdx", "r10", "r8", "r9"), arguments):
                if isinstance(value, tuple):
                    value = room + value[1]
                setattr(registers, name, room if value is DATA else value % (1 << 64))
            registers.rip -= 2
            registers.rax = number
            registers.orig_rax = (1 << 64) - 1
            ptrace(PTRACE_SETREGS, ctypes.addressof(registers))
            if data:
                deliver = forget_result(registers)
            return True
        finally:
            ptrace(PTRACE_DETACH, deliver)

    wait_for(attempt, "standing in a system call")
