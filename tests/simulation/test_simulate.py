"""cbnet.simulate from end to end: results, seeds, what compiles nothing, and no compiler at all."""

import numpy as np
import pytest
from brian2 import Hz, ms, mV, second, volt

import cbnet
from cbnet import results
from cbnet.errors import CbnetWarning
from cbnet.model.units import to_quantity
from cbnet.simulation.backends import standalone, workshop
from cbnet.simulation.backends.workshop import run_jobs
from cbnet.simulation.job import prepare
from cbnet.simulation.measure.measured import Simulation
from cbnet.simulation.measure.stationarity import Drift
from cbnet.simulation.wiring import drawing
from cbnet.support import cache

KEYS = [
    *("rate_E_Hz", "rate_I_Hz", "rate_E_Hz_sem", "cv_E", "cv_I", "cv_E_count", "cv_I_count"),
    *("fano_1ms", "V_mean_mV", "V_sd_mV", "N", "N_E", "synapses", "law", "storage", "dt_ms"),
    *("dt_bias", "dt_bias_cv", "dt_bias_V_mean_mV", "dt_bias_V_sd_mV", "transient_s", "duration_s"),
    *("seed", "graph_seed", "notes", "wall_s", "build_s", "wire_s", "simulate_s", "events"),
    "peak_rss_MB",
]
TIMINGS = {"wall_s", "build_s", "wire_s", "simulate_s", "peak_rss_MB"}

OPTIONS = {"N": 1250, "duration": "0.5s", "record": 10, "dt": "0.1ms"}


@pytest.fixture(scope="module")
def params():
    return cbnet.load("conductance").replace(K=100, a=0.005, nu_X=60 * Hz)


@pytest.fixture(scope="module")
def compiled(params):
    """Three runs of one compiled program, with seeds 1, 1 and 2."""
    if standalone.compiler_missing():  # optional: without one cbnet simulates in numpy
        pytest.skip(f"{standalone.compiler_missing()} not found")
    return run_jobs([prepare(params, seed=seed, **OPTIONS) for seed in (1, 1, 2)], 1)


@pytest.fixture
def no_compiler(monkeypatch, tmp_path):
    """A machine on which there is neither g++ nor make."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def small():
    """For runs without a compiler."""
    return cbnet.load("conductance").replace(K=40, a=0.01, nu_X=60 * Hz)


def same(first, second):
    """Fields that differ, timings left out."""
    different = []
    for name in Simulation._variables():
        one, two = np.asarray(getattr(first, name)), np.asarray(getattr(second, name))
        numeric = one.dtype.kind == "f"
        if name not in TIMINGS and not np.array_equal(one, two, equal_nan=numeric):
            different.append(name)
    return different


# The result


def test_keys(compiled):
    found = compiled[0].to_dict()
    assert list(found) == KEYS
    assert (found["N"], found["N_E"], found["synapses"]) == (1250, 1000, 1250 * 125)
    assert (found["dt_ms"], found["seed"], found["law"]) == (pytest.approx(0.1), 1, "fixed")
    assert (found["transient_s"], found["duration_s"]) == (pytest.approx(0.2), pytest.approx(0.5))
    assert found["storage"] == "stored"
    assert compiled[0].arrivals == "random"
    for key in KEYS:
        if key not in ("law", "storage", "notes"):
            assert isinstance(found[key], float | int)


@pytest.mark.filterwarnings("ignore:cv_. rests on")  # rates differ on purpose
def test_a_graph_has_a_seed_of_its_own(small):
    """In-degrees differ enough for a neuron's rate to tell who it is."""
    random = small.replace(law="bernoulli")
    options = {"N": 250, "duration": "2s", "dt": "0.1ms"}
    seeds = [(1, None), (1, 1), (2, 1), (2, None)]
    runs = run_jobs([prepare(random, seed=s, graph_seed=g, **options) for s, g in seeds], 1)
    alone, same_graph, other_noise, other = runs
    assert same(alone, same_graph) == []
    assert [one.graph_seed for one in runs] == [1, 1, 1, 2]
    assert alone.synapses == other_noise.synapses != other.synapses
    counts = [one.spike_counts[:200] for one in (alone, other_noise, other)]
    assert not np.array_equal(counts[0], counts[1])
    # of the variance of the counts most is the graph's: 5 standard errors of 200 neurons apart
    correlations = [np.corrcoef(counts[0], one)[0, 1] for one in counts[1:]]
    assert correlations[0] > 0.7 and abs(correlations[1]) < 0.35


def test_same_seed_same_numbers(compiled):
    first, again, other = compiled
    assert same(first, again) == []
    assert first.spike_times.size > 50
    different = same(first, other)
    for name in ("rate_E", "V_mean", "events", "spike_times", "V_traces"):
        assert name in different


