"""Laws of efficacies and delays, and of in-degrees."""

import numpy as np
import pytest
from brian2 import mV

from cbnet import (
    Bernoulli,
    Explicit,
    Exponential,
    FixedIn,
    FixedTotal,
    GaussianIn,
    LogNormal,
    Normal,
    Uniform,
)
from cbnet.errors import ParameterError
from cbnet.model.distributions import Listed

LAWS = [
    Uniform("1 ms", "3 ms"),
    Normal("1.5 ms", "0.3 ms"),
    Normal("1.5 ms", cv=0.5, at_least="0.1 ms"),
    Normal("1.5 ms", cv=0.5, at_least="1.2 ms", at_most="2 ms"),
    LogNormal("2 ms", 1.3),
    Exponential("2 ms"),
    Listed([1e-3, 2e-3, 4e-3]),
]


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_what_is_drawn_has_the_moments_the_ends_and_the_transform(law):
    n, lam = 200_000, np.array([0, 300, 200 + 900j])
    x = law.draw(np.random.default_rng(3), n)
    assert x.shape == (n,)
    assert abs(x.mean() - law.mean) < 5 * x.std() / n**0.5
    fourth = ((x - x.mean()) ** 4).mean()
    assert abs(x.var() - law.sd**2) < 5 * (max(fourth - x.var() ** 2, 1e-30) / n) ** 0.5
    outside = (x < law.shortest).sum() + (x > law.longest).sum()
    assert outside <= 2e-5 * n + 5 * (2e-5 * n) ** 0.5
    each = np.exp(-lam[:, None] * x)
    sem = np.maximum(each.std(1), 1e-12) / n**0.5
    assert np.all(np.abs(each.mean(1) - law.laplace(lam)) < 5 * sem)
    twice = law.scaled(2.0)
    assert (twice.mean, twice.sd) == pytest.approx((2 * law.mean, 2 * law.sd), rel=1e-12)


def test_a_law_without_width_is_a_value():
    law = Normal("2 ms", cv=0)
    assert (law.mean, law.sd, law.shortest, law.longest) == (2e-3, 0, 2e-3, 2e-3)
    assert law.laplace(500.0) == pytest.approx(np.exp(-1))
    assert np.all(law.draw(np.random.default_rng(0), 3) == 2e-3)


@pytest.mark.parametrize("cv", [0.05, 0.5, 2.0])
def test_transform_of_log_normal_values_where_it_is_known(cv):
    """Its derivatives at zero are moments, and it solves no equation with coefficients: by halves.

    The trapezoidal rule on other nodes, one that cuts further out, agrees.
    """
    law, lam = LogNormal("2 ms", cv), np.array([10.0, 400.0, 200 + 3000j])
    s = np.log1p(cv**2) ** 0.5
    u = np.linspace(-11, 11, 60_001)
    x = 2e-3 * np.exp(s * u - s**2 / 2)
    density = np.exp(-(u**2) / 2)
    exact = np.exp(-lam[:, None] * x) @ density / density.sum()
    assert np.allclose(law.laplace(lam), exact, rtol=1e-10, atol=1e-12)
    assert np.isnan(law.laplace(-1.0))


def test_laws_compare_by_their_values_in_si():
    assert Uniform("1 ms", "2 ms") == Uniform("1000 us", "2 ms")
    assert hash(Normal(1 * mV, cv=0.5)) == hash(Normal("1 mV", "0.5 mV"))
    assert Listed([1, 2]) == Listed([1.0, 2.0]) != Listed([2, 1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform("3 ms", "1 ms"), r"Uniform.low: got 0.003 in SI units; expected at most"),
        (lambda: Uniform("3 ms", "4 mV"), r"Uniform.high: got 4 mV; expected the unit of the"),
        (lambda: Normal("3 ms"), r"Normal: got both or neither of sd and cv"),
        (lambda: Normal("3 ms", "1 ms", cv=0.2), r"Normal: got both or neither of sd and cv"),
        (lambda: Normal("3 ms", "-1 ms"), r"Normal.width: got -0.001"),
        (lambda: Normal("3 ms", cv="1 ms"), r"Normal.cv: got 1 ms; expected"),
        (lambda: Normal("-3 ms", cv=0.1, at_least="0 ms"), r"more than one value in 1000"),
        (lambda: Normal("3 ms", "nan ms"), r"Normal.width: got nan ms; expected finite"),
        (lambda: LogNormal("0 ms", 1), r"LogNormal.mean: got 0 in SI units; expected it above 0"),
        (lambda: LogNormal("1 ms", -1), r"LogNormal.cv: got -1"),
        (lambda: Exponential("3 parsecs"), r"Exponential.mean: got '3 parsecs'; 'parsecs' is no"),
        (lambda: Exponential("soon"), r"Exponential.mean: got 'soon'; expected a number"),
        (lambda: GaussianIn(-0.1), r"GaussianIn.cv: got -0.1"),
        (lambda: Explicit([0, 1], [0]), r"Explicit.j: got 1 targets of 2 sources"),
        (lambda: Explicit([0.5], [0]), r"Explicit.i: got float64 of shape \(1,\)"),
        (lambda: Explicit([-1], [0]), r"Explicit.i: got"),
        (lambda: Explicit([0, 1], [0, 1], w=[0.1]), r"Explicit.w: got shape \(1,\)"),
    ],
)
def test_what_is_no_law_is_refused_in_one_line(make, message):
    with pytest.raises(ParameterError, match=message) as raised:
        make()
    assert "\n" not in str(raised.value)


