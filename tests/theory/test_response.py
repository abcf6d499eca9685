"""Responses of one neuron: units, noise by name, strings other than the leaky neuron's."""

import numpy as np
import pytest
from brian2 import Hz, ms, mV, volt

import cbnet
from cbnet.errors import CbnetWarning, ConvergenceError, ParameterError


def white_respond(params, **options):
    """By white noise, unless told otherwise."""
    return cbnet.respond(params, **{"noise": "diffusion", **options})


@pytest.fixture(scope="module")
def conductance():
    return cbnet.load("conductance")


@pytest.fixture(scope="module")
def exponential():
    return cbnet.Model(
        name="exponential",
        equations="""dv/dt = (-(v - E_L) + Delta*exp((v - v_T)/Delta))/tau_L
                     : volt (unless refractory)""",
        excitatory="v_post += a*(E_E - v_post)",
        inhibitory="v_post += g*a*(E_I - v_post)",
        parameters={"Delta": 2 * mV, "v_T": -55 * mV, "theta": -40 * mV},
    )


def test_quantities_of_the_reference_neuron(conductance):
    response = white_respond(conductance.replace(a=0.0016), r_E=30 * Hz, r_I=12 * Hz)
    assert float(response.rate / Hz) == pytest.approx(26.197010551, rel=1e-10)
    assert response.cv == pytest.approx(0.68784429882, rel=1e-10)
    assert float(response.mu / mV) == pytest.approx(-57.7319588, abs=1e-7)
    assert float(response.tau_eff / ms) == pytest.approx(5.15463918, abs=1e-8)
    assert response.noise == "diffusion"
    assert response.error <= 1e-8


def test_keys_of_the_json_object(conductance):
    keys = set(white_respond(conductance).to_dict())
    assert keys == {
        "rate_Hz", "cv", "V_mean_mV", "V_sd_mV", "tau_eff_ms", "mu_mV", "noise", "error"
    }  # fmt: skip


def test_inputs_default_to_the_parameters(conductance):
    params = conductance.replace(r_E="30Hz", r_I="12Hz")
    assert white_respond(params) == white_respond(params, r_E="30Hz", r_I=12 * Hz)


def test_arrays_broadcast(conductance):
    r_E, r_I = [20, 30, 40] * Hz, [[12], [14]] * Hz
    response = white_respond(conductance, r_E=r_E, r_I=r_I)
    assert response.rate.shape == (2, 3)
    single = white_respond(conductance, r_E=40 * Hz, r_I=14 * Hz)
    assert float(response.rate[1, 2]) == pytest.approx(float(single.rate), rel=1e-10)
    assert dict(response.to_xarray().rate.sizes) == {"input_0": 2, "input_1": 3}


def test_density_is_normalised_and_has_the_moments(conductance):
    for r_E, r_I in ((30, 12), (20, 16), (100, 20), (2, 5)):
        response = white_respond(conductance, r_E=r_E * Hz, r_I=r_I * Hz)
        v = np.linspace(-0.12, -0.055, 20001)
        p = np.asarray(response.density(v * volt))
        h = v[1] - v[0]
        assert np.all(p >= 0)
        # trapezoidal sums, off by h²: the reset puts a kink into the density
        assert np.trapezoid(p, dx=h) == pytest.approx(1, rel=1e-5)
        mean = np.trapezoid(p * v, dx=h)
        assert mean == pytest.approx(float(response.V_mean), abs=2e-8)
        sd = np.sqrt(np.trapezoid(p * (v - mean) ** 2, dx=h))
        assert sd == pytest.approx(float(response.V_sd), rel=1e-4)
    assert np.all(np.asarray(response.density([-54, 0] * mV)) == 0)


def test_density_needs_one_input_and_a_noise_that_has_one(conductance):
    with pytest.raises(ParameterError, match="density: got responses to 2 inputs"):
        white_respond(conductance, r_E=[1, 2] * Hz).density([-60] * mV)
    with pytest.raises(ParameterError, match="density: got noise='kramers'"):
        white_respond(conductance, noise="kramers").density([-60] * mV)
    with pytest.raises(ParameterError, match="density: got a neuron at rest"):
        white_respond(conductance, r_E=0 * Hz, r_I=0 * Hz).density([-60] * mV)


