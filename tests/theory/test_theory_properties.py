"""What holds for any neuron: limits in which one theory becomes another, bounds, normalisation.

Neurons are drawn by hypothesis, the same ones in every run. Particular neurons are in
``test_theory_limits``; that unequal in-degrees become equal is in the tests of heterogeneity.
"""

import numpy as np
import pytest
from brian2 import Hz, ms, mV
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import cbnet
from cbnet.errors import ConvergenceError
from cbnet.theory.neuron import treatments
from cbnet.theory.neuron.colored import colored_noise
from cbnet.theory.neuron.jumps.jump_density import density as shot_density
from cbnet.theory.neuron.neuron import Neuron
from cbnet.theory.neuron.white.white_noise import density as white_density

CONDUCTANCE, CURRENT = cbnet.load("conductance"), cbnet.load("current")
few = settings(max_examples=5, derandomize=True, deadline=None)


def passage(params, noise, r_E, r_I, rtol=None, **options):
    """One neuron, or many; the best answer where the accuracy is not reached."""
    inputs = np.atleast_1d(np.asarray(r_E, float)), np.atleast_1d(np.asarray(r_I, float))
    try:
        return Neuron(params, noise=noise).passage(*inputs, rtol, **options)
    except ConvergenceError as error:
        return error.best


def rate(params, noise, r_E, r_I, rtol=None):
    """Rate of one neuron and its estimated error, relative."""
    found = passage(params, noise, r_E, r_I, rtol, cv=False)
    return float(found.rate[0]), float(found.error[0])


def conductances(g, a, K=1000, **more):
    return CONDUCTANCE.replace(g=g, a=a, K=K, **more)


def below(params, r_E, r_I):
    """Distance of μ from the threshold in sd of the free membrane under white noise."""
    neuron = Neuron(params)
    inputs = np.array([float(r_E)]), np.array([float(r_I)])
    mu, tau = (x[0] for x in neuron.rest(*inputs))
    B2 = neuron.reduced.function("B2", neuron.bound(*inputs))(np.array([[mu]]))[0, 0]
    return (neuron.threshold - mu) / np.sqrt(tau * B2 / 2)


@given(
    mean=st.floats(-64, -50),
    sd=st.floats(3, 6),
    share=st.floats(0.2, 0.8),
    g=st.floats(1, 6),
)
@few
def test_small_current_jumps_are_white_noise(mean, sd, share, g):
    """Mean and variance of the input stay, jumps shrink: the difference is of first order."""
    ratios, errors = [], []
    for J in (0.2, 0.1, 0.05):  # mV
        # variance τ/2 Σ R J² with a part `share` from excitation, in mV and ms
        R_E, R_I = share * sd**2 / (10 * J**2), (1 - share) * sd**2 / (10 * (g * J) ** 2)
        E_L = mean - 20 * (R_E * J - R_I * g * J)
        params = CURRENT.replace(
            K=1000, gamma=1, J_E=J * mV, J_I=g * J * mV, E_L=E_L * mV, V_r=-65 * mV
        )
        inputs = R_E, R_I  # K inputs: a rate in Hz each, as 1000 inputs a ms
        (shot, error), (white, _) = (rate(params, n, *inputs) for n in ("shot", "diffusion"))
        ratios.append(np.log(shot / white))
        errors.append(error)
    first, second, third = ratios
    assert 0.35 < third / second < 0.65
    # extrapolated to J = 0 without first and second order: third orders and errors are left
    weights = np.array([1, -6, 8]) / 3
    allowed = 0.01 * abs(first) + 5e-4 + np.abs(weights) @ errors
    assert weights @ ratios == pytest.approx(0, abs=allowed)


@given(g=st.floats(2, 20), gap=st.floats(3, 12), speed=st.floats(0.3, 2))
@few
def test_above_threshold_small_conductance_jumps_are_white_noise(g, gap, speed):
    """At fixed a K r the rate becomes that of a clock, and finite jumps no longer matter."""
    # conductances (1/s) that hold μ at θ + gap
    g_I, mu = 50 * speed, -0.055 + 1e-3 * gap
    g_E = (50 * (mu + 0.08) + g_I * (mu + 0.075)) / -mu
    gaps = []
    for a in (2e-3, 1.25e-4):
        inputs = g_E / (1000 * a), g_I / (250 * g * a)
        params = conductances(g, a)
        (shot, error), (white, _) = (rate(params, n, *inputs) for n in ("shot", "diffusion"))
        gaps.append(abs(shot / white - 1))
    assert gaps[1] < gaps[0] / 4 + error


