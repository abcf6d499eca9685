"""Who is connected to whom: in-degrees, partners, delays, order, seeds."""

import numpy as np
import pytest
from brian2 import ms
from scipy import stats

import cbnet
from cbnet.simulation import wiring
from cbnet.simulation.layout import layout

DT = 1e-4
PROJECTIONS = [(source, target) for source in "EI" for target in "EI"]
# partners possible per input above 20 take the sparse branch, below it the dense one
DENSE = {"N": 500, "K": 100}
SPARSE = {"N": 4000, "K": 40}


def drawn(N, seed=1, fraction=0.8, **changes):
    params = cbnet.load("conductance").replace(**changes)
    sizes = layout(params, N, fraction)
    return sizes, *wiring.draw(params, sizes, DT, seed)


def degrees(sizes, wired, source, target):
    """In-degree of every target neuron from one population."""
    first, last = sizes.span(target)
    targets = wired[source].targets
    mine = targets[(targets >= first) & (targets < last)]
    return np.bincount(mine - first, minlength=last - first)


@pytest.mark.parametrize("size", [DENSE, SPARSE], ids=["dense", "sparse"])
@pytest.mark.parametrize("law", ["fixed", "bernoulli", "gaussian"])
def test_no_multapses_and_no_autapses(size, law):
    sizes, wired, _ = drawn(**size, law=law, CV_K=0.2 * (law == "gaussian"))
    for source in "EI":
        found = wired[source]
        assert found.sources.min() >= 0
        assert found.sources.max() < sizes.size(source)
        assert 0 <= found.targets.min() <= found.targets.max() < sizes.N
        pairs = found.sources.astype(np.int64) * sizes.N + found.targets
        assert np.unique(pairs).size == pairs.size
        first, _ = sizes.span(source)
        assert not np.any(found.sources + first == found.targets)


@pytest.mark.parametrize("size", [DENSE, SPARSE], ids=["dense", "sparse"])
@pytest.mark.parametrize(("source", "target"), PROJECTIONS)
def test_fixed_in_degrees_are_exact(size, source, target):
    sizes, wired, external = drawn(**size)
    k = size["K"] if source == "E" else size["K"] // 4
    assert np.all(degrees(sizes, wired, source, target) == k)
    assert np.all(external == size["K"])


def test_as_many_inputs_as_there_are_partners():
    # 41 excitatory neurons: each has all the 40 others
    sizes, wired, _ = drawn(52, K=40, fraction=0.788)
    assert (sizes.N_E, sizes.N_I) == (41, 11)
    pairs = set(zip(wired["E"].sources.tolist(), wired["E"].targets.tolist(), strict=True))
    assert {(i, j) for i in range(41) for j in range(41) if i != j} <= pairs


