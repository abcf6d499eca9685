"""Work tried in a process of its own first, because it may never end, or end the process."""

import contextlib
import faulthandler
import os
import select
import signal
import time

PATIENCE = 8.0  # s, and some for each byte
_PROCESSOR_TIME = 4  # s, likewise: what never ends is seldom idle
_BYTES_A_SECOND = 2e7
_MEMORY = 20  # times the size of the file


def run(work, path):
    """Do some work on a file in a child process, and raise OSError if it does not go well.

    Parameters
    ----------
    work : callable
        ``work(path)``; what it returns is lost.
    path : path

    Raises
    ------
    OSError
        With what went wrong: an exception of the work, a signal, too much time or memory.
    """
    size = os.stat(path).st_size
    if not hasattr(os, "fork"):
        return
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _child(work, path, size, reading, writing)
    os.close(writing)
    try:
        said = _heard(reading, time.monotonic() + PATIENCE + size / _BYTES_A_SECOND)
    finally:
        os.close(reading)
        _end(child)
    if said is None:
        raise OSError(f"it takes longer than {PATIENCE:g} s: damaged")
    if said != b"done":
        raise OSError(said.decode(errors="replace") or "it ends the process: damaged")


def _child(work, path, size, reading, writing):
    """Never returns."""
    try:
        os.close(reading)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        faulthandler.disable()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)  # HDF5 prints what it meets
        _limit_memory(_MEMORY * size + 2**30)
        _limit_time(_PROCESSOR_TIME + int(size / _BYTES_A_SECOND))
        try:
            work(path)
            said = b"done"
        except BaseException as error:
            said = (" ".join(str(error).split()) or type(error).__name__).encode()
        os.write(writing, said[:2000])
    finally:
        os._exit(0)


def _limit_time(seconds):
    import resource

    with contextlib.suppress(OSError, ValueError):  # another limit stands already
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def _limit_memory(more):
    import resource  # not on Windows, where there is no fork either

    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            have = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = have + more
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    except (OSError, ValueError):  # a system that does not tell
        return


def _heard(reading, until):
    """What the child says before it ends; None if that takes too long."""
    said = b""
    while True:
        ready, _, _ = select.select([reading], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return None
        part = os.read(reading, 4096)
        if not part:
            return said
        said += part


def _end(child):
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
