"""Many tasks on a Dask cluster: the same workers as on one machine, one for each Dask thread."""

import queue
import threading
import time

from ..errors import ParameterError
from ..simulation.backends import processes
from ..simulation.wiring.storage import available_memory
from .store import SweepError
from .worker import Worker

_AHEAD = 2  # tasks that a thread finds when it has done one
_PATIENCE = 600.0  # s in which others on a machine may give back memory
_here = threading.local()


def execute(task, memory):
    """Compute a task; runs on a worker of the cluster.

    The process that computes is the one of :mod:`cbnet.sweeps.worker`, kept for the next task: it
    has one thread and its own cache of programs, and ends with the Dask worker.
    """
    started = time.monotonic()
    while memory > available_memory():
        if time.monotonic() - started > _PATIENCE:
            return "failed", (
                f"memory: got a simulation of about {memory / 1e9:.3g} GB, which its worker does "
                "not have left; give workers more, or take a smaller N or K"
            )
        time.sleep(1.0)
    for attempt in range(2):
        if not hasattr(_here, "worker"):
            _here.worker = Worker()
        try:
            _here.worker.link.send(task)
            return _here.worker.link.recv()
        except (EOFError, OSError):
            code = _here.worker.end()
            del _here.worker
            if attempt:
                reason = processes.reason(code)
                return (
                    "failed",
                    f"its process was ended from outside ({reason})",
                )


class Cluster:
    """Workers of a Dask scheduler.

    Parameters
    ----------
    scheduler : str or distributed.Client
        Address, such as ``"tcp://10.0.0.1:8786"``.
    """

    def __init__(self, scheduler):
        try:
            import distributed
        except ImportError as error:
            raise ParameterError(
                "--scheduler: got one without the package distributed; install it: python -m pip "
                "install 'cbnet[cluster]'"
            ) from error
        self._distributed = distributed
        self._own = isinstance(scheduler, str)
        if self._own:
            try:
                self._client = distributed.Client(scheduler, timeout="10s", set_as_default=False)
            except (OSError, ValueError, TimeoutError) as error:
                raise ParameterError(
                    f"--scheduler: got {scheduler!r}, where no scheduler answers; expected an "
                    "address such as tcp://10.0.0.1:8786"
                ) from error
        else:
            self._client = scheduler
        self._address = self._client.scheduler.address
        self._futures, self._events = {}, queue.SimpleQueue()
        self.processes = max(1, self._threads())
        self.where = f"{self.processes} threads of {self._address}"

    def _threads(self):
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        return sum(worker["nthreads"] for worker in workers.values())

    def free(self):
        """How many tasks can be taken now."""
        return _AHEAD * self.processes - len(self._futures)

    def fits(self, memory):
        """Whether a task can start: the worker that gets it waits for memory."""
        return True

    def submit(self, key, task, memory):
        """Begin a task."""
        future = self._client.submit(
            execute, task, memory, pure=False, key=f"cbnet-{id(self)}-{key}", retries=2
        )
        self._futures[key] = future
        future.add_done_callback(lambda done, key=key: self._events.put((key, done)))

    def wait(self, seconds):
        """What has happened, after at most so long: list of (key, ``"done"|"failed"``, content)."""
        events = []
        try:
            key, future = self._events.get(timeout=seconds)
        except queue.Empty:
            self._check()
            return events
        while True:
            if key in self._futures:
                events.append((key, *self._outcome(future)))
                del self._futures[key]
            try:
                key, future = self._events.get_nowait()
            except queue.Empty:
                return events

    def _outcome(self, future):
        if future.status == "finished":
            return future.result()
        if future.status == "error":
            error = future.exception()
            text = " ".join(f"{type(error).__name__}: {error}".split())
            return "failed", text
        raise self._lost()

    def _check(self):
        if self._client.status != "running":
            raise self._lost()
        self.processes = max(1, self._threads())

    def _lost(self):
        return SweepError(
            f"the scheduler at {self._address} is gone; what is finished is kept: start it again "
            "and run the same command"
        )

    def remark(self):
        """What should be known while nothing happens."""
        return (
            ""
            if self._client.status != "running" or self._threads()
            else f"no workers yet at {self._address}"
        )

    def memory(self):
        """Bytes that the workers of the cluster hold now."""
        if self._client.status != "running":
            return 0
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        return sum(worker.get("metrics", {}).get("memory", 0) for worker in workers.values())

    def close(self):
        """Forget what is under way."""
        if self._client is None:
            return
        client, self._client = self._client, None
        if client.status == "running":
            client.cancel(list(self._futures.values()), force=True)
        self._futures = {}
        if self._own:
            client.close(timeout=2)
