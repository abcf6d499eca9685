"""The fields of a simulation's result from what it accumulated."""

import numpy as np
import pytest

from cbnet.simulation.measure import online
from cbnet.simulation.measure.measured import Simulation, measure
from cbnet.simulation.measure.monitored import from_monitors
from cbnet.simulation.measure.recording import Recording
from cbnet.simulation.measure.stationarity import drifts

DT = 1e-4
FIRST, STEPS = 500, 5005


@pytest.fixture(scope="module")
def accumulated():
    """Poisson neurons of 40 Hz (E) and 80 Hz (I), white voltages and currents."""
    rng = np.random.default_rng(1)
    o = online.Observation(
        sizes=(400, 100),
        first_step=FIRST,
        steps=STEPS,
        dt=DT,
        probes=(20, 0),
        low=(-0.062, 0),
        high=(-0.04, 1),
        reference=(-0.06, 0),
        bins=110,
        recording=Recording(np.array([2, 450]), np.array([2, 450])),
        correlation_time=0.02,
    )
    chance = np.repeat([40 * DT, 80 * DT], [400, 100])
    steps, neurons = np.nonzero(rng.random((FIRST + STEPS, 500)) < chance)
    v = rng.normal(-0.059, 0.002, (STEPS, 20))
    return from_monitors(
        o,
        neurons,
        steps,
        v,
        rng.random(v.shape) < 0.01,
        [rng.normal(50, 20, v.shape), rng.normal(-40, 10, v.shape)],
        traces=v[:, :2],
    )


@pytest.fixture(scope="module")
def measured(accumulated):
    fields, doubts = measure(accumulated)
    assert doubts == []
    return fields


def test_what_is_known_has_no_note(measured):
    assert measured["notes"] == ""
    assert all(np.all(np.isfinite(x)) for name, x in measured.items() if name.endswith("_sem"))


def test_fields_are_those_of_a_simulation(measured):
    fields = measured
    assert set(fields) <= set(Simulation._variables())
    later = {"synapses", "law", "storage", "arrivals", "dt", "dt_bias", "seed", "initial", "events"}
    later |= {"wall_s", "build_s", "wire_s", "simulate_s", "peak_rss_MB", "transient", "duration"}
    later |= {"N", "N_E", "graph_seed", "dt_bias_cv", "dt_bias_V_mean", "dt_bias_V_sd"}
    assert set(Simulation._variables()) - set(fields) == later


def test_populations(measured):
    fields = measured
    for population, rate in (("E", 40), ("I", 80)):
        error = float(fields[f"rate_{population}_sem"])
        assert abs(fields[f"rate_{population}"] - rate) < 4 * error
        # of N neurons over half a second; ten blocks tell an error to 24 %
        size = {"E": 400, "I": 100}[population]
        assert error == pytest.approx(np.sqrt(rate / size / 0.5), rel=0.7)
        # a spike in a step of DT rules out another: geometric intervals
        cv = np.sqrt(1 - rate * DT)
        found, sem = fields[f"cv_{population}"], fields[f"cv_{population}_sem"]
        assert abs(found - cv) < 4 * sem + 0.01 * cv
        assert 0.9 * size < fields[f"cv_{population}_count"] <= size
    assert abs(fields["fano_1ms"] - 1) < 4 * fields["fano_1ms_sem"]
    assert abs(fields["V_mean"] + 0.059) < 4 * fields["V_mean_sem"]
    assert abs(fields["V_sd"] - 0.002) < 4 * fields["V_sd_sem"]


def test_currents(measured):
    fields = measured
    # ten independent steps in a bin
    mean = np.array([50, -40, 10])
    sd = np.array([20, 10, np.hypot(20, 10)]) / np.sqrt(10)
    off = np.abs(fields["current_mean"] - mean) / fields["current_mean_sem"]
    assert off.max() < 4.5
    off = np.abs(fields["current_sd"] - sd) / fields["current_sd_sem"]
    assert off.max() < 4.5


def test_density(measured):
    fields = measured
    width = 2e-4
    heights = np.asarray(fields["V_density"])
    outside = fields["V_outside"]
    # a normal variable lies below -1.5 sd; 1e5 samples tell it to 0.0008
    assert outside == pytest.approx(0.0668, abs=0.004)
    assert heights.sum() * width == pytest.approx(1 - outside, rel=1e-12)
    assert np.allclose(np.diff(fields["V_grid"]), 2e-4, rtol=1e-9, atol=0)


def test_recorded(accumulated, measured):
    fields = measured
    assert fields["recorded"].tolist() == [2, 450]
    times = np.asarray(fields["spike_times"])
    assert times.size == accumulated.spikes[[2, 450]].sum() > 0
    assert times.min() >= FIRST * DT
    assert times.max() < (FIRST + STEPS) * DT
    assert set(fields["spike_neurons"]) == {2, 450}
    seen = np.asarray(fields["trace_times"])
    assert seen[[0, -1]] == pytest.approx([(FIRST + 1) * DT, (FIRST + STEPS) * DT])
    assert fields["V_traces"].shape == (STEPS, 2)


def test_counts_in_time(accumulated, measured):
    fields = measured
    assert fields["count_E_1ms"].shape == fields["count_I_1ms"].shape == (500,)
    whole = fields["count_E_1ms"].sum() + fields["count_I_1ms"].sum()
    # five steps at the end are in no bin, but in the rates: 12 spikes, give or take 3.5
    assert 0 < accumulated.spikes.sum() - whole < 12 + 5 * 3.5


def test_drift(accumulated):
    assert drifts(accumulated, 0.001) == []


def test_nothing_recorded(accumulated):
    o = accumulated.observation
    silent = np.empty(0, int)
    nobody = online.Observation(**vars(o) | {"recording": Recording(silent, silent)})
    held = np.ones((STEPS, 20), bool)
    zero = np.zeros(held.shape)
    fields, _ = measure(from_monitors(nobody, silent, silent, zero, held, [zero, zero]))
    assert fields["V_traces"].shape == (0, 0)
    assert len(fields["trace_times"]) == len(fields["spike_times"]) == 0
    assert fields["rate_E"] == 0
    assert np.isnan(fields["cv_E"])
    assert np.isnan(fields["V_outside"])
