"""How many threads linear algebra takes: one, while a function of cbnet that solves runs.

The matrices here are small and banded: threads would wait for one another, busily. Most libraries
have one setting for the whole process, so that it is counted who is inside, and the last to leave
restores it; those built on OpenMP have one for each thread.
"""

import functools
import os
import threading


def one_thread(function):
    """Run a function with linear algebra on one thread.

    What the caller has set is restored afterwards. It is safe in threads, nested, and where the
    function raises.
    """

    @functools.wraps(function)
    def limited(*arguments, **options):
        _enter()
        try:
            return function(*arguments, **options)
        finally:
            _leave()

    return limited


class _Limit:
    """Libraries that are on one thread while anybody is inside."""

    def __init__(self, libraries):
        self.libraries, self.inside, self.before = libraries, 0, []

    def enter(self):
        self.inside += 1
        if self.inside == 1:
            for library in self.libraries:
                threads = library.num_threads
                if threads > 1:
                    _set(library, 1)
                    self.before.append((library, threads))

    def leave(self):
        self.inside = max(self.inside - 1, 0)
        if not self.inside:
            for library, threads in self.before:
                if library.num_threads == 1:  # nobody has set another number meanwhile
                    _set(library, threads)
            self.before.clear()


_lock = threading.Lock()
_here = threading.local()


@functools.cache
def _libraries():
    """Those that numpy and scipy have loaded, shared or not: finding them takes milliseconds."""
    import scipy.linalg  # noqa: F401
    from threadpoolctl import ThreadpoolController

    found = ThreadpoolController().select(user_api="blas").lib_controllers
    own = [library for library in found if getattr(library, "threading_layer", "") == "openmp"]
    return [library for library in found if library not in own], own


@functools.cache
def _shared():
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forked)
    return _Limit(_libraries()[0])


def _own():
    if not hasattr(_here, "limit"):
        _here.limit = _Limit(_libraries()[1])
    return _here.limit


def _enter():
    limit, own = _shared(), _own()
    with _lock:
        limit.enter()
    own.enter()


def _leave():
    with _lock:
        _shared().leave()
    _own().leave()


def _set(library, threads):
    # threadpoolctl lets one thread of a process set numbers, and ignores others
    free = getattr(library, "clear_controlling_thread", lambda force: None)
    free(force=True)
    library.set_num_threads(threads)
    free(force=True)


def _forked():
    """A child has none of the threads that were inside."""
    global _lock
    _lock = threading.Lock()
    _shared().inside = 0
    _shared().leave()
