"""States of any number of populations: known roots, a published network, costly rates."""

import itertools

import numpy as np
import pytest

from cbnet.theory.network.arrivals import Transfer
from cbnet.theory.network.corrected import corrected_states
from cbnet.theory.network.rate_equation import RateEquation
from cbnet.theory.network.roots import all_roots
from cbnet.theory.network.states import all_states
from cbnet.theory.neuron.white import first_passage, siegert

MICROCIRCUIT = np.array([
    [2199.86486, 1079.32007, 979.241261, 467.578108, 159.240826, 0, 109.819852, 0],
    [2990.00583, 860.261056, 703.691807, 289.693864, 380.735859, 0, 60.5863901, 0],
    [159.875428, 34.5225188, 1117.17312, 794.596213, 32.6043349, 0.319552818, 667.325211, 0],
    [1480.97354, 16.9432378, 1813.02026, 953.325789, 16.0313926, 0, 1608.12283, 0],
    [2188.36598, 374.651134, 1135.62969, 31.3195876, 420.770722, 496.471959, 296.694639, 0],
    [1165.66761, 159.083568, 570.579343, 12.0666667, 300.095775, 404.17277, 124.332394, 0],
    [325.197985, 38.632025, 467.354637, 91.7147621, 285.670372, 21.1899271, 581.635915, 752.183189],
    [766.90502, 5.83683853, 74.6380597, 2.74016282, 136.240841, 8.55427408, 979.791723, 459.402985],
])  # fmt: skip
BACKGROUND = np.array([1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100]) * 8.0
ALPHA = 2.0653


def lif(w, shifted=False):
    """Rates of a leaky neuron with current synapses, of classes of efficacy w (V)."""
    tau, tau_S = 0.01, 0.5e-3

    def rate(R, rtol):
        mu, variance = tau * R @ w, tau * R @ w**2
        shift = shifted * ALPHA / 2 * np.sqrt(variance * tau_S / tau)
        found = siegert.rate(mu, tau, variance / tau, 0.015 + shift, shift, 0.002)
        return found, np.full(found.shape, 1e-12)

    return rate


EFFICACIES = np.tile([1.0, -4.0] * 4, (8, 1)) * 0.1756e-3
EFFICACIES[0, 2] *= 2
CLASSES = [np.unique(row) for row in EFFICACIES]


def microcircuit(shifted):
    """In-degrees and efficacies of T. C. Potjans and M. Diesmann, Cereb. Cortex 24, 785 (2014)."""
    return Transfer(
        [
            np.array([np.where(EFFICACIES[p] == w, MICROCIRCUIT[p], 0) for w in each])
            for p, each in enumerate(CLASSES)
        ],
        [np.where(each == 0.1756e-3, BACKGROUND[p], 0) for p, each in enumerate(CLASSES)],
        [lif(each, shifted) for each in CLASSES],
    )


def test_rates_of_the_microcircuit():
    """Shifted thresholds: values of NNMT (M. Layer et al., Front. Neuroinform. 16, 835657)."""
    phi = microcircuit(shifted=True)
    states = all_states(phi, np.full(8, 500.0), 1e-8, sensitivity=phi.sensitivity)
    known = [0.754, 2.794, 4.440, 5.823, 7.154, 8.470, 1.160, 7.756]
    assert states.rates.shape == (1, 8)
    np.testing.assert_allclose(states.rates[0], known, atol=6e-4)
    assert states.complete
    assert states.error[0] < 1e-8
    R = [phi.arrivals(p, states.rates)[0] for p in range(8)]
    mean = [1e3 * 0.01 * r @ w for r, w in zip(R, CLASSES, strict=True)]
    sd = [1e3 * np.sqrt(0.01 * r @ w**2) for r, w in zip(R, CLASSES, strict=True)]
    np.testing.assert_allclose(mean, [2.58, 6.70, 7.00, 6.94, 7.57, 9.05, 2.84, 9.04], atol=6e-3)
    np.testing.assert_allclose(sd, [6.21, 5.14, 5.51, 5.98, 5.90, 5.09, 6.45, 4.92], atol=6e-3)
    cv = []
    for m, s in zip(np.array(mean) / 1e3, np.array(sd) / 1e3, strict=True):
        up = ALPHA / 2 * s * np.sqrt(0.05)
        white = first_passage.solve(
            lambda v, m=m: -(v - m) / 0.01, lambda v, s=s: s**2 / 0.01 + 0 * v,
            0.015 + up, up, 0.002, 1e-8,
        )  # fmt: skip
        cv.append(white.cv[0])
    known = [0.990, 0.946, 0.922, 0.908, 0.887, 0.847, 0.985, 0.854]
    np.testing.assert_allclose(cv, known, atol=6e-4)
    # classes and populations give the same slopes
    slopes = RateEquation(phi, np.full(8, 500.0)).at(states.y, 1e-8).gain
    np.testing.assert_allclose(states.gains, slopes, atol=1e-5 * np.abs(slopes).max())
    assert states.determinant[0] == pytest.approx(np.linalg.det(np.eye(8) - slopes[0]), rel=1e-5)