@given(g=st.floats(8, 20), r_E=st.floats(15, 40), sds=st.floats(2.2, 3.2))
@few
def test_below_threshold_finite_jumps_never_become_white_noise(g, r_E, sds):
    """ln of the ratio of rates grows as 1/a: the exponents differ."""
    from scipy.optimize import brentq

    a = 0.006

    def distance(r_I):
        return below(conductances(g, a), r_E, r_I) - sds

    assume(distance(0.01) < 0 < distance(300))
    r_I = brentq(distance, 0.01, 300)
    ratios = []
    for finer in (1, 2, 4):
        params = conductances(g, a / finer, K=1000 * finer)
        (shot, _), (white, _) = (rate(params, n, r_E, r_I) for n in ("shot", "diffusion"))
        ratios.append(np.log(shot / white))
    assert ratios[2] < ratios[1] < ratios[0] < 0
    # doubled each time once a is small: 1/a over a constant
    steps = np.diff(ratios)
    assert steps[1] / steps[0] == pytest.approx(2, abs=0.4)


@given(g=st.floats(8, 20), r_E=st.floats(10, 40), sds=st.floats(0.5, 2), a=st.floats(0.004, 0.01))
@settings(few, max_examples=3)
def test_short_synaptic_time_constants_are_exponential_jumps(g, r_E, sds, a):
    from scipy.optimize import brentq

    def distance(r_I):
        return below(conductances(g, a), r_E, r_I) - sds

    assume(distance(0.5) < 0 < distance(300))
    r_I = brentq(distance, 0.5, 300)
    shot, error = rate(conductances(g, a, jump="exponential"), "shot", r_E, r_I)
    gaps = []
    for tau in (1e-2, 1e-4):
        params = conductances(g, a, tau_S=tau * ms)
        neuron = Neuron(params, noise="colored")
        inputs = np.array([r_E]), np.array([r_I])
        found = colored_noise.solve(colored_noise.of_neuron(neuron, inputs, 0), rtol=0.05)
        gaps.append(abs(found.rate / shot - 1))
    assert gaps[1] < found.error + error
    assert gaps[1] < gaps[0]


@given(g=st.floats(10, 22), a=st.floats(8e-4, 4e-3), nu_X=st.floats(2, 60))
@settings(few, max_examples=4)
def test_two_populations_with_equal_parameters_are_one(g, a, nu_X):
    params = conductances(g, a, nu_X=nu_X * Hz)
    try:
        one = cbnet.solve(params, noise="diffusion")
        # what differs by no more than rounding takes the way of what differs
        two = cbnet.solve(params.replace(**{"I.tau_L": 20 * (1 + 1e-12) * ms}), noise="diffusion")
    except ConvergenceError:
        assume(False)  # about to merge or vanish: another test's matter
    assert two.stable.tolist() == one.stable.tolist()
    active = np.asarray(one.rate_E) > 1e-6
    for name in ("rate_E", "rate_I"):
        mine, theirs = (np.asarray(getattr(solution, name))[active] for solution in (one, two))
        np.testing.assert_allclose(theirs, mine, rtol=one.error + two.error + 1e-9)


@given(
    g=st.floats(5, 30),
    a=st.floats(5e-4, 3e-3),
    r_E=st.floats(15, 60),
    ratio=st.floats(0.2, 0.6),
    noise=st.sampled_from(["diffusion", "shot"]),
)
@settings(few, max_examples=8)
def test_receding_reversal_potentials_turn_conductances_into_currents(g, a, r_E, ratio, noise):
    """a (E_E − V_match) and g a (V_match − E_I) stay put: the difference is of order 1/far."""
    expected, error = rate(CURRENT.replace(g=g, a=a), noise, r_E, ratio * r_E)
    assume(expected > 1e-3)
    gaps = []
    for far in (4e3, 1.6e4):
        params = CONDUCTANCE.replace(
            a=a / far, g=g, E_E=(-55 + 55 * far) * mV, E_I=(-55 - 20 * far) * mV
        )
        gaps.append(abs(rate(params, noise, r_E, ratio * r_E)[0] / expected - 1))
    assert gaps[0] < 0.1
    assert gaps[1] < 0.25 * gaps[0] + gaps[0] ** 2 + 2 * error


@given(
    model=st.sampled_from([CONDUCTANCE, CURRENT]),
    g=st.floats(1, 25),
    strength=st.floats(-4, -2),
    r_E=st.floats(0, 100, allow_subnormal=False),
    r_I=st.floats(0, 100, allow_subnormal=False),
    tau_rp=st.sampled_from([0.5, 2.0, 10.0]),
    tau_S=st.floats(0.5, 20),
)
@settings(few, max_examples=12)
@pytest.mark.filterwarnings("ignore:noise. got:cbnet.errors.CbnetWarning")
def test_rates_lie_between_silence_and_refractoriness(model, g, strength, r_E, r_I, tau_rp, tau_S):
    params = model.replace(g=g, a=10**strength, tau_rp=tau_rp * ms)
    filtered = params.replace(tau_S=tau_S * ms)
    for name, method in treatments.METHODS.items():
        if name == "colored":  # seconds for unusual neurons: in test_colored_noise
            continue
        some = filtered if method.filtered else params
        found = float(passage(some, name, r_E, r_I, 1e-2, cv=False).rate[0])
        # a formula of rare spikes is undefined above the threshold
        assert 0 <= found <= 1e3 / tau_rp or (np.isnan(found) and not method.network), name


