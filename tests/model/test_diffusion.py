"""Drift and noise from strings against formulas by hand; what cannot be reduced is named."""

import dataclasses

import numpy as np
import pytest
from brian2 import mV

import cbnet
from cbnet.errors import ModelError
from cbnet.model import reduced, reduction

V = np.linspace(-0.09, -0.05, 7)
R_E, R_I = 30e3, 3e3


def functions(params):
    values = {**params.resolve(), "R_E": R_E, "R_I": R_I}
    reduced = reduction.of_model(params.model, values)
    return reduced, *(reduced.function(name, values)(V) for name in ("A", "B2", "dA"))


def leak(v):
    return -(v + 0.080) / 0.020


@pytest.mark.parametrize("jump", ["linear", "exponential"])
def test_instantaneous_conductances(jump):
    _, A, B2, dA = functions(cbnet.load("conductance").replace(jump=jump))
    c_E, c_I = 0.0015, 0.03
    if jump == "exponential":
        c_E, c_I = -np.expm1(-c_E), -np.expm1(-c_I)
    h_E, h_I = c_E * (0 - V), c_I * (-0.075 - V)
    # its terms are 50 times its smallest value here
    np.testing.assert_allclose(A, leak(V) + R_E * h_E + R_I * h_I, rtol=1e-12)
    np.testing.assert_allclose(B2, R_E * h_E**2 + R_I * h_I**2, rtol=1e-12)
    np.testing.assert_allclose(dA, -50 - R_E * c_E - R_I * c_I, rtol=1e-12)


def test_filtered_conductances_have_the_stratonovich_drift():
    reduced, A, B2, _ = functions(cbnet.load("conductance").replace(tau_S="1ms"))
    a_E, a_I = 0.0015, 0.03
    noise = R_E * (a_E * V) ** 2 + R_I * (a_I * (V + 0.075)) ** 2
    slope = 2 * R_E * a_E**2 * V + 2 * R_I * a_I**2 * (V + 0.075)
    ito = leak(V) - R_E * a_E * V - R_I * a_I * (V + 0.075)
    np.testing.assert_allclose(B2, noise, rtol=1e-12)
    np.testing.assert_allclose(A, ito + slope / 4, rtol=1e-12)
    assert reduced.filtered


@pytest.mark.parametrize("tau_S", ["0ms", "3ms"])
def test_currents_are_the_same_filtered_or_not(tau_S):
    _, A, B2, _ = functions(cbnet.load("current").replace(tau_S=tau_S))
    J_E, J_I = 0.0015 * 0.055, 0.03 * 0.020
    np.testing.assert_allclose(A, leak(V) + R_E * J_E - R_I * J_I, rtol=1e-12)
    np.testing.assert_allclose(B2, R_E * J_E**2 + R_I * J_I**2 + 0 * V, rtol=1e-12)


def test_jumps_threshold_and_reset():
    params = cbnet.load("conductance")
    values = params.resolve()
    reduced = reduction.of_model(params.model, values)
    np.testing.assert_allclose(reduced.function("jump_E", values)(V), -0.0015 * V, rtol=1e-14)
    np.testing.assert_allclose(reduced.function("leak", values)(V), leak(V), rtol=1e-12)
    assert reduced.constant("threshold", {"theta": -0.055}) == -0.055
    assert reduced.constant("reset", {"V_r": -0.065}) == -0.065
    assert reduced.affine and reduced.affine_leak and not reduced.filtered


def test_arrays_of_rates_broadcast_against_v():
    params = cbnet.load("conductance")
    values = {**params.resolve(), "R_E": np.array([[1e3], [2e3]]), "R_I": np.array([[1e3], [1e3]])}
    A = reduction.of_model(params.model, values).function("A", values)
    assert A(V[None]).shape == (2, V.size)


def test_several_statements_and_constants_of_brian_are_understood():
    model = cbnet.Model(
        name="several",
        equations="""dv/dt = (E_L - v)/tau_L + pull : volt (unless refractory)
                     pull = -2*mV/second : volt/second""",
        excitatory="v_post += J; v_post = v_post + 0.5*J".replace(";", "\n"),
        inhibitory="v_post *= 1 - g*a",
        parameters={"J": 0.2 * mV},
    )
    _, A, B2, _ = functions(cbnet.Parameters(model))
    np.testing.assert_allclose(A, leak(V) - 0.002 + R_E * 0.3e-3 - R_I * 0.03 * V, rtol=1e-12)
    np.testing.assert_allclose(B2, R_E * 0.3e-3**2 + R_I * (0.03 * V) ** 2, rtol=1e-12)


def test_nonlinear_drift_is_recognised():
    model = cbnet.Model(
        name="quadratic",
        equations="dv/dt = (v - E_L)*(v - theta)/(10*mV)/tau_L : volt (unless refractory)",
        excitatory="v_post += J",
        inhibitory="v_post -= J",
        parameters={"J": 0.2 * mV},
    )
    reduced, *_ = functions(cbnet.Parameters(model))
    assert not reduced.affine and not reduced.affine_leak


