"""Rate and CV under white noise against 25-digit references and independent quadrature."""

import numpy as np
import pytest
from scipy.integrate import quad

from cbnet import load
from cbnet.errors import ConvergenceError
from cbnet.theory.neuron.white import first_passage
from cbnet.theory.response import Neuron

# r_E, r_I (Hz), a, K, g: rate (Hz), CV, computed with mpmath to 25 digits, given to 11
REFERENCE = [
    ((5, 9, 0.005, 1000, 12), 2.8293845143e-4, 1.0000023743),
    ((10, 18, 0.005, 1000, 12), 0.084959537287, 0.99961765306),
    ((50, 90, 0.01, 1000, 12), 128.41080560, 0.71224045462),
    ((30, 12, 0.0016, 1000, 20), 26.197010551, 0.68784429882),
    ((40, 20, 0.003, 10000, 15), 439.85436832, 0.041239320779),
    ((20, 36, 0.0075, 1000, 12), 16.431629802, 0.95023383722),
]


def passage(r_E, r_I, a, K, g, **options):
    neuron = Neuron(load("conductance").replace(a=a, K=K, g=g))
    return neuron.passage(np.array([float(r_E)]), np.array([float(r_I)]), **options)


@pytest.mark.parametrize(("inputs", "rate", "cv"), REFERENCE)
def test_rate_and_cv_have_the_reference_digits(inputs, rate, cv):
    found = passage(*inputs)
    assert found.rate[0] == pytest.approx(rate, rel=1e-10)
    assert found.cv[0] == pytest.approx(cv, rel=1e-10)


@pytest.mark.parametrize("rtol", [1e-3, 1e-6, 1e-10, 1e-12])
@pytest.mark.parametrize(("inputs", "rate", "cv"), REFERENCE)
def test_accuracy_is_what_was_asked_for_and_the_error_estimate_covers_it(inputs, rate, cv, rtol):
    found = passage(*inputs, rtol=rtol)
    assert found.error[0] <= rtol
    # the references are rounded to half of the eleventh digit
    assert abs(found.rate[0] / rate - 1) <= found.error[0] + 5e-11
    assert abs(found.cv[0] / cv - 1) <= found.error[0] + 5e-11


def double_integral(A, B2, threshold, reset, lowest):
    """T by nested adaptive quadrature, in which Ψ is closed form or itself a quadrature."""

    def slope(v):
        return -2 * A(v) / B2(v)

    def u(v):
        def integrand(x):
            return 2 / B2(x) * np.exp(quad(slope, x, v, epsabs=1e-11, limit=200)[0])

        edges = np.linspace(lowest, v, 6)
        return sum(
            quad(integrand, a, b, epsrel=1e-9, limit=200)[0]
            for a, b in zip(edges[:-1], edges[1:], strict=True)
        )

    nodes, weights = np.polynomial.legendre.leggauss(20)
    edges = np.linspace(reset, threshold, 4)
    total = 0.0
    for a, b in zip(edges[:-1], edges[1:], strict=True):
        total += (
            (b - a)
            / 2
            * sum(w * u((a + b) / 2 + (b - a) / 2 * x) for x, w in zip(nodes, weights, strict=True))
        )
    return total


def test_exponential_integrate_and_fire_agrees_with_nested_quadrature():
    tau, delta, v_T, mu, sigma = 0.01, 0.003, -0.05, -0.057, 0.006

    def A(v):
        return (mu - v + delta * np.exp((v - v_T) / delta)) / tau

    def B2(v):
        return sigma**2 / tau * (1 + 0.2 * np.sin(v / 0.004))

    T = double_integral(A, B2, -0.03, -0.06, -0.095)
    found = first_passage.solve(A, B2, -0.03, -0.06, 0.0)
    assert found.rate[0] == pytest.approx(1 / T, rel=1e-6)  # the nested quadrature's accuracy


def test_quadratic_integrate_and_fire_agrees_with_nested_quadrature():
    tau = 0.01

    def A(v):
        return ((v + 0.06) * (v + 0.05) / 0.005) / tau

    def B2(v):
        return np.full(np.shape(v), 0.004**2 / tau) if np.ndim(v) else 0.004**2 / tau

    T = double_integral(A, B2, -0.02, -0.065, -0.085)
    found = first_passage.solve(A, B2, -0.02, -0.065, 0.002)
    assert found.rate[0] == pytest.approx(1 / (0.002 + T), rel=1e-6)