def test_costly_rates_are_found_from_cheap_ones():
    asked = []

    def counted(rate):
        def of_arrivals(R, rtol):
            asked.append(len(R))
            return rate(R, rtol)

        return of_arrivals

    cheap, costly = microcircuit(shifted=False), microcircuit(shifted=True)
    costly.rates = [counted(rate) for rate in costly.rates]
    highest = np.full(8, 500.0)
    equations = [RateEquation(phi, highest, phi.sensitivity) for phi in (cheap, costly)]
    states = corrected_states(*equations, 1e-6, differences=1e-6)
    known = all_states(costly, highest, 1e-9, sensitivity=costly.sensitivity)
    np.testing.assert_allclose(states.rates, known.rates, rtol=1e-6)
    assert states.complete
    asked.clear()
    corrected_states(*equations, 1e-4, differences=1e-6)
    assert sum(asked) < 8 * 40


def bistable(nu, nu_X):
    """A population of excitatory neurons."""
    R = 400 * (nu + nu_X)
    J, tau = 0.3e-3, 0.02
    return siegert.rate(tau * J * R, tau, J**2 * R, 0.02, 0.01, 0.002)


@pytest.mark.parametrize("inputs", [(5.0,), (5.0, 4.5), (5.0, 4.5, 5.2)])
def test_every_combination_of_populations_that_do_not_meet(inputs):
    """Populations apart from each other: the states are all combinations of theirs."""
    of_one = []
    for nu_X in inputs:
        roots = all_roots(lambda nu, rtol, at=nu_X: bistable(nu, at), 1e-6, 500.0, 1e-10)
        of_one.append([root.rates[0] for root in roots])
        if len(of_one[-1]) == 2:  # silent
            of_one[-1].insert(0, float(bistable(0.0, nu_X)))
    expected = np.array(list(itertools.product(*of_one)))
    assert len(expected) == 3 ** len(inputs)

    def phi(nu, rtol):
        rate = np.stack([bistable(nu[:, k], nu_X) for k, nu_X in enumerate(inputs)], 1)
        return rate, np.full(rate.shape, 1e-12)

    states = all_states(phi, np.full(len(inputs), 500.0), 1e-9)
    assert len(states.rates) == len(expected)
    assert states.complete
    expected = expected[np.argsort(expected.sum(1))]
    np.testing.assert_allclose(states.rates, expected, rtol=1e-6, atol=1e-9)
    middle = [sorted(each)[1] for each in of_one]
    unstable = np.prod([np.where(np.isclose(states.rates[:, k], m), -1, 1)
                        for k, m in enumerate(middle)], axis=0)  # fmt: skip
    np.testing.assert_array_equal(np.sign(states.determinant), unstable)


def test_a_set_that_lacks_a_state_says_so():
    """Without starts the path through the coupling finds an odd number at least."""
    from cbnet.theory.network.states import verified

    def phi(nu, rtol):
        rate = bistable(nu, 5.0)
        return rate, np.full(rate.shape, 1e-12)

    states = all_states(phi, [500.0], 1e-9)
    equation = RateEquation(phi, [500.0])
    assert verified(equation, states.y, 1e-9).complete
    assert not verified(equation, states.y[:2], 1e-9).complete
    assert not verified(equation, states.y[1:2], 1e-9).complete
    assert not verified(equation, states.y[:0], 1e-9).complete


def test_a_part_that_is_split_changes_nothing():
    """Of the microcircuit one population in two parts: the same rates and the same determinant."""
    phi = microcircuit(shifted=False)
    whole = all_states(phi, np.full(8, 500.0), 1e-9, sensitivity=phi.sensitivity)
    of = np.array([0, 1, 2, 2, 3, 4, 5, 6, 7])
    share = np.array([1, 1, 0.3, 0.7, 1, 1, 1, 1, 1.0])
    parts = Transfer(
        [phi.in_degrees[p][:, of] * share for p in of],
        [phi.external[p] for p in of],
        [phi.rates[p] for p in of],
        representative=[0, 1, 2, 2, 4, 5, 6, 7, 8],
    )
    split = all_states(parts, np.full(9, 500.0), 1e-9, sensitivity=parts.sensitivity)
    np.testing.assert_allclose(split.rates, whole.rates[:, of], rtol=1e-8)
    np.testing.assert_allclose(split.determinant, whole.determinant, rtol=1e-5)
    assert split.complete


def test_states_that_few_starts_lead_to_are_on_curves_through_others():
    """Three bistable populations, weakly coupled: an odd number of states, each verified."""
    for seed in (3,):
        W = np.random.default_rng(seed).normal(size=(3, 3)) * 0.02
        np.fill_diagonal(W, 1)

        def phi(nu, rtol, W=W):
            drive = np.maximum(nu @ W.T, 0)
            rate = np.stack([bistable(drive[:, k], x) for k, x in enumerate((5.0, 4.5, 5.2))], 1)
            return rate, np.full(rate.shape, 1e-12)

        states = all_states(phi, np.full(3, 500.0), 1e-9)
        assert states.complete
        assert len(states.rates) % 2 == 1
        np.testing.assert_allclose(phi(states.rates, 0)[0], states.rates, rtol=1e-6)
