"""Response of one neuron to modulated drift and noise: closed forms, limits, brute force."""

import mpmath
import numpy as np
import pytest
from brian2 import Hz
from scipy.sparse import csc_matrix, diags_array
from scipy.sparse.linalg import spsolve

import cbnet
from cbnet.theory.network.linearised import response_to_white_noise
from cbnet.theory.neuron.white import linear_response, siegert
from cbnet.theory.neuron.white.linear_response import LinearResponse
from cbnet.theory.response import Neuron

TAU, SIGMA, THETA, RESET, TAU_RP = 0.02, 0.005, -0.055, -0.065, 0.002
REGIMES = {"noise-driven": -0.075, "near threshold": -0.060, "mean-driven": -0.045}
# on the axis, at low and high frequency, and on both sides of it
LAMBDAS = np.array(
    [0.01, 31.4j, 314j, 3140j, 31400j, -30 + 314j, -100 + 1j, -300 + 1885j, 500 + 200j]
)


def one(v):
    return 1 + 0 * v


def zero(v):
    return 0 * v


def leaky(mu, **grid):
    """An integrate-and-fire neuron with constant noise, its drift or its noise modulated."""
    B2 = SIGMA**2 / TAU
    modulations = [(one, zero), (zero, one)]
    return LinearResponse(
        lambda v: -(v - mu) / TAU, lambda v: B2 + 0 * v, modulations, THETA, RESET, TAU_RP, **grid
    )


def closed_form(lam, mu):
    """Gains and interval transform of that neuron by parabolic cylinder functions.

    The derivatives u' and u'' of the transform u of the first-passage time solve the same equation
    at λ + 1/τ and λ + 2/τ, and the stationary average of L g is ν [g(θ) − g(V_r)]: the form of
    Lindner and Schimansky-Geier (2001), and, for the drift, that of Brunel and Hakim (1999).
    """
    with mpmath.workdps(30):
        lam = mpmath.mpmathify(complex(lam))

        def u(v):
            y = (v - mu) / mpmath.mpf(SIGMA)
            return mpmath.exp(y**2 / 2) * mpmath.pcfd(-lam * TAU, -mpmath.sqrt(2) * y)

        rate = float(siegert.rate(mu, TAU, SIGMA**2 / TAU, THETA, RESET, TAU_RP))
        wait = mpmath.exp(-lam * TAU_RP)
        denominator = u(THETA) - wait * u(RESET)
        rises = [mpmath.diff(u, THETA, k) - mpmath.diff(u, RESET, k) for k in (1, 2)]
        drift = rate * TAU / (1 + lam * TAU) * rises[0] / denominator
        noise = rate * TAU / 2 / (2 + lam * TAU) * rises[1] / denominator
        return complex(drift), complex(noise), complex(wait * u(RESET) / u(THETA))


@pytest.mark.parametrize("regime", REGIMES)
def test_leaky_neuron_in_closed_form(regime):
    answer = leaky(REGIMES[regime])(LAMBDAS)
    expected = np.array([closed_form(lam, REGIMES[regime]) for lam in LAMBDAS]).T
    finer = leaky(REGIMES[regime], order=12, finer=1.5)(LAMBDAS)
    for k, (ours, better) in enumerate(
        zip([*answer.gain, answer.interval], [*finer.gain, finer.interval], strict=True)
    ):
        error = np.abs(ours / better - 1)
        assert np.all(np.abs(ours / expected[k] - 1) < 2 * error + 1e-12)
        assert np.all(error < 1e-9)


@pytest.fixture(scope="module")
def neuron():
    return Neuron(cbnet.load("conductance"), "E")


