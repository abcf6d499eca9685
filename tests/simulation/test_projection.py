"""Projections in C++: delays, and what arrives, for every way to keep a graph."""

import numpy as np
import pytest
from scipy import stats

from tests import cpp

ONE = (3.0, 3.0)
MANY = (1.0, 12.0)
# law, storage, delays
WAYS = [
    (law, storage, delay)
    for law, storages in (
        ("fixed", ("stored", "bitmap", "procedural")),
        ("bernoulli", ("stored", "bitmap", "procedural")),
        ("gaussian", ("stored", "bitmap", "procedural")),
        ("explicit", ("stored",)),
    )
    for storage in storages
    for delay in (ONE, MANY)
    if not (storage == "bitmap" and delay == MANY)
]
IDS = [f"{law}-{storage}-{'one' if delay == ONE else 'many'}" for law, storage, delay in WAYS]
ways = pytest.mark.parametrize(("law", "storage", "delay"), WAYS, ids=IDS)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return cpp.load(cpp.PROJECTION, tmp_path_factory.mktemp("projection"))


# With the flags of a program, and its vector instructions.
@pytest.fixture(scope="module", params=["plain", "fast"])
def compiled(request, tmp_path_factory):
    flags = {
        "plain": cpp.WARNINGS + ("-O2", "-Wno-psabi"),
        "fast": ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math"),
    }
    return cpp.load(cpp.PROJECTION, tmp_path_factory.mktemp("flags"), *flags[request.param])


def make(library, law, storage, delay, sources, targets, in_degree, offset=None, seed=1):
    if law != "explicit":
        cv = 0.3 * (law == "gaussian")
        return cpp.Projection(
            library, sources, targets, law, storage, in_degree, cv, delay, seed, offset
        )
    rng = np.random.default_rng(seed)
    size = in_degree * targets
    given = [
        rng.integers(sources, size=size),
        rng.integers(targets, size=size),
        rng.integers(int(delay[0]), int(delay[1]) + 1, size=size),
    ]
    return cpp.Projection(library, sources, targets, graph=given)


def arrivals(projection, trains, dtype, start=0):
    """Counts in each step."""
    found = np.full((len(trains), projection.targets), start, dtype)
    for counts, fired in zip(found, trains, strict=True):
        projection.step(np.flatnonzero(fired), counts)
    return found


def counted(synapses, trains, targets):
    """The same from a list of synapses: each spike of its source, its delay later."""
    source, target, delay = synapses
    found = np.zeros((len(trains), targets), int)
    for step in range(len(trains)):
        for d in range(min(step, int(delay.max(initial=0))) + 1):
            arrives = (delay == d) & trains[step - d][source]
            found[step] += np.bincount(target[arrives], minlength=targets)
    return found


@ways
@pytest.mark.parametrize("dtype", ["uint16", "int32"])
@pytest.mark.parametrize(
    "size", [(150, 150, 0), (90, 1100, None), (60, 513, 40), (300, 65, -40)], ids=str
)
def test_arrivals(compiled, law, storage, delay, dtype, size):
    """From no spike in a step to all neurons at once."""
    sources, targets, offset = size
    projection = make(compiled, law, storage, delay, sources, targets, 30, offset)
    rng = np.random.default_rng(2)
    chance = np.repeat([0.0, 0.01, 0.1, 0.5, 1.0, 0.03], 8)
    trains = rng.random((len(chance), sources)) < chance[:, None]
    synapses = projection.list()
    expected = counted(synapses, trains, targets)
    assert np.array_equal(arrivals(projection, trains, dtype, start=5), expected + 5)
    assert expected.sum() > 0
    # another time, the same targets; what is under way from before has arrived
    nobody = np.zeros((15, sources), bool)
    arrivals(projection, nobody, dtype)
    assert np.array_equal(arrivals(projection, trains, dtype), expected)
    out = np.bincount(synapses[0], minlength=sources)
    assert projection.events == 2 * (trains @ out).sum()


@ways
def test_arrivals_at_many_neurons(library, law, storage, delay):
    """More than two bytes can number."""
    sources, targets = 300, 70_000
    projection = make(library, law, storage, delay, sources, targets, 20)
    trains = np.random.default_rng(3).random((20, sources)) < 0.1
    expected = counted(projection.list(), trains, targets)
    assert np.array_equal(arrivals(projection, trains, "uint16"), expected)
    assert (expected[:, 65_536:].sum() > 0) and (expected[:, :65_536].sum() > 0)


def test_more_than_two_bytes_arrive(library):
    """All of 70,000 sources fire at once at the same target."""
    sources = 70_000
    given = [np.arange(sources), np.zeros(sources, int), np.ones(sources, int)]
    graph = cpp.Projection(library, sources, 3, graph=given)
    trains = np.ones((2, sources), bool)
    assert arrivals(graph, trains, "int32").tolist() == [[0, 0, 0], [sources, 0, 0]]
    bitmap = make(library, "bernoulli", "bitmap", (0.0, 0.0), sources, 3, sources)
    assert arrivals(bitmap, trains, "int32").tolist() == [[sources] * 3] * 2


@pytest.mark.parametrize("law", ["fixed", "bernoulli"])
def test_one_source_at_a_time(library, law):
    """What a spike that is computed again leads to is what was listed, at every spike."""
    projection = make(library, law, "procedural", MANY, 40, 2000, 20)
    source, target, delay = projection.list()
    for spiking in (0, 13, 39, 13):
        trains = np.zeros((14, 40), bool)
        trains[0, spiking] = True
        found = np.argwhere(arrivals(projection, trains, "int32"))
        mine = source == spiking
        assert sorted(map(tuple, found)) == sorted(zip(delay[mine], target[mine], strict=True))


