"""Poisson numbers in C++: their distribution, many means, independence, seeds."""

import numpy as np
import pytest
from scipy import stats

from tests import cpp

DRIVER = r"""
#include "poisson.h"

template <class Count>
static void draw(const double *mean, int64_t n, int64_t steps, int64_t seed, Count *counts) {
    cbnet::Drive drive(seed);
    drive.build(n, [&](int i) { return mean[i]; });
    for (int64_t step = 0; step < steps; step++)
        drive.step(counts + step * n);
}

extern "C" {
void draw16(const double *mean, int64_t n, int64_t steps, int64_t seed, uint16_t *counts) {
    draw(mean, n, steps, seed, counts);
}
void draw32(const double *mean, int64_t n, int64_t steps, int64_t seed, int32_t *counts) {
    draw(mean, n, steps, seed, counts);
}
}
"""
MEANS = (0.0, 1e-4, 0.01, 0.1, 1.0, 10.0, 300.0)


@pytest.fixture(scope="module", params=["plain", "fast"])
def library(request, tmp_path_factory):
    flags = {
        "plain": cpp.WARNINGS + ("-O2", "-Wno-psabi"),
        "fast": ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math"),
    }
    return cpp.load(DRIVER, tmp_path_factory.mktemp("poisson"), *flags[request.param])


def draw(library, means, steps, seed=1, dtype="int32"):
    """Numbers in each step and neuron."""
    means = np.ascontiguousarray(means, float)
    counts = np.zeros((steps, len(means)), dtype)
    of = {"uint16": library.draw16, "int32": library.draw32}[dtype]
    of(means, len(means), steps, seed, counts)
    return counts