@pytest.mark.parametrize("size", [DENSE, SPARSE], ids=["dense", "sparse"])
@pytest.mark.parametrize(("source", "target"), PROJECTIONS)
def test_partners_are_chosen_uniformly(size, source, target):
    sizes, wired, _ = drawn(**size, seed=5)
    first, last = sizes.span(target)
    found = wired[source]
    mine = (found.targets >= first) & (found.targets < last)
    out = np.bincount(found.sources[mine], minlength=sizes.size(source))
    # out-degrees are sums over targets of draws without replacement: variance n p (1 − p)
    possible = sizes.size(source) - (source == target)
    k = size["K"] if source == "E" else size["K"] // 4
    choosers = np.full(sizes.size(source), last - first - (source == target))
    mean = choosers * k / possible
    chi2 = np.sum((out - mean) ** 2 / (mean * (1 - k / possible)))
    p = stats.chi2.cdf(chi2, sizes.size(source) - 1)
    assert 1e-3 < p < 1 - 1e-3
    # the choice does not depend on where the chooser stands: early and late targets alike
    early = np.bincount(
        found.sources[mine & (found.targets < (first + last) // 2)], minlength=sizes.size(source)
    )
    halves = np.corrcoef(early - early.mean(), np.arange(sizes.size(source)))[0, 1]
    assert abs(halves) < 4 / np.sqrt(sizes.size(source))


def test_pairs_of_partners_are_independent():
    # Of three possible partners two are chosen: all three pairs equally often.
    rng = np.random.default_rng(2)
    dense = wiring._partners(3, np.full(30_000, 2), rng).reshape(-1, 2)
    assert stats.chisquare(np.bincount(dense.sum(axis=1) - 1, minlength=3)).pvalue > 1e-3
    rows = np.sort(wiring._partners(100, np.full(20_000, 2), rng).reshape(-1, 2), axis=1)
    pairs = np.bincount(rows[:, 0] * 100 + rows[:, 1], minlength=10_000)
    possible = pairs[np.flatnonzero(np.triu(np.ones((100, 100)), 1).ravel())]
    assert possible.sum() == 20_000
    assert stats.chisquare(possible).pvalue > 1e-3


@pytest.mark.parametrize("size", [DENSE, SPARSE], ids=["dense", "sparse"])
def test_presynaptic_order(size):
    _, wired, _ = drawn(**size)
    for found in wired.values():
        assert found.sources.dtype == found.targets.dtype == found.delays.dtype == np.int32
        assert np.all(np.diff(found.sources) >= 0)
        same = np.diff(found.sources) == 0
        assert np.all(np.diff(found.delays)[same] >= 0)


def test_delays_are_uniform_and_independent_of_targets():
    sizes, wired, _ = drawn(2000, K=100, D_min=0.3 * ms, D_max=2.3 * ms)
    for found in wired.values():
        steps = found.delays
        assert (steps.min(), steps.max()) == (3, 23)
        # rounding to whole steps leaves half a bin at either end
        share = np.full(21, 1.0)
        share[[0, -1]] = 0.5
        expected = steps.size * share / share.sum()
        assert stats.chisquare(np.bincount(steps, minlength=24)[3:], expected).pvalue > 1e-3
        bound = 4 / np.sqrt(steps.size)
        assert abs(np.corrcoef(steps, found.targets)[0, 1]) < bound
        assert abs(np.corrcoef(steps, found.sources)[0, 1]) < bound
        by_parity = [steps[found.targets % 2 == i].mean() for i in (0, 1)]
        spread = steps.std() * np.sqrt(4 / steps.size)
        assert abs(by_parity[0] - by_parity[1]) < 4 * spread


def test_one_delay():
    _, wired, _ = drawn(**DENSE, D=1.5 * ms)
    for found in wired.values():
        assert np.all(found.delays == 15)


@pytest.mark.parametrize("size", [DENSE, SPARSE], ids=["dense", "sparse"])
@pytest.mark.parametrize(("source", "target"), PROJECTIONS)
def test_bernoulli_in_degrees(size, source, target):
    # several graphs, because there are few inhibitory neurons
    k = size["K"] if source == "E" else size["K"] // 4
    found, possible = [], None
    for seed in range(4):
        sizes, wired, _ = drawn(**size, law="bernoulli", seed=seed)
        found.append(degrees(sizes, wired, source, target))
        possible = sizes.size(source) - (source == target)
    found = np.concatenate(found)
    law = stats.binom(possible, k / possible)
    n = found.size
    assert abs(found.mean() - k) < 4 * law.std() / np.sqrt(n)
    assert abs(found.var(ddof=1) / law.var() - 1) < 4 * np.sqrt(2 / n)
    # for a discrete law the KS test errs on the safe side
    assert stats.kstest(found, law.cdf).pvalue > 1e-3 or (
        np.abs(np.cumsum(np.bincount(found) / n) - law.cdf(np.arange(found.max() + 1))).max()
        < 1.95 / np.sqrt(n)
    )


def test_external_inputs_of_a_random_graph_are_poisson():
    _, _, external = drawn(4000, K=100, law="bernoulli")
    n = external.size
    assert abs(external.mean() - 100) < 4 * 10 / np.sqrt(n)
    assert abs(external.var(ddof=1) / 100 - 1) < 4 * np.sqrt(2 / n)


@pytest.mark.parametrize("size", [DENSE, SPARSE], ids=["dense", "sparse"])
def test_gaussian_in_degrees(size):
    for source in "EI":
        k = size["K"] if source == "E" else size["K"] // 4
        found = []
        for seed in range(2):
            sizes, wired, external = drawn(**size, law="gaussian", CV_K=0.2, seed=seed)
            found += [degrees(sizes, wired, source, target) for target in "EI"]
        found = np.concatenate(found)
        n, sd = found.size, 0.2 * k
        assert abs(found.mean() - k) < 4 * sd / np.sqrt(n)
        # rounding adds 1/12 to the variance
        assert abs(found.var(ddof=1) / (sd**2 + 1 / 12) - 1) < 4 * np.sqrt(2 / n)
        steps = np.arange(found.max() + 1)
        off = np.abs(np.cumsum(np.bincount(found)) / n - stats.norm(k, sd).cdf(steps + 0.5)).max()
        assert off < 1.95 / np.sqrt(n)  # KS at 0.1 %
    assert abs(external.mean() - size["K"]) < 4 * 0.2 * size["K"] / np.sqrt(external.size)


def test_gaussian_in_degrees_are_truncated():
    sizes, wired, external = drawn(500, K=100, law="gaussian", CV_K=1.0)
    for source, target in PROJECTIONS:
        found = degrees(sizes, wired, source, target)
        assert found.min() == 0
        assert found.max() <= sizes.size(source) - (source == target)
    assert external.min() == 0


def test_in_degrees_of_the_projections_are_independent():
    sizes, wired, external = drawn(4000, K=40, law="gaussian", CV_K=0.2)
    into_E = np.stack(
        [degrees(sizes, wired, "E", "E"), degrees(sizes, wired, "I", "E"), external[: sizes.N_E]]
    )
    off = np.corrcoef(into_E)[np.triu_indices(3, 1)]
    assert np.abs(off).max() < 4 / np.sqrt(sizes.N_E)


def test_seeds():
    (_, first, x1), (_, again, x2), (_, other, x3) = (
        drawn(**SPARSE, law="bernoulli", seed=seed) for seed in (1, 1, 2)
    )
    for population in "EI":
        for name in ("sources", "targets", "delays"):
            assert np.array_equal(
                getattr(first[population], name), getattr(again[population], name)
            )
        a, b = (
            set(zip(w[population].sources.tolist(), w[population].targets.tolist(), strict=True))
            for w in (first, other)
        )
        # two graphs share what chance lets them share: K/N of their synapses
        share = len(a & b) / len(a)
        p = 40 / 3200 if population == "E" else 10 / 800
        assert abs(share - p) < 5 * np.sqrt(p / len(a))
    assert np.array_equal(x1, x2)
    assert not np.array_equal(x1, x3)


def test_populations_with_their_own_in_degrees_and_delays():
    changes = {
        "I.K": 60,
        "I.gamma": 0.5,
        "I.D_min": 0.2 * ms,
        "I.D_max": 0.4 * ms,
        "D_min": 1 * ms,
        "D_max": 2 * ms,
    }
    sizes, wired, external = drawn(1000, K=40, **changes)
    wanted = {("E", "E"): 40, ("I", "E"): 10, ("E", "I"): 60, ("I", "I"): 30}
    for (source, target), k in wanted.items():
        assert np.all(degrees(sizes, wired, source, target) == k)
        assert sizes.in_degree[source, target] == k
    assert np.all(external[: sizes.N_E] == 40)
    assert np.all(external[sizes.N_E :] == 60)
    for found in wired.values():
        to_E = found.targets < sizes.N_E
        assert (found.delays[to_E].min(), found.delays[to_E].max()) == (10, 20)
        assert (found.delays[~to_E].min(), found.delays[~to_E].max()) == (2, 4)


def test_one_population_alone_follows_another_law():
    sizes, wired, external = drawn(1000, K=40, **{"I.law": "bernoulli"})
    assert np.all(degrees(sizes, wired, "E", "E") == 40)
    assert degrees(sizes, wired, "E", "I").std() > 0
    assert np.all(external[: sizes.N_E] == 40)
    assert external[sizes.N_E :].std() > 0