@pytest.mark.parametrize("rates", [(10.0, 0.1), (74.0, 44.0), (150.0, 60.0)])
def test_slow_modulation_follows_the_static_rate(neuron, rates):
    K, gamma, nu_X = (neuron.values[name] for name in ("K", "gamma", "nu_X"))
    r_E, r_I = rates[0] + nu_X, rates[1]
    response = response_to_white_noise(neuron, rates, 10, 1.0)
    gain = response(0.0).gain[:, 0]
    assert np.all(gain.imag == 0)
    h = 1e-3
    for k, (dE, dI, in_degree) in enumerate([(h, 0, K), (0, h, gamma * K)]):
        up, down = (
            neuron.passage(np.array([r_E + s * dE * r_E]), np.array([r_I + s * dI * r_I]), 1e-11)
            for s in (1, -1)
        )
        size = h * (r_E, r_I)[k]
        slope = (up.rate[0] - down.rate[0]) / (2 * size * in_degree)
        # third derivative: the error of the difference is h² of the slope, times the exponents
        assert gain[k].real == pytest.approx(slope, rel=1e-3)


def test_intervals_have_the_moments_of_first_passage(neuron):
    response = response_to_white_noise(neuron, (44.0, 44.0), 10, 1.0)
    passage = neuron.passage(np.array([74.0]), np.array([44.0]), 1e-10)
    assert response.rate == pytest.approx(passage.rate[0], rel=1e-9)
    h = 0.05  # relative to the rate: the cumulants beyond the fourth are of order h⁴
    steps = h * response.rate * np.array([1, -1])
    up, down = np.log(response(steps).interval.real)
    mean, variance = (down - up) / (2 * steps[0]), (up + down) / steps[0] ** 2
    assert mean == pytest.approx(1 / passage.rate[0], rel=h**2)
    assert np.sqrt(variance) / mean == pytest.approx(passage.cv[0], rel=h**2)


def test_fast_modulation_sees_the_threshold_only(neuron):
    """Noise is followed at once, drift with the square root of frequency."""
    response = response_to_white_noise(neuron, (44.0, 44.0), 10, 1.0)
    bound = neuron.bound(np.array([74.0]), np.array([44.0]))
    theta = np.array([[neuron.threshold]])
    B2 = neuron.reduced.function("B2", bound)(theta)[0, 0]
    h = neuron.reduced.function("jump_E", bound)(theta)[0, 0]
    deviations = []
    for omega in (1e5, 1e7):
        gain = response(1j * omega).gain[0, 0]
        deviations.append(abs(gain / (response.rate * h**2 / B2) - 1))
        drift = abs(h / np.sqrt(1j * omega * B2 / 2) / (h**2 / B2))
        assert deviations[-1] < 2 * drift
    assert deviations[0] / deviations[1] == pytest.approx(10, rel=0.3)


def brute_force(A, B2, dA, dB2, lam, cells):
    """Gain from the linearised Fokker-Planck equation on a uniform grid of cells, second order."""
    low, width = -0.1, (THETA + 0.1) / cells
    edges = low + width * np.arange(cells + 1)
    v = (edges[1:] + edges[:-1]) / 2

    def flux(a, b2):
        """Matrix from densities to fluxes through the upper edges of the cells."""
        upper = a(edges[1:-1])
        half = b2(v) / 2
        main = np.append(upper / 2 + half[:-1] / width, half[-1] * 3 / width)
        # q vanishes at the threshold: one-sided slope of second order from two cells
        above = upper / 2 - half[1:] / width
        matrix = diags_array([main, above], offsets=[0, 1], format="lil")
        matrix[cells - 1, cells - 2] = -half[-2] / (3 * width)
        return matrix.tocsc()

    inflow = np.zeros(cells)
    place = (RESET - v[0]) / width
    k = int(place)
    inflow[k : k + 2] = 1 - (place - k), place - k
    divergence = diags_array([np.ones(cells), -np.ones(cells - 1)], offsets=[0, -1], format="csc")

    def generator(J, lam):
        out = np.zeros((1, cells))
        out[0] = J[[cells - 1], :].toarray()
        return (-divergence @ J + np.exp(-lam * TAU_RP) * csc_matrix(inflow[:, None] @ out)) / width

    J, dJ = flux(A, B2), flux(dA, dB2)
    L0 = generator(J, 0.0).tolil()
    L0[0] = width  # the columns of L0 sum to zero: one row is the normalisation
    right = np.zeros(cells)
    right[0] = 1.0
    p = spsolve(L0.tocsc(), right)
    rate = (J @ p)[-1]
    scale = 1 / (1 + rate * TAU_RP)
    p, rate = p * scale, rate * scale
    system = diags_array(np.full(cells, complex(lam)), format="csc") - generator(J, lam)
    p1 = spsolve(system.tocsc(), generator(dJ, lam) @ p)
    return rate, (J @ p1)[-1] + (dJ @ p)[-1]