def chi_square(counts, mean):
    """p value against the Poisson distribution, in cells of at least five expected numbers."""
    k = np.arange(counts.max() + 2)
    expected = stats.poisson.pmf(k, mean) * counts.size
    expected[-1] = stats.poisson.sf(k[-2], mean) * counts.size
    observed = np.bincount(counts.ravel(), minlength=len(k))
    cells = np.minimum(np.cumsum(expected) // 5, (expected.sum() - 5) // 5).astype(int)
    observed, expected = (np.bincount(cells, x) for x in (observed, expected))
    kept = expected > 0
    assert observed[~kept].sum() == 0
    return stats.chisquare(observed[kept], expected[kept]).pvalue


@pytest.mark.parametrize("dtype", ["uint16", "int32"])
@pytest.mark.parametrize("mean", MEANS)
def test_distribution(library, mean, dtype):
    """2·10⁶ numbers, and not a multiple of 16 or 256 neurons."""
    counts = draw(library, np.full(1003, mean), 2000, dtype=dtype)
    if mean == 0:
        assert not counts.any()
        return
    assert chi_square(counts, mean) > 1e-4
    n = counts.size
    assert abs(counts.mean() - mean) < 5 * np.sqrt(mean / n)
    assert abs(counts.var() - mean) < 5 * np.sqrt((mean + 2 * mean**2) / n)


@pytest.mark.parametrize("n", [1, 15, 16, 17, 255, 257])
def test_any_number_of_neurons(library, n):
    counts = draw(library, np.full(n, 3.0), 200_000 // n)
    assert chi_square(counts, 3.0) > 1e-4


def test_adds_to_what_is_there(library):
    counts = np.full((1, 100), 7, np.int32)
    library.draw32(np.full(100, 2.0), 100, 1, 1, counts)
    assert np.array_equal(counts, 7 + draw(library, np.full(100, 2.0), 1))


SPREADS = {
    "few": np.repeat([0.0, 0.5, 20.0], 50),
    "as many as tables": np.linspace(0.0, 30.0, 256),
    "more than tables": np.linspace(0.0, 30.0, 257),
    "many": np.linspace(1.0, 2.0, 1000),
    "wide": np.geomspace(1e-3, 200.0, 1000),
    "one apart": np.array([50.0, *np.linspace(0.0, 0.1, 600)]),
}


@pytest.mark.parametrize("case", SPREADS)
def test_a_mean_for_every_neuron(library, case):
    means, steps = SPREADS[case], 20_000
    counts = draw(library, means, steps)
    active = means > 0
    assert not counts[:, ~active].any()
    # of each neuron; about a thousand of them: 5 sigma, and tails of small means
    enough = means * steps > 100
    z = (counts.mean(axis=0) - means)[enough] / np.sqrt(means[enough] / steps)
    assert np.abs(z).max() < 5
    assert stats.kstest(z, "norm").pvalue > 1e-4
    z = counts.var(axis=0)[enough] - means[enough]
    z /= np.sqrt((means[enough] + 2 * means[enough] ** 2) / steps)
    assert abs(z.mean()) < 5 / np.sqrt(enough.sum())
    assert np.abs(z).max() < 6
    for neuron in np.flatnonzero(active)[:: max(1, active.sum() // 50)]:
        assert chi_square(counts[:, neuron], means[neuron]) > 1e-5


@pytest.mark.parametrize(
    "means", [np.full(64, 2.0), np.linspace(1.5, 2.5, 300)], ids=["one", "own"]
)
def test_numbers_are_independent(library, means):
    """Of other steps, of other neurons, and of those of neighbouring seeds."""
    steps = 20_000
    a, b = ((draw(library, means, steps, seed) - means) / np.sqrt(means) for seed in (1, 2))
    size = a.size
    for lag in (1, 2, 3, 4, 16, 17, 256):
        assert abs((a[lag:] * a[:-lag]).sum()) < 5 * np.sqrt(size)
        if lag < a.shape[1]:
            assert abs((a[:, lag:] * a[:, :-lag]).sum()) < 5 * np.sqrt(size)
            assert abs((a[1:, lag:] * a[:-1, :-lag]).sum()) < 5 * np.sqrt(size)
    assert abs((a * b).sum()) < 5 * np.sqrt(size)
    matrix = a.T @ a / np.sqrt(steps)
    off = matrix[np.triu_indices(len(means), 1)]
    assert np.abs(off).max() < 6
    assert off.var() == pytest.approx(1, abs=5 * np.sqrt(2 / off.size))
    # squares too: a neuron that has many is not followed by one that varies
    squares = a**2 - 1
    variance = (squares**2).mean()
    assert abs((squares[1:] * squares[:-1]).sum()) < 5 * variance * np.sqrt(size)
    assert abs((squares[:, 1:] * squares[:, :-1]).sum()) < 5 * variance * np.sqrt(size)


def test_population_is_poisson_too(library):
    """The sum over neurons, whose variance any correlation would change."""
    counts = draw(library, np.full(500, 0.1), 20_000).sum(axis=1)
    assert chi_square(counts, 50.0) > 1e-4
    assert counts.var() == pytest.approx(50, rel=5 * np.sqrt(2 / counts.size))


def test_seeds(library):
    means = np.linspace(0, 3, 300)
    one, same, other = (draw(library, means, 50, seed) for seed in (5, 5, 6))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert np.array_equal(one, draw(library, means, 50, 5, "uint16"))


@pytest.mark.parametrize("mean", [1000.0, 5000.0])
def test_large_means(library, mean):
    """Many external inputs and a long step."""
    counts = draw(library, np.full(500, mean), 500)
    n = counts.size
    assert abs(counts.mean() - mean) < 5 * np.sqrt(mean / n)
    assert counts.var() == pytest.approx(mean, rel=5 * np.sqrt(2 / n))
    spread = counts.ravel() + np.random.default_rng(1).random(n) - 0.5
    normal = stats.norm(mean, np.sqrt(mean))
    assert stats.kstest(spread, normal.cdf).statistic < 0.0665 / np.sqrt(mean) + 2.5 / np.sqrt(n)
