"""The laws of graphs in C++: permutations, in-degrees, partners, independence, seeds."""

import numpy as np
import pytest
from scipy import stats

from cbnet.simulation.wiring import drawing
from tests import cpp

PERMUTATION = r"""
#include "permutation.h"

extern "C" {
int64_t domain(int64_t n) { return cbnet::Permutation::domain(n); }
void permute(int64_t seed, int64_t n, uint32_t *image, uint32_t *back) {
    const cbnet::Permutation order(seed, n);
    for (uint32_t x = 0; x < cbnet::Permutation::domain(n); x++) {
        image[x] = order(x);
        back[x] = order.inverse(x);
    }
}
}
"""


@pytest.fixture(scope="module")
def permutations(tmp_path_factory):
    return cpp.load(PERMUTATION, tmp_path_factory.mktemp("permutation"))


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return cpp.load(cpp.PROJECTION, tmp_path_factory.mktemp("projection"))


def permuted(permutations, n, seed):
    size = permutations.domain(n)
    image, back = np.empty(size, np.uint32), np.empty(size, np.uint32)
    permutations.permute(seed, n, image, back)
    return image, back


@pytest.mark.parametrize(
    "sizes", [range(1, 301), [1000], [10_007], [65_536], [70_000], [2**20 + 1]]
)
def test_permutation_is_one(permutations, sizes):
    for n in sizes:
        for seed in (0, 1, 2**63 - 1):
            image, back = permuted(permutations, n, seed)
            assert n <= image.size < n + 2 * np.sqrt(n)
            assert np.array_equal(np.sort(image), np.arange(image.size))
            assert np.array_equal(back[image], np.arange(image.size))


