"""Modes and spectra of any number of populations: closed forms, and populations that are split."""

import itertools

import numpy as np
import pytest
from brian2 import Hz, ms, mV
from scipy.special import lambertw

import cbnet
from cbnet.model.distributions import Normal, Uniform
from cbnet.theory.network.characteristic import leading
from cbnet.theory.network.feedback import Feedback, Link, determinant
from cbnet.theory.network.fluctuations import cross_spectra
from cbnet.theory.network.pole_orders import pole_orders
from cbnet.theory.neuron.jumps.jump_response import JumpResponse
from cbnet.theory.neuron.neuron import Neuron
from cbnet.theory.neuron.white.linear_response import Answer


def normal(center, sd, low=0.0, high=None):
    return Normal(center, sd, at_least=low, at_most=high)


def linear(*gains):
    """A population whose rate follows its arrivals at once."""

    def respond(lam):
        ones = np.ones(lam.size, complex)
        return Answer(np.outer(gains, ones), 0 * ones, ones, np.zeros(lam.size))

    return respond


@pytest.mark.parametrize("size", [1, 3, 5])
def test_modes_of_filtered_delayed_coupling(size):
    """(1 + λτ) = w e^(−λD) for every eigenvalue w of the coupling: Lambert's function."""
    tau, delay = 4e-3, 2e-3
    W = np.random.default_rng(size).normal(size=(size, size)) * 1.4
    links = [
        Link(p, q, 0, W[p, q], Uniform(delay, delay), tau)
        for p, q in itertools.product(range(size), repeat=2)
    ]
    feedback = Feedback(np.full(size, 10.0), [linear(1.0) for _ in range(size)], links)
    w = np.linalg.eigvals(W).astype(complex)
    modes = np.concatenate(
        [lambertw(w * delay / tau * np.exp(delay / tau), k) / delay - 1 / tau for k in (-1, 0, 1)]
    )
    furthest = modes[np.argmax(modes.real)]
    characteristic = feedback.characteristic(2 * np.pi * 500)
    found = leading(characteristic)
    assert found.real == pytest.approx(furthest.real, rel=1e-8)
    assert found.imag == pytest.approx(abs(furthest.imag), rel=1e-8)
    # every filter adds a pole, and the count of zeros knows it
    edge = -0.9 / tau
    inside = modes[(modes.real > edge) & (np.abs(modes.imag) < 2 * np.pi * 500)]
    assert characteristic.count(edge, characteristic.right_edge(), modes) == len(inside)


def test_poles_are_counted_as_often_as_the_determinant_has_them():
    one, other = Uniform(1e-3, 1e-3), Uniform(1e-3, 3e-3)

    def orders(groups, *links):
        filters, responses = pole_orders(groups, [Link(*each) for each in links])
        return {tau: filters.count(tau) for tau in filters}, responses

    both = [(p, q, q, 10.0 * (q + 1), one, 2e-3) for p in (0, 1) for q in (0, 1)]
    # populations that respond alike to the same arrivals have one pole, others one each
    assert orders(["a", "a"], *both) == ({2e-3: 1}, {"a": 1})
    assert orders(["a", "b"], *both) == ({2e-3: 2}, {"a": 1, "b": 1})
    # the same response to arrivals that come at other times
    later = [(*each[:4], one if each[0] == each[1] else other, 2e-3) for each in both]
    assert orders(["a", "a"], *later) == ({2e-3: 2}, {"a": 2})
    # a chain feeds nothing back
    chain = [(1, 0, 0, 10.0, one, 2e-3), (2, 1, 0, 10.0, one, 2e-3)]
    assert orders(["a", "b", "c"], *chain) == ({}, {"b": 0, "c": 0})
    # two sources of one filter, a third of another, onto three populations
    three = [
        (p, q, q, 10.0 + p * q, one, (1e-3, 1e-3, 5e-3)[q]) for p in range(3) for q in range(3)
    ]
    assert orders(["a", "b", "c"], *three)[0] == {1e-3: 2, 5e-3: 1}


@pytest.fixture(scope="module")
def strong():
    """The neuron and network whose response to finite jumps is known."""
    params = cbnet.load("conductance").replace(
        tau_L=10 * ms, E_L=-68 * mV, E_I=-82 * mV, theta=-50 * mV, V_r=-58 * mV, tau_rp=3 * ms,
        K=20, gamma=0.5, a=0.03, g=6, nu_X=46.14655 * Hz,
    )  # fmt: skip
    return JumpResponse(Neuron(params, "E", "shot"), 90.0, 45.0)


def split(response, shares_of_E, delay=None):
    """E, split at random into parts, and I; in-degrees 20 and 10."""
    delay = delay or Uniform(0.5e-3, 2.5e-3)
    parts = [*shares_of_E, 1.0]
    kinds = [0] * len(shares_of_E) + [1]
    links = [
        Link(p, q, kinds[q], (20.0, 10.0)[kinds[q]] * parts[q], delay)
        for p, q in itertools.product(range(len(parts)), repeat=2)
    ]
    feedback = Feedback(np.full(len(parts), 43.85345), [response] * len(parts), links)
    return feedback, np.array([*(0.8 * s for s in shares_of_E), 0.2])


