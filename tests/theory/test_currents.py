"""Currents of one neuron, and the parts of its rate that drift and diffusion carry."""

import numpy as np
import pytest
from brian2 import Hz, ms, mV
from scipy.integrate import trapezoid

import cbnet
from cbnet.errors import ParameterError


@pytest.fixture(scope="module")
def conductance():
    return cbnet.load("conductance")


def numbers(found, name):
    return np.asarray(found.in_units(name), float)


def test_mean_currents_of_a_neuron_below_threshold(conductance):
    """It hardly fires: v has the moments of the free membrane, E and I jumps are straight lines."""
    params = conductance.replace(a=0.0005)
    found = cbnet.currents(params, r_E=60 * Hz, r_I=40 * Hz)
    free = cbnet.respond(params, r_E=60 * Hz, r_I=40 * Hz)
    assert float(found.rate) < 1e-3
    R_E, R_I = 60.0, 0.25 * 40  # a ms
    V = float(free.V_mean / mV)
    mean = [R_E * 0.0005 * (0 - V), R_I * 0.01 * (-75 - V)]
    assert numbers(found, "current_mean")[:2] == pytest.approx(mean, rel=1e-4)
    # what flows in flows out through the leak
    net, leak = numbers(found, "current_mean")[2], float(numbers(found, "leak_mean"))
    assert net + leak == pytest.approx(0, abs=2e-4 * net)


@pytest.mark.parametrize("width", [0.01, 1.0])
def test_fluctuations_of_current_jumps_are_those_of_counts(width):
    """A jump that does not depend on v is a count times its size: Poisson in any bin."""
    params = cbnet.load("current").replace(a=0.0005)
    found = cbnet.currents(params, r_E=60 * width * Hz, r_I=40 * width * Hz)
    J_E, J_I = float(params.J_E / mV), float(params.J_I / mV)
    counts = np.array([60.0, 10.0]) * width
    assert numbers(found, "current_mean")[:2] == pytest.approx(counts * [J_E, -J_I], rel=1e-5)
    variance = counts * np.array([J_E, J_I]) ** 2
    expected = np.sqrt([*variance, variance.sum()])
    assert numbers(found, "current_sd") == pytest.approx(expected, rel=1e-5)


def test_fluctuations_of_conductance_jumps_follow_the_membrane(conductance):
    """Without threshold, v relaxes with τ and the covariance of input and v is closed.

    With dI = m dt, m = m₀ − k (v − ⟨v⟩), noise c dt, ⟨dI dv⟩ = c dt for the E input alone, the
    variance in a bin T is c T + 2 (k² σ² − k c) τ (T − τ + τ e^(−T/τ)).
    """
    params = conductance.replace(a=0.0005)
    found = cbnet.currents(params, r_E=60 * Hz, r_I=40 * Hz)
    free = cbnet.respond(params, r_E=60 * Hz, r_I=40 * Hz)
    V, sd, tau = (float(x) for x in (free.V_mean / mV, free.V_sd / mV, free.tau_eff / ms))
    for k, (R, a, E) in enumerate([(60.0, 0.0005, 0.0), (10.0, 0.01, -75.0)]):
        slope, c = R * a, R * a**2 * ((E - V) ** 2 + sd**2)
        memory = tau * (1 - tau + tau * np.exp(-1 / tau))
        variance = c + 2 * (slope**2 * sd**2 - slope * c) * memory
        assert numbers(found, "current_sd")[k] == pytest.approx(np.sqrt(variance), rel=1e-4)


def test_the_error_covers_a_finer_grid(conductance, monkeypatch):
    from cbnet.theory import currents as module

    found = cbnet.currents(conductance, r_E=74 * Hz, r_I=44 * Hz)
    assert found.error < 1e-3
    monkeypatch.setattr(module, "_CELLS", 24)
    finer = cbnet.currents(conductance, r_E=74 * Hz, r_I=44 * Hz)
    for name in ("current_mean", "current_sd"):
        size = np.abs(numbers(finer, name))
        assert np.all(np.abs(numbers(found, name) - numbers(finer, name)) < found.error * size)


