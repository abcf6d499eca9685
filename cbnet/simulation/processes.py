"""Child processes that never outlive their parent's interest in them."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass

from ..errors import SimulationError

_running = set()
_lock = threading.Lock()
_cancelled = threading.Event()


@dataclass(frozen=True)
class Finished:
    """What a child left behind.

    Attributes
    ----------
    code : int
        Exit code; negative if a signal ended it.
    output : str
        What it printed, without those lines that :func:`run` reads.
    seconds : float
        Wall time.
    peak_bytes : int
        Largest resident size, if it told.
    """

    code: int
    output: str
    seconds: float
    peak_bytes: int


def run(command, cwd, on_progress=None, env=None):
    """Run a command in a process group of its own and wait for it.

    Lines ``cbnet progress X`` of its output go to `on_progress` as a float; ``cbnet peak N`` tells
    its memory in bytes.

    Raises
    ------
    SimulationError
        If the work was cancelled meanwhile, or the command cannot be started.
    """
    started = time.perf_counter()
    with _lock:
        if _cancelled.is_set():
            raise SimulationError("interrupted")
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
            raise SimulationError(f"{command[0]}: cannot be started ({error.strerror})") from error
        _running.add(child)
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
        _kill(child)
        raise
    finally:
        child.stdout.close()
        with _lock:
            _running.discard(child)
    if _cancelled.is_set():
        raise SimulationError("interrupted")
    seconds = time.perf_counter() - started
    return Finished(child.returncode, "".join(kept), seconds, peak)


def _kill(child):
    if child.returncode is None:
        _kill_group(child)
        child.wait()


def _kill_group(child):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def kill_all():
    """Stop every child at once, and let no other one start."""
    with _lock:
        _cancelled.set()
        for child in _running:
            _kill_group(child)


class Cancellation:
    """Context in which leaving by an exception stops every child, also those of other threads."""

    def __enter__(self):
        _cancelled.clear()
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None:
            kill_all()
        return False