def test_silent_neuron_has_no_cv_but_a_voltage(conductance):
    response = white_respond(conductance, r_E=0 * Hz, r_I=0 * Hz)
    assert response.to_dict()["cv"] is None
    assert response.to_dict()["rate_Hz"] == 0
    assert response.to_dict()["V_mean_mV"] == pytest.approx(-80, rel=1e-12)


def test_exponential_neuron_fires_as_two_quadratures_of_its_drift_say(exponential):
    params = cbnet.Parameters(exponential)
    response = white_respond(params, r_E=16 * Hz, r_I=8 * Hz)
    # the same theory with the drift written out by hand, on a plain fine grid
    R_E, R_I, a, g = 16 * 1000, 8 * 250, 0.0015, 20
    v = np.linspace(-0.10, -0.04, 400001)
    A = (-(v + 0.08) + 0.002 * np.exp((v + 0.055) / 0.002)) / 0.02
    A += R_E * a * (0 - v) + R_I * g * a * (-0.075 - v)
    B2 = R_E * (a * v) ** 2 + R_I * (g * a * (v + 0.075)) ** 2
    h = v[1] - v[0]
    slope = -2 * A / B2
    psi = np.concatenate([[0], np.cumsum((slope[1:] + slope[:-1]) * h / 2)])
    psi -= psi.min()
    inner = 2 / B2 * np.exp(-psi)
    mass = np.concatenate([[0], np.cumsum((inner[1:] + inner[:-1]) * h / 2)])
    # e^psi far past the barrier underflows nothing and dominates nothing: it falls again
    above = v >= -0.065 - h / 2
    T = np.trapezoid((mass * np.exp(psi))[above], dx=h)
    assert float(response.rate) == pytest.approx(1 / (0.002 + T), rel=1e-5)
    mu = float(response.mu)
    assert np.interp(mu, v, A) == pytest.approx(0, abs=1e-6)
    assert float(response.tau_eff) == pytest.approx(
        -1 / np.gradient(A, h)[v.searchsorted(mu)], rel=1e-3
    )


def test_strings_without_a_resting_state_have_none(exponential):
    response = white_respond(cbnet.Parameters(exponential), r_E=60 * Hz, r_I=5 * Hz)
    assert np.isnan(response.mu) and np.isnan(response.tau_eff)
    assert response.rate > 100 * Hz


def test_frozen_noise_is_the_closed_form(conductance):
    from cbnet.theory.neuron.white import siegert

    response = white_respond(conductance, r_E=30 * Hz, r_I=12 * Hz, noise="effective")
    mu, tau = float(response.mu), float(response.tau_eff)
    at = (mu - 0.055) / 2
    assert float(response.frozen_at) == pytest.approx(at, rel=1e-12)
    B2 = 30e3 * (0.0015 * at) ** 2 + 3e3 * (0.03 * (at + 0.075)) ** 2
    expected = siegert.rate(mu, tau, B2, -0.055, -0.065, 0.002)
    assert float(response.rate) == pytest.approx(float(expected), rel=1e-9)
    elsewhere = white_respond(
        conductance, r_E=30 * Hz, r_I=12 * Hz, noise="effective", frozen_at=-55 * mV
    )
    assert elsewhere.rate != response.rate


def test_rare_escapes_are_within_five_percent_below_a_tenth_of_a_hertz(conductance):
    params = conductance.replace(a=0.005, g=12)
    rate = white_respond(params, r_E=5 * Hz, r_I=9 * Hz, noise="kramers").rate
    assert float(rate) == pytest.approx(2.8293845143e-4, rel=0.05)


