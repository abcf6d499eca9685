"""A built network in the uses that Brian2 documents for its own objects."""

import subprocess
import sys

import brian2 as b2
import numpy as np
import pytest
from brian2 import Hz, ms

import cbnet
from cbnet.errors import ParameterError
from cbnet.simulation.backends import standalone


@pytest.fixture
def numpy_target():
    """Compiling with Cython would take longer than these networks."""
    target, dt = b2.prefs.codegen.target, b2.defaultclock.dt
    b2.prefs.codegen.target = "numpy"
    yield
    b2.prefs.codegen.target = target
    b2.defaultclock.dt = dt


def small(**options):
    params = cbnet.load("conductance").replace(K=40, a=0.01, nu_X=60 * Hz)
    return cbnet.build(params, N=250, seed=1, dt=0.1 * ms, **options)


def spikes_in(net, duration, **namespace):
    counter = b2.SpikeMonitor(net["neurons"], record=False)
    net.add(counter)
    net.run(duration, namespace=namespace)
    net.remove(counter)
    return int(counter.num_spikes)


# Ten E neurons under external input, each with one I neuron 15 ms away that answers every spike.
SOURCES, TARGETS, STEPS = np.arange(0, 40, 4), np.arange(40, 50), 150


def chain():
    changes = {"E.nu_X": 20 * Hz, "I.nu_X": 0 * Hz, "I.tau_rp": 0.5 * ms}
    params = cbnet.load("conductance").replace(K=4, a=0.5, g=0.1, law="explicit", **changes)
    graph = {"E": (SOURCES, TARGETS, 15 * ms), "I": ([], [], [])}
    net = cbnet.build(params, N=50, seed=2, dt=0.1 * ms, initial="low", graph=graph)
    spikes = b2.SpikeMonitor(net["neurons"], name="spikes")
    net.add(spikes)
    return net, spikes


def answers(steps, neurons, until):
    """Spikes that were not answered, and answers to none."""
    lost = odd = 0
    for source, target in zip(SOURCES, TARGETS, strict=True):
        due = {s + STEPS for s in steps[neurons == source].tolist() if s + STEPS < until}
        felt = set(steps[neurons == target].tolist())
        lost, odd = lost + len(due - felt), odd + len(felt - due)
    return lost, odd


def test_store_and_restore(numpy_target, tmp_path):
    """Spikes under way are stored and put back, with the random numbers if that is asked for."""
    net, spikes = chain()
    net.store("start")
    net.run(30 * ms)
    net.store("middle")
    net.store("middle", filename=str(tmp_path / "state"))
    runs = []
    for where in ({}, {"filename": str(tmp_path / "state")}):
        net.restore("middle", restore_random_state=True, **where)
        net.run(30 * ms)
        steps, neurons = np.rint(spikes.t_ / 1e-4).astype(int), np.array(spikes.i[:])
        assert answers(steps, neurons, 600) == (0, 0)
        runs.append((steps, neurons))
    assert np.array_equal(runs[0], runs[1])
    assert (runs[0][0] > 300).sum() > 20
    net.restore("middle")
    net.run(30 * ms)
    assert spikes.num_spikes != len(runs[0][0])
    net.restore("start")
    net["neurons"].nu_X_E = 0 * Hz
    net.run(30 * ms)
    assert spikes.num_spikes == 0


def test_rates_of_the_input_may_change(numpy_target):
    """By hand, between runs, and by Brian2's operations during a run."""
    assert spikes_in(small(), 20 * ms) > 50
    net = small()
    net["neurons"].nu_X = 0 * Hz
    assert spikes_in(net, 20 * ms) == 0
    net["neurons"].nu_X = 100 * Hz
    assert spikes_in(net, 20 * ms) > 50
    net = small()
    rates = b2.TimedArray([0, 120] * Hz, dt=20 * ms)
    change = net["neurons"].run_regularly("nu_X = rates(t)", dt=1 * ms)
    net.add(change)
    assert spikes_in(net, 20 * ms, rates=rates) == 0
    assert spikes_in(net, 20 * ms, rates=rates) > 50


def test_brian2s_seed(numpy_target):
    found = []
    for seed in (5, 5, 6):
        net = small()
        spikes = b2.SpikeMonitor(net["neurons"])
        net.add(spikes)
        b2.seed(seed)
        net.run(20 * ms)
        found.append((spikes.i[:].tolist(), spikes.t_[:].tolist()))
    assert found[0] == found[1] != found[2]


def test_states(numpy_target):
    net = small()
    net.run(5 * ms)
    states = net.get_states(read_only_variables=False)
    net.run(5 * ms)
    net.set_states(states)
    assert np.array_equal(net["neurons"].v[:], states["neurons"]["v"])


def test_what_is_refused(numpy_target):
    net = small()
    b2.defaultclock.dt = 0.05 * ms
    with pytest.raises(ParameterError, match="^dt: got 0.05 ms in a network that was built with"):
        net.run(1 * ms)
    net = small()
    net.schedule = ["start", "synapses", "groups", "thresholds", "resets", "end"]
    with pytest.raises(ParameterError, match="^schedule: got start, synapses, groups"):
        net.run(1 * ms)


SCRIPT = """
import sys
import numpy as np
from brian2 import *
from tests.simulation.test_build import SOURCES, TARGETS, chain
import cbnet

folder = sys.argv[1]
set_device("cpp_standalone", build_on_run=False, directory=folder)
net, spikes = chain()
try:
    chain()
except cbnet.errors.ParameterError as refusal:
    print(str(refusal).partition(";")[0])
net.run(50*ms)
net.run(50*ms)
net["neurons"].nu_X_E = 0*Hz
net.run(50*ms)
device.build(directory=folder)
np.savez(folder + "/found.npz", steps=np.rint(spikes.t_[:]/1e-4).astype(int), neurons=spikes.i[:])
"""


@pytest.mark.slow
@pytest.mark.skipif(bool(standalone.compiler_missing()), reason="no compiler")
def test_runs_of_one_program(tmp_path):
    """Slow: compiles a program of three runs.

    Spikes under way pass from one run to the next, the second has random numbers of its own, and
    what is set between them is felt.
    """
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "build: got a second network in one C++ standalone program" in done.stdout
    with np.load(tmp_path / "found.npz") as found:
        steps, neurons = found["steps"], found["neurons"]
    assert answers(steps, neurons, 1500) == (0, 0)
    sent = neurons < 40
    first = {(s, i) for s, i in zip(steps[sent], neurons[sent], strict=True) if s < 500}
    second = {(s - 500, i) for s, i in zip(steps[sent], neurons[sent], strict=True) if s >= 500}
    assert len(first) > 100 and len(second) > 100
    assert len(first & second) < 0.1 * len(second)
    assert steps[sent].max() < 1005  # what arrived in the last step is felt in the next one
