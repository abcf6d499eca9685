"""Arrivals inside a step where Brian2 updates the neurons, in C++ and in numpy."""

import itertools
import math
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
from brian2 import mV
from scipy import stats

import cbnet
from cbnet.model.reduction import of_model
from cbnet.simulation.brian import arrivals
from tests import cpp

PROGRAM = r"""
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>
#include "arrivals.h"

// One line of input, one line of output.
int main()
{
    std::mt19937_64 generator(12345);
    std::uniform_real_distribution<double> uniform(0.0, 1.0);
    char what[16];
    while (std::scanf("%15s", what) == 1) {
        if (!std::strcmp(what, "order")) {
            // the order of arrivals, as a number in base two
            int n_E, n_I;
            long draws;
            std::scanf("%d %d %ld", &n_E, &n_I, &draws);
            std::vector<long> seen(1 << (n_E + n_I), 0);
            for (long k = 0; k < draws; k++) {
                int code = 0;
                cbnet::arrivals_in_random_order(0.0, n_E, n_I, 1.0, uniform(generator),
                    [&](double) { code = 2 * code + 1; return 0.0; },
                    [&](double) { code = 2 * code; return 0.0; });
                seen[code]++;
            }
            for (long n : seen)
                std::printf("%ld ", n);
        } else {
            // affine jumps: how many end above threshold, and the mean of the others
            double v, threshold, slope_E, rest_E, slope_I, rest_I;
            int n_E, n_I;
            long draws;
            std::scanf("%d %d %lf %lf %lf %lf %lf %lf %ld", &n_E, &n_I, &v, &threshold, &slope_E,
                       &rest_E, &slope_I, &rest_I, &draws);
            // without a slope, `rest` is the jump
            const auto E = [&](double x) { return slope_E == 0 ? rest_E : slope_E * (rest_E - x); };
            const auto I = [&](double x) { return slope_I == 0 ? rest_I : slope_I * (rest_I - x); };
            const bool random = !std::strcmp(what, "random");
            long crossed = 0;
            double sum = 0.0;
            for (long k = 0; k < draws; k++) {
                const double u = uniform(generator);
                const double after = random
                    ? cbnet::arrivals_in_random_order(v, n_E, n_I, threshold, u, E, I)
                    : cbnet::arrivals_in_brian2_order(v, n_E, n_I, threshold, u, E, I);
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
    # warnings of scanf's results are about this test
    main = cpp.program(
        *(PROGRAM, tmp_path_factory.mktemp("headers"), "-O2", *cpp.WARNINGS, "-Wno-unused-result")
    )

    def ask(*lines):
        done = subprocess.run(
            [main],
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


def jump(slope, rest, x):
    return x + (slope * (rest - x) if slope else rest)


def enumerate_orders(n_E, n_I, v, threshold, jumps):
    """Chance to end above threshold over all orders, and the mean of v where it did not."""
    slope_E, rest_E, slope_I, rest_I = jumps
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


def in_brian2_order(n_E, n_I, v, jumps):
    for _ in range(n_E):
        v = jump(*jumps[:2], v)
    for _ in range(n_I):
        v = jump(*jumps[2:], v)
    return v


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
    given = f"{n_E} {n_I} {v} {threshold} {' '.join(map(str, jumps))} {draws}"
    chance, mean = enumerate_orders(n_E, n_I, v, threshold, jumps)
    (found,) = compiled(f"random {given}")
    p = found[0] / draws
    assert abs(p - chance) <= 4 * np.sqrt(chance * (1 - chance) / draws)
    # the spread of v over the orders is below 3 mV
    if chance < 1:
        assert abs(found[1] - mean) < 4 * 3 / np.sqrt(draws * (1 - chance))


@JUMPS
@pytest.mark.parametrize(
    ("n_E", "n_I", "v"), [(4, 3, -57.5), (3, 0, -57), (0, 3, -60), (9, 1, -58)]
)
def test_brian2s_order(compiled, jumps, n_E, n_I, v):
    expected = in_brian2_order(n_E, n_I, v, jumps)
    (found,) = compiled(f"brian2 {n_E} {n_I} {v} -10 {' '.join(map(str, jumps))} 1")
    assert found.tolist() == [0, pytest.approx(expected, rel=1e-12)]
    # the threshold is not tested in between
    (found,) = compiled(f"brian2 {n_E} {n_I} {v} -55 {' '.join(map(str, jumps))} 1")
    assert found[0] == (expected > -55)
    after = interpreted(jumps, arrivals.in_brian2_order)(np.array([v, -70.0]), n_E, n_I, 0.5)
    assert after == pytest.approx([expected, in_brian2_order(n_E, n_I, -70.0, jumps)], rel=1e-12)


def interpreted(jumps, form=arrivals.vectorised, threshold=-55.0):
    """The numpy form for the same jumps."""
    slope_E, rest_E, slope_I, rest_I = jumps

    def displacement(slope, rest):
        return lambda v: slope * (rest - v) if slope else np.full(np.shape(v), rest)

    reduced = SimpleNamespace(
        function=lambda name, _: {
            "jump_E": displacement(slope_E, rest_E),
            "jump_I": displacement(slope_I, rest_I),
        }[name],
        constant=lambda *_: threshold,
    )
    return form(reduced, [])


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
    for form in (arrivals.vectorised, arrivals.in_brian2_order):
        after = interpreted(CURRENT, form)(v, n_E, n_I, np.array([0.1, 0.2, 0.3, 0.4]))
        # three excitatory arrivals of 1.5 mV reach -55.5; two inhibitory ones of 4 mV
        assert after.tolist() == [-60.0, -55.5, -68.0, -91.0]
        assert v.tolist() == [-60.0, -60.0, -60.0, -90.0]


def test_uniform_numbers_at_the_ends():
    for uniform in (0.0, 2.0**-53, 1 - 2.0**-53):
        after = interpreted(CURRENT)(np.array([-57.0]), 4, 3, np.array([uniform]))
        assert np.isfinite(after).all()


# From the strings of a model


def generated(params, order="random"):
    reduced = of_model(params.model, params.resolve("E"))
    names = arrivals.parameter_names(reduced)
    return names, arrivals.cpp(reduced, names, order)


def bent():
    model = cbnet.Model(
        name="saturating",
        equations="dv/dt = -(v - E_L)/tau_L : volt (unless refractory)",
        excitatory="v_post += a*(E_E - v_post)*(1 + ((v_post - theta)/(10*mV))**2)",
        inhibitory="v_post += g*a*(E_I - v_post)",
    )
    return cbnet.Parameters(model).replace(a=0.03, g=8)


@pytest.mark.parametrize("order", ["random", "brian2"])
@pytest.mark.parametrize("name", ["conductance", "current", "bent"])
def test_generated_code_agrees_with_the_strings(name, order, tmp_path):
    params = bent() if name == "bent" else cbnet.load(name).replace(a=0.03, g=8)
    values = params.resolve("E")
    names, code = generated(params, order)
    expected = {"current": ["J_E", "J_I", "theta"]}.get(name, ["E_E", "E_I", "a", "g", "theta"])
    assert names == expected
    # far enough below threshold, and one kind of arrival a call, so that order does not matter
    calls = [(-0.070, 2, 0), (-0.060, 0, 1), (-0.062, 0, 0), (-0.071, 0, 3)]
    given = ", ".join(repr(values[n]) for n in names)
    prints = "".join(
        f'std::printf("%.17g ", after_arrivals({v}, {e}, {i}, 0.3, {given}));' for v, e, i in calls
    )
    source = (
        f'#include <cmath>\n#include <cstdio>\n#include "arrivals.h"\n{code}\n'
        f"int main() {{ {prints} }}\n"
    )
    main = cpp.program(source, tmp_path, *cpp.WARNINGS, "-Wno-unused-parameter")
    printed = subprocess.run([main], capture_output=True, text=True, check=True)
    found = np.array(printed.stdout.split(), float)
    reduced = of_model(params.model, values)
    form = arrivals.vectorised if order == "random" else arrivals.in_brian2_order
    numpy_form = form(reduced, names)
    for (v, e, i), after in zip(calls, found, strict=True):
        (same,) = numpy_form(np.array([v]), e, i, np.array([0.3]), *(values[n] for n in names))
        assert after == pytest.approx(same, rel=1e-12)


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
