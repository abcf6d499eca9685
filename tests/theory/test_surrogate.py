"""Roots of a costly function with the help of a cheap one, where all of them are known."""

import numpy as np
import pytest

from cbnet.theory.network.surrogate import Search

LOWEST, HIGHEST, RTOL = 1e-6, 500.0, 1e-4


class Response:
    """A made-up excess ln Φ − x of a response that rises and falls; counts its calls."""

    def __init__(self, rng, off):
        self.level, self.rise = rng.uniform(-8, 5), rng.uniform(0, 14)
        self.at, self.width = rng.uniform(0, 4.5), rng.uniform(0.4, 1.2)
        self.fall = rng.uniform(0, 8)
        self.off = off
        if off:
            self.ratio, self.where = rng.uniform(-3, 1), rng.uniform(-1, 4)
            self.over = rng.uniform(0.6, 2)
        self.calls = 0

    def __call__(self, x, rtol, guess=None):
        x = np.asarray(x, float)
        self.calls += x.size
        log = self.level + self.rise / (1 + np.exp(-(x - self.at) / self.width))
        log = log - self.fall / (1 + np.exp(-(x - self.at - 2) / 0.5))
        if self.off:
            log = log + self.ratio / (1 + np.exp(-(x - self.where) / self.over))
        # a rate is below the highest
        log = log - np.logaddexp(0, log - np.log(HIGHEST))
        return log - x, x, np.full(x.shape, 1e-6)


def known(costly):
    """Roots to within 1e-4 by brute force, and how close to a fold the nearest extremum comes."""
    x = np.linspace(np.log(LOWEST), np.log(HIGHEST), 60_001)
    F = costly(x, 0)[0]
    k = np.flatnonzero(np.signbit(F[:-1]) != np.signbit(F[1:]))
    inner = np.flatnonzero((np.diff(F[:-1]) * np.diff(F[1:])) < 0) + 1
    roots = x[k] - F[k] * (x[k + 1] - x[k]) / (F[k + 1] - F[k])
    return np.exp(roots), np.abs(F[inner]).min(initial=np.inf)


def test_no_root_is_missed_or_made_up():
    rng = np.random.default_rng(1)
    counts, calls = [], []
    for _ in range(200):
        state = rng.bit_generator.state
        costly = Response(rng, True)
        rng.bit_generator.state = state
        cheap = Response(rng, False)
        rng.uniform(size=3)
        expected, fold = known(costly)
        if fold < 3e-4:  # two roots or none, as far as the accuracy goes
            continue
        costly.calls = 0
        found = Search(cheap, costly, LOWEST, HIGHEST, RTOL, 1e-2).roots()
        assert len(found) == len(expected), (vars(costly), found, expected)
        np.testing.assert_allclose([r.rates[0] for r in found], expected, rtol=2 * RTOL)
        # from a positive excess at the lowest rate the signs of the slopes alternate
        assert [r.gain < 1 for r in found] == [
            (len(expected) - k) % 2 == 1 for k in range(len(expected))
        ]
        counts.append(len(expected))
        calls.append(costly.calls)
    assert counts.count(3) > 10 and counts.count(1) > 60
    assert np.median(calls) <= 16


@pytest.mark.parametrize("gap", [3e-3, 1e-3, -1e-3, -3e-3])
def test_two_roots_about_to_meet_are_told_from_none(gap):
    def cheap(x, rtol, guess=None):
        x = np.asarray(x, float)
        return np.minimum(0.3 - 0.2 * (x - 2) ** 2, 5.0), x, np.zeros(x.shape)

    def costly(x, rtol, guess=None):
        x = np.asarray(x, float)
        return gap - 0.2 * (x - 2.3) ** 2, x, np.full(x.shape, min(rtol, 1e-5))

    found = Search(cheap, costly, LOWEST, HIGHEST, RTOL, 1e-2).roots()
    assert len(found) == (2 if gap > 0 else 0)
    if gap > 0:
        half = np.sqrt(gap / 0.2)
        expected = np.exp([2.3 - half, 2.3 + half])
        np.testing.assert_allclose([r.rates[0] for r in found], expected, rtol=1e-3)
        assert [r.gain < 1 for r in found] == [False, True]
