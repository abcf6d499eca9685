"""Efficacy against in-degree: every law, and the response that one of them preserves."""

import numpy as np
import pytest
from brian2 import Hz, mV

import cbnet
from cbnet.errors import ParameterError
from cbnet.theory import scaling


def white_respond(params, **options):
    """By white noise, unless told otherwise."""
    return cbnet.respond(params, **{"noise": "diffusion", **options})


def white_solve(params, **options):
    """By white noise, unless told otherwise."""
    return cbnet.solve(params, **{"noise": "diffusion", **options})


@pytest.fixture(scope="module")
def conductance():
    return cbnet.load("conductance")


@pytest.fixture(scope="module")
def current():
    return cbnet.load("current")


@pytest.mark.parametrize(
    ("law", "factor"), [("sqrt", 0.5), ("inverse", 0.25), ("log", np.log(1000) / np.log(4000))]
)
def test_power_laws(conductance, current, law, factor):
    scaled = conductance.scaled(law, K=4000)
    assert (scaled.K, scaled.a) == (4000, pytest.approx(0.0015 * factor, rel=1e-14))
    assert float(current.scaled(law, K=4000).J_E) == pytest.approx(82.5e-6 * factor, rel=1e-14)


def test_jumps_that_were_given_follow(current):
    params = current.replace(J_E=0.1 * mV, J_I=0.5 * mV).scaled("sqrt", K=4000)
    assert float(params.J_E / mV) == pytest.approx(0.05, rel=1e-12)
    assert float(params.J_I / mV) == pytest.approx(0.25, rel=1e-12)


def test_both_populations_change_by_the_same_factor(conductance):
    params = conductance.replace(**{"I.a": 0.001}).scaled("sqrt", K=4000)
    assert params.resolve("E")["a"] == pytest.approx(0.00075, rel=1e-14)
    assert params.resolve("I")["a"] == pytest.approx(0.0005, rel=1e-14)
    params = conductance.replace(**{"E.a": 0.001}).scaled("sqrt", K=4000)
    assert params.resolve("E")["a"] == pytest.approx(0.0005, rel=1e-14)
    assert params.resolve("I")["a"] == pytest.approx(0.00075, rel=1e-14)


@pytest.mark.parametrize(
    ("g", "eta", "column"),
    [
        (12, 1.8, {3: 0.0060123, 4: 0.0032700, 5: 0.0023296, 6: 0.0018424, 9: 0.0011376}),
        (20, 0.8, {3: 0.0032718, 4: 0.0011594, 5: 0.00063119, 6: 0.00045605, 9: 0.00026295}),
    ],
)
def test_efficacy_that_keeps_five_hertz(conductance, g, eta, column):
    params = conductance.replace(g=g)
    for decade, a in column.items():
        scaled = params.scaled(
            "preserving",
            noise="diffusion",
            K=10**decade,
            r_E=20 * Hz,
            r_I=20 * eta * Hz,
            rate=5 * Hz,
        )
        assert scaled.a == pytest.approx(a, rel=5e-5)  # five digits are known
        response = white_respond(scaled, r_E=20 * Hz, r_I=20 * eta * Hz)
        assert float(response.rate) == pytest.approx(5, rel=1e-7)


def test_default_inputs_are_those_of_the_network_at_twenty_hertz(conductance):
    (nu,) = np.asarray(white_solve(conductance.replace(nu_X=20 * Hz)).rate_E)
    scaled = conductance.scaled("preserving", noise="diffusion", K=1600)
    kept = white_respond(scaled, r_E=(20 + nu) * Hz, r_I=nu * Hz)
    assert float(kept.rate) == pytest.approx(nu, rel=1e-7)
    assert conductance.scaled("preserving", noise="diffusion", K=1000).a == pytest.approx(
        0.0015, rel=1e-8
    )


def test_current_model_preserves_its_response(current):
    (nu,) = np.asarray(white_solve(current.replace(nu_X=20 * Hz)).rate_E)
    assert nu == pytest.approx(9.279364567, rel=1e-9)  # Siegert's formula, by scipy's quad
    # the same formula, solved for a by scipy's brentq
    for K, a in ((400, 0.0033382394444), (1600, 0.00097951440391), (25600, 6.936671672742e-05)):
        assert current.scaled("preserving", noise="diffusion", K=K).a == pytest.approx(a, rel=1e-8)


def test_rate_defaults_to_that_of_the_parameters(conductance):
    scaled = conductance.scaled("preserving", noise="diffusion", K=4000, r_E=30 * Hz, r_I="12Hz")
    before, after = (white_respond(p, r_E=30 * Hz, r_I=12 * Hz) for p in (conductance, scaled))
    assert float(after.rate) == pytest.approx(float(before.rate), rel=1e-7)


