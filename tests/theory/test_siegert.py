"""The closed form against direct quadrature, references and its limits."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erfcx

from cbnet.theory.neuron.white import first_passage, siegert

THETA, V_R, TAU, TAU_RP = -0.055, -0.065, 0.02, 0.002


def by_quadrature(mu, sigma):
    low, high = (V_R - mu) / sigma, (THETA - mu) / sigma
    whole = quad(lambda y: erfcx(-y), low, high, epsabs=0, epsrel=1e-13, limit=200)[0]
    return 1 / (TAU_RP + TAU * np.sqrt(np.pi) * whole)


@pytest.mark.parametrize("mu", [-0.08, -0.066, -0.0651, -0.06, -0.055, -0.05, -0.02])
@pytest.mark.parametrize("sigma", [0.0015, 0.005, 0.02])
def test_rate_is_the_integral(mu, sigma):
    found = siegert.rate(mu, TAU, sigma**2 / TAU, THETA, V_R, TAU_RP)
    assert found == pytest.approx(by_quadrature(mu, sigma), rel=1e-12)


def test_the_series_is_the_integral_of_erfcx():
    ends = np.array([0, 1e-3, 0.1, 0.7, 1.5, 4, 12, 60, 1e3])
    for a, b in zip(ends[:-1], ends[1:], strict=True):
        whole = np.sqrt(np.pi) * quad(erfcx, a, b, epsabs=0, epsrel=1e-13, limit=200)[0]
        there, back = siegert._integral(np.array([a, b]), np.array([b, a]))
        # both of 1e-16 of the largest terms, which are of order 0.1
        assert there == pytest.approx(whole, rel=1e-13, abs=5e-16)
        assert back == -there
    # far out a logarithm, and so is the way back from there
    far = siegert._integral(np.array([1e14, 1e-3]), np.array([2e14, 1e14]))
    assert far[0] == pytest.approx(np.log(2), rel=1e-13)
    euler = 0.5772156649015329  # √π ∫₀ˣ erfcx = ln(2x) + γ/2 + O(x⁻²)
    first = siegert._integral(np.zeros(1), np.array([1e-3]))[0]
    assert far[1] == pytest.approx(np.log(2e14) + euler / 2 - first, rel=1e-13)


def test_the_reference_current_neuron():
    mu, sigma = -0.0665, 0.0050679138  # sigma rounded to 8 digits: the rate is good to 1e-7
    rate = siegert.rate(mu, TAU, sigma**2 / TAU, THETA, V_R, TAU_RP)
    assert rate == pytest.approx(0.327813851, rel=2e-7)


def test_no_noise_is_a_clock_or_silence():
    clock = 1 / (TAU_RP + TAU * np.log(15 / 5))
    assert siegert.rate(-0.05, TAU, 0.0, THETA, V_R, TAU_RP) == pytest.approx(clock, rel=1e-12)
    assert siegert.rate(-0.06, TAU, 0.0, THETA, V_R, TAU_RP) == 0


def test_any_neuron_gets_a_rate_without_warnings():
    rng = np.random.default_rng(2)
    mu, sigma = rng.uniform(-0.5, 0.3, 2000), 10 ** rng.uniform(-12, 0, 2000)
    with np.errstate(all="raise"):
        rate = siegert.rate(mu, TAU, sigma**2 / TAU, THETA, V_R, TAU_RP)
    assert np.all((rate >= 0) & (rate <= 1 / TAU_RP))


def test_collocation_agrees_where_noise_is_constant():
    mu = np.linspace(-0.075, -0.04, 50)
    found = first_passage.solve(
        lambda v: -(v - mu[:, None]) / TAU,
        lambda v: 0.005**2 / TAU + 0 * v,
        np.full(50, THETA),
        V_R,
        TAU_RP,
        rtol=1e-10,
    )
    expected = siegert.rate(mu, TAU, 0.005**2 / TAU, THETA, V_R, TAU_RP)
    np.testing.assert_allclose(found.rate, expected, rtol=1e-11)


def test_escape_rate_approaches_the_exact_one_below_a_tenth_of_a_hertz():
    mu, sigma = np.array([-0.07, -0.0675]), 0.005
    escape = siegert.kramers(
        lambda v: -(v - mu[:, None]) / TAU,
        lambda v: sigma**2 / TAU + 0 * v,
        lambda v: -1 / TAU + 0 * v,
        mu,
        np.full(2, THETA),
    )
    exact = siegert.rate(mu, TAU, sigma**2 / TAU, THETA, V_R, 0.0)
    # next order of the expansion in 1/y², y = (θ − μ)/σ
    y = (THETA - mu) / sigma
    np.testing.assert_allclose(escape / exact, 1 + 1 / (2 * y**2), rtol=0.03)


def test_escape_rate_is_undefined_above_the_threshold():
    found = siegert.kramers(
        lambda v: -(v + 0.05) / TAU, lambda v: 1 + 0 * v, lambda v: -50 + 0 * v, -0.05, THETA
    )
    assert np.isnan(found[0])