@pytest.mark.parametrize("lam", [30.0, 2j * np.pi * 20, 2j * np.pi * 200, -20 + 2j * np.pi * 100])
def test_any_drift_and_noise_against_brute_force(lam):
    """An exponential spike current and noise that depends on v."""

    def A(v):
        return (-(v + 0.063) + 0.002 * np.exp((v + 0.060) / 0.002)) / TAU

    def B2(v):
        return 2e-4 * (1 + ((v + 0.08) / 0.03) ** 2)

    def dA(v):
        return -v * 10

    def dB2(v):
        return 0.1 * v**2

    response = LinearResponse(A, B2, [(dA, dB2)], THETA, RESET, TAU_RP)
    found = [brute_force(A, B2, dA, dB2, lam, n) for n in (2250, 4500)]
    gain = response(lam).gain[0, 0]
    for ours, (coarse, fine) in zip((response.rate, gain), zip(*found, strict=True), strict=True):
        limit = (4 * fine - coarse) / 3
        assert abs(ours - limit) < abs(fine - coarse) / 2
        assert abs(fine - coarse) < 2e-3 * abs(limit)


def test_rare_spikes_and_weak_noise_give_numbers():
    """Barriers of hundreds and noise of a thousandth of the distance, without a warning."""
    lam = np.array([0.0, 1.0, 1j, 1e3j, -10 + 50j])
    for mu, sigma in ((-0.10, 0.002), (-0.045, 1e-5), (-0.0552, 1e-5)):
        B2 = sigma**2 / TAU
        response = LinearResponse(
            lambda v, mu=mu: -(v - mu) / TAU,
            lambda v, B2=B2: B2 + 0 * v,
            [(one, zero)],
            THETA,
            RESET,
            TAU_RP,
        )
        answer = response(lam)
        assert np.all(np.isfinite(answer.gain)) and np.all(np.isfinite(answer.pole))


def test_the_stationary_rate_is_that_of_first_passage():
    params = cbnet.load("current")
    found = cbnet.respond(params, r_E=60 * Hz, r_I=30 * Hz, noise="diffusion")
    response = response_to_white_noise(Neuron(params, "E"), (30.0, 30.0), 10, 1.0)
    assert response.rate == pytest.approx(float(found.rate), rel=1e-9)


def test_what_is_regular_far_below_where_the_drift_leads_there():
    """By mpmath: A + √(A² + 2 B² λ) cancels for A < 0, and vanishes without noise."""
    with np.errstate(all="raise"):
        for A, B2, lam in ((-1e6, 1e-3, 5j), (-2.0, 3.0, 1 + 4j), (2.0, 3.0, 4j), (-1.0, 0.0, 1j)):
            found = complex(linear_response._growth(np.array(A), np.array(B2), np.array(lam)))
            with mpmath.workdps(60):
                below = A + mpmath.sqrt(mpmath.mpf(A) ** 2 + 2 * mpmath.mpf(B2) * lam)
                exact = complex(2 / below) if below != 0 else 0
            assert found == pytest.approx(exact, rel=1e-12)
