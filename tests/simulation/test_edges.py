"""Graphs of projections between named populations, as they are drawn."""

import numpy as np
import pytest

import cbnet
from cbnet.simulation.wiring import edges

CELLS = cbnet.neuron("current")


def projection(sources=50, targets=40, within=False, **given):
    populations = [cbnet.Population("A", CELLS, sources), cbnet.Population("B", CELLS, targets)]
    given = {"w": "0.1 mV", "delay": "1 ms"} | given
    link = cbnet.Projection("A", "A" if within else "B", "E", **given)
    return cbnet.Network(populations, [link]).projections[0]


def drawn(seed=1, sources=50, targets=40, within=False, **given):
    p = projection(sources, targets, within, **given)
    size, rng = sources if within else targets, np.random.default_rng(seed)
    found = edges.draw(p, sources, size, 1e-4, rng)
    assert np.all(np.diff(found.i) >= 0)
    return found, np.bincount(found.j, minlength=size)


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("wiring", [cbnet.FixedIn(), cbnet.Bernoulli(), cbnet.GaussianIn(0.2)])
def test_partners_are_distinct_and_others(wiring, within):
    found, _ = drawn(within=within, number=12, wiring=wiring)
    pairs = set(zip(found.i.tolist(), found.j.tolist(), strict=True))
    assert len(pairs) == len(found.i)
    if within:
        assert not np.any(found.i == found.j)
        # any other neuron may be a partner
        many = [drawn(seed, within=True, number=12, wiring=wiring)[0] for seed in range(40)]
        seen = {p for one in many for p in zip(one.i.tolist(), one.j.tolist(), strict=True)}
        assert len(seen) == 50 * 49


def test_fixed_in_degrees_keep_a_mean_that_is_no_whole_number():
    _, degrees = drawn(number=12.25)
    assert degrees.sum() == 490
    assert set(degrees) == {12, 13}


@pytest.mark.parametrize(
    "wiring", [cbnet.Bernoulli(), cbnet.GaussianIn(0.25), cbnet.FixedTotal(),
               cbnet.FixedTotal(multapses=False)]
)  # fmt: skip
def test_in_degrees_have_the_mean_and_spread_of_their_law(wiring):
    degrees = np.array([drawn(seed, number=12, wiring=wiring)[1] for seed in range(100)])
    spread = wiring.spread(12, 50, 40)
    assert abs(degrees.mean() - 12) < 4 * spread / 4000**0.5
    # rounding adds 1/12 to the variance of a Gaussian; 4000 numbers tell a spread to 1.1 %
    expected = np.sqrt(spread**2 + isinstance(wiring, cbnet.GaussianIn) / 12)
    assert degrees.std() == pytest.approx(expected, rel=0.05)


def test_total_is_met_and_pairs_may_repeat():
    found, _ = drawn(number=12, wiring=cbnet.FixedTotal())
    pairs = list(zip(found.i.tolist(), found.j.tolist(), strict=True))
    assert len(pairs) == 480 > len(set(pairs))
    found, _ = drawn(number=12, wiring=cbnet.FixedTotal(multapses=False))
    assert len(set(zip(found.i.tolist(), found.j.tolist(), strict=True))) == 480


def test_efficacies_and_delays_of_laws():
    laws = {"w": cbnet.Normal("0.1 mV", cv=0.1), "delay": cbnet.Uniform("0.5 ms", "3 ms")}
    found, _ = drawn(number=40, **laws)
    assert abs(found.w.mean() - 1e-4) < 4 * 1e-5 / 40
    assert found.w.std() == pytest.approx(1e-5, rel=0.1)
    assert found.steps.min() == 5 and found.steps.max() == 30
    assert abs(found.steps.mean() - 17.5) < 4 * 7.2 / 40


def test_explicit_edges_keep_their_delays_and_efficacies_in_order():
    wiring = cbnet.Explicit([3, 0, 3], [1, 2, 5])
    found, _ = drawn(wiring=wiring)
    assert found.i.tolist() == [0, 3, 3] and found.j.tolist() == [2, 1, 5]
    assert found.w == 1e-4 and found.steps.tolist() == [10, 10, 10]
    from brian2 import ms, mV

    listed = cbnet.Explicit([3, 0, 3], [1, 2, 5], [1, 2, 0.14] * ms, [0.1, 0.2, 0.3] * mV)
    found, _ = drawn(wiring=listed, w=None, delay="0 ms")
    assert found.steps.tolist() == [20, 10, 1]
    assert found.w == pytest.approx([2e-4, 1e-4, 3e-4])


def test_a_delay_of_zero_is_the_next_step():
    assert set(drawn(number=3, delay="0 ms")[0].steps) == {1}


def test_numbers_of_trains():
    rng = np.random.default_rng(1)
    assert edges.numbers(cbnet.FixedIn(), 12.5, 4, rng).tolist() == [12.5] * 4
    poisson = edges.numbers(cbnet.Bernoulli(), 100, 4000, rng)
    assert poisson.var() == pytest.approx(100, rel=0.1)
    assert edges.numbers(cbnet.GaussianIn(0.3), 100, 4000, rng).std() == pytest.approx(30, rel=0.05)
    assert edges.numbers(cbnet.FixedTotal(), 100, 40, rng).sum() == 4000
