"""The exact simulation of one neuron: against known rates, closed forms, and itself."""

import numpy as np
import pytest
from brian2 import Hz, ms, mV, second

import cbnet
from cbnet import results
from cbnet.errors import ParameterError
from cbnet.simulation.event_driven import NeuronSimulation

# Exact rates, CV, mean and sd of v of the conductance model at K = 1000, g = 12, r_I = 1.8 r_E, by
# collocation of the backward equation with jumps (relative error below 1e-3), and Monte Carlo
# rates with standard errors by another program: a, r_E, rate, CV, V_mean, V_sd, rate, sem.
SHOT_NOISE = [
    (0.005, 50, 3.46284, 0.9892, -63.809, 2.156, 3.462, 0.025),
    (0.01, 10, 8.51584, 0.9694, -64.621, 2.802, 8.539, 0.026),
    (0.01, 50, 87.284, 0.7958, -63.872, 2.899, 87.05, 0.22),
    (0.02, 5, 39.1669, 0.8933, -65.137, 3.616, 39.11, 0.11),
    (0.02, 50, 289.53, 0.397, -64.533, 3.668, 288.92, 0.36),
]


def near(value, expected, sem, others=0.0):
    """Within three combined standard errors."""
    return abs(float(value) - expected) < 3 * np.hypot(float(sem), others)


@pytest.fixture(scope="module")
def params():
    return cbnet.load("conductance").replace(g=12)


@pytest.mark.parametrize("row", SHOT_NOISE, ids=lambda row: f"a={row[0]},r_E={row[1]}")
def test_shot_noise(params, row):
    a, r_E, rate, cv, mean, sd, sampled, sampled_sem = row
    neuron = cbnet.simulate_neuron(
        params.replace(a=a), r_E * Hz, 1.8 * r_E * Hz, duration=150 * second, seed=1
    )
    # 1e-3 is the error of the reference, and half a unit of its last digit
    assert near(neuron.rate, rate, neuron.rate_sem, 1e-3 * rate)
    assert near(neuron.rate, sampled, neuron.rate_sem, sampled_sem)
    assert near(neuron.cv, cv, neuron.cv_sem, 1e-3)
    assert near(neuron.V_mean / mV, mean, neuron.V_mean_sem / mV, 5e-4)
    assert near(neuron.V_sd / mV, sd, neuron.V_sd_sem / mV, 5e-4)


def every_arrival_fires():
    """A neuron that fires at every excitatory arrival: intervals tau_rp + Exp(R_E)."""
    return cbnet.load("current").replace(J_E=50 * mV, J_I=0.1 * mV, K=10, tau_rp=3 * ms)


def test_every_arrival_fires():
    neuron = cbnet.simulate_neuron(every_arrival_fires(), 20 * Hz, 0 * Hz, duration=300 * second)
    mean = 3e-3 + 1 / 200
    assert near(neuron.rate, 1 / mean, neuron.rate_sem)
    assert near(neuron.cv, (1 / 200) / mean, neuron.cv_sem)


@pytest.mark.parametrize("neurons", [None, 100, 700])
def test_standard_errors_are_those_of_the_spread_over_seeds(params, neurons):
    runs = [
        cbnet.simulate_neuron(
            params.replace(a=0.02), 5 * Hz, 9 * Hz, duration=10 * second, seed=s, neurons=neurons
        )
        for s in range(20)
    ]
    for name in ("rate", "V_mean", "V_sd"):
        spread = np.std([float(getattr(r, name)) for r in runs], ddof=1)
        stated = np.mean([float(getattr(r, f"{name}_sem")) for r in runs])
        # The sd of 20 numbers is known to 16 %; three of its standard errors.
        assert abs(spread / stated - 1) < 0.5


def test_without_input_the_neuron_rests_and_is_silent(params):
    neuron = cbnet.simulate_neuron(params, 0 * Hz, 0 * Hz, duration=20 * second)
    assert neuron.spikes == 0
    assert float(neuron.rate) == 0
    assert float(neuron.rate_sem) == pytest.approx(3 / 20, rel=0.1)
    assert np.isnan(neuron.cv)
    assert np.isnan(neuron.error)
    assert neuron.V_mean / mV == pytest.approx(-80, abs=0.05)  # e^{-7} of 15 mV is left at first
    assert neuron.to_dict()["cv"] is None


def test_leak_that_crosses_the_threshold_fires_like_a_clock():
    params = cbnet.load("current").replace(E_L=-50 * mV)
    neuron = cbnet.simulate_neuron(params, 0 * Hz, 0 * Hz, duration=50 * second, neurons=100)
    interval = 2e-3 + 20e-3 * np.log(15 / 5)
    # each copy counts to within one spike of what its stretch holds
    assert float(neuron.rate) == pytest.approx(1 / interval, rel=1 / (neuron.spikes / 100))
    assert neuron.cv == pytest.approx(0, abs=1e-5)
    assert neuron.mu / mV == pytest.approx(-50)


def exponential():
    model = cbnet.Model(
        name="exponential",
        equations="dv/dt = (E_L - v + 2*mV*exp((v + 50*mV)/(2*mV)))/tau_L : volt"
        " (unless refractory)",
        excitatory="v_post += J",
        inhibitory="v_post -= g*J",
        parameters={"J": 0.5 * mV, "g": 4},
    )
    return cbnet.Parameters(model).replace(theta=-40 * mV)


def test_flow_of_a_bent_leak_fires_between_arrivals():
    params = exponential().replace(E_L=-45 * mV)
    neuron = cbnet.simulate_neuron(params, 0 * Hz, 0 * Hz, duration=10 * second, neurons=100)
    v = np.linspace(-65e-3, -40e-3, 200_001)
    f = (-45e-3 - v + 2e-3 * np.exp((v + 50e-3) / 2e-3)) / 20e-3
    interval = 2e-3 + np.trapezoid(1 / f, v)
    assert float(neuron.rate) == pytest.approx(1 / interval, rel=1 / (neuron.spikes / 100))
    assert np.isnan(float(neuron.mu))


def test_result_is_saved_and_the_same_for_the_same_seed(params, tmp_path):
    first, again, other = (
        cbnet.simulate_neuron(params.replace(a=0.02), 5 * Hz, 9 * Hz, duration=2 * second, seed=s)
        for s in (2**53 + 1, 2**53 + 1, 2**53)
    )
    assert first == again
    assert first.seed == first.to_dict()["seed"] == 2**53 + 1
    assert first.spikes != other.spikes
    assert isinstance(first, NeuronSimulation)
    loaded = results.load(first.save(tmp_path / "neuron.nc"))
    assert loaded == first
    assert {"rate_Hz", "rate_Hz_sem", "cv", "cv_sem", "spikes", "noise"} <= set(first.to_dict())


@pytest.mark.parametrize(
    ("changes", "options", "name"),
    [
        ({"tau_S": 2 * ms}, {}, "tau_S"),
        ({}, {"seed": -1}, "seed"),
        ({}, {"seed": 2**64}, "seed"),
        ({}, {"neurons": 1}, "neurons"),
        ({}, {"duration": 3 * mV}, "duration"),
        ({}, {"duration": 0 * second}, "duration"),
        ({}, {"r_E": -1 * Hz}, "r_E"),
    ],
)
def test_refused(params, changes, options, name):
    with pytest.raises(ParameterError, match=f"^{name}: got"):
        cbnet.simulate_neuron(params.replace(**changes), **options)