def test_synaptic_filtering_is_named_as_a_limit(conductance):
    with pytest.warns(CbnetWarning, match="'diffusion' with synaptic time constants"):
        filtered = white_respond(conductance.replace(tau_S=1 * ms), r_E=30 * Hz, r_I=12 * Hz)
    assert filtered.noise == "diffusion (limit tau_S -> 0)"
    assert filtered.noise in repr(filtered)
    # Stratonovich: excitation acts as g_E - b_E/2, inhibition as g_I - b_I/2
    a, A = 0.0015, 0.03
    g_E, g_I = 30e3 * (a - a * a / 2), 3e3 * (A - A * A / 2)
    tau = 1 / (50 + g_E + g_I)
    assert float(filtered.tau_eff) == pytest.approx(tau, rel=1e-12)
    assert float(filtered.mu) == pytest.approx(tau * (-0.08 * 50 - 0.075 * g_I), rel=1e-12)


def test_populations_have_their_own_response(conductance):
    params = conductance.replace(**{"I.tau_L": 10 * ms})
    with pytest.warns(CbnetWarning, match="I.tau_L: got I.tau_L=10ms, which cbnet.respond does"):
        E, I = (white_respond(params, population=p) for p in "EI")  # noqa: E741
    assert E.rate != I.rate
    assert I.rate == white_respond(conductance.replace(tau_L=10 * ms)).rate


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"noise": "difusion"},
            "noise: got 'difusion'; expected one of .*did you mean 'diffusion'",
        ),
        ({"noise": "rice"}, "noise: got 'rice' with instantaneous synapses"),
        ({"r_E": 20}, "r_E: got 20 .*expected Hz"),
        ({"r_E": 20 * ms}, "r_E: got 20. ms .*expected Hz"),
        ({"r_I": -1 * Hz}, "r_I: got -1. Hz; expected finite rates"),
        ({"r_I": np.inf * Hz}, "r_I: got inf .*; expected finite rates"),
        ({"r_E": [1, 2] * Hz, "r_I": [1, 2, 3] * Hz}, r"r_E: got shapes \(2,\) and \(3,\)"),
        ({"population": "X"}, "population: got 'X'"),
        ({"rtol": 0}, "rtol: got 0"),
        ({"frozen_at": -60 * mV}, "frozen_at: got -60. mV with noise='diffusion'"),
        ({"frozen_at": 1 * ms, "noise": "effective"}, "frozen_at: got 1. ms; expected potentials"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(conductance, options, message):
    with pytest.raises(ParameterError, match=message) as caught:
        white_respond(conductance, **options)
    assert "\n" not in str(caught.value)


def test_an_answer_near_its_accuracy_is_given_unless_it_was_asked_for(conductance, monkeypatch):
    monkeypatch.setattr(
        "cbnet.theory.neuron.jumps.shot_noise._TOLERANCES", (200.0,)
    )  # no second attempt
    inputs = {"r_E": 450 * Hz, "r_I": 0 * Hz, "noise": "shot"}
    found = cbnet.respond(conductance, **inputs)
    assert 1e-4 < found.error < 1e-3
    with pytest.raises(ConvergenceError, match="rtol: got 0.0001"):
        cbnet.respond(conductance, **inputs, rtol=1e-4)


@pytest.mark.parametrize("function", [cbnet.respond, cbnet.solve, cbnet.simulate, cbnet.stability])
def test_a_name_is_no_set_of_parameters(function):
    with pytest.raises(ParameterError, match="params: got 'conductance'; expected cbnet.Param"):
        function("conductance")


@pytest.mark.parametrize("noise", ["shot", "diffusion"])
def test_a_drift_that_floats_cannot_hold_is_refused(noise):
    model = cbnet.Model(
        name="eif",
        equations="dv/dt = (E_L - v + D_T*exp((v - V_T)/D_T))/tau_L : volt (unless refractory)",
        excitatory="v_post += a*(E_E - v_post)",
        inhibitory="v_post += g*a*(E_I - v_post)",
        parameters={"D_T": 2 * mV, "V_T": -55 * mV, "theta": -45 * mV},
    )
    params = cbnet.Parameters(model).replace(D_T=0.01 * mV)
    with pytest.raises(ParameterError, match="theta: got -45 mV, where the drift is larger"):
        cbnet.respond(params, 30 * Hz, 12 * Hz, noise=noise)
