"""The simulation core as a whole: against Brian2, against one exact neuron, storages, seeds."""

import os
import subprocess
import sys
from pathlib import Path

import brian2 as b2
import numpy as np
import pytest
from brian2 import ms, mV, second, volt

import cbnet
from cbnet.errors import CbnetWarning, ParameterError
from cbnet.simulation.backends import standalone
from cbnet.simulation.backends.workshop import run_jobs
from cbnet.simulation.job import prepare

ROOT = Path(cbnet.__file__).resolve().parent.parent

pytestmark = pytest.mark.skipif(
    bool(standalone.compiler_missing()), reason=f"{standalone.compiler_missing()} not found"
)


@pytest.fixture
def numpy_target():
    """Compiling with Cython would take longer than the plain network."""
    target = b2.prefs.codegen.target
    b2.prefs.codegen.target = "numpy"
    yield
    b2.prefs.codegen.target = target


# One explicit graph


def explicit_graph(slots):
    """Of 320 and 80 neurons, each with 40 targets; delays of 0.5 ms, or of 0.1 to 1.1 ms."""
    rng = np.random.default_rng(3)
    graph = {}
    for population, n in (("E", 320), ("I", 80)):
        sources = np.repeat(np.arange(n), 40)
        targets = np.concatenate([rng.choice(400, 40, replace=False) for _ in range(n)])
        steps = 5 if slots == 1 else rng.integers(1, slots + 1, len(sources))
        graph[population] = (sources, targets, steps * np.ones(len(sources)) * 0.1 * ms)
    return graph


def plain_spikes(params, graph, initial, duration):
    """Step and neuron of each spike by Brian2's own Synapses.

    Objects of a slot are called in the order of their names: excitation comes first.
    """
    coupling = params.model.coupling(params.resolve("E"))
    b2.defaultclock.dt = 0.1 * ms
    namespace = {
        **{"a": 0.004, "g": 10, "E_L": -50 * mV, "E_E": 0 * mV, "E_I": -75 * mV},
        **{"tau_L": 20 * ms, "J_E": 0.22 * mV, "J_I": 0.8 * mV},
    }
    neurons = b2.NeuronGroup(
        400,
        coupling.equations,
        threshold="v > -55*mV",
        reset="v = -65*mV",
        refractory=2 * ms,
        method="exact",
        namespace=namespace,
    )
    neurons.v = initial * volt
    made = []
    for population, name, some, on_pre in (
        ("E", "excitation", neurons[:320], coupling.excitatory),
        ("I", "inhibition", neurons[320:], coupling.inhibitory),
    ):
        synapses = b2.Synapses(some, neurons, on_pre=on_pre, namespace=namespace, name=name)
        sources, targets, delays = graph[population]
        synapses.connect(i=sources, j=targets)
        synapses.delay = delays
        made.append(synapses)
    spikes = b2.SpikeMonitor(neurons)
    b2.Network(neurons, spikes, *made).run(duration * second)
    return in_order(np.rint(spikes.t / (0.1 * ms)), spikes.i)


def in_order(steps, neurons):
    steps, neurons = np.asarray(steps, int), np.asarray(neurons, int)
    order = np.lexsort((neurons, steps))
    return np.stack([steps[order], neurons[order]])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*Brian2's order of arrivals")
@pytest.mark.parametrize("slots", [1, 11])
@pytest.mark.parametrize("model", ["conductance", "current"])
def test_spike_trains_are_those_of_brian2(numpy_target, model, slots):
    """Slow: compiles a program for each model."""
    graph = explicit_graph(slots)
    params = cbnet.load(model).replace(
        E_L="-50mV", nu_X="0Hz", K=100, a=0.004, g=10, law="explicit", tau_rp="2ms"
    )
    options = {"transient": "0s", "dt": "0.1ms", "seed": 4, "arrivals": "brian2", "graph": graph}
    found = cbnet.simulate(params, 400, "0.5s", record=400, **options)
    initial = prepare(params, 400, "0.5s", **options).initial_voltage
    plain = plain_spikes(params, graph, initial, 0.5)
    mine = in_order(np.rint(found.spike_times / (0.1 * ms)), found.spike_neurons)
    assert plain.shape[1] > 2000
    assert np.array_equal(mine, plain)
    out = {p: np.bincount(graph[p][0]) for p in "EI"}
    everybody = np.concatenate([out["E"], out["I"]])
    assert found.events == everybody[plain[1]].sum()


# One neuron

