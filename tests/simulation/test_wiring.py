"""Who is connected to whom, drawn with numpy: in-degrees, partners, delays, order, seeds."""

import numpy as np
import pytest
from brian2 import ms
from scipy import stats

import cbnet
from cbnet.simulation.brian import network
from cbnet.simulation.job import prepare
from cbnet.simulation.wiring import drawing
from cbnet.simulation.wiring.layout import projections

DENSE = {"sources": 400, "K": 100}
SPARSE = {"sources": 3200, "K": 40}
SIZES = pytest.mark.parametrize("size", [DENSE, SPARSE], ids=["dense", "sparse"])
# Sources are the first neurons of the targets, the last ones, or others.
OFFSETS = pytest.mark.parametrize("where", ["first", "last", "apart"])


def draw(sources, K, where="first", law="fixed", cv=0.0, delay=(1, 100), seed=1):
    """A projection to a quarter more neurons than there are sources, and each one's own index."""
    targets = sources * 5 // 4
    offset = {"first": 0, "last": sources - targets, "apart": None}[where]
    drawn = drawing.draw(sources, targets, offset, law, K, cv, delay, seed)
    own = np.arange(targets) + offset if offset is not None else np.full(targets, -1)
    return drawn, own


def degrees(drawn, targets):
    return np.bincount(drawn.targets, minlength=targets)


@SIZES
@OFFSETS
@pytest.mark.parametrize("law", ["fixed", "bernoulli", "gaussian"])
def test_no_multapses_and_no_autapses(size, where, law):
    drawn, own = draw(**size, where=where, law=law, cv=0.2)
    assert 0 <= drawn.sources.min() <= drawn.sources.max() < size["sources"]
    assert 0 <= drawn.targets.min() <= drawn.targets.max() < len(own)
    pairs = drawn.sources.astype(np.int64) * len(own) + drawn.targets
    assert np.unique(pairs).size == pairs.size
    assert not np.any(drawn.sources == own[drawn.targets])


@SIZES
@OFFSETS
def test_fixed_in_degrees_are_exact(size, where):
    drawn, own = draw(**size, where=where)
    assert np.all(degrees(drawn, len(own)) == size["K"])


def test_as_many_inputs_as_there_are_partners():
    # each has all the 40 others, and those outside 40 of the 41
    drawn, _ = draw(41, 40)
    pairs = set(zip(drawn.sources.tolist(), drawn.targets.tolist(), strict=True))
    assert {(i, j) for i in range(41) for j in range(41) if i != j} <= pairs
    assert len(pairs) == 51 * 40