def test_same_numbers_in_a_pool_and_in_another_process(compiled, params):
    two = run_jobs([prepare(params, seed=seed, **OPTIONS) for seed in (2, 1)], 2)
    assert same(compiled[0], two[1]) == []
    assert same(compiled[2], two[0]) == []


def test_other_values_compile_nothing(compiled, params):
    before = {one.key for one in cache.entries()}
    assert len(before) >= 2  # sources and binary
    changed = params.replace(K=104, a=0.006, g=15, nu_X=70 * Hz, D_max=3 * ms, tau_L=25 * ms)
    result = cbnet.simulate(changed, 1250, "0.1s", transient="0.1s", dt="0.05ms", seed=9, record=2)
    assert {one.key for one in cache.entries()} == before
    assert result.build_s < 5  # it is looked up
    assert result.synapses == 1250 * 130
    assert result.V_traces.shape == (2000, 2)
    assert result.rate_E > 0 * Hz


def test_progress_of_a_compiled_program(compiled, params):
    class Listener:
        stages, fractions = [], []

        def stage(self, name):
            self.stages.append(name)

        def update(self, fraction):
            self.fractions.append(fraction)

    cbnet.simulate(params, 1250, "0.3s", dt="0.1ms", progress=Listener())
    assert Listener.stages == ["preparing 1 program", "simulating 1 network"]
    assert Listener.fractions == sorted(Listener.fractions)
    assert 0 < Listener.fractions[0] <= Listener.fractions[-1] <= 1


def test_what_is_recorded_is_what_is_counted(compiled, params):
    result = cbnet.simulate(params, 1250, "0.1s", transient="0s", dt="0.1ms", record=1250, seed=4)
    spikes = np.bincount(result.spike_neurons, minlength=1250)
    assert result.in_si("rate_E") == pytest.approx(spikes[:1000].sum() / 1000 / 0.1)
    assert result.in_si("rate_I") == pytest.approx(spikes[1000:].sum() / 250 / 0.1)
    # in-degrees are fixed, out-degrees are not: a spike passes 125 synapses on average, and their
    # spread of about 11 is that of a mean over neurons
    assert result.events / spikes.sum() == pytest.approx(125, abs=4 * 11 / np.sqrt(1250))
    assert result.wire_s > 0 and result.simulate_s > 0 and result.peak_rss_MB > 1


def test_one_network_as_two_seeds(compiled):
    # two draws of one network differ by their errors
    first, _, other = compiled
    for name in ("rate_E", "rate_I", "V_mean"):
        a, b = (float(getattr(s, name)) for s in (first, other))
        sems = [float(getattr(s, f"{name}_sem")) for s in (first, other)]
        assert abs(a - b) < 4 * np.hypot(*sems)


def test_save_and_load(compiled, tmp_path):
    path = compiled[0].save(tmp_path / "simulation.nc")
    loaded = results.load(path)
    assert isinstance(loaded, Simulation)
    assert loaded == compiled[0]
    assert loaded.to_dict() == compiled[0].to_dict()
    assert loaded.parameters == compiled[0].parameters


def test_units(compiled):
    for name, meta in Simulation._variables().items():
        value = getattr(compiled[0], name)
        if meta["unit"] is None:
            assert not hasattr(value, "dim"), name
            continue
        one = to_quantity(1.0, meta["unit"])
        assert value.dim is one.dim, name
    assert 5 * Hz < compiled[0].rate_E < 200 * Hz
    assert -75 * mV < compiled[0].V_mean < -55 * mV
    assert 0.1 * mV < compiled[0].V_sd < 5 * mV
    # E, I and net: inhibition pulls down, and both nearly cancel
    excitation, inhibition, net = compiled[0].current_mean / (mV / ms)
    assert excitation > 0 > inhibition
    assert net == pytest.approx(excitation + inhibition, rel=1e-9)
    width = np.diff(compiled[0].V_grid / volt)[0]
    assert np.sum(compiled[0].V_density * volt) * width == pytest.approx(1)


def test_recorded_spikes_and_traces(compiled):
    result = compiled[0]
    assert result.recorded.tolist() == [0, 139, 278, 416, 555, 694, 833, 971, 1110, 1249]
    assert set(result.spike_neurons) <= set(result.recorded)
    times = result.spike_times / second
    assert 0.2 <= times.min() <= times.max() < 0.7 + 1e-9
    assert np.all(np.diff(times) >= 0)
    assert result.V_traces.shape == (5000, 10)
    grid = result.trace_times / second
    assert grid[0] == pytest.approx(0.2001)  # at the end of a step
    assert np.allclose(np.diff(grid), 1e-4)
    v = result.V_traces / mV
    assert v.max() <= -55 + 1e-9
    assert v.min() > -80
    # held at the reset from the end of the step of a spike, for the rest of the refractory time
    for neuron, t in zip(result.spike_neurons, times, strict=True):
        step = round((t - 0.2) / 1e-4)
        column = np.flatnonzero(result.recorded == neuron)[0]
        assert np.all(v[step : step + 20, column] == pytest.approx(-65, abs=1e-9))