REFERENCE = {"K": 1000, "a": 0.0015, "g": 20.0}
# parameters, r_E and r_I in Hz, seconds of the exact neuron and of the one in steps, and the
# largest standard error that decides: 0.3 % of 1 Hz would take ten times as long.
NEURONS = {
    "1 Hz": (REFERENCE, 23.7, 10, 20_000, 60_000, 0.012),
    "10 Hz": (REFERENCE, 29, 12, 20_000, 40_000, 0.005),
    "80 Hz": (REFERENCE, 134, 85, 3_000, 10_000, 0.005),
    "short time constant": ({"K": 1000, "a": 0.01, "g": 12.0}, 50, 90, 6_000, 10_000, 0.005),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", NEURONS)
def test_one_neuron(case):
    """Slow: up to 60,000 s of a neuron in steps, and 6·10⁸ arrivals at the exact one."""
    changes, r_E, r_I, exact_s, stepped_s, decisive = NEURONS[case]
    params = cbnet.load("conductance").replace(**changes, r_E=f"{r_E}Hz", r_I=f"{r_I}Hz")
    exact = cbnet.simulate_neuron(params, duration=exact_s * second, seed=2)
    # a hundred spikes of each neuron, so that it has a CV of its own
    N = int(min(4000, stepped_s * r_E / 4000))
    options = {"N": N, "duration": stepped_s / N * second, "feedforward": True, "seed": 3}
    dt = prepare(params, **options).dt
    for step, tolerance in ((dt, 0.015), (dt / 5, 0.005)):
        found = cbnet.simulate(params, dt=step * second, **options)
        rates = [
            (float(found.rate_E), float(found.rate_E_sem)),
            (float(exact.rate), float(exact.rate_sem)),
        ]
        cvs = [(found.cv_E, found.cv_E_sem), (exact.cv, exact.cv_sem)]
        for what, ((mine, sem), (reference, its_sem)) in (("rate", rates), ("cv", cvs)):
            error = np.hypot(sem / mine, its_sem / reference)
            bias = mine / reference - 1
            print(f"{case}, {step * 1e3:g} ms, {what}: {reference:.4g}, {bias:+.2%} ± {error:.2%}")
            assert error < decisive
            assert abs(bias) < tolerance + 2 * error


@pytest.mark.parametrize("dt", [0.1 * ms, 0.02 * ms])
def test_stated_error_is_that_of_the_order_of_arrivals(dt):
    params = cbnet.load("conductance").replace(**REFERENCE, r_E="135Hz", r_I="85Hz")
    exact = cbnet.simulate_neuron(params, duration=400 * second, seed=2)
    with pytest.warns(CbnetWarning, match="Brian2's order of arrivals"):
        found = cbnet.simulate(
            params, 2000, 0.4 * second, dt=dt, seed=3, feedforward=True, arrivals="brian2"
        )
    bias = float(found.rate_E / exact.rate) - 1
    sem = np.hypot(float(found.rate_E_sem / found.rate_E), float(exact.rate_sem / exact.rate))
    # the grid of the estimate adds about 0.002
    assert abs(bias - found.dt_bias) < 3 * np.hypot(sem, 2e-3)
    assert sem < -found.dt_bias / 10


# The same again


def fields(result):
    """Everything but how long it took and how much memory."""
    took = {"wall_s", "build_s", "wire_s", "simulate_s", "peak_rss_MB"}
    return {name: np.asarray(getattr(result, name)) for name in set(result._variables()) - took}


def assert_identical(*results):
    first, *others = map(fields, results)
    for other in others:
        assert set(first) == set(other)
        for name in first:
            one, two = first[name], other[name]
            assert np.array_equal(one, two, equal_nan=one.dtype.kind == "f"), name


@pytest.fixture(scope="module")
def small():
    return cbnet.load("conductance").replace(K=100, a=0.005, nu_X="60Hz")


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    """A cache of its own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("CBNET_CACHE", str(folder))
        yield folder


@pytest.mark.slow
def test_bit_identical(small, cached, monkeypatch, tmp_path):
    """Slow: compiles the same program twice."""
    jobs = [prepare(small, 1250, "0.3s", dt="0.1ms", seed=seed, record=20) for seed in (5, 6)]
    (fresh,) = run_jobs(jobs[:1], 1)
    (again,) = run_jobs(jobs[:1], 1)
    pooled = run_jobs([*jobs, jobs[0]], 2)
    monkeypatch.setenv("CBNET_CACHE", str(tmp_path))
    (rebuilt,) = run_jobs(jobs[:1], 1)
    assert rebuilt.build_s > 10 * again.build_s
    assert fresh.spike_times.size > 100
    assert_identical(fresh, again, pooled[0], pooled[2], rebuilt)
    assert not np.array_equal(fresh.spike_times, pooled[1].spike_times)


SECOND = """
import sys
import cbnet
params = cbnet.load("conductance").replace(
    K=80, a=0.006, g=15, nu_X="70Hz", tau_rp="1ms", D_max="5ms", E_L="-78mV"
)
found = cbnet.simulate(params, 1250, "0.2s", transient="0.1s", dt="0.05ms", seed=9)
print(found.build_s, [name for name in ("brian2", "sympy") if name in sys.modules])
"""


@pytest.mark.slow
def test_second_run_compiles_nothing(small, cached):
    """Slow: compiles the first one."""
    cbnet.simulate(small, 1250, "0.1s", dt="0.1ms", seed=1)
    run = [sys.executable, "-c", SECOND]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def programs():
        return {path.name: path.stat().st_mtime for path in cached.rglob("main")}

    subprocess.run(run, check=True, env=environment)  # the functions of the model, once
    before = programs(), sorted(path.name for path in cached.iterdir())
    done = subprocess.run(run, check=True, env=environment, capture_output=True, text=True)
    assert (programs(), sorted(path.name for path in cached.iterdir())) == before
    assert len(before[0]) >= 1
    build_s, imported = done.stdout.split(maxsplit=1)
    assert float(build_s) < 0.5
    assert imported.strip() == "[]"


# Refusals, before anything is allocated


def refusal(changes, N, **options):
    params = cbnet.load("conductance").replace(**changes)
    with pytest.raises(ParameterError) as caught:
        prepare(params, N, dt="0.1ms", **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_memory_that_does_not_fit():
    text = refusal({"K": 9_000, "a": 1e-4}, 1_000_000, memory=10**9)
    assert text.startswith("N: got 1000000 with 1.12e+10 synapses, which take about ")
    assert "expected at most the 1 GB available" in text
    assert "take a smaller N or K" in text  # 9000 does not divide 800,000
    text = refusal({"K": 10_000, "a": 1e-4}, 1_000_000, memory=3 * 10**9, storage="stored")
    assert "storage 'procedural' takes" in text
    text = refusal({"K": 400, "a": 1e-3}, 10_000, memory=10**6)
    assert "take a smaller N or K" in text


def test_memory_that_fits_with_another_storage():
    params = cbnet.load("conductance").replace(K=10_000, a=1e-4)
    job = prepare(params, 1_000_000, dt="0.1ms", memory=3 * 10**9)
    assert job.storage == "procedural"
    assert prepare(params, 1_000_000, dt="0.1ms", memory=10**11).storage == "stored"


def test_more_than_a_block_can_hold():
    changes = {"K": 70_000, "a": 1e-6}
    for asked, first in (("stored", "storage: got 'stored'; "), ("auto", "N: got 200000")):
        text = refusal(changes, 200_000, storage=asked, memory=10**12)
        assert text.startswith(first)
        assert "70000 synapses into each of 65536 neurons are more than 2^32" in text
        assert "take a smaller K" in text
        assert "in-degree 70000 does not divide the 160000 neurons" in text
    params = cbnet.load("conductance").replace(K=80_000, a=1e-6)
    assert prepare(params, 200_000, dt="0.1ms", memory=10**12).storage == "procedural"


def test_counts_that_overflow():
    text = refusal({"K": 100_000, "a": 1e-6, "nu_X": "10kHz"}, 250_000, memory=10**12)
    assert text.startswith("nu_X: got 1e+05 external spikes into a neuron in a step of 0.1 ms")
    assert "take a shorter dt" in text


@pytest.mark.parametrize(
    ("K", "law", "counts"),
    [
        (1000, "fixed", "uint16"),
        (60_000, "fixed", "uint16"),
        (64_000, "bernoulli", "int32"),
        (80_000, "fixed", "int32"),
    ],
)
def test_counts_are_as_wide_as_they_must_be(K, law, counts):
    params = cbnet.load("conductance").replace(K=K, a=1e-6, law=law, nu_X="1Hz")
    assert prepare(params, 200_000, dt="0.1ms", memory=10**12).counts == counts


def test_storages_that_a_law_does_not_have():
    text = refusal({"K": 100, "law": "gaussian", "CV_K": 0.1}, 1250, storage="procedural")
    assert "CV_K 0.1 is below that of a random graph; expected CV_K=0.19 or more" in text
    text = refusal({"K": 120}, 1250, storage="procedural")
    assert "in-degree 120 does not divide the 1000 neurons" in text
    assert "or law='bernoulli'" in text
    text = refusal({"K": 100}, 1250, storage="bitmap")
    assert "one delay for all, as with D=1.5ms" in text
    graph = {p: ([0], [1], [1] * ms) for p in "EI"}
    text = refusal({"K": 100, "law": "explicit"}, 1250, storage="bitmap", graph=graph)
    assert "expected 'stored'" in text


def test_every_storage_can_be_asked_for(small):
    one_delay = small.replace(D="1ms")
    for law in ("fixed", "bernoulli", "gaussian"):
        for storage in ("stored", "bitmap", "procedural"):
            params = one_delay.replace(law=law, CV_K=0.2 * (law == "gaussian"))
            assert prepare(params, 1250, dt="0.1ms", storage=storage).storage == storage
