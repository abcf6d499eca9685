"""Many tasks on this machine: processes of one thread each, as many as cores and memory allow."""

import os
import time
from multiprocessing.connection import wait

from ..simulation.backends import processes
from ..simulation.wiring.storage import available_memory
from .worker import Worker

_ATTEMPTS = 3  # of a task whose process vanished
_PATIENCE = 30.0  # s in which other programs may give back memory


class Local:
    """Workers on this machine.

    Parameters
    ----------
    processes : int, optional
        Workers; one for each core this process may use, if not given.
    memory : int, optional
        Bytes that tasks may take together; what the machine has left, if not given.
    """

    def __init__(self, processes=None, memory=None):
        self.processes = processes or cores()
        self._limit = memory
        self._idle, self._busy, self._attempts = [], {}, {}
        self._waiting_since = None
        self.where = f"{self.processes} process{'es' * (self.processes > 1)}"

    def free(self):
        """How many tasks can be taken now."""
        return self.processes - len(self._busy)

    def fits(self, memory):
        """Whether a task of so many bytes can start now; a task that is alone waits for a while.

        Returns
        -------
        bool or None
            None if it will not fit at all.
        """
        taken = sum(needs for _, _, needs in self._busy.values())
        left = available_memory() if self._limit is None else self._limit - taken
        if self._limit is None:
            # what the running ones have asked for and not yet touched is not there
            left -= max(0, taken - _resident([w.pid for w in self._busy]))
        if memory <= left:
            self._waiting_since = None
            return True
        if self._busy:
            return False
        if self._limit is not None:
            return None
        self._waiting_since = self._waiting_since or time.monotonic()
        if time.monotonic() - self._waiting_since < _PATIENCE:
            return False
        self._waiting_since = None
        return None

    def submit(self, key, task, memory):
        """Begin a task."""
        self._attempts[key] = self._attempts.get(key, 0) + 1
        worker = self._idle.pop() if self._idle else Worker()
        try:
            worker.link.send(task)
        except OSError:  # it was ended from outside while it had nothing to do
            worker.end()
            worker = Worker()
            worker.link.send(task)
        self._busy[worker] = key, task, memory

    def wait(self, seconds):
        """What has happened, after at most so long: list of (key, ``"done"|"failed"``, content)."""
        by_link = {worker.link: worker for worker in self._busy}
        events = []
        if not by_link:
            time.sleep(min(seconds, 0.1))
        for link in wait(list(by_link), seconds) if by_link else ():
            worker = by_link[link]
            key, task, memory = self._busy.pop(worker)
            try:
                kind, content = link.recv()
            except (EOFError, OSError):
                code = worker.end()
                if self._attempts[key] < _ATTEMPTS:
                    self.submit(key, task, memory)
                    continue
                reason = processes.reason(code)
                kind, content = (
                    "failed",
                    (f"its process was ended from outside {_ATTEMPTS} times ({reason})"),
                )
            else:
                self._idle.append(worker)
            events.append((key, kind, content))
        return events

    def remark(self):
        """What should be known while nothing happens."""
        return ""

    def memory(self):
        """Bytes that the workers and what they started hold now."""
        return _resident([w.pid for w in [*self._idle, *self._busy]])

    def close(self):
        """Stop everything."""
        for worker in [*self._idle, *self._busy]:
            worker.end()
        self._idle, self._busy = [], {}


def cores():
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _resident(pids):
    """Resident bytes of processes and of their children; 0 where the system does not tell."""
    page, total = os.sysconf("SC_PAGE_SIZE"), 0
    todo = list(pids)
    while todo:
        pid = todo.pop()
        try:
            with open(f"/proc/{pid}/statm", encoding="ascii") as file:
                total += int(file.read().split()[1]) * page
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                    todo += map(int, file.read().split())
        except (OSError, ValueError):
            continue
    return total
