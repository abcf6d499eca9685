"""Linear algebra runs on one thread while cbnet solves, and as the caller wants it elsewhere."""

import importlib
import subprocess
import sys
import threading

import pytest
import scipy.linalg  # noqa: F401  (a library of its own)
from brian2 import Hz, ms, mV
from threadpoolctl import ThreadpoolController, threadpool_limits

import cbnet
from cbnet.errors import CbnetWarning, ParameterError
from cbnet.support.threads import one_thread
from cbnet.theory.neuron.colored import plane

LIBRARIES = ThreadpoolController().select(user_api="blas").lib_controllers


def set_all(threads):
    threadpool_limits(limits=threads, user_api="blas")


def counts():
    return [library.num_threads for library in LIBRARIES]


@pytest.fixture(autouse=True)
def three_threads():
    """What a user has set."""
    before = counts()
    set_all(3)
    yield
    set_all(before[0])


def one(values):
    return set(values) == {1}


def three(values):
    return set(values) == {3}


def test_what_the_caller_has_set_is_restored():
    assert LIBRARIES
    outer = one_thread(lambda: (counts(), one_thread(counts)(), counts()))
    assert all(one(x) for x in outer())
    assert three(counts())


def test_also_after_an_error():
    with pytest.raises(ZeroDivisionError):
        one_thread(lambda: 1 / 0)()
    assert three(counts())


def test_also_when_calls_overlap_in_threads():
    """The first to enter leaves first: the other still has one thread, and the last restores."""
    entered, leave, left = threading.Event(), threading.Event(), threading.Event()
    seen = []

    @one_thread
    def first():
        entered.set()
        leave.wait(10)

    @one_thread
    def second():
        leave.set()
        left.wait(10)
        seen.append(counts())

    threads = [threading.Thread(target=first)]
    threads[0].start()
    assert entered.wait(10)
    threads.append(threading.Thread(target=second))
    threads[1].start()
    threads[0].join(10)
    left.set()
    threads[1].join(10)
    assert one(seen[0])
    assert three(counts())


def test_a_number_that_is_set_meanwhile_is_kept():
    one_thread(set_all)(2)
    assert set(counts()) == {2}


@pytest.mark.filterwarnings("ignore:density. the shares of bins")
def test_answers_are_computed_on_one_thread(monkeypatch):
    seen, stationary = [], plane.stationary

    def spied(*arguments, **options):
        seen.append(counts())
        return stationary(*arguments, **options)

    monkeypatch.setattr(plane, "stationary", spied)
    params = cbnet.load("conductance").replace(a=0.003, g=12, tau_S=1 * ms)
    response = cbnet.respond(params, r_E=20 * Hz, r_I=16 * Hz)
    response.density([-60] * mV)
    assert len(seen) >= 3 and all(one(x) for x in seen)
    with pytest.raises(ParameterError):
        cbnet.respond(params, r_E=20 * mV)
    assert three(counts())


def test_every_public_function_of_theory_does_so():
    for name, module in cbnet._PUBLIC.items():
        if module.startswith("theory."):
            function = getattr(importlib.import_module(f"cbnet.{module}"), name)
            assert hasattr(function, "__wrapped__"), name


def test_a_warning_points_at_the_line_that_asked():
    params = cbnet.load("conductance").replace(tau_S=1 * ms)
    with pytest.warns(CbnetWarning, match="takes as zero") as found:
        cbnet.respond(params, r_E=20 * Hz, r_I=16 * Hz, noise="diffusion")
    assert found[0].filename == __file__


def test_a_child_of_a_process_that_is_computing_has_its_threads_back():
    program = """if True:
        import os, sys
        import scipy.linalg
        from threadpoolctl import ThreadpoolController, threadpool_limits
        from cbnet.support.threads import one_thread
        libraries = ThreadpoolController().select(user_api="blas").lib_controllers
        threadpool_limits(limits=3, user_api="blas")
        def fork():
            child = os.fork()
            if child == 0:
                ok = all(library.num_threads == 3 for library in libraries)
                one_thread(int)()
                ok = ok and all(library.num_threads == 3 for library in libraries)
                os._exit(0 if ok else 1)
            return os.waitpid(child, 0)[1]
        sys.exit(one_thread(fork)())
    """
    done = subprocess.run([sys.executable, "-c", program], timeout=60, capture_output=True)
    assert done.returncode == 0, done.stderr
