"""Sizes of a network, and refusals before anything is allocated."""

import re
import time
import tracemalloc

import pytest

import cbnet
from cbnet.errors import ParameterError
from cbnet.simulation.wiring.layout import Layout, inputs, layout, projections


@pytest.fixture(scope="module")
def params():
    return cbnet.load("conductance").replace(K=100)


def refused(message, *arguments, **options):
    with pytest.raises(ParameterError, match=message) as caught:
        layout(*arguments, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert "expected" in text
    return text


def test_sizes(params):
    found = layout(params, 1250)
    assert (found.N_E, found.N_I, found.N) == (1000, 250, 1250)
    assert found.in_degree == {("E", "E"): 100, ("E", "I"): 100, ("I", "E"): 25, ("I", "I"): 25}
    assert found.synapses == 1250 * 125
    assert (found.span("E"), found.span("I")) == ((0, 1000), (1000, 1250))
    assert layout(params, 1250.0) == found
    assert layout(params, 1250, 0.5).N_E == 625


def test_too_few_excitatory_neurons(params):
    text = refused(r"^N: got 200, with 100 E neurons", params, 200, 0.5)
    assert "K = 100 from E to E" in text
    assert layout(params, 202, 0.5).N_E == 101


def test_too_few_inhibitory_neurons(params):
    text = refused(r"^N: got 250, with 25 I neurons", params, 250, 0.9)
    assert "γK = 25 from I" in text


@pytest.mark.parametrize("K", [4, 40, 100, 1000, 1604])
@pytest.mark.parametrize("fraction", [0.5, 0.8, 0.9, 0.95])
def test_advised_size_is_the_least_that_will_do(K, fraction):
    params = cbnet.load("conductance").replace(K=K)
    text = refused(r"^N: got 3,", params, 3, fraction)
    advised = int(re.search(r"take N above (\d+)", text)[1]) + 1
    assert advised == layout(params, advised, fraction).N
    refused(r"^N: got", params, advised - 1, fraction)


@pytest.mark.parametrize(
    ("gamma", "K", "nearest"), [(0.25, 101, 100), (0.25, 103, 104), (0.2, 12, 10), (1 / 3, 100, 99)]
)
def test_inhibitory_in_degree_must_be_whole(params, gamma, K, nearest):
    changed = params.replace(gamma=gamma, K=K)
    text = refused(r"^K: got", changed, 10_000)
    assert text.endswith(f"take K={nearest}")
    assert layout(changed.replace(K=nearest), 10_000).N == 10_000


def test_no_inhibitory_in_degree_nearby(params):
    refused(r"^gamma: got", params.replace(gamma=0.25000001, K=7), 10_000)


def test_inhibitory_in_degree_of_one_population(params):
    refused(r"^K: got 102", params.replace(**{"I.K": 102}), 10_000)


@pytest.mark.parametrize(
    "N", [10.5, 1, 0, -5, True, float("nan"), float("inf"), "many", None, [100]], ids=str
)
def test_number_of_neurons(params, N):
    refused(r"^N: got", params, N)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan"), "most", None], ids=str)
def test_fraction(params, fraction):
    refused(r"^fraction_excitatory: got", params, 1250, fraction)


@pytest.mark.parametrize(("N", "fraction"), [(2, 0.99), (10, 0.99), (10, 1e-3), (2, 0.01)])
def test_no_population_is_empty(params, N, fraction):
    with pytest.raises(ParameterError, match=rf"^fraction_excitatory: got {fraction:g} of N = {N}"):
        cbnet.simulate(params, N, fraction_excitatory=fraction, feedforward=True)


def test_too_large_for_memory_is_refused_at_once():
    params = cbnet.load("conductance").replace(K=100_000, a=1e-4)
    tracemalloc.start()
    started = time.perf_counter()
    with pytest.raises(ParameterError, match=r"^N: got 100000000000 with 1.25e\+16 synapses") as e:
        cbnet.simulate(params, N=10**11)
    elapsed, peak = time.perf_counter() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "\n" not in str(e.value)
    assert "fewer than 2^30 neurons" in str(e.value)
    assert elapsed < 5  # imports Brian2 if nothing did before
    assert peak < 1e8  # of the same


def test_neurons_that_are_not_connected_need_no_partners(params):
    found = layout(params.replace(K=7), 20, connected=False)
    assert (found.N_E, found.N_I, found.synapses) == (16, 4, 0)


def test_projections_by_name(params):
    alike = [("excitation", "E", None), ("inhibition", "I", None)]
    apart = [
        ("excitation_E", "E", "E"),
        ("excitation_I", "E", "I"),
        ("inhibition_E", "I", "E"),
        ("inhibition_I", "I", "I"),
    ]
    assert projections(params) == projections(params.replace(**{"I.tau_L": "10ms"})) == alike
    for name, value in (("K", 104), ("gamma", 0.5), ("law", "bernoulli"), ("D_max", "12ms")):
        assert projections(params.replace(**{f"I.{name}": value})) == apart
    assert projections(params, connected=False) == []


def test_inputs_by_name(params):
    assert [(one.name, one.kind, one.rate) for one in inputs(params, True)] == [
        ("drive", "E", "nu_X")
    ]
    apart = inputs(params.replace(**{"E.nu_X": "20Hz"}), True)
    assert [(one.name, one.target) for one in apart] == [("drive_E", "E"), ("drive_I", "I")]
    alone = inputs(params.replace(**{"I.r_I": "20Hz"}), False)
    assert [(one.name, one.kind, one.target, one.rate) for one in alone] == [
        ("drive", "E", None, "r_E"),
        ("inhibitory_drive_E", "I", "E", "r_I"),
        ("inhibitory_drive_I", "I", "I", "r_I"),
    ]
    assert [one.mean_number({"K": 100, "gamma": 0.25}) for one in alone] == [100, 25, 25]


def test_sizes_of_parts():
    small = Layout(80, 20, {("E", "E"): 8, ("E", "I"): 8, ("I", "E"): 2, ("I", "I"): 2})
    assert small.synapses == 1000
    assert (small.size("E"), small.size("I"), small.span(None)) == (80, 20, (0, 100))