@pytest.mark.parametrize("n", [9, 64, 100, 250])
def test_permutation_is_random(permutations, n):
    """Images of single numbers, and of pairs, are uniform over neighbouring seeds."""
    size, seeds = permutations.domain(n), 4000
    images = np.array([permuted(permutations, n, seed)[0] for seed in range(seeds)]).astype(int)
    for x in (0, 1, size // 2, size - 1):
        found = np.bincount(images[:, x], minlength=size)
        assert stats.chisquare(found).pvalue > 1e-4
    for x, y in ((0, 1), (0, size - 1), (size // 2, size // 2 + 1), (1, 1 + int(np.sqrt(n)))):
        apart = (images[:, y] - images[:, x]) % size
        assert stats.chisquare(np.bincount(apart, minlength=size)[1:]).pvalue > 1e-4
    # a number and its seed's neighbour
    apart = (images[1:, 3] - images[:-1, 3]) % size
    assert stats.chisquare(np.bincount(apart, minlength=size)).pvalue > 1e-4


# Laws

WAYS = [
    ("fixed", "stored"),
    ("fixed", "bitmap"),
    ("fixed", "procedural"),
    ("bernoulli", "stored"),
    ("bernoulli", "bitmap"),
    ("bernoulli", "procedural"),
    ("gaussian", "stored"),
    ("gaussian", "bitmap"),
    ("gaussian", "procedural"),
]
# sources, targets, where the sources begin among the targets
OVERLAPS = {
    "others": (120, 90, None),
    "same": (120, 120, 0),
    "sources within": (60, 150, 40),
    "targets within": (150, 60, -40),
    "shifted": (120, 120, 77),
}
ways = pytest.mark.parametrize(("law", "storage"), WAYS, ids=map("-".join, WAYS))


def graph(library, law, storage, sources, targets, offset=None, **changes):
    given = {"in_degree": 30, "cv": 0.2 * (law == "gaussian"), "seed": 1} | changes
    return cpp.Projection(library, sources, targets, law, storage, offset=offset, **given)


def possible_sources(sources, targets, offset):
    """How many a target can have."""
    own = np.arange(targets) - (targets if offset is None else offset)
    return sources - ((own >= 0) & (own < sources)).astype(int)


@ways
@pytest.mark.parametrize("overlap", OVERLAPS)
def test_no_multapses_and_no_autapses(library, law, storage, overlap):
    sources, targets, offset = OVERLAPS[overlap]
    for seed in range(20):
        found = graph(library, law, storage, sources, targets, offset, seed=seed).matrix()
        assert found.max() == 1
        if offset is not None:
            assert np.trace(found, offset) == 0
        if law == "fixed":
            assert np.all(found.sum(axis=0) == 30)


@pytest.mark.parametrize("storage", ["stored", "bitmap"])
@pytest.mark.parametrize("law", ["fixed", "bernoulli", "gaussian"])
def test_everybody(library, law, storage):
    """As many inputs as there are partners, and more."""
    found = graph(library, law, storage, 31, 31, 0, in_degree=30, cv=0.0).matrix()
    assert np.array_equal(found, 1 - np.eye(31))
    found = graph(library, law, storage, 31, 40, in_degree=31, cv=0.0).matrix()
    assert np.all(found == 1)


def test_everybody_computed(library):
    assert np.all(graph(library, "fixed", "procedural", 30, 41).matrix() == 1)
    assert np.all(graph(library, "bernoulli", "procedural", 30, 41).matrix() == 1)


@pytest.mark.parametrize("storage", ["stored", "bitmap", "procedural"])
@pytest.mark.parametrize("offset", [None, 0, 300])
def test_binomial_in_degrees(library, storage, offset):
    sources, targets, k = 400, 2000, 40
    found = graph(library, "bernoulli", storage, sources, targets, offset, in_degree=k, seed=7)
    degrees = found.matrix().sum(axis=0)
    possible = possible_sources(sources, targets, offset)
    probability = k * targets / possible.sum()
    for n in np.unique(possible):
        of_these = degrees[possible == n]
        bins = np.array([0, *range(k - 10, k + 11, 2), n + 1])
        p = np.diff(stats.binom.cdf(bins - 1, n, probability))
        observed, _ = np.histogram(of_these, [*bins[:-1], n + 2])
        assert stats.chisquare(observed, p / p.sum() * of_these.size).pvalue > 1e-4
    out = found.matrix().sum(axis=1)
    p = stats.binom(targets - (offset is not None), probability)
    assert stats.kstest(out, lambda x: p.cdf(x) - p.pmf(x) / 2).statistic < 2.5 / np.sqrt(sources)
    assert ((out - p.mean()) ** 2).mean() == pytest.approx(p.var(), rel=5 * np.sqrt(2 / sources))


@pytest.mark.parametrize(
    ("storage", "cv"),
    [(storage, cv) for storage in ("stored", "bitmap") for cv in (0.02, 0.1, 0.5)]
    + [("procedural", cv) for cv in (0.085, 0.1, 0.3)],  # from 1/√K √(1 − K/N) on
)
def test_gaussian_in_degrees(library, storage, cv):
    sources, targets, k = 300, 3000, 100
    found = graph(library, "gaussian", storage, sources, targets, in_degree=k, cv=cv, seed=3)
    degrees = found.matrix().sum(axis=0)
    assert degrees.max() <= sources
    edges = np.unique(np.rint(k + k * cv * np.linspace(-2.5, 2.5, 14))) + 0.5
    edges = edges[edges > 0]
    p = np.diff(stats.norm.cdf([-np.inf, *edges, np.inf], k, k * cv))
    observed, _ = np.histogram(degrees, [-1, *edges, sources + 1])
    assert stats.chisquare(observed, p * targets).pvalue > 1e-4


@pytest.mark.parametrize("law", ["fixed", "gaussian"])
@pytest.mark.parametrize("storage", ["stored", "bitmap"])
def test_sources_are_equally_likely(library, law, storage):
    """In-degrees given, sources are drawn without replacement."""
    sources, targets = 200, 3000
    found = graph(library, law, storage, sources, targets, seed=2).matrix()
    variance = (found.mean(axis=0) * (1 - found.mean(axis=0))).sum()
    out = found.sum(axis=1)
    chi2 = ((out - out.mean()) ** 2).sum() * (sources - 1) / sources / variance
    assert 1e-4 < stats.chi2.sf(chi2, sources - 1) < 1 - 1e-4


def test_sources_of_a_group_are_equally_likely(library):
    sources, targets = 210, 3000
    found = graph(library, "fixed", "procedural", sources, targets, seed=2).matrix()
    groups = found.reshape(30, 7, targets)
    assert np.all(groups.sum(axis=1) == 1)
    out = groups.sum(axis=2)
    chi2 = ((out - targets / 7) ** 2).sum() / (targets / 7)
    assert 1e-4 < stats.chi2.sf(chi2, 30 * 6) < 1 - 1e-4
    # and targets take them in different groups independently of each other
    choice = groups.argmax(axis=1)
    for a, b in ((0, 1), (0, 29), (10, 20)):
        together = np.bincount(7 * choice[a] + choice[b], minlength=49)
        assert stats.chisquare(together).pvalue > 1e-4


# Everything of second order that a graph can have, beside a law that is drawn with numpy.


def in_groups(sources, targets, k, offset, rng):
    """One source of each of k groups, drawn by itself for every target, nobody's own."""
    members = sources // k
    found = np.zeros((sources, targets), int)
    for target in range(targets):
        own = target - (targets if offset is None else offset)
        first = members * np.arange(k)
        chosen = first + rng.integers(members, size=k)
        while own in chosen:  # the group of its own source has one member less
            chosen = first + rng.integers(members, size=k)
        found[chosen, target] = 1
    return found


def expected_graph(law, storage, sources, targets, offset, seed):
    if (law, storage) == ("fixed", "procedural"):
        return in_groups(sources, targets, 30, offset, np.random.default_rng(seed))
    cv = 0.2 * (law == "gaussian")
    within = None if offset is None else -offset
    drawn = drawing.draw(sources, targets, within, law, 30, cv, (1, 1), seed)
    found = np.zeros((sources, targets), int)
    found[drawn.sources, drawn.targets] = 1
    return found


def properties(found):
    """Means and variances of degrees, of partners that two neurons share, and trends."""
    sources, targets = found.shape
    own_in, out = found.sum(axis=0), found.sum(axis=1)
    shared_in, shared_out = found.T @ found, found @ found.T
    pairs_in, pairs_out = np.triu_indices(targets, 1), np.triu_indices(sources, 1)
    centred = found - found.mean()
    return {
        "synapses": found.sum(),
        "variance of in-degrees": own_in.var(),
        "variance of out-degrees": out.var(),
        "common sources": shared_in[pairs_in].mean(),
        "their variance": shared_in[pairs_in].var(),
        "common targets": shared_out[pairs_out].mean(),
        "variance of these": shared_out[pairs_out].var(),
        "common sources of neighbours": np.diag(shared_in, 1).mean(),
        "of those 8 apart": np.diag(shared_in, 8).mean(),
        "of those 16 apart": np.diag(shared_in, 16).mean(),
        "common targets of neighbours": np.diag(shared_out, 1).mean(),
        "of those 2 apart": np.diag(shared_out, 2).mean(),
        "trend of in-degrees": own_in @ np.linspace(-1, 1, targets),
        "trend of out-degrees": out @ np.linspace(-1, 1, sources),
        "diagonal": np.linspace(-1, 1, sources) @ centred @ np.linspace(-1, 1, targets),
        "parity": (-1) ** np.arange(sources) @ centred @ (-1) ** np.arange(targets),
        "first target": found[:, 0].sum(),
        "last target": found[:, -1].sum(),
        "first source": found[0].sum(),
        "last source": found[-1].sum(),
    }


def compare(found, expected):
    """Difference of the means of each property, in standard errors of 60 graphs."""
    found, expected = ({k: np.array([g[k] for g in of]) for k in of[0]} for of in (found, expected))
    z = {}
    for name in found:
        sem = np.hypot(*(stats.sem(of[name]) for of in (found, expected)))
        difference = found[name].mean() - expected[name].mean()
        z[name] = difference / sem if sem else (0.0 if difference == 0 else np.inf)
    return z


@ways
@pytest.mark.parametrize("overlap", OVERLAPS)
def test_properties_of_second_order(library, law, storage, overlap):
    """For neighbouring seeds; 40 tests of 20 properties each: 5 sigma by chance once in 2000."""
    sources, targets, offset = OVERLAPS[overlap]
    found = [
        properties(graph(library, law, storage, sources, targets, offset, seed=seed).matrix())
        for seed in range(60)
    ]
    expected = [
        properties(expected_graph(law, storage, sources, targets, offset, seed))
        for seed in range(1000, 1060)
    ]
    z = compare(found, expected)
    assert max(map(abs, z.values())) < 5, z


def test_nobody_computed(library):
    none = graph(library, "gaussian", "procedural", 60, 90, in_degree=0)
    assert none.synapses == 0


@pytest.mark.parametrize("offset", [None, 0, 300])
def test_gaussian_in_degrees_computed(library, offset):
    """Clipped like those that are kept; mean and variance where they are not, of many graphs."""
    sources, targets, k = 400, 2000, 40
    wide = graph(library, "gaussian", "procedural", sources, targets, offset, cv=20.0).matrix()
    possible = possible_sources(sources, targets, offset)
    degrees = wide.sum(axis=0)
    none, all_of_them = stats.norm.cdf(0, 30, 600), stats.norm.sf(possible.mean(), 30, 600)
    assert np.mean(degrees == 0) == pytest.approx(none, abs=4 * np.sqrt(none / targets))
    some = np.mean(degrees == possible)
    assert some == pytest.approx(all_of_them, abs=4 * np.sqrt(all_of_them / targets))
    given = {"in_degree": k, "cv": 0.25}
    degrees = np.concatenate(
        [
            graph(library, "gaussian", "procedural", sources, targets, offset, seed=s, **given)
            .matrix()
            .sum(axis=0)
            for s in range(20)
        ]
    )
    n = degrees.size
    assert abs(degrees.mean() - k) < 4 * 10 / np.sqrt(n)
    assert degrees.var() == pytest.approx(100, rel=4 * np.sqrt(2 / n))


@pytest.mark.parametrize(("law", "storage"), WAYS[:-1], ids=map("-".join, WAYS[:-1]))
def test_common_sources(library, law, storage):
    """Mean and variance of the number that two neurons share, from the law itself."""
    sources, targets, k = 200, 400, 20
    found = graph(library, law, storage, sources, targets, in_degree=k, cv=0.0, seed=5).matrix()
    shared = (found.T @ found)[np.triu_indices(targets, 1)]
    p = k / sources
    mean = sources * p**2
    variance = {
        "fixed": k * p * (1 - p) * (sources - k) / (sources - 1),
        "gaussian": k * p * (1 - p) * (sources - k) / (sources - 1),
        "bernoulli": sources * p**2 * (1 - p**2),
    }[law]
    if (law, storage) == ("fixed", "procedural"):
        variance = k * p * (1 - p)
    # the mean depends on out-degrees alone, the number of synapses too where it is random
    sem = np.sqrt(2 * sources) * p * (1 - p) / targets
    if law == "bernoulli":
        sem = np.hypot(sem, 2 * mean * np.sqrt((1 - p) / (p * sources * targets)))
    assert abs(shared.mean() - mean) < 5 * sem
    # pairs of neurons are independent in pairs; of random in-degrees they share one another's
    error = np.sqrt(2 / shared.size) * (
        1 if law != "bernoulli" else np.sqrt(1 + 2 * targets * p**2)
    )
    assert shared.var() == pytest.approx(variance, rel=5 * error)


# Seeds


@ways
def test_seeds(library, law, storage):
    """Graphs of neighbouring seeds have as many synapses in common as independent ones."""
    graphs = [graph(library, law, storage, 120, 120, 0, seed=s).matrix() for s in (4, 5, 6, 5)]
    assert np.array_equal(graphs[1], graphs[3])
    p = 30 / 119
    for a, b in ((0, 1), (1, 2), (0, 2)):
        common = (graphs[a] * graphs[b]).sum()
        assert abs(common - p**2 * 120 * 119) < 5 * np.sqrt(p**2 * (1 - p**2) * 120 * 119)
        shifted = (graphs[a][1:] * graphs[b][:-1]).sum()  # and none that are moved by one
        assert abs(shifted - p**2 * 119 * 119) < 5 * np.sqrt(p**2 * (1 - p**2) * 120 * 119)


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_storage_does_not_change_the_graph(library, overlap):
    sources, targets, offset = OVERLAPS[overlap]
    for law, storages in (
        ("bernoulli", ("stored", "bitmap", "procedural")),
        ("fixed", ("stored", "bitmap")),
        ("gaussian", ("stored", "bitmap")),
    ):
        first, *others = (
            graph(library, law, storage, sources, targets, offset, seed=9).matrix()
            for storage in storages
        )
        for other in others:
            assert np.array_equal(first, other)


def test_explicit_is_what_was_given(library):
    rng = np.random.default_rng(1)
    given = np.stack([rng.integers(50, size=3000), rng.integers(70, size=3000)])
    given = np.vstack([given, rng.integers(1, 12, size=3000)])  # pairs more than once too
    found = np.array(cpp.Projection(library, 50, 70, graph=given).list())
    in_order = [a[:, np.lexsort(a)] for a in (given, found)]
    assert np.array_equal(*in_order)
    empty = cpp.Projection(library, 50, 70, graph=np.empty((3, 0)))
    assert empty.synapses == 0