def test_traces_of_some_neurons_at_intervals(params, compiled):
    record = {"spikes": [0], "v": compiled[0].recorded[:3], "every": "1ms", "dtype": "float32"}
    seldom = cbnet.simulate(params, seed=1, **{**OPTIONS, "record": record})
    whole = compiled[0]
    assert seldom.recorded.tolist() == [0]
    assert seldom.traced.tolist() == whole.traced[:3].tolist()
    assert np.array_equal(seldom.spike_times, whole.spike_times[whole.spike_neurons == 0])
    assert np.array_equal(seldom.trace_times, whole.trace_times[9::10])
    mine, theirs = seldom.in_si("V_traces"), whole.in_si("V_traces")[9::10, :3]
    assert mine.dtype == np.float32
    assert np.array_equal(mine, theirs.astype(np.float32))


def test_recorded_neurons_tell_of_the_network(compiled):
    result = compiled[0]
    excitatory = result.recorded < 1000
    v = result.V_traces[:, excitatory] / mV
    free = v[v != -65]
    # eight neurons of a thousand; refractory steps and half a step of leak make the difference
    assert free.mean() == pytest.approx(float(result.V_mean / mV), abs=0.5)
    assert free.std() == pytest.approx(float(result.V_sd / mV), rel=0.15)


def test_estimated_bias_is_that_of_the_measured_rates(compiled, params):
    from cbnet.simulation.step import timestep

    result = compiled[0]
    nu_E, nu_I = float(result.rate_E), float(result.rate_I)
    assert result.dt_bias == pytest.approx(timestep.bias(params, 1e-4, 60 + nu_E, nu_I))


# Without a compiler


def test_without_a_compiler(no_compiler, small):
    with pytest.warns(CbnetWarning, match=r"g\+\+ and make not found.*apt install g\+\+") as said:
        result = cbnet.simulate(small, 250, "0.1s", transient="0s", dt="0.1ms", record=250, seed=3)
    text = [str(w.message) for w in said if issubclass(w.category, CbnetWarning)]
    assert all("\n" not in t for t in text)
    assert "numpy" in result.storage
    assert list(result.to_dict()) == KEYS
    # every spike is handed out here, so that everything can be counted again
    spikes = np.bincount(result.spike_neurons, minlength=250)
    assert spikes.sum() > 300
    assert float(result.rate_E) == pytest.approx(spikes[:200].sum() / 200 / 0.1)
    assert float(result.rate_I) == pytest.approx(spikes[200:].sum() / 50 / 0.1)
    one = prepare(small, 250, "0.1s", transient="0s", dt="0.1ms", seed=3)
    out = []
    for name, size, offset, k in (("excitation", 200, 0, 40), ("inhibition", 50, -200, 10)):
        seed = one.wires.graph_seeds[name]
        drawn = drawing.draw(size, 250, offset, "fixed", k, 0.0, (1, 100), seed)
        out.append(np.bincount(drawn.sources, minlength=size))
    assert result.synapses == 250 * 50
    assert result.events == spikes @ np.concatenate(out)


def test_compiler_of_another_name(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler -O1")
    assert standalone.compiler_missing() == "no-such-compiler"


def test_too_long_a_step_is_reported(no_compiler, small):
    with pytest.warns(CbnetWarning) as said:
        result = cbnet.simulate(small.replace(D=1 * ms), 250, "0.1s", dt="1ms", seed=1)
    text = " ".join(str(w.message) for w in said)
    assert f"dt = 1 ms shifts the rate of a neuron by an estimated {result.dt_bias:+.1%}" in text
    assert abs(result.dt_bias) > 0.02


def test_drift_is_reported(no_compiler, small, monkeypatch):
    found = [Drift(name, 20.0, 25.0, "Hz", 8.0) for name in ("rate_E", "rate_I", "x", "y", "z")]
    monkeypatch.setattr(workshop, "drifts", lambda accumulated, slowest: found)
    with pytest.warns(CbnetWarning) as said:
        cbnet.simulate(small, 250, "50ms", transient="50ms", dt="0.1ms", seed=1)
    told = [str(w.message) for w in said if "drifts" in str(w.message)]
    assert len(told) == 1 and "rate_E 20 to 25 Hz (8.0 standard errors)" in told[0]
    assert "and 2 more; take a longer transient" in told[0]


def test_progress(no_compiler, small):
    class Listener:
        stages, fractions = [], []

        def stage(self, name):
            self.stages.append(name)

        def update(self, fraction):
            self.fractions.append(fraction)

    with pytest.warns(CbnetWarning):
        cbnet.simulate(small, 250, "20ms", transient="0s", dt="0.1ms", progress=Listener())
    assert Listener.stages == ["simulating without a compiler"]
    assert Listener.fractions[-1] == 1