def test_a_population_split_at_random_is_still_one(strong):
    lam = np.array([10 + 120j * np.pi, 300j, -50 + 20j, 0])
    whole, shares = split(strong, [1.0])
    determinants = determinant(whole.matrix(lam))
    # of the backward equation in time, 2 and 3 populations
    assert determinants[0] == pytest.approx(0.4625083 + 0.0612771j, rel=2e-3)
    f = np.array([0.0, 20.0, 70.0, 300.0])
    power = cross_spectra(whole, f, 5000, shares)[:, 0, 0]
    for parts in ([0.3, 0.7], [0.5, 0.2, 0.3]):
        several, fractions = split(strong, parts)
        M = several.matrix(lam)
        np.testing.assert_allclose(determinant(M), determinants, rtol=1e-12)
        eigenvalues = np.sort(np.abs(np.linalg.eigvals(M)), axis=1)
        assert np.all(eigenvalues[:, : len(parts)] < 1e-9 * eigenvalues[:, -1:])
        n = len(parts)
        C = cross_spectra(several, f, 5000, fractions)[:, :n, :n]
        np.testing.assert_allclose(np.einsum("p,fpq,q->f", parts, C, parts), power, rtol=1e-10)


def test_two_links_between_two_populations_add_up(strong):
    """A mixture of delays is a link for each, with its share of the in-degree."""
    delays = [Uniform(0.5e-3, 2.5e-3), Uniform(4e-3, 4e-3)]
    lam = np.array([5 + 300j])
    each = [split(strong, [1.0], delay)[0].links for delay in delays]
    shared = [
        Link(x.target, x.source, x.modulation, x.number * w, x.delay)
        for links, w in zip(each, (0.25, 0.75), strict=True)
        for x in links
    ]
    M = Feedback([43.85345] * 2, [strong] * 2, shared).matrix(lam)
    alone = [Feedback([43.85345] * 2, [strong] * 2, links).matrix(lam) for links in each]
    np.testing.assert_allclose(M, 0.25 * alone[0] + 0.75 * alone[1], rtol=1e-12)


def test_a_silent_population_takes_no_part(strong):
    whole, _ = split(strong, [1.0])
    silent = [Link(2, 0, 0, 50.0, Uniform(1e-3, 1e-3)), Link(0, 2, 1, 50.0, Uniform(1e-3, 1e-3))]
    more = Feedback([43.85345, 43.85345, 0.0], [strong, strong, None], [*whole.links, *silent])
    lam = np.array([10 + 200j])
    np.testing.assert_allclose(
        determinant(more.matrix(lam)), determinant(whole.matrix(lam)), rtol=1e-12
    )


def test_delays_that_are_normal_and_cut():
    lam = np.array([2j * np.pi * 100])
    known = [
        ((1.5e-3, 0.75e-3), 0.5156223018 - 0.7448500730j),
        ((1.5e-3, 0.75e-3, 0.1e-3), 0.5115174222 - 0.7508935157j),
        ((0.75e-3, 0.375e-3), 0.8636716681 - 0.4538763159j),
    ]
    for law, expected in known:
        assert normal(*law).laplace(lam)[0] == pytest.approx(expected, abs=2e-10)
    assert normal(1.5e-3, 0.75e-3).mean == pytest.approx(1.5414e-3, abs=1e-7)
    # bounds on both sides, far bounds, and growing or decaying disturbances, by quadrature
    lam = np.array([0, 300 + 2000j, -400 + 100j, 5e3j])
    for law in ((2e-3, 1e-3, 0.5e-3, 2.2e-3), (1.5e-3, 1e-5, 0.0, 1.0), (-2e-3, 1e-3, 0.0, 9e-3)):
        delay = normal(*law)
        ends = max(law[2], law[0] - 12 * law[1]), min(law[3], law[0] + 12 * law[1])
        x, w = np.polynomial.legendre.leggauss(400)
        at = (ends[0] + ends[1]) / 2 + (ends[1] - ends[0]) / 2 * x
        weight = w * np.exp(-(((at - law[0]) / law[1]) ** 2) / 2)
        weight /= weight.sum()
        np.testing.assert_allclose(
            delay.laplace(lam), np.exp(-lam[:, None] * at) @ weight, rtol=1e-9
        )
        assert delay.mean == pytest.approx(weight @ at, rel=1e-9)
        assert delay.laplace(np.array([1e5 + 1j, 1e5j])) == pytest.approx(
            np.exp(-np.array([1e5 + 1j, 1e5j])[:, None] * at) @ weight, rel=1e-6, abs=1e-12
        )