def test_quadratic_neuron_without_boundaries_has_its_known_rate():
    # dv = v² dt + √2 dW from −∞ to ∞: T = √π ∫ exp(−z⁶/12) dz (Lindner et al. 2003)
    T = np.sqrt(np.pi) * quad(lambda z: np.exp(-(z**6) / 12), -10, 10, epsrel=1e-12)[0]
    found = first_passage.solve(lambda v: v**2, lambda v: 2 + 0 * v, 1e5, -1e5, 0.0)
    # what the finite boundaries leave out: 1e-5 of time on each side
    assert 1 / found.rate[0] + 2e-5 == pytest.approx(T, rel=1e-8)


@pytest.mark.parametrize("noise", [1e-6, 1e-12, 1e-24, 0.0])
def test_mean_driven_neuron_becomes_a_clock(noise):
    mu, tau = -0.05, 0.02
    found = first_passage.solve(
        lambda v: -(v - mu) / tau, lambda v: noise + 0 * v, -0.055, -0.065, 0.002, moments=True
    )
    clock = 1 / (0.002 + tau * np.log(15 / 5))
    if noise <= 1e-12:
        assert found.rate[0] == pytest.approx(clock, rel=1e-6)
    # variance of a weakly perturbed clock: ∫ B²/A³ dv
    variance = noise * tau**3 / 2 * (1 / 0.005**2 - 1 / 0.015**2)
    assert found.cv[0] == pytest.approx(np.sqrt(variance) * clock, rel=0.02)


def test_very_many_inputs_of_very_small_size_are_a_clock_too():
    found = passage(40, 16, 0.003 * np.sqrt(1e3 / 1e15), 10**15, 15)
    assert found.rate[0] > 0
    assert 0 < found.cv[0] < 1e-5


@pytest.mark.parametrize("steepness", [60, 200, 500, 680])
def test_deep_barriers_agree_with_the_asymptotic_rate(steepness):
    tau, gap = 0.02, 0.01
    sigma = gap / np.sqrt(steepness)  # Ψ(θ) − Ψ(μ) = steepness
    found = first_passage.solve(
        lambda v: -v / tau, lambda v: sigma**2 / tau + 0 * v, gap, 0.0, 0.0, moments=True
    )
    y = gap / sigma
    # 1/ν = 2√π τ ∫ e^{y²} for y ≫ 1: e^{y²}/(2y) (1 + 1/(2y²) + 3/(4y⁴) + ...)
    series = 1 + 1 / (2 * y**2) + 3 / (4 * y**4) + 15 / (8 * y**6)
    assert found.rate[0] == pytest.approx(
        np.exp(-(y**2)) * y / (tau * np.sqrt(np.pi) * series), rel=20 / y**8
    )
    assert found.cv[0] == pytest.approx(1, abs=1e-10)
    assert found.v_mean[0] == pytest.approx(0, abs=1e-10)
    assert found.v_sd[0] == pytest.approx(sigma / np.sqrt(2), rel=1e-8)


def test_barriers_beyond_floats_are_silent_but_keep_their_voltage():
    found = first_passage.solve(
        lambda v: -v / 0.02, lambda v: 1e-9 + 0 * v, 0.01, 0.0, 0.0, moments=True
    )
    assert found.rate[0] == 0
    assert np.isnan(found.cv[0])
    assert found.v_sd[0] == pytest.approx(np.sqrt(1e-9 * 0.02 / 2), rel=1e-8)


def test_inhibition_alone_cannot_cross_its_reversal_potential():
    found = passage(0, 50, 0.01, 1000, 12, moments=True)
    assert found.rate[0] == 0
    assert -0.080 < found.v_mean[0] < -0.075


def test_no_input_at_all_leaves_the_neuron_at_rest():
    found = passage(0, 0, 0.01, 1000, 12, moments=True)
    assert (found.rate[0], found.v_sd[0]) == (0, 0)
    assert found.v_mean[0] == pytest.approx(-0.080, rel=1e-14)


def test_a_batch_equals_its_members():
    neuron = Neuron(load("conductance"))
    r_E, r_I = np.linspace(1, 200, 60), np.linspace(100, 1, 60)
    batch = neuron.passage(r_E, r_I, moments=True)
    for k in (0, 17, 59):
        single = neuron.passage(r_E[k : k + 1], r_I[k : k + 1], moments=True)
        assert single.rate[0] == pytest.approx(batch.rate[k], rel=1e-8)
        assert single.v_sd[0] == pytest.approx(batch.v_sd[k], rel=1e-8)


