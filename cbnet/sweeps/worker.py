"""A process that computes one task after the other: ``python -m cbnet.sweeps.worker FD FD``.

It ends, and ends what it started, as soon as whoever started it is gone.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

from ..errors import CbnetError
from ..support import scratch

# Cores are shared by workers: what computes in one takes one.
ONE_THREAD = {
    f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")
}


class Worker:
    """A process that computes, as seen by the one that started it.

    Attributes
    ----------
    link : Connection
        Where tasks go and answers come from; at its end when the process is gone.
    """

    def __init__(self):
        self.scratch = scratch.Folder("cbnet-worker-")
        root = str(Path(sys.modules["cbnet"].__file__).resolve().parent.parent)
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
        env = {**os.environ, **ONE_THREAD, "PYTHONPATH": path, "TMPDIR": str(self.scratch.path)}
        ours, theirs = socket.socketpair()
        held, watched = socket.socketpair()
        with theirs, watched:
            ends = theirs.fileno(), watched.fileno()
            self._child = subprocess.Popen(
                [sys.executable, "-m", __name__, *map(str, ends)],
                pass_fds=ends,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for whoever started it
            )
        self.link, self._held = Connection(ours.detach()), held

    @property
    def pid(self):
        """Number of the process."""
        return self._child.pid

    def end(self):
        """Stop it and what it started; its exit code."""
        self._held.close()
        with contextlib.suppress(OSError):
            self.link.close()
        try:
            self._child.wait(5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self.scratch.remove()
        return self._child.returncode


def main(link, lifeline):
    """Serve tasks that come over a socket until the other socket, or this one, is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this one decides
    link = Connection(link)
    watch = threading.Thread(target=_watch, args=(socket.socket(fileno=lifeline),), daemon=True)
    watch.start()
    while True:
        try:
            task = link.recv()
        except (EOFError, OSError):
            watch.join()
        link.send(answer(task))


def answer(task):
    """``("done", dict)`` or ``("failed", message)``."""
    from . import identity, tasks

    try:
        kind = "simulation" if task["what"] == "simulation" else "theory"
        return "done", {**tasks.run(task), "made": identity.made(kind)}
    except (CbnetError, OSError, MemoryError) as error:
        return "failed", str(error) or type(error).__name__
    except Exception as error:  # a point that fails in any way does not stop the others
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return "failed", f"{text} ({os.path.basename(where.filename)}, line {where.lineno})"


def _watch(lifeline):
    with contextlib.suppress(OSError):
        lifeline.recv(1)  # nothing ever comes: it returns when the other end is gone
    from ..simulation.backends import processes

    processes.kill_all()
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
