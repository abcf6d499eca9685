"""Stated errors are kept: random neurons beside independent solutions (`benchmarks/coverage.py`).

The full table is `python -m benchmarks.coverage`; here are its references, and a tenth of it.
"""

import ast
import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks import (
    colored_reference,
    coverage,
    coverage_densities,
    filtered_paths,
    white_quadrature,
)
from benchmarks.coverage_checks import Check, met
from benchmarks.jump_chain import Chain
from benchmarks.random_neurons import Neuron, draw

needs_a_compiler = pytest.mark.skipif(not shutil.which("g++"), reason="g++ is not on the path")
REFERENCE = {"tau_L": 20.0, "E_L": -80.0, "E_E": 0.0, "E_I": -75.0, "theta": -55.0, "V_r": -65.0}
REFERENCE |= {"tau_rp": 2.0, "gamma": 0.25}


def conductances(r_E, r_I, a, K, g):
    values = REFERENCE | {"r_E": r_E, "r_I": r_I, "a": a, "K": K, "g": g}
    return Neuron("lif", "conductance", "linear", values)


@pytest.mark.parametrize(
    ("inputs", "rate", "cv"),
    [  # mpmath with 25 digits
        ((5, 9, 0.005, 1000, 12), 2.8293845143e-4, 1.0000023743),
        ((50, 90, 0.01, 1000, 12), 128.41080560, 0.71224045462),
        ((40, 20, 0.003, 10000, 15), 439.85436832, 0.041239320779),
    ],
)
def test_quadrature_agrees_with_many_digits(inputs, rate, cv):
    found = white_quadrature.solve(conductances(*inputs)).found
    assert found["rate"] == pytest.approx(rate, rel=1e-10)
    assert found["cv"] == pytest.approx(cv, rel=1e-10)


@pytest.fixture(scope="module")
def chain():
    with Chain() as program:
        yield program


@needs_a_compiler
@pytest.mark.parametrize(
    ("a", "r_E", "rate", "cv", "mean", "sd"),
    [  # collocation by another program, agreeing with an exact simulation
        (0.005, 20, 0.312385, 0.9986, -64.497, 2.0435),
        (0.01, 10, 8.51584, 0.9694, -64.621, 2.802),
        (0.02, 5, 39.1669, 0.8933, -65.137, 3.616),
        (0.02, 50, 289.53, 0.397, -64.533, 3.668),
    ],
)
def test_chain_agrees_with_collocation(chain, a, r_E, rate, cv, mean, sd):
    found = chain.solve(conductances(r_E, 1.8 * r_E, a, 1000, 12)).found
    assert found["rate"] == pytest.approx(rate, rel=2e-5)
    assert found["cv"] == pytest.approx(cv, abs=1e-4)
    assert found["V_mean"] == pytest.approx(mean, abs=1e-3)
    assert found["V_sd"] == pytest.approx(sd, abs=1e-3)


@needs_a_compiler
def test_chain_keeps_its_accuracy_where_spikes_are_rare(chain):
    values = {"tau_L": 11.0, "E_L": -74.0, "E_E": -5.0, "E_I": -77.0, "theta": -49.0, "V_r": -62.0}
    values |= {"tau_rp": 2.0, "K": 150, "gamma": 0.5, "a": 0.012, "g": 7.0, "r_E": 4.0, "r_I": 14.0}
    answer = chain.solve(Neuron("lif", "conductance", "linear", values))
    assert answer.found["rate"] == pytest.approx(2.573e-32, rel=0.02)  # another chain, ± 2 %
    assert answer.sem["rate"] < 1e-5 * answer.found["rate"]


@needs_a_compiler
def test_shares_of_bins_add_up(chain):
    neuron = draw(1, 0)
    edges = [-120.0, *np.linspace(neuron.V_r - 1, neuron.theta, 9)]
    for answer in (chain.solve(neuron, edges), white_quadrature.solve(neuron, edges)):
        assert answer.shares.sum() == pytest.approx(1, abs=1e-6)
        middle = (np.array(edges[1:]) + edges[:-1]) / 2
        width = np.diff(edges).max()
        assert abs(answer.shares @ middle - answer.found["V_mean"]) < width / 2