def test_frozen_noise_gives_another_efficacy(conductance):
    options = {"r_E": 20 * Hz, "r_I": 16 * Hz, "rate": "5Hz"}
    frozen = conductance.scaled("preserving", K=4000, noise="effective", **options)
    assert frozen.a != pytest.approx(
        conductance.scaled("preserving", noise="diffusion", K=4000, **options).a, rel=1e-3
    )


@pytest.mark.parametrize(
    ("change", "law", "options", "message"),
    [
        ({}, "sqr", {"K": 400}, "law: got 'sqr'; expected one of .*did you mean 'sqrt'"),
        ({}, "sqrt", {"K": 0}, "K: got 0; expected a whole number above 0"),
        ({}, "sqrt", {"K": 2.5}, "K: got 2.5 .not whole."),
        ({}, "log", {"K": 1}, "K: got 1 from 1000; law='log'"),
        ({"I.K": 100}, "sqrt", {"K": 400}, "I.K: got an in-degree of population I alone"),
        ({}, "sqrt", {"K": 400, "rate": 5 * Hz}, "rate: got it with law='sqrt'"),
        ({"a": 1e-4}, "preserving", {"K": 400}, "network is silent at nu_X = 20 Hz"),
        ({}, "preserving", {"K": 400, "r_E": 5 * Hz}, "r_E: got some of r_E, r_I and rate"),
        ({}, "preserving", {"K": 400, "rate": 5 * Hz}, "r_E: got some of r_E, r_I and rate"),
        (
            {},
            "preserving",
            {"K": 400, "r_E": 5 * Hz, "r_I": 5 * Hz, "rate": 600 * Hz},
            "rate: got 600 Hz at r_E",
        ),
        (
            {},
            "preserving",
            {"K": 400, "r_E": [5, 6] * Hz, "r_I": 5 * Hz, "rate": 5 * Hz},
            "r_E: got 2 values; expected one",
        ),
        (
            {},
            "preserving",
            {"K": 400, "r_E": 0.001 * Hz, "r_I": 50 * Hz, "rate": 490 * Hz},
            "K: got 400; no efficacy gives 490 Hz",
        ),
        ({}, "preserving", {"K": 400, "noise": "kramers"}, "noise: got 'kramers'"),
    ],
)
def test_what_has_no_answer_is_said_in_one_line(conductance, change, law, options, message):
    with pytest.raises(ParameterError, match=message) as caught:
        given = {"noise": "diffusion", **options} if law == "preserving" else options
        conductance.replace(**change).scaled(law, **given)
    assert "\n" not in str(caught.value)


def test_models_whose_synapses_do_not_depend_on_a_are_refused():
    model = cbnet.Model(
        name="fixed",
        equations="dv/dt = (E_L - v)/tau_L : volt (unless refractory)",
        excitatory="v_post += J",
        inhibitory="v_post -= g*J",
        parameters={"J": 0.1 * mV},
    )
    with pytest.raises(ParameterError, match="law: got model 'fixed', whose synapses"):
        cbnet.Parameters(model).scaled("sqrt", K=400)


@pytest.mark.parametrize(
    ("g", "eta", "white", "shot"), [(12, 1.8, 0.019889, 0.023831), (20, 0.8, 0.004189, 0.004744)]
)
def test_exponents_of_rare_spikes(conductance, g, eta, white, shot):
    params = conductance.replace(g=g)
    # half a unit of the last digit of the reference
    assert scaling.exponent(params, eta, "diffusion") == pytest.approx(white, abs=5e-7)
    assert scaling.exponent(params, eta) == pytest.approx(shot, abs=5e-7)
    assert scaling.local_slope(params, eta) == pytest.approx(shot + params.a / 2, abs=5e-7)


def test_limit_slope_is_that_at_which_the_exponent_is_met(conductance):
    for eta in (0.75, 0.85, 0.95):
        for noise in ("shot", "diffusion"):
            c = scaling.exponent(conductance, eta, noise)
            found = scaling.limit_slope(conductance, c, noise)
            assert found == pytest.approx(eta / (1 - eta), rel=1e-8)
    assert scaling.limit_slope(conductance, 1.0) == np.inf
    assert scaling.exponent(conductance, 0.1) == 0


def test_finite_jumps_need_a_stronger_efficacy_to_keep_five_hertz(conductance):
    params = conductance.replace(g=12)
    options = {"r_E": 20 * Hz, "r_I": 36 * Hz, "rate": 5 * Hz}
    shot = params.scaled("preserving", K=1000, **options)
    assert shot.a > params.scaled("preserving", K=1000, noise="diffusion", **options).a
    kept = cbnet.respond(shot, r_E=20 * Hz, r_I=36 * Hz)
    assert float(kept.rate) == pytest.approx(5, rel=2e-3)


# a ln K/C at 5 Hz and r_E = 20 Hz, of the efficacies above
RATIOS = {(12, 1.8): (2.09, 1.51, 1.35, 1.28, 1.185), (20, 0.8): (5.39, 2.55, 1.73, 1.50, 1.30)}