LEAKY = cbnet.Model(
    name="leaky",
    equations="dv/dt = (E_L - v)/tau_L : volt (unless refractory)",
    excitatory="v_post += J",
    inhibitory="v_post -= g*J",
    parameters={"J": 0.1 * mV},
)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"equations": "du/dt = -u/tau_L : volt"}, r"got differential equations for \['u'\]"),
        ({"equations": "dv/dt = (E_L - v)/tau_L : volt"}, "equation of 'v': got no '.unless"),
        ({"equations": "dv/dt = nonsense +* : volt"}, "equations: "),
        (
            {"equations": "dv/dt = (E_L - v)/tau_Q : volt (unless refractory)"},
            "equation of 'v': got 'tau_Q'",
        ),
        (
            {"equations": "dv/dt = (E_L - v)*tau_L : volt (unless refractory)"},
            "equation of 'v': 'tau_L.*does not have the expected unit",
        ),
        (
            {"equations": "dv/dt = (E_L - v)/tau_L + xi*mV/ms**.5 : volt (unless refractory)"},
            "equations: got 'xi'",
        ),
        (
            {
                "equations": """dv/dt = (E_L - v)/tau_L : volt (unless refractory)
                                J = 2*mV : volt"""
            },
            r"equations: got \['J'\], which are names of parameters",
        ),
        (
            {
                "equations": """dv/dt = (E_L - v)/tau_L : volt (unless refractory)
                                dw/dt = -w/tau_L : volt"""
            },
            "equation of 'w': got a variable that never reaches 'v'",
        ),
        (
            {
                "equations": """dv/dt = (E_L - v + w)/tau_L : volt (unless refractory)
                                dw/dt = (v - w)/tau_L : volt"""
            },
            "equation of 'w': got dw/dt",
        ),
        ({"excitatory": "v_post += Q"}, "on_pre 'v_post .= Q': got 'Q'"),
        ({"excitatory": "v_post += tau_L"}, "on_pre 'v_post .* tau_L'"),
        ({"excitatory": "v_post += J*rand()"}, "on_pre .*got the random function 'rand'"),
        ({"excitatory": "v_post +="}, "on_pre 'v_post .*'"),
        ({"excitatory": "if v_post > 0*mV: v_post += J"}, "on_pre .*expected an assignment"),
        ({"excitatory": "v_post **= 2"}, "on_pre .*expected ="),
        ({"excitatory": ""}, "on_pre '': got no statement"),
        ({"excitatory": "w_post += J"}, "on_pre .*got a jump of 'w'"),
        ({"threshold": "v < theta"}, "threshold: got 'v < theta'"),
        ({"threshold": "v > v/2"}, "threshold: got 'v > v/2'"),
        ({"reset": "v += V_r"}, "reset: got 'v .= V_r'"),
        ({"reset": "v = V_q"}, "reset: got 'V_q'"),
    ],
)
def test_what_does_not_reduce_is_named(changes, message):
    params = cbnet.Parameters(dataclasses.replace(LEAKY, **changes))
    with pytest.raises(ModelError, match=message) as caught:
        reduction.of_model(params.model, params.resolve())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("model", ["conductance", "current"])
@pytest.mark.parametrize("tau_S", ["0ms", "2ms"])
def test_what_is_remembered_is_what_was_derived(model, tau_S, monkeypatch, tmp_path):
    reduced._origin()  # which keeps a text of its own
    monkeypatch.setenv("CBNET_CACHE", str(tmp_path))
    params = cbnet.load(model).replace(tau_S=tau_S)
    values = {**params.resolve(), "R_E": R_E, "R_I": R_I}
    derived = reduction.of_model(params.model, values)
    found = []
    for _ in range(2):  # made, then read
        reduced._remembered.cache_clear()
        found.append(reduced.of_model(params.model, values))
        monkeypatch.setattr(reduction, "reduce", None)
    reduced._remembered.cache_clear()
    assert found[0] == found[1] == derived.functions
    for name in ("A", "dA", "B2", "leak", "dleak", "jump_E", "jump_I"):
        numbers = found[1].function(name, values)(V)
        np.testing.assert_array_equal(numbers, derived.function(name, values)(V))
    if tau_S == "0ms":
        assert found[1].targets == {"E": "v", "I": "v"}
        return
    assert found[1].targets == {"E": "s_E", "I": "s_I"}
    for population, efficacy in (("E", "a"), ("I", "g*a")):
        # a spike adds a/tau to s (J/tau for currents), which decays with tau
        expected = eval(efficacy, {}, values)
        if model == "current":
            expected = values["J_E"] if population == "E" else -values["J_I"]
        charge = found[1].constant(f"charge_{population}", values)
        assert charge == pytest.approx(expected, rel=1e-14)


def test_other_strings_are_derived_anew(monkeypatch, tmp_path):
    monkeypatch.setenv("CBNET_CACHE", str(tmp_path))
    for equations in (LEAKY.equations, LEAKY.equations.replace("E_L", "E_I")):
        params = cbnet.Parameters(dataclasses.replace(LEAKY, equations=equations))
        values = params.resolve()
        rest = "E_I" if "E_I" in equations else "E_L"
        leak_now = reduced.of_model(params.model, values).function("leak", values)(V)
        np.testing.assert_allclose(leak_now, (values[rest] - V) / values["tau_L"], rtol=1e-12)
    assert len(list((tmp_path / "texts").iterdir())) == 2