@needs_a_compiler
def test_simulated_intervals_agree_with_the_chain(chain):
    neuron = draw(1, 4).replace(r_I=5.0)
    found = chain.solve(neuron).found
    mean = 1e3 / found["rate"] - neuron.tau_rp
    sd = found["cv"] * 1e3 / found["rate"]
    edges = np.linspace(0, mean + 15 * sd, 3001)
    right, _ = coverage_densities.simulated(neuron, edges, seed=1)
    middle = (edges[1:] + edges[:-1]) / 2
    spikes = min(coverage_densities.SPIKES, coverage_densities.ARRIVALS / mean / 4)
    assert right.sum() == pytest.approx(1, abs=1e-3)
    assert abs(right @ middle - mean) < 4 * sd / np.sqrt(spikes)


@needs_a_compiler
@pytest.mark.parametrize("point", [15, 21, 26])
def test_simulated_filters_agree_with_the_table(point):
    with colored_reference.TABLE.open() as file:
        row = list(csv.DictReader(file))[point]
    model, changes, r_E, r_I, tau_E, tau_I = colored_reference.POINTS[point]
    assert model == "conductance" and not {type(x) for x in changes.values()} & {str}
    values = REFERENCE | {"g": 20.0, "a": 0.0015, "K": 1000} | changes
    values |= {"r_E": r_E, "r_I": r_I, "tau_E": tau_E, "tau_I": tau_I}
    answer = filtered_paths.solve(Neuron("lif", model, "linear", values), steps=4e6)
    for name, column in (("rate", "rate_Hz"), ("V_mean", "V_mean_mV"), ("V_sd", "V_sd_mV")):
        sem = np.hypot(answer.sem[name], float(row[f"{column}_sem"]))
        assert abs(answer.found[name] - float(row[column])) < 4 * sem


def test_references_know_nothing_of_what_they_judge():
    for name in ("jump_chain", "white_quadrature", "filtered_paths"):
        tree = ast.parse((Path(coverage.__file__).parent / f"{name}.py").read_text("utf-8"))
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {a.name for node in nodes for a in node.names} | {
            getattr(node, "module", None) for node in nodes
        }
        assert not [n for n in names if n and n.startswith("cbnet")]


def test_neurons_are_drawn_again_from_what_they_print():
    neuron = draw(3, 5)
    assert eval(repr(neuron)) == neuron == draw(3, 5)
    assert neuron != draw(3, 6)
    kinds = {(n.membrane, n.synapses, n.jump) for n in (draw(1, k) for k in range(60))}
    assert len(kinds) == 6
    values = [draw(1, k) for k in range(60)]
    assert min(n.K for n in values) < 30 and max(n.K for n in values) > 5000
    assert sum(n.theta - n.V_r < 2 for n in values) > 5


@pytest.mark.parametrize(
    ("off", "stated", "sem", "kept"),
    [
        (1e-3, 1e-3, 0, True),
        (1.2e-3, 1e-3, 1e-4, True),
        (1.5e-3, 1e-3, 1e-4, False),
        (4e-3, 1e-3, 0, False),
    ],
)
def test_what_is_beyond_its_error_is_found(off, stated, sem, kept):
    check = Check("shot", "rate", off, stated, sem, "")
    assert check.within == kept
    others = [Check("shot", "rate", 0.0, 1e-3, 0.0, "")] * 250
    assert met([*others, check, check]) == (off < 3e-3)  # two in 252 may be out, but not far
    assert met([*others, *[check] * 5]) == kept


@pytest.mark.parametrize("seed", [11, 12])
def test_white_noise_is_as_right_as_it_says(seed):
    found, _ = coverage.measure(["white"], share=0.02, seed=seed)
    assert {("diffusion", "rate"), ("effective", "cv"), ("kramers", "rate")} <= set(found)
    assert [coverage.table({key: checks}) for key, checks in found.items() if not met(checks)] == []


@needs_a_compiler
def test_finite_jumps_are_as_right_as_they_say():
    found, _ = coverage.measure(["shot"], share=0.02, seed=21)
    assert [coverage.table({key: checks}) for key, checks in found.items() if not met(checks)] == []


@pytest.mark.slow
@needs_a_compiler
@pytest.mark.parametrize("names", [["shot", "rare", "white"], None], ids=["neurons", "others"])
def test_a_tenth_of_the_table(names):
    """A minute and a half: references of a hundred neurons, simulations among them."""
    names = names or [name for name in coverage.SUBJECTS if name not in ("shot", "rare", "white")]
    found, _ = coverage.measure(names, share=0.1)
    assert [coverage.table({key: checks}) for key, checks in found.items() if not met(checks)] == []
