"""Arrivals inside a step, in C++ and in numpy: orders, crossings, and how many arrive."""

import itertools
import math
import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
from brian2 import mV
from scipy import stats

import cbnet
from cbnet.diffusion import of_model
from cbnet.simulation import arrivals
from cbnet.simulation.drive import HEADERS, _poisson_count

PROGRAM = r"""
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include "arrivals.h"
#include "poisson.h"

// One line of input, one line of output.
int main()
{
    std::mt19937_64 generator(12345);
    std::uniform_real_distribution<double> uniform(0.0, 1.0);
    char what[16];
    while (std::scanf("%15s", what) == 1) {
        if (!std::strcmp(what, "poisson")) {
            double mean;
            long draws;
            std::scanf("%lf %ld", &mean, &draws);
            std::vector<long> seen(1000, 0);
            for (long k = 0; k < draws; k++)
                seen[cbnet::poisson_count(mean, uniform(generator))]++;
            for (long n : seen)
                std::printf("%ld ", n);
        } else if (!std::strcmp(what, "inverse")) {
            double mean, u;
            std::scanf("%lf %la", &mean, &u);
            std::printf("%d", cbnet::poisson_count(mean, u));
        } else if (!std::strcmp(what, "order")) {
            // the order of one-by-one arrivals, as a number in base two; powers of 1e-3 tell them
            int n_E, n_I;
            long draws;
            std::scanf("%d %d %ld", &n_E, &n_I, &draws);
            std::vector<long> seen(1 << (n_E + n_I), 0);
            for (long k = 0; k < draws; k++) {
                int code = 0;
                cbnet::after_arrivals_one_by_one(0.0, n_E, n_I, 1.0, uniform(generator),
                    [&](double) { code = 2 * code + 1; return 0.0; },
                    [&](double) { code = 2 * code; return 0.0; });
                seen[code]++;
            }
            for (long n : seen)
                std::printf("%ld ", n);
        } else {
            // affine jumps: how many end above threshold, and the sums of v and v^2 of the others
            double v, threshold, slope_E, rest_E, slope_I, rest_I;
            int n_E, n_I;
            long draws;
            std::scanf("%d %d %lf %lf %lf %lf %lf %lf %ld", &n_E, &n_I, &v, &threshold, &slope_E,
                       &rest_E, &slope_I, &rest_I, &draws);
            // without a slope, `rest` is the jump
            const double off_E = slope_E == 0.0 ? rest_E : -slope_E * rest_E;
            const double off_I = slope_I == 0.0 ? rest_I : -slope_I * rest_I;
            cbnet::Powers powers_E, powers_I;
            const cbnet::AffineJump E = {off_E, slope_E, powers_E}, I = {off_I, slope_I, powers_I};
            long crossed = 0;
            double sum = 0.0;
            for (long k = 0; k < draws; k++) {
                const double u = uniform(generator);
                const double after = !std::strcmp(what, "affine")
                    ? cbnet::after_affine_arrivals(v, n_E, n_I, threshold, u, E, I)
                    : cbnet::after_arrivals_one_by_one(v, n_E, n_I, threshold, u,
                          [&](double x) { return off_E + slope_E * x; },
                          [&](double x) { return off_I + slope_I * x; });
                crossed += after > threshold;
                sum += after > threshold ? 0.0 : after;
            }
            std::printf("%ld %.17g", crossed, crossed < draws ? sum / (draws - crossed) : 0.0);
        }
        std::printf("\n");
    }
}
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A function that hands lines to a program made of the headers alone."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++ on this machine, so that headers cannot be compiled")
    folder = tmp_path_factory.mktemp("headers")
    (folder / "main.cpp").write_text(PROGRAM)
    # warnings of scanf's results are about this test
    flags = ["-std=c++11", "-O2", "-Wall", "-Wextra", "-Werror", "-Wno-unused-result"]
    subprocess.run(
        [compiler, *flags, f"-I{HEADERS}", "main.cpp", "-o", "main"], cwd=folder, check=True
    )

    def ask(*lines):
        done = subprocess.run(
            [folder / "main"],
            input="\n".join(lines),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return [np.array(line.split(), float) for line in done.stdout.splitlines()]

    return ask


@pytest.mark.parametrize(("n_E", "n_I"), [(1, 1), (3, 2), (2, 4), (5, 1), (4, 4)])
def test_every_order_is_equally_likely(compiled, n_E, n_I):
    draws = 100_000
    (seen,) = compiled(f"order {n_E} {n_I} {draws}")
    allowed = [code for code in range(seen.size) if bin(code).count("1") == n_E]
    assert len(allowed) == math.comb(n_E + n_I, n_E)
    assert seen[allowed].sum() == draws
    assert stats.chisquare(seen[allowed]).pvalue > 1e-3


# Slope of the jumps and where they vanish, in mV, excitatory and inhibitory; beside a slope of 0
# stands the jump itself. Shunting inhibition pulls up what lies below its reversal potential.
CONDUCTANCE = (0.03, 0.0, 0.24, -75.0)
CURRENT = (0.0, 1.5, 0.0, -4.0)
SHUNTING = (0.03, 0.0, 0.4, -58.0)
JUMPS = pytest.mark.parametrize(
    "jumps", [CONDUCTANCE, CURRENT, SHUNTING], ids=["conductance", "current", "shunting"]
)


def enumerate_orders(n_E, n_I, v, threshold, jumps):
    """Chance to end above threshold over all orders, and the mean of v where it did not."""
    slope_E, rest_E, slope_I, rest_I = jumps

    def jump(slope, rest, x):
        return x + (slope * (rest - x) if slope else rest)

    crossed, kept = 0, []
    for excitatory in itertools.combinations(range(n_E + n_I), n_E):
        x = v
        for k in range(n_E + n_I):
            x = jump(slope_E, rest_E, x) if k in excitatory else jump(slope_I, rest_I, x)
            if x > threshold:
                crossed += 1
                break
        else:
            kept.append(x)
    return crossed / math.comb(n_E + n_I, n_E), np.mean(kept) if kept else 0.0


@JUMPS
@pytest.mark.parametrize(
    ("n_E", "n_I", "v"),
    [
        (1, 1, -56),
        (3, 1, -58),
        (4, 3, -57.5),
        (6, 2, -60),
        (8, 4, -57),
        (3, 0, -57),
        (0, 3, -60),
        (4, 2, -63),
    ],
)
def test_crossing_probability(compiled, jumps, n_E, n_I, v):
    draws, threshold = 200_000, -55.0
    slope_E, rest_E, slope_I, rest_I = jumps
    given = f"{n_E} {n_I} {v} {threshold} {-slope_E} {rest_E} {-slope_I} {rest_I} {draws}"
    chance, mean = enumerate_orders(n_E, n_I, v, threshold, jumps)
    for found in compiled(f"affine {given}", f"single {given}"):
        p = found[0] / draws
        assert abs(p - chance) <= 4 * np.sqrt(chance * (1 - chance) / draws)
        # the spread of v over the orders is below 3 mV; for no crossing see the next test
        if 0 < chance < 1:
            assert abs(found[1] - mean) < 4 * 3 / np.sqrt(draws * (1 - chance))


@pytest.mark.parametrize(("n_E", "n_I"), [(1, 1), (2, 1), (3, 2), (8, 3)])
def test_closed_form_where_no_order_crosses(compiled, n_E, n_I):
    # Far below threshold v is one number: near the mean over the orders, to the second order of the
    # excitatory jump (half an arrival more on one side where n_E is odd).
    slope_E, rest_E, slope_I, rest_I = CONDUCTANCE
    given = f"{n_E} {n_I} -72 -10 {-slope_E} {rest_E} {-slope_I} {rest_I} 10"
    _, mean = enumerate_orders(n_E, n_I, -72, -10, CONDUCTANCE)
    (found,) = compiled(f"affine {given}")
    commutator = slope_E * slope_I * n_I * (rest_E - rest_I)
    assert found[0] == 0
    assert abs(found[1] - mean) < commutator * (0.5 if n_E % 2 else 0.05 * n_E)


def interpreted(jumps, threshold=-55.0):
    """The numpy form for the same jumps."""
    slope_E, rest_E, slope_I, rest_I = jumps

    def jump(slope, rest):
        return lambda v: slope * (rest - v) if slope else np.full(np.shape(v), rest)

    reduced = SimpleNamespace(
        function=lambda name, _: {
            "jump_E": jump(slope_E, rest_E),
            "jump_I": jump(slope_I, rest_I),
        }[name],
        constant=lambda *_: threshold,
    )
    return arrivals.vectorised(reduced, [])


@JUMPS
@pytest.mark.parametrize(("n_E", "n_I", "v"), [(3, 1, -58), (4, 3, -57.5), (8, 4, -57)])
def test_crossing_probability_in_numpy(jumps, n_E, n_I, v):
    draws = 100_000
    chance, mean = enumerate_orders(n_E, n_I, v, -55.0, jumps)
    uniform = np.random.default_rng(4).random(draws)
    after = interpreted(jumps)(np.full(draws, v), n_E, n_I, uniform)
    kept = after[after <= -55.0]
    assert abs(1 - kept.size / draws - chance) <= 4 * np.sqrt(chance * (1 - chance) / draws)
    if chance < 1:
        assert abs(kept.mean() - mean) < 4 * kept.std() / np.sqrt(kept.size) + 1e-12


def test_every_order_is_equally_likely_in_numpy():
    # E doubles what has come and adds one, I doubles it: v spells the order
    draws, n_E, n_I = 100_000, 3, 2
    reduced = SimpleNamespace(
        function=lambda name, _: {"jump_E": lambda v: v + 1, "jump_I": lambda v: v}[name],
        constant=lambda *_: 1e9,
    )
    uniform = np.random.default_rng(5).random(draws)
    codes = arrivals.vectorised(reduced, [])(np.zeros(draws), n_E, n_I, uniform).astype(int)
    seen = np.bincount(codes, minlength=32)
    allowed = [code for code in range(32) if bin(code).count("1") == n_E]
    assert seen[allowed].sum() == draws
    assert stats.chisquare(seen[allowed]).pvalue > 1e-3


def test_numpy_takes_a_different_number_for_every_neuron():
    n_E, n_I = np.array([0, 3, 0, 2]), np.array([0, 0, 2, 1])
    v = np.array([-60.0, -60.0, -60.0, -90.0])
    after = interpreted(CURRENT)(v, n_E, n_I, np.array([0.1, 0.2, 0.3, 0.4]))
    # three excitatory arrivals of 1.5 mV reach -55.5; two inhibitory ones of 4 mV
    assert after.tolist() == [-60.0, -55.5, -68.0, -91.0]
    assert v.tolist() == [-60.0, -60.0, -60.0, -90.0]


def test_uniform_numbers_at_the_ends():
    for uniform in (0.0, 2.0**-53, 1 - 2.0**-53):
        after = interpreted(CURRENT)(np.array([-57.0]), 4, 3, np.array([uniform]))
        assert np.isfinite(after).all()


def generated(name, **changes):
    params = cbnet.load(name).replace(**changes)
    reduced = of_model(params.model, params.resolve("E"))
    names = arrivals.parameter_names(reduced)
    return names, arrivals.cpp(reduced, names)


def test_generated_code():
    names, code = generated("conductance")
    assert names == ["E_E", "E_I", "a", "g", "theta"]
    assert "after_affine_arrivals" in code
    names, code = generated("current")
    assert names == ["J_E", "J_I", "theta"]
    assert "after_affine_arrivals" in code


def test_jumps_that_are_no_straight_lines_come_one_by_one(compiled):
    model = cbnet.Model(
        name="saturating",
        equations="dv/dt = -(v - E_L)/tau_L : volt (unless refractory)",
        excitatory="v_post += a*(E_E - v_post)*(1 + ((v_post - theta)/(10*mV))**2)",
        inhibitory="v_post += g*a*(E_I - v_post)",
    )
    params = cbnet.Parameters(model)
    reduced = of_model(params.model, params.resolve("E"))
    assert "after_arrivals_one_by_one" in arrivals.cpp(reduced, arrivals.parameter_names(reduced))


MEANS = (0.001, 0.05, 0.5, 1, 3.7, 10, 50, 200)


def binned(seen, mean):
    """Counts and chances in bins of at least ten expected draws."""
    draws = seen.sum()
    edges = [0]
    chances = stats.poisson.pmf(np.arange(seen.size), mean)
    total = 0.0
    for n, chance in enumerate(chances):
        total += chance * draws
        if total >= 10:
            edges.append(n + 1)
            total = 0.0
    edges[-1] = seen.size
    parts = [slice(a, b) for a, b in itertools.pairwise(edges)]
    expected = np.array([chances[part].sum() for part in parts])
    return np.array([seen[part].sum() for part in parts]), draws * expected / expected.sum()


@pytest.mark.parametrize("mean", MEANS)
def test_poisson_counts(compiled, mean):
    (seen,) = compiled(f"poisson {mean} 300000")
    counts, expected = binned(seen, mean)
    assert len(counts) > 1
    assert stats.chisquare(counts, expected).pvalue > 1e-3
    draws = _poisson_count(mean, np.random.default_rng(3).random(300_000))
    counts, expected = binned(np.bincount(draws, minlength=seen.size), mean)
    assert stats.chisquare(counts, expected).pvalue > 1e-3


@pytest.mark.parametrize("mean", MEANS)
def test_inverse_of_the_poisson_distribution(compiled, mean):
    # The least n whose cumulative probability exceeds u; between neighbours of a jump of the
    # distribution the answer is the two programs' rounding, which is why u keeps away from it.
    most = int(mean + 8 * np.sqrt(mean)) + 3
    cumulative = stats.poisson.cdf(np.arange(most), mean)
    cumulative = cumulative[(cumulative > 1e-12) & (cumulative < 1 - 1e-12)]
    u = np.concatenate(
        [cumulative - 1e-13, cumulative + 1e-13, np.random.default_rng(1).random(50)]
    )
    expected = np.searchsorted(stats.poisson.cdf(np.arange(most + 60), mean), u, side="right")
    found = compiled(*(f"inverse {mean} {x.hex()}" for x in u.tolist()))
    assert np.concatenate(found).astype(int).tolist() == expected.tolist()
    assert _poisson_count(mean, u).tolist() == expected.tolist()


def test_poisson_counts_at_the_ends(compiled):
    last = 1 - 2.0**-53
    zero, low, high = np.concatenate(
        compiled("inverse 0 0x0.8p0", "inverse 7.5 0x0p0", f"inverse 7.5 {last.hex()}")
    )
    assert zero == 0
    assert low == 0
    # where the chance of more is that of one number in 2^53
    assert 30 < high < 60
    assert _poisson_count(0.0, np.array([0.5])) == [0]
    assert 30 < _poisson_count(7.5, np.array([last]))[0] < 60


def test_poisson_counts_of_many_means():
    means = np.array([0.0, 0.1, 5.0, 5.0, 200.0])
    found = _poisson_count(means, np.full(5, 0.5))
    assert found.tolist() == [0, *stats.poisson.ppf(0.5, means[1:]).astype(int)]


def test_numpy_form_of_a_model_agrees_with_its_strings():
    params = cbnet.load("conductance").replace(a=0.03, g=8)
    values = params.resolve("E")
    reduced = of_model(params.model, values)
    names = arrivals.parameter_names(reduced)
    function = arrivals.vectorised(reduced, names)
    v = function(np.array([-0.06]), 2, 0, np.array([0.3]), *(values[n] for n in names))
    assert v * 1e3 == pytest.approx(-60 * 0.97**2)
    v = function(np.array([-0.06]), 0, 1, np.array([0.3]), *(values[n] for n in names))
    assert v * 1e3 == pytest.approx(-75 + 15 * (1 - 0.24))
    assert -75 * mV == params.E_I