def test_drift_carries_the_rate_of_a_driven_neuron_and_noise_that_of_an_idle_one():
    params = cbnet.load("current")
    driven = cbnet.currents(params, r_E=80 * Hz, r_I=20 * Hz)
    assert float(driven.drift_rate) > 0.95 * float(driven.rate)
    idle = cbnet.currents(params.replace(V_r=-62 * mV), r_E=30 * Hz, r_I=12 * Hz)
    assert float(idle.drift_rate) < 0 < float(idle.rate) < float(idle.diffusion_rate)


def test_no_bin_without_spike_is_no_statistics(conductance):
    """At nearly 500 Hz and 2 ms of refractory time no bin of 1 ms is left; the rate is."""
    found = cbnet.currents(conductance.replace(K=100_000), r_E=200 * Hz, r_I=1 * Hz)
    assert float(found.rate) > 400 and np.isnan(numbers(found, "current_sd")).all()
    assert float(found.drift_rate) == pytest.approx(float(found.rate), rel=1e-2)
    assert found.error < 1e-6


@pytest.mark.parametrize("model", ["conductance", "current"])
def test_the_parts_are_the_average_of_the_flux(model):
    found = cbnet.currents(cbnet.load(model), r_E=74 * Hz, r_I=44 * Hz)
    total = float(found.drift_rate) + float(found.diffusion_rate)
    assert total == pytest.approx(float(found.rate), rel=1e-12)
    v = np.linspace(-65, -55, 2001)
    drift, diffusion = (np.asarray(x) for x in found.flux(v * mV))
    assert drift + diffusion == pytest.approx(np.full(v.size, float(found.rate)), rel=1e-9)
    # the trapezoidal rule is of second order: its error is far below 1e-4 on 2000 intervals
    scale = float(found.rate) + abs(float(found.drift_rate))
    assert trapezoid(drift, v) / 10 == pytest.approx(float(found.drift_rate), abs=1e-4 * scale)
    assert drift[-1] == 0
    outside = found.flux([-66.0, -50.0] * mV)
    assert np.asarray(outside[0] + outside[1]) == pytest.approx([0, 0], abs=1e-12)


def test_filtered_synapses_smooth_the_current(conductance):
    """Bins of 1 ms see less of a slow current; its mean stays."""
    sharp, fast, slow = (
        cbnet.currents(conductance.replace(**{"tau_S": t * ms, **jump}), r_E=60 * Hz)
        for t, jump in ((0, {"jump": "exponential"}), (0.01, {}), (5, {}))
    )
    for name in ("current_mean", "current_sd"):
        # at 10 µs the bins are 1 % off; v within a bin counts for some per cent of sd
        ratio = numbers(fast, name)[:2] / numbers(sharp, name)[:2]
        assert ratio == pytest.approx([1, 1], abs=0.1)
    assert np.all(numbers(slow, "current_sd") < 0.4 * numbers(fast, "current_sd"))
    assert "limit" in slow.noise


def test_results_go_to_files(conductance, tmp_path):
    found = cbnet.currents(conductance)
    found.save(tmp_path / "currents.nc")
    assert cbnet.results.load(tmp_path / "currents.nc") == found


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"population": "X"}, "population"),
        ({"noise": "kramers"}, "noise"),
        ({"r_E": [1, 2] * Hz}, "r_E"),
        ({"r_E": 20 * mV}, "r_E"),
    ],
)
def test_refusals_name_the_option(conductance, options, words):
    with pytest.raises(ParameterError, match=f"^{words}: got"):
        cbnet.currents(conductance, **options)


@pytest.mark.slow
def test_currents_of_a_simulated_network(conductance):
    """Slow: compiles; the rates of this network wander, of which 1 s says too little."""
    params = conductance.replace(K=100, a=0.006)
    simulation = cbnet.simulate(params, N=2500, duration="8s", seed=3)
    found = cbnet.currents(params, r_E=simulation.rate_E + params.nu_X, r_I=simulation.rate_I)
    for name in ("current_mean", "current_sd"):
        ours, theirs = numbers(found, name), numbers(simulation, name)
        sem = np.asarray(getattr(simulation, f"{name}_sem"))
        # jumps of 0.36 mV and more: white noise is 2 % off in the fluctuations
        assert np.all(np.abs(ours - theirs) < 3 * sem + 0.02 * np.abs(theirs))
