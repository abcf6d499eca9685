"""Limits in which the theory must become something known."""

import numpy as np
import pytest
from brian2 import Hz, ms, mV, volt

import cbnet
from cbnet.theory.neuron.white import first_passage, siegert
from cbnet.theory.response import Neuron


def white_respond(params, **options):
    """By white noise, unless told otherwise."""
    return cbnet.respond(params, **{"noise": "diffusion", **options})


def test_receding_reversal_potentials_turn_conductances_into_currents():
    current = cbnet.load("current")
    expected = float(white_respond(current, r_E=30 * Hz, r_I=12 * Hz).rate)
    assert expected == pytest.approx(0.327813851, abs=2e-9)
    distance = []
    for far in (10, 100, 1000):
        # a (E_E − V_match) = J_E and g a (V_match − E_I) = J_I stay put
        E_E, E_I = (-0.055 + 0.055 * far), (-0.055 - 0.02 * far)
        params = cbnet.load("conductance").replace(
            a=0.0015 / far, E_E=E_E * 1000 * mV, E_I=E_I * 1000 * mV
        )
        found = float(white_respond(params, r_E=30 * Hz, r_I=12 * Hz).rate)
        distance.append(abs(found / expected - 1))
    # the difference is of first order in 1/far
    assert distance[1] / distance[2] == pytest.approx(10, rel=0.05)
    assert distance[2] < 0.02


def test_current_model_is_siegert():
    values = cbnet.load("current").resolve()
    r_E, r_I = np.linspace(5, 80, 20), np.linspace(0, 30, 20)
    found = Neuron(cbnet.load("current")).passage(r_E, r_I, rtol=1e-10)
    R_E, R_I = 1000 * r_E, 250 * r_I
    mu = values["E_L"] + 0.02 * (R_E * values["J_E"] - R_I * values["J_I"])
    B2 = R_E * values["J_E"] ** 2 + R_I * values["J_I"] ** 2
    expected = siegert.rate(mu, 0.02, B2, -0.055, -0.065, 0.002)
    np.testing.assert_allclose(found.rate, expected, rtol=1e-10)


def test_frozen_noise_is_the_effective_time_constant_neuron():
    neuron = Neuron(cbnet.load("conductance"), noise="effective")
    r_E, r_I = np.linspace(5, 80, 20), np.linspace(0, 60, 20)
    by_collocation = neuron.passage(r_E, r_I, rtol=1e-10).rate
    closed_form = neuron.passage(r_E, r_I, cv=False).rate
    np.testing.assert_allclose(by_collocation, closed_form, rtol=1e-10)


@pytest.mark.parametrize(("r_E", "r_I", "a", "g"), [(5, 9, 0.005, 12), (1, 10, 0.0015, 20)])
def test_far_below_threshold_the_variance_is_that_of_the_free_membrane(r_E, r_I, a, g):
    params = cbnet.load("conductance").replace(a=a, g=g, theta="-20mV")
    found = white_respond(params, r_E=r_E * Hz, r_I=r_I * Hz)
    R_E, R_I = 1000 * r_E, 250 * r_I
    tau, mu = float(found.tau_eff), float(found.mu)
    B2 = R_E * (a * mu) ** 2 + R_I * (g * a * (mu + 0.075)) ** 2
    b = R_E * a**2 + R_I * (g * a) ** 2
    assert float(found.V_sd) ** 2 == pytest.approx(tau * B2 / 2 / (1 - b * tau / 2), rel=1e-7)
    assert float(found.V_mean) == pytest.approx(mu, rel=1e-9)


def test_strong_drive_fires_at_the_deterministic_rate():
    found = white_respond(
        cbnet.load("conductance").replace(a=1e-9, K=10**12), r_E=20 * Hz, r_I=0.1 * Hz
    )
    mu, tau = float(found.mu), float(found.tau_eff)
    clock = 1 / (0.002 + tau * np.log((mu + 0.065) / (mu + 0.055)))
    assert float(found.rate) == pytest.approx(clock, rel=1e-6)
    assert found.cv < 1e-3


def test_rates_grow_with_excitation_and_fall_with_inhibition():
    neuron = Neuron(cbnet.load("current"))
    r = np.linspace(1, 60, 100)
    assert np.all(np.diff(neuron.passage(r, np.full(100, 10.0)).rate) > 0)
    r = np.linspace(5, 60, 100)
    assert np.all(np.diff(neuron.passage(np.full(100, 60.0), r).rate) < 0)


@pytest.mark.parametrize("shift", [-1.0, 0.3])
def test_nothing_depends_on_where_zero_volts_is(shift):
    def at(offset):
        return first_passage.solve(
            lambda v: -(v - offset + 0.06) / 0.01,
            lambda v: 0.004**2 / 0.01 * (1 + ((v - offset) / 0.05) ** 2),
            -0.055 + offset,
            -0.065 + offset,
            0.002,
            moments=True,
        )

    there, here = at(shift), at(0.0)
    assert there.rate[0] == pytest.approx(here.rate[0], rel=1e-8)
    assert there.v_mean[0] - shift == pytest.approx(here.v_mean[0], rel=1e-8)
    assert there.v_sd[0] == pytest.approx(here.v_sd[0], rel=1e-8)


def test_time_units_scale_out():
    def at(scale):
        return first_passage.solve(
            lambda v: -(v + 0.06) / (0.01 * scale),
            lambda v: 0.004**2 / (0.01 * scale) + 0 * v,
            -0.055,
            -0.065,
            0.002 * scale,
        )

    slow, fast = at(1.0), at(1e-3)
    assert fast.rate[0] == pytest.approx(1e3 * slow.rate[0], rel=1e-8)
    assert fast.cv[0] == pytest.approx(slow.cv[0], rel=1e-8)


@pytest.mark.filterwarnings("ignore::cbnet.errors.CbnetWarning")  # outside of some ranges
@pytest.mark.parametrize(
    "noise", ["shot", "diffusion", "colored", "fast", "shift", "adiabatic", "rescaled", "rice"]
)
@pytest.mark.parametrize("model", ["conductance", "current"])
def test_what_comes_to_rest_at_the_threshold_is_silent(model, noise):
    params = cbnet.load(model).replace(r_E=0 * Hz, r_I=0 * Hz, tau_E=50 * ms, tau_I=50 * ms)
    theta = params.resolve("E")["theta"] * volt
    assert float(cbnet.respond(params.replace(E_L=theta), noise=noise).rate) == 0
    if noise != "rice":  # which counts crossings of a free membrane
        above = cbnet.respond(params.replace(E_L=theta + 1e-3 * mV), noise=noise)
        values = params.resolve("E")
        width = theta / volt + 1e-6 - values["V_r"]
        exact = 1 / (values["tau_rp"] + values["tau_L"] * np.log(width / 1e-6))
        assert float(above.rate) == pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize("noise", ["shot", "diffusion", "colored"])
def test_density_without_input_is_the_time_that_the_leak_takes(noise):
    tau_S = 5 if noise == "colored" else 0
    params = cbnet.load("conductance").replace(
        r_E=0 * Hz, r_I=0 * Hz, E_L=-45 * mV, tau_E=tau_S * ms, tau_I=tau_S * ms
    )
    values = params.resolve("E")
    response = cbnet.respond(params, noise=noise)
    v = np.array([-0.07, -0.064, -0.06, -0.056])
    free = 1 / float(response.rate) - values["tau_rp"]
    expected = np.where(v < values["V_r"], 0, values["tau_L"] / (values["E_L"] - v) / free)
    assert np.asarray(response.density(v * volt)) == pytest.approx(expected, rel=1e-6)