@pytest.mark.parametrize(("g", "eta"), RATIOS)
def test_a_ln_K_tends_to_the_exponent_slowly_and_the_slope_soon(conductance, g, eta):
    K = np.array([1e3, 1e4, 1e5, 1e6, 1e9])
    inputs = {"r_E": 20 * Hz, "r_I": 20 * eta * Hz, "rate": 5 * Hz}
    params = conductance.replace(g=g)
    found = scaling.curve(params, "preserving", K, noise="diffusion", **inputs)
    ratio = found.a * np.log(K) / found.exponent
    # half a unit of the last digit of the reference
    assert ratio == pytest.approx(np.array(RATIOS[g, eta]), abs=5.1e-3)
    dense = scaling.curve(
        params, "preserving", np.geomspace(1e13, 1e15, 9), noise="diffusion", **inputs
    )
    # what is left out is of order 1/(K a)
    assert dense.slope[1:-1] == pytest.approx(dense.local_slope[1:-1], rel=1e-3)
    assert abs(dense.slope[4] / dense.exponent - 1) < 0.25 * abs(
        dense.a[4] * np.log(dense.K[4]) / dense.exponent - 1
    )


@pytest.mark.parametrize(
    ("g", "eta", "exact"),
    [
        # by solving the finite-jump equation itself, to an accuracy of a of 1e-4
        (12, 1.8, {3: 0.0070115251, 6: 0.0021920668, 9: 0.0013571419}),
        (20, 0.8, {3: 0.0036776056, 6: 0.00051336881, 9: 0.00029680955, 12: 0.00020877672}),
    ],
)
def test_finite_jumps_up_to_the_largest_in_degrees(conductance, g, eta, exact):
    inputs = {"r_E": 20 * Hz, "r_I": 20 * eta * Hz, "rate": 5 * Hz}
    K = 10.0 ** np.append(np.arange(3, 14, 1.5), 15)
    found = scaling.curve(conductance.replace(g=g), "preserving", K, **inputs)
    assert found.noise == "shot (large deviations for K > 1e+06)"
    for decade, a in exact.items():
        (here,) = np.flatnonzero(np.isclose(np.log10(K), decade))
        assert abs(found.a[here] / a - 1) < found.error[here] + 1e-4
    assert np.all(found.error < 2e-3)
    assert np.all(np.diff(found.a) < 0)
    # the efficacy of white noise tends to another multiple of 1/ln K
    assert found.exponent > scaling.exponent(conductance.replace(g=g), eta, "diffusion")
    assert found.slope[-2] == pytest.approx(found.local_slope[-2], rel=0.01)


def test_large_deviations_join_on_continuously(conductance):
    inputs = {"r_E": 20 * Hz, "r_I": 16 * Hz, "rate": 5 * Hz}
    near = scaling.curve(conductance, "preserving", [0.999e6, 1e6, 1.001e6, 1.002e6], **inputs)
    steps = np.diff(np.log(near.a))
    # the exact side is known to `error`, and a falls by 1/(C/a) of a step of ln K
    assert steps == pytest.approx(np.full(3, steps.mean()), abs=3 * near.error.max())


def test_a_curve_of_a_law_and_one_efficacy_agree(conductance):
    K = [400, 1000, 4000]
    for law in ("sqrt", "inverse", "log", "preserving"):
        options = {"noise": "diffusion"} if law == "preserving" else {}
        found = scaling.curve(conductance, law, K, **options)
        for k, a in zip(K, found.a, strict=True):
            assert a == pytest.approx(conductance.scaled(law, K=k, **options).a, rel=1e-7)
        assert found.error.max() <= 1e-8
        assert np.isnan(found.exponent) == (law != "preserving")
    assert scaling.curve(conductance, "sqrt", 4000).slope == pytest.approx(np.nan, nan_ok=True)
    for K in (0, [1000, 2e15], [[1000]], np.nan):
        with pytest.raises(ParameterError, match="K: got .* expected in-degrees from 1 to 1e\\+15"):
            scaling.curve(conductance, "sqrt", K)


def test_finite_jumps_above_threshold_keep_their_response_as_white_noise_does(conductance):
    K = [1e3, 1e4, 1e6, 1e9]
    inputs = {"r_E": 40 * Hz, "r_I": 20 * Hz}
    found = scaling.curve(conductance, "preserving", K, **inputs)
    white = scaling.curve(conductance, "preserving", K, noise="diffusion", **inputs)
    assert found.exponent == 0
    assert found.noise == "shot (corrected white noise for K > 1e+06)"
    # each keeps its own rate, so that they need not agree at any K
    assert found.a == pytest.approx(white.a, rel=0.02)
    assert np.log(found.a[3] / found.a[2]) / np.log(1e3) == pytest.approx(-1, abs=0.1)
