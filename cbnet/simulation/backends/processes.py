"""Child processes that never outlive their parent's interest in them."""

import contextlib
import os
import signal
import subprocess
import threading
import time
import weakref
from dataclasses import dataclass

from ...errors import SimulationError
from ...support import scratch

# Learns from the end of its input that the parent is gone, in whatever way, kill -9 included; each
# line before lists the process groups that run.
_GUARDIAN = """
trap '' HUP INT TERM
groups=
while read -r line; do groups=$line; done
for group in $groups; do kill -s KILL -- "-$group"; done
rm -rf -- "$1" || { sleep .2; rm -rf -- "$1"; }
"""
_alive = weakref.WeakSet()


@dataclass(frozen=True)
class Finished:
    """What a child left behind.

    Attributes
    ----------
    code : int
        Exit code; negative if a signal ended it.
    output : str
        What it printed, without those lines that :meth:`Children.run` reads.
    seconds : float
        Wall time.
    peak_bytes : int
        Largest resident size, if it told.
    """

    code: int
    output: str
    seconds: float
    peak_bytes: int


class Children:
    """The processes of one piece of work, and its scratch folder: both end with it.

    A context: leaving it by an exception stops every child, also those of other threads that work
    on the same, and none of anybody else's.

    Attributes
    ----------
    scratch : Path
        A folder of its own for temporary files.
    """

    def __enter__(self):
        self._folder = scratch.Folder("cbnet-run-")
        self.scratch = self._folder.path
        self._running, self._lock, self._cancelled = set(), threading.Lock(), False
        self._guardian = _guardian(self.scratch)
        _alive.add(self)
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None:
            self.cancel()
        _alive.discard(self)
        self._folder.remove()
        if self._guardian is not None:
            with contextlib.suppress(OSError):
                self._guardian.stdin.close()
            self._guardian.wait()
        return False

    def run(self, command, cwd, on_progress=None, env=None):
        """Run a command in a process group of its own and wait for it.

        Lines ``cbnet progress X`` of its output go to `on_progress` as a float; ``cbnet peak N``
        tells its memory in bytes.

        Raises
        ------
        SimulationError
            If the work was cancelled meanwhile, or the command cannot be started.
        """
        started = time.perf_counter()
        child = self._start(command, cwd, env)
        kept, peak = [], 0
        try:
            for line in child.stdout:
                if line.startswith("cbnet progress "):
                    if on_progress is not None:
                        on_progress(float(line.split()[2]))
                elif line.startswith("cbnet peak "):
                    peak = int(line.split()[2])
                else:
                    kept.append(line)
            child.wait()
        except BaseException:
            if child.returncode is None:
                _kill(child)
                child.wait()
            raise
        finally:
            child.stdout.close()
            with self._lock:
                self._running.discard(child)
                self._tell_guardian()
        self.check()
        return Finished(child.returncode, "".join(kept), time.perf_counter() - started, peak)

    def _start(self, command, cwd, env):
        with self._lock:
            self.check()
            try:
                child = subprocess.Popen(
                    command,
                    cwd=cwd,
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                    start_new_session=True,
                )
            except OSError as error:
                raise SimulationError(
                    f"{command[0]}: cannot be started ({error.strerror})"
                ) from error
            self._running.add(child)
            self._tell_guardian()
        return child

    def _tell_guardian(self):
        if self._guardian is not None:
            line = " ".join(str(child.pid) for child in self._running)
            with contextlib.suppress(OSError):
                self._guardian.stdin.write(f"{line}\n".encode())

    def check(self):
        """Raise SimulationError if the work was cancelled."""
        if self._cancelled:
            raise SimulationError("interrupted")

    def cancel(self):
        """Stop every child at once, and let no other one start."""
        with self._lock:
            self._cancelled = True
            for child in self._running:
                _kill(child)


def _guardian(folder):
    """A process that tidies up when this one is killed; None where there is no shell."""
    with contextlib.suppress(OSError):
        return subprocess.Popen(
            ["/bin/sh", "-c", _GUARDIAN, "cbnet-guardian", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            bufsize=0,
            start_new_session=True,
        )


def _kill(child):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


# What ended a process, beside the number that the system gives.
_CAUSES = {
    "SIGKILL": "by the system for want of memory, or by hand",
    "SIGXCPU": "at the limit of processor time, ulimit -t",
    "SIGXFSZ": "at the limit of a file's size, ulimit -f",
    "SIGTERM": "by somebody who asked it to",
}


def reason(code, output=""):
    """An exit code in words."""
    if "bad_alloc" in output or "MemoryError" in output or "out of memory" in output.lower():
        return f"no memory left, or the limit of ulimit -v; exit code {code}"
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
    cause = _CAUSES.get(name)
    return f"signal {-code}, {name}" + (f": {cause}" if cause else "")


def kill_all():
    """Stop every child of this process."""
    for children in list(_alive):
        children.cancel()