@SIZES
@OFFSETS
def test_partners_are_chosen_uniformly(size, where):
    drawn, own = draw(**size, where=where, seed=5)
    n, k = size["sources"], size["K"]
    inside = (own >= 0) & (own < n)
    out = np.bincount(drawn.sources, minlength=n)
    # out-degrees are sums over targets of draws without replacement: variance n p (1 − p)
    chance = np.where(inside, k / (n - 1), k / n)
    mean, variance = chance.sum(), (chance * (1 - chance)).sum()
    if inside.any():  # nobody chooses itself
        mean -= k / (n - 1)
        variance -= k / (n - 1) * (1 - k / (n - 1))
    p = stats.chi2.cdf(np.sum((out - mean) ** 2) / variance, n - 1)
    assert 1e-3 < p < 1 - 1e-3
    # the choice does not depend on where the chooser stands: early and late targets alike
    early = np.bincount(drawn.sources[drawn.targets < len(own) // 2], minlength=n)
    # the autapses that are missing from one half shift n/2 of the out-degrees by p
    assert abs(np.corrcoef(early, np.arange(n))[0, 1]) < 4 / np.sqrt(n) + chance.max() / early.std()


def test_pairs_of_partners_are_independent():
    # Of three possible partners two are chosen: all three pairs equally often.
    few = drawing.draw(3, 30_000, None, "fixed", 2, 0.0, (1, 1), 2)
    left_out = 3 - np.bincount(few.targets, few.sources).astype(int)
    assert stats.chisquare(np.bincount(left_out, minlength=3)).pvalue > 1e-3
    many = drawing.draw(100, 20_000, None, "fixed", 2, 0.0, (1, 1), 3)
    order = np.lexsort((many.sources, many.targets))
    rows = many.sources[order].reshape(-1, 2)
    pairs = np.bincount(rows[:, 0] * 100 + rows[:, 1], minlength=10_000)
    possible = pairs[np.flatnonzero(np.triu(np.ones((100, 100)), 1).ravel())]
    assert possible.sum() == 20_000
    assert stats.chisquare(possible).pvalue > 1e-3


@SIZES
def test_presynaptic_order(size):
    drawn, _ = draw(**size)
    assert drawn.sources.dtype == drawn.targets.dtype == drawn.delays.dtype == np.int32
    assert np.all(np.diff(drawn.sources) >= 0)
    same = np.diff(drawn.sources) == 0
    assert np.all(np.diff(drawn.delays)[same] >= 0)


def test_delays_are_uniform_and_independent_of_targets():
    drawn, _ = draw(1600, 100, delay=(3, 23))
    steps = drawn.delays
    assert (steps.min(), steps.max()) == (3, 23)
    # rounding to whole steps leaves half a bin at either end
    share = np.full(21, 1.0)
    share[[0, -1]] = 0.5
    expected = steps.size * share / share.sum()
    assert stats.chisquare(np.bincount(steps, minlength=24)[3:], expected).pvalue > 1e-3
    bound = 4 / np.sqrt(steps.size)
    assert abs(np.corrcoef(steps, drawn.targets)[0, 1]) < bound
    assert abs(np.corrcoef(steps, drawn.sources)[0, 1]) < bound
    by_parity = [steps[drawn.targets % 2 == i].mean() for i in (0, 1)]
    spread = steps.std() * np.sqrt(4 / steps.size)
    assert abs(by_parity[0] - by_parity[1]) < 4 * spread


def test_one_delay():
    drawn, _ = draw(**DENSE, delay=(15, 15))
    assert np.all(drawn.delays == 15)


@SIZES
@OFFSETS
def test_bernoulli_in_degrees(size, where):
    drawn, own = draw(**size, law="bernoulli", where=where)
    k = size["K"]
    possible = size["sources"] - ((own >= 0) & (own < size["sources"]))
    found = degrees(drawn, len(own))
    n, law = found.size, stats.binom(possible.min(), k / possible.min())
    assert abs(found.mean() - k) < 4 * law.std() / np.sqrt(n)
    assert abs(found.var(ddof=1) / law.var() - 1) < 4 * np.sqrt(2 / n)
    # for a discrete law the KS test errs on the safe side
    off = np.abs(np.cumsum(np.bincount(found) / n) - law.cdf(np.arange(found.max() + 1))).max()
    assert off < 1.95 / np.sqrt(n)  # KS at 0.1 %


@SIZES
def test_gaussian_in_degrees(size):
    k = size["K"]
    drawn, own = draw(**size, law="gaussian", cv=0.2)
    found = degrees(drawn, len(own))
    n, sd = found.size, 0.2 * k
    assert abs(found.mean() - k) < 4 * sd / np.sqrt(n)
    # rounding adds 1/12 to the variance
    assert abs(found.var(ddof=1) / (sd**2 + 1 / 12) - 1) < 4 * np.sqrt(2 / n)
    steps = np.arange(found.max() + 1)
    off = np.abs(np.cumsum(np.bincount(found)) / n - stats.norm(k, sd).cdf(steps + 0.5)).max()
    assert off < 1.95 / np.sqrt(n)


def test_gaussian_in_degrees_are_truncated():
    drawn, own = draw(**DENSE, law="gaussian", cv=3.0)
    found = degrees(drawn, len(own))
    assert found.min() == 0
    assert found[own < 400].max() == 399
    assert found[own >= 400].max() == 400


def test_the_same_seed_is_the_same_graph():
    first, again, other = (draw(**SPARSE, law="bernoulli", seed=seed)[0] for seed in (1, 1, 2))
    for name in ("sources", "targets", "delays"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    a, b = (set(zip(w.sources.tolist(), w.targets.tolist(), strict=True)) for w in (first, other))
    # two graphs share what chance lets them share: K/N of their synapses
    p = 40 / 3200
    assert abs(len(a & b) / len(a) - p) < 5 * np.sqrt(p / len(a))


# Of a network


def external(N=1000, seed=1, **changes):
    params = cbnet.load("conductance").replace(**({"K": 100} | changes))
    return prepare(params, N, dt="0.1ms", seed=seed).wires.external


def test_external_inputs_of_a_fixed_law_are_exact():
    assert np.all(external()["drive"] == 100)


def test_external_inputs_of_a_random_graph_are_poisson():
    found = external(4000, law="bernoulli")["drive"]
    n = found.size
    assert n == 4000
    assert abs(found.mean() - 100) < 4 * 10 / np.sqrt(n)
    assert abs(found.var(ddof=1) / 100 - 1) < 4 * np.sqrt(2 / n)


def test_external_inputs_of_gaussian_number():
    found = external(4000, law="gaussian", CV_K=0.2)["drive"]
    assert abs(found.mean() - 100) < 4 * 20 / np.sqrt(found.size)
    assert found.std() == pytest.approx(20, rel=4 / np.sqrt(2 * found.size))
    assert external(law="gaussian", CV_K=1.0)["drive"].min() == 0


def test_external_inputs_and_seeds():
    first, again, other = (external(law="bernoulli", seed=s)["drive"] for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def wired(N=1000, **changes):
    """The projections of a network, drawn, and the external inputs."""
    params = cbnet.load("conductance").replace(K=40, **changes)
    job = prepare(params, N, dt="0.1ms", arrivals="brian2")
    parts = network.create(params, job.layout, job.dt, job.wires, "brian2")
    network.assign(parts, params, job.layout, job.wires)
    found = {}
    for name, source, target in projections(params):
        parts.synapses[name].prepare()
        drawn = parts.synapses[name]._wired
        size = job.layout.size(target) if target else job.layout.N
        found[source, target] = (drawn, np.bincount(drawn.targets, minlength=size))
    return found, job.wires.external


def test_populations_with_their_own_in_degrees_and_delays():
    changes = {
        "I.K": 60,
        "I.gamma": 0.5,
        "I.D_min": 0.2 * ms,
        "I.D_max": 0.4 * ms,
        "D_min": 1 * ms,
        "D_max": 2 * ms,
        "I.nu_X": "20Hz",
    }
    found, outside = wired(**changes)
    wanted = {("E", "E"): 40, ("I", "E"): 10, ("E", "I"): 60, ("I", "I"): 30}
    assert set(found) == set(wanted)
    for (source, target), (drawn, degree) in found.items():
        assert np.all(degree == wanted[source, target])
        delays = (10, 20) if target == "E" else (2, 4)
        assert (drawn.delays.min(), drawn.delays.max()) == delays
        if source == target:
            assert not np.any(drawn.sources == drawn.targets)
    assert np.all(outside["drive_E"] == 40) and len(outside["drive_E"]) == 800
    assert np.all(outside["drive_I"] == 60) and len(outside["drive_I"]) == 200


@pytest.mark.parametrize("changes", [{}, {"I.K": 60}], ids=["one target", "two targets"])
def test_nobody_is_connected_to_itself(changes):
    found, _ = wired(250, **changes)
    first = {"E": 0, "I": 200}
    for (source, target), (drawn, _) in found.items():
        own = drawn.sources + first[source] - (first[target] if target else 0)
        assert not np.any(own == drawn.targets), (source, target)


def test_one_population_alone_follows_another_law():
    found, outside = wired(**{"I.law": "bernoulli"})
    assert np.all(found["E", "E"][1] == 40)
    assert found["E", "I"][1].std() > 0
    assert np.all(outside["drive"][:800] == 40)
    assert outside["drive"][800:].std() > 0


def test_projections_of_a_network_are_independent():
    found, outside = wired(4000, law="gaussian", CV_K=0.2)
    degree = [found[source, None][1] for source in "EI"]
    off = np.corrcoef([*degree, outside["drive"]])[np.triu_indices(3, 1)]
    assert np.abs(off).max() < 4 / np.sqrt(4000)