def in_degrees(law, number, sources, targets, rng):
    """In-degrees of one drawn graph, by what the law says and nothing else."""
    if isinstance(law, FixedIn):
        return np.full(targets, number)
    if isinstance(law, Bernoulli):
        return (rng.random((targets, sources)) < number / sources).sum(1)
    if isinstance(law, GaussianIn):
        return rng.normal(number, law.cv * number, targets)
    total = number * targets
    pairs = (
        rng.integers(0, targets * sources, total)
        if law.multapses
        else rng.choice(targets * sources, total, replace=False)
    )
    return np.bincount(pairs // sources, minlength=targets)


@pytest.mark.parametrize(
    "law", [FixedIn(), Bernoulli(), GaussianIn(0.1), FixedTotal(), FixedTotal(multapses=False)],
    ids=repr,
)  # fmt: skip
def test_spread_of_in_degrees_is_that_of_graphs(law):
    number, sources, targets, graphs = 60, 200, 20, 400
    rng = np.random.default_rng(5)
    # over graphs, since in one of a fixed total the in-degrees are not independent
    drawn = np.array([in_degrees(law, number, sources, targets, rng)[0] for _ in range(graphs)])
    expected = law.spread(number, sources, targets)
    assert abs(drawn.std() - expected) <= 5 * expected / (2 * graphs) ** 0.5


def test_edges_that_are_given(tmp_path):
    rng = np.random.default_rng(0)
    i, j = rng.integers(0, 30, 200), rng.integers(0, 20, 200)
    delay, w = rng.uniform(1, 3, 200), rng.uniform(0.1, 0.2, 200)
    edges = Explicit(i, j, delay=delay * 1e-3, w=w * 1e-3)
    assert edges.spread(10, 30, 20) == np.bincount(j, minlength=20).std()
    np.savez(tmp_path / "edges.npz", i=i, j=j, delay_ms=delay, w_mV=w)
    table = np.column_stack([i, j, delay, w])
    np.savetxt(tmp_path / "edges.csv", table, "%.17g", ",", header="i,j,delay_ms,w_mV", comments="")
    for name in ("edges.npz", "edges.csv"):
        read = Explicit.read(tmp_path / name)
        assert np.array_equal(read.i, i)
        assert np.array_equal(read.j, j)
        assert np.allclose(read.delay.values, delay * 1e-3, rtol=1e-15)
        assert read.w.dims == Normal(1 * mV, cv=1).dims
        assert read == Explicit(i, j, delay=read.delay, w=read.w)
        assert hash(read) == hash(Explicit(i, j, delay=read.delay, w=read.w))
    for text, message in (
        ("i,k\n1,2\n", "got the column 'k'"),
        ("i,delay_ms\n1,2\n", "got no column j"),
        ("i,j,delay\n1,2,3\n", "got the column 'delay'"),
        ("i,j\n1,2.5\n", "got 'j' with fractions"),
        ("i,j\n1,2,3\n", "3 columns below 2 names"),
    ):
        (tmp_path / "bad.csv").write_text(text)
        with pytest.raises(ParameterError, match=message):
            Explicit.read(tmp_path / "bad.csv")
    with pytest.raises(ParameterError, match="none.csv: got"):
        Explicit.read(tmp_path / "none.csv")
