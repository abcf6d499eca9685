"""Every way a network is simulated, for every kind of model: against exact neurons and each other.

Fused neurons (straight leak and jumps), neurons that Brian2 updates (a bent leak), Brian2's own
synapses (bent jumps), and numpy without a compiler.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from brian2 import Hz, ms, mV, second

import cbnet
from cbnet.errors import CbnetWarning
from cbnet.model import unused
from cbnet.simulation.backends import standalone

ROOT = Path(cbnet.__file__).resolve().parent.parent
needs_compiler = pytest.mark.skipif(
    bool(standalone.compiler_missing()), reason=f"{standalone.compiler_missing()} not found"
)
BENT = cbnet.Model(
    name="saturating",
    equations="dv/dt = -(v - E_L)/tau_L : volt (unless refractory)",
    excitatory="v_post += a*(E_E - v_post)*(1 + ((v_post - theta)/(20*mV))**2)",
    inhibitory="v_post += g*a*(E_I - v_post)",
)
EIF = cbnet.Model(
    name="exponential",
    equations="dv/dt = (E_L - v + 2*mV*exp((v + 55*mV)/(2*mV)))/tau_L : volt (unless refractory)",
    excitatory="v_post += a*(E_E - v_post)",
    inhibitory="v_post += g*a*(E_I - v_post)",
    parameters={"theta": -45 * mV},
)
APART = {"I.tau_L": 10 * ms, "E.nu_X": 55 * Hz, "I.K": 120}


def parameters(model, **changes):
    base = cbnet.load(model) if isinstance(model, str) else cbnet.Parameters(model)
    return base.replace(**({"K": 100, "a": 0.005, "nu_X": 60 * Hz} | changes))


@pytest.fixture
def without_compiler(monkeypatch, tmp_path):
    """A function that simulates as on a machine without g++."""

    def simulate(*arguments, **options):
        with monkeypatch.context() as changed, pytest.warns(CbnetWarning, match="not found"):
            changed.setenv("PATH", str(tmp_path))
            return cbnet.simulate(*arguments, **options)

    return simulate


# Single neurons, whose rate is known


@needs_compiler
@pytest.mark.parametrize(
    "model",
    ["conductance", pytest.param(EIF, marks=pytest.mark.slow)],  # 40 s
    ids=["fused", "general"],
)
def test_populations_that_differ_against_exact_neurons(model):
    apart = {"I.tau_L": 10 * ms, "E.r_E": 85 * Hz, "I.K": 120, "r_E": 90 * Hz, "r_I": 6 * Hz}
    params = parameters(model, **apart)
    left_out = pytest.warns(CbnetWarning, match="nu_X: got nu_X=60Hz, which .* does not use")
    # 0.02 ms: the bias of the step is below 0.5 % (below 1 % for the bent leak)
    with left_out:
        found = cbnet.simulate(params, 2000, "2s", dt="0.02ms", seed=2, feedforward=True)
    assert found.synapses == found.events == 0
    rates = {}
    for population in "EI":
        values = params.resolve(population)
        given = (values["r_E"] * Hz, values["r_I"] * Hz)
        with unused.told():
            exact = cbnet.simulate_neuron(
                params, *given, population=population, duration=60 * second, seed=3
            )
        for here, there in (("rate", "rate"), ("cv", "cv")):
            value, expected = found.in_si(f"{here}_{population}"), exact.in_si(there)
            sem = np.hypot(found.in_si(f"{here}_{population}_sem"), exact.in_si(f"{there}_sem"))
            assert abs(value - expected) < 3.5 * sem + 0.01 * expected, (here, population)
        rates[population] = found.in_si(f"rate_{population}")
    assert abs(rates["E"] / rates["I"] - 1) > 0.1  # they do differ


# Networks, compiled and in numpy

CASES = {
    "reference": ("conductance", {}, "stored"),
    "current": ("current", {"nu_X": 40 * Hz, "a": 0.008}, "stored"),
    "populations that differ": ("conductance", APART, "stored"),
    "bent leak": (EIF, {}, "stored"),
    "bent leak, populations that differ": (EIF, APART, "stored"),
    "bent jumps": (
        BENT,
        {"a": 0.003, "nu_X": 75 * Hz},
        "Brian2 Synapses (an on_pre that is not affine in v)",
    ),
    "bent jumps, random graph": (
        BENT,
        {"a": 0.003, "nu_X": 75 * Hz, "law": "bernoulli", "I.K": 120},
        "Brian2 Synapses (an on_pre that is not affine in v)",
    ),
    "synaptic time constants": ("conductance", {"tau_S": 2 * ms}, "stored"),
    "synaptic time constants, populations that differ": (
        "conductance",
        {"tau_S": 2 * ms, **APART},
        "stored",
    ),
}


@pytest.mark.slow
@needs_compiler
@pytest.mark.filterwarnings("ignore::cbnet.errors.CbnetWarning")
@pytest.mark.parametrize("case", CASES)
def test_compiled_and_interpreted_agree(case, without_compiler):
    """Slow: each compiles a program, and simulates the same in numpy."""
    model, changes, storage = CASES[case]
    params = parameters(model, **changes)
    fast = cbnet.simulate(params, 1250, "1s", dt="0.1ms", seed=1)
    slow = without_compiler(params, 1250, "0.3s", transient="0.1s", dt="0.1ms", seed=2)
    assert fast.storage == storage
    if "Synapses" in storage:  # which draw from Brian2's own random numbers
        again = cbnet.simulate(params, 1250, "1s", dt="0.1ms", seed=1)
        assert np.array_equal(again.spike_counts, fast.spike_counts)
    kept = "Brian2 Synapses" if "Synapses" in storage else "stored"
    assert slow.storage == f"{kept}, numpy at run time"
    if changes.get("law") != "bernoulli":
        expected = 1250 * 125 + 250 * 25 * ("I.K" in changes)
        assert fast.synapses == slow.synapses == expected
    else:
        # Poisson-like, of two graphs of 1.6e5 synapses
        assert abs(fast.synapses - slow.synapses) < 5 * np.sqrt(2 * fast.synapses)
    assert fast.in_si("rate_E") > 1
    for one in (fast, slow):
        spikes = 1000 * one.in_si("rate_E") + 250 * one.in_si("rate_I")
        time = one.in_si("duration") + one.in_si("transient")
        # a spike passes as many synapses as a neuron has, on average; the transient may differ
        assert one.events == pytest.approx(spikes * time * one.synapses / 1250, rel=0.15)
    many = [
        cbnet.simulate(params, 1250, "0.3s", transient="0.1s", dt="0.1ms", seed=seed)
        for seed in range(10, 20)
    ]
    for name in ("rate_E", "rate_I", "V_mean", "V_sd"):
        values = np.array([one.in_si(name) for one in many])
        off = abs(slow.in_si(name) - values.mean())
        # Student's t of nine degrees of freedom is beyond 4.78 once in a thousand times
        allowed = 4.78 * values.std(ddof=1) * np.sqrt(1.1)
        assert off < allowed + 0.01 * abs(values.mean()), name


# An explicit graph


@pytest.mark.parametrize(
    "compiled", [pytest.param(True, marks=needs_compiler), False], ids=["compiled", "numpy"]
)
def test_an_explicit_graph_of_the_users_own(compiled, without_compiler):
    # Excitatory neurons fire at every external spike, and each inhibitory one at every spike of
    # its only source, a delay of its own later.
    changes = {"E.nu_X": 5 * Hz, "I.nu_X": 0 * Hz, "a": 0.5, "g": 0.1, "law": "explicit"}
    params = parameters("conductance", K=4, **changes, **{"I.tau_rp": 0.5 * ms})
    targets = np.arange(40, 50)
    delays = (1 + np.arange(10) % 5) * ms
    graph = {"E": (np.arange(0, 40, 4), targets, delays), "I": ([], [], [])}
    simulate = cbnet.simulate if compiled else without_compiler
    found = simulate(
        params,
        50,
        "0.5s",
        transient="0s",
        dt="0.1ms",
        seed=2,
        record=50,
        graph=graph,
        initial="low",
    )
    assert (found.synapses, found.law) == (10, "explicit")
    steps = np.rint(found.in_si("spike_times") / 1e-4).astype(int)
    for source, target, delay in zip(*graph["E"], strict=True):
        late = round(float(delay) / 1e-4)
        sent = steps[found.spike_neurons == source] + late
        felt = steps[found.spike_neurons == target]
        assert sent.size > 2
        assert felt.tolist() == sent[sent < 5000].tolist()
    assert found.events == np.isin(found.spike_neurons, graph["E"][0]).sum()


# cbnet.build

SCRIPT = """
import sys
from brian2 import *
import cbnet
set_device("cpp_standalone", directory=sys.argv[1])
params = cbnet.load("conductance").replace(K=100, a=0.005, nu_X=60*Hz)
net = cbnet.build(params, N=1250, seed=1, dt=0.1*ms)
spikes = SpikeMonitor(net["neurons"])
net.add(spikes)
net.run(0.5*second)
kept = spikes.t_[:] > 0.2
print(sum(kept & (spikes.i[:] < 1000))/1000/0.3, sum(kept & (spikes.i[:] >= 1000))/250/0.3)
"""


@pytest.mark.slow
@needs_compiler
def test_build_in_the_users_own_standalone_program(tmp_path):
    """Slow: compiles without a cache."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "program")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MAKEFLAGS": "-j2"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = cbnet.simulate(parameters("conductance"), 1250, "0.3s", dt="0.1ms", seed=1)
    for population, rate in zip("EI", done.stdout.split(), strict=True):
        expected, sem = (found.in_si(f"rate_{population}{end}") for end in ("", "_sem"))
        assert abs(float(rate) - expected) < 4 * np.sqrt(2) * sem