def test_no_delay(library):
    """Shorter delays than a step are counted in the step of the spike."""
    for storage in ("stored", "bitmap", "procedural"):
        projection = make(library, "fixed", storage, (0.0, 0.0), 20, 30, 10)
        found = arrivals(projection, np.ones((2, 20), bool), "int32")
        assert np.all(found == 10)


# Delays

DRAWN = [(law, storage) for law, storage, delay in WAYS if delay == MANY and law != "explicit"]
drawn = pytest.mark.parametrize(("law", "storage"), DRAWN, ids=map("-".join, DRAWN))


def probabilities(shortest, longest):
    """Of whole numbers, for a uniform one that is rounded."""
    whole = np.arange(np.rint(shortest), np.rint(longest) + 1)
    edges = np.array([*(whole - 0.5), whole[-1] + 0.5])
    return whole.astype(int), np.diff(stats.uniform.cdf(edges, shortest, longest - shortest))


@drawn
@pytest.mark.parametrize(
    "delay", [(1.0, 2.0), (1.0, 100.0), (1.3, 4.6), (0.0, 9.0), (4.0, 4.4), (2.0, 700.0)], ids=str
)
def test_delays_are_uniform(library, law, storage, delay):
    """So that the shortest and the longest have half the weight where they are whole."""
    projection = make(library, law, storage, delay, 200, 1000, 100)
    source, target, found = projection.list()
    whole, p = probabilities(*delay)
    assert (found.min() >= whole[0]) and (found.max() <= whole[-1])
    if len(whole) == 1:
        return
    observed = np.bincount(found - whole[0], minlength=len(whole))
    assert stats.chisquare(observed, p / p.sum() * len(found)).pvalue > 1e-4
    # independent of who is connected, and of the delays of the neuron's other synapses
    for of, count in ((source, 200), (target, 1000)):
        assert abs(stats.spearmanr(of, found)[0]) < 5 / np.sqrt(len(found))
        sums = np.bincount(of, found, minlength=count)
        each = np.bincount(of, minlength=count)
        chi2 = ((sums - each * found.mean()) ** 2 / each).sum() / found.var()
        assert abs(chi2 - count) < 5 * np.sqrt(2 * count)


@pytest.mark.parametrize(("law", "storage"), [*DRAWN, ("total", "stored")])
def test_delays_of_any_law(library, law, storage):
    p = np.array([0.05, 0.5, 0.0, 0.3, 0.15])
    projection = cpp.Projection(
        library, 200, 1000, law, storage, 100, delay=(2, 2), cumulative=p.cumsum(), total=100_000
    )
    *_, found = projection.list()
    assert len(found) == pytest.approx(100_000, rel=0.1)
    observed = np.bincount(found - 2, minlength=5)
    assert observed[2] == 0
    kept = p > 0
    assert stats.chisquare(observed[kept], p[kept] * len(found)).pvalue > 1e-4


def test_total_of_synapses(library):
    """Pairs are drawn with replacement, and a neuron with itself is one."""
    projection = cpp.Projection(
        library, 50, 40, "total", "stored", 0, cumulative=np.ones(1), total=20_000, offset=0
    )
    found = projection.matrix()
    assert found.sum() == projection.synapses == 20_000
    assert stats.chisquare(found.ravel()).pvalue > 1e-4
    assert np.trace(found) > 0


@drawn
def test_delays_of_a_pair_of_synapses(library, law, storage):
    """Two synapses of a source, and the two synapses of a mutual pair, have delays of their own."""
    projection = make(library, law, storage, (1.0, 5.0), 120, 120, 30, offset=0)
    source, target, delay = projection.list()
    table = np.zeros((120, 120), int)
    table[source, target] = delay
    upper = np.triu_indices(120)
    p = probabilities(1.0, 5.0)[1]
    for a, b in (
        (table[upper], table.T[upper]),
        (table[:, :-1], table[:, 1:]),
        (table[:-1], table[1:]),
    ):
        both = (a > 0) & (b > 0)
        together = np.bincount(5 * (a[both] - 1) + b[both] - 1, minlength=25)
        expected = np.outer(p, p).ravel() * together.sum()
        assert stats.chisquare(together, expected).pvalue > 1e-4


def test_delays_do_not_depend_on_storage(library):
    """With pairs connected at random, whose graph does not either."""
    stored, computed = (
        np.array(make(library, "bernoulli", storage, MANY, 100, 150, 20, 0).list())
        for storage in ("stored", "procedural")
    )
    in_order = [a[:, np.lexsort(a)] for a in (stored, computed)]
    assert np.array_equal(*in_order)


@drawn
def test_same_seed_same_delays(library, law, storage):
    one, same, other = (
        np.array(make(library, law, storage, MANY, 100, 150, 20, seed=seed).list())
        for seed in (3, 3, 4)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


# Memory


def test_bytes(library):
    """Two bytes a stored synapse and four for each source and delay; a bit for every pair."""
    stored = make(library, "fixed", "stored", MANY, 1000, 2000, 100)
    assert stored.bytes <= 2 * 200_000 + 4 * (12 * 1000 + 1) + 4 * 1000 + 64
    bitmap = make(library, "fixed", "bitmap", ONE, 1000, 2000, 100)
    assert bitmap.bytes <= 1000 * 2048 / 8 + 64 + 4 * 1000
    computed = make(library, "fixed", "procedural", ONE, 1000, 2000, 100)
    assert computed.bytes < 50 * 1000