@given(
    model=st.sampled_from([CONDUCTANCE, CURRENT]),
    g=st.floats(4, 20),
    a=st.floats(1e-3, 8e-3),
    r_E=st.floats(20, 80),
    ratio=st.floats(0.1, 0.9),
)
@few
def test_density_is_one_outside_and_carries_the_rate_out_of_the_threshold(model, g, a, r_E, ratio):
    """Of all time, p has the part 1 − ν τ_rp, and its flux at θ is ν."""
    params = model.replace(g=g, a=a)
    found = passage(params, "diffusion", r_E, ratio * r_E, moments=True)
    nu, sd = float(found.rate[0]), float(found.v_sd[0])
    assume(nu > 1e-3)
    neuron = Neuron(params)
    theta = neuron.threshold
    v = np.linspace(theta - 0.06 - 12 * sd, theta, 40_001)
    inputs = np.array([r_E]), np.array([ratio * r_E])
    p = white_density(neuron, inputs, v)
    # trapezoids: the kinks at threshold and reset leave errors of second order
    h = (v[1] - v[0]) / sd
    assert np.trapezoid(p, v) == pytest.approx(1, abs=10 * h**2 + 1e-7)
    half = neuron.reduced.function("B2", neuron.bound(*inputs))(np.array([[theta]]))[0, 0] / 2
    # p rises within B²/A above the threshold's drift, and over sd otherwise
    drift = neuron.reduced.function("A", neuron.bound(*inputs))(np.array([[theta]]))[0, 0]
    step = 1e-3 * min(sd, half / abs(drift) if drift else sd)
    one, two = (white_density(neuron, inputs, np.array([theta - k * step])) for k in (1, 2))
    slope = (4 * one[0] - two[0]) / (2 * step)  # second order
    assert half * slope * (1 - nu * neuron.tau_rp) == pytest.approx(nu, rel=1e-4)


@given(
    g=st.floats(4, 20), a=st.floats(2e-3, 1e-2), r_E=st.floats(10, 60), ratio=st.floats(0.2, 1.2)
)
@few
def test_with_finite_jumps_the_density_next_to_the_threshold_gives_the_rate(g, a, r_E, ratio):
    """Spikes are arrivals within a jump of θ, in the part 1 − ν τ_rp of all time."""
    params = conductances(g, a)
    nu = rate(params, "shot", r_E, ratio * r_E)[0]
    assume(nu > 1e-3)
    neuron = Neuron(params, noise="shot")
    theta = neuron.threshold
    edge = theta / (1 - a)  # v + a (0 − v) = θ
    # the density is a slope of panels: midpoints of many cells in each
    v = np.linspace(edge, theta, 20_001)
    inputs = np.array([r_E]), np.array([ratio * r_E])
    near = shot_density(neuron, inputs, (v[1:] + v[:-1]) / 2).sum() * (v[1] - v[0])
    assert near * 1000 * r_E * (1 - nu * neuron.tau_rp) == pytest.approx(nu, rel=2e-3)
    v = np.linspace(-0.080, theta, 40_001)
    p = shot_density(neuron, inputs, (v[1:] + v[:-1]) / 2)
    assert p.sum() * (v[1] - v[0]) == pytest.approx(1, abs=1e-4)


@given(
    model=st.sampled_from([CONDUCTANCE, CURRENT]),
    g=st.floats(4, 25),
    a=st.floats(2e-3, 1e-2),
    r_I=st.floats(1, 60),
    noise=st.sampled_from(["diffusion", "shot"]),
)
@settings(few, max_examples=8)
def test_rates_grow_with_excitation(model, g, a, r_I, noise):
    """Jumps keep the order of two membranes: one more arrival can only bring a spike forward."""
    params = model.replace(g=g, a=a)
    r_E = np.linspace(2, 60, 6)
    found = passage(
        params, noise, r_E, np.full(6, r_I), 1e-2 if noise == "shot" else None, cv=False
    )
    growth = np.diff(found.rate)
    # steps in saturation are smaller than errors
    assert np.all(growth > -np.maximum(found.error[1:], found.error[:-1]) * found.rate[1:])
    assert np.all(growth[found.rate[1:] < 300] >= 0)