def test_functions_of_the_whole_batch_give_the_same_as_functions_of_rows():
    mu = np.array([-0.06, -0.05, -0.07])
    found = first_passage.solve(
        lambda v: -(v - mu[:, None]) / 0.02,
        lambda v: 0.005**2 / 0.02 + 0 * v,
        -0.055,
        -0.065,
        0.0 * mu,
    )
    for k in range(3):
        one = first_passage.solve(
            lambda v, k=k: -(v - mu[k]) / 0.02,
            lambda v: 0.005**2 / 0.02 + 0 * v,
            -0.055,
            -0.065,
            0.0,
        )
        assert found.rate[k] == pytest.approx(one.rate[0], rel=1e-10)


def test_what_cannot_be_resolved_is_an_error_that_carries_the_best_answer():
    # noise with kinks everywhere: no order of collocation sees it to 1e-12
    def B2(v):
        return 0.005**2 / 0.02 * (1.1 + np.abs(np.sin(v * 3e5)))

    with pytest.raises(ConvergenceError, match="rtol: got 1e-12") as caught:
        first_passage.solve(lambda v: -(v + 0.058) / 0.02, B2, -0.055, -0.065, 0.0, rtol=1e-12)
    assert caught.value.best.rate[0] > 0
    assert caught.value.best.error[0] > 1e-12


def test_random_neurons_have_finite_answers_and_raise_no_warning():
    rng = np.random.default_rng(3)
    for kind in ("conductance", "current"):
        for _ in range(12):
            g, K = rng.uniform(0.5, 30), int(10 ** rng.uniform(0, 12))
            a = min(0.0015 * np.sqrt(1000 / K) * 10 ** rng.uniform(-1, 1), 0.9 / max(g, 1))
            neuron = Neuron(load(kind).replace(a=a, g=g, K=K, gamma=rng.uniform(0.1, 1)))
            r_E = 10 ** rng.uniform(-4, 3, 40) * rng.choice([0, 1], 40, p=[0.1, 0.9])
            r_I = 10 ** rng.uniform(-4, 3, 40) * rng.choice([0, 1], 40, p=[0.1, 0.9])
            with np.errstate(all="raise"):
                try:
                    found = neuron.passage(r_E, r_I, moments=True)
                except ConvergenceError as failure:
                    # tails of v like a power, below a point where the noise nearly vanishes
                    assert kind == "conductance" and g * a > 0.85
                    found = failure.best
                    assert np.sum(found.error > 1e-8) < 8 and np.all(found.error < 0.01)
                else:
                    assert np.all(found.error <= 1e-8)
            assert np.all((found.rate >= 0) & (found.rate <= 500))
            assert np.all(np.isnan(found.cv) == (found.rate == 0))
            assert np.all(np.isfinite(found.v_mean) & (found.v_sd >= 0))


def test_moments_that_do_not_exist_are_undefined():
    """Noise b v² under a drift −v/τ: p ∝ |v|^(−2 − 2/(τb)) far below; the variance needs τb < 2."""
    tau = 0.02

    def respond(tau_b):
        def noise(v):
            return tau_b / tau * (v**2 + 1e-4)

        return first_passage.solve(lambda v: -v / tau, noise, 0.01, 0.0, 0.0, 1e-6, moments=True)

    light, heavy = respond(1.0), respond(2.5)
    assert light.v_sd[0] > 0 and light.note == ""
    assert np.isnan(heavy.v_sd[0]) and heavy.note == first_passage.ENDLESS
    for found in (light, heavy):  # the rate is that of the same process in z = arcsinh(100 v)
        b = found is heavy and 2.5 or 1.0
        stretched = first_passage.solve(
            lambda z, b=b: -np.tanh(z) * (1 + b / 2) / tau,
            lambda z, b=b: b / tau + 0 * z,
            np.arcsinh(1.0),
            0.0,
            0.0,
            1e-8,
        )
        assert found.rate[0] == pytest.approx(stretched.rate[0], rel=1e-5)
        assert found.error[0] < 1e-6


def test_a_neuron_whose_rest_is_the_threshold_is_silent():
    for sharp in (0.01, 0.01 + 1e-12):  # at the threshold it takes for ever, above it does not
        found = first_passage.solve(
            lambda v, sharp=sharp: (sharp - v) / 0.02, lambda v: 0 * v, 0.01, 0.0, 0.0, moments=True
        )
        if sharp > 0.01:
            expected = 1 / (0.02 * np.log(sharp / (sharp - 0.01)))
            assert found.rate[0] == pytest.approx(expected, rel=1e-4)
        else:
            assert found.rate[0] == 0
            assert found.v_mean[0] == pytest.approx(0.01, rel=1e-12)
            assert found.v_sd[0] == 0 and np.isnan(found.cv[0]) and found.error[0] == 0
