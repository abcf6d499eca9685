"""The times of a model beside those of a run: the default transient, and what is told."""

import re
import warnings

import numpy as np
import pytest
from brian2 import ms, mV

import cbnet
from cbnet.errors import CbnetWarning, ParameterError
from cbnet.simulation import times
from cbnet.simulation.job import prepare

SMALL = {"N": 250, "duration": "1s"}


@pytest.fixture(scope="module")
def params():
    return cbnet.load("conductance").replace(K=40, a=0.01)


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({}, 0.2),
        ({"tau_L": "5ms"}, 0.2),
        ({"tau_L": "50ms"}, 0.5),
        ({"I.tau_L": "50ms"}, 0.5),
        ({"tau_S": "100ms"}, 1.0),
        ({"tau_I": "60ms", "tau_E": "2ms"}, 0.6),
        ({"D": "80ms"}, 0.8),
        ({"D_max": "50ms"}, 0.5),
        ({"tau_rp": "30ms"}, 0.3),
    ],
)
def test_the_default_transient_is_ten_times_the_slowest_time(params, changes, seconds):
    assert prepare(params.replace(**changes), **SMALL).transient == pytest.approx(seconds)


def test_unconnected_neurons_have_no_delays(params):
    alone = params.replace(D="80ms", r_E="20Hz", r_I="20Hz")
    assert prepare(alone, feedforward=True, **SMALL).transient == pytest.approx(0.2)


def test_time_constants_are_those_of_the_equations():
    slow = cbnet.Model(
        name="slow",
        equations="dv/dt = (E_L - v)/tau_slow : volt (unless refractory)",
        excitatory="v_post += J",
        inhibitory="v_post -= g*J",
        parameters={"J": 0.1 * mV, "g": 5, "tau_slow": 70 * ms},
    )
    found = times.of_params(cbnet.Parameters(slow))
    assert [(one.name, one.seconds) for one in found][0] == ("tau_slow", pytest.approx(0.07))
    assert "tau_L" not in [one.name for one in found]


def test_a_very_long_transient_is_asked_for(params):
    for name in ("tau_rp", "D"):
        with pytest.raises(ParameterError, match=f"transient: got none beside {name}.* = 10 s"):
            prepare(params.replace(**{name: "10s"}), **SMALL)
    long = prepare(params.replace(tau_rp="2s"), 250, "20s")  # beside which it is not so long
    assert long.transient == pytest.approx(20)


def told(params, length=True, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        job = prepare(params, **{**SMALL, **options})
        if length:
            times.check_length(job)
    found = [str(one.message) for one in caught if issubclass(one.category, CbnetWarning)]
    assert all("\n" not in text for text in found)
    return found


@pytest.mark.parametrize(
    ("changes", "options", "expected"),
    [
        ({}, {}, []),
        ({}, {"transient": "50ms"}, []),
        ({}, {"transient": "0s"}, []),  # from the very beginning, as was asked for
        ({"tau_S": "300ms"}, {"transient": "0s"}, ["transient: 0 ms is short beside tau_E"]),
        ({}, {"transient": "20ms"}, ["transient: 20 ms is short beside tau_L = 20 ms"]),
        (
            {"tau_S": "100ms"},
            {"transient": "0.2s"},
            ["transient: 200 ms is short beside tau_E = 100 ms: .*; take 1 s"],
        ),
        (
            {"D": "3s"},
            {"transient": "0.2s"},
            ["D_max = 3 s is longer than the run of 1.2 s", "transient: .*short beside D_max"],
        ),
        (
            {"tau_rp": "1s"},
            {"transient": "3s"},
            ["tau_rp = 1 s is as long as the measured time of 1 s: no neuron fires twice"],
        ),
        (
            {"tau_L": "2s"},
            {"transient": "6s"},
            ["tau_L = 2 s is longer than the measured time of 1 s"],
        ),
        ({"tau_L": "1us"}, {}, ["tau_L = 0.001 ms is below dt = 0.1 ms"]),
        (
            {"D": "1.53ms"},
            {"dt": "0.1ms"},
            ["delays are rounded to whole steps of dt = 0.1 ms: D_min = 1.53 ms to 1.5 ms"],
        ),
        ({"D": "1.5ms"}, {"dt": "0.1ms"}, []),
        ({"D": "6ms"}, {"dt": "3ms"}, ["no number of such steps is 1 ms; fano_1ms"]),
    ],
)
def test_what_a_run_cannot_show_is_told(params, changes, options, expected):
    found = told(params.replace(**changes), **options)
    assert len(found) == len(expected), found
    for text, pattern in zip(found, expected, strict=True):
        assert re.search(pattern, text), text


def test_rounded_delays_of_an_explicit_graph_are_told(params):
    rng = np.random.default_rng(1)
    graph = {
        p: (rng.integers(n, size=500), rng.integers(250, size=500), d)
        for p, n, d in (("E", 200, 1.53 * ms), ("I", 50, 2 * ms))
    }
    explicit = params.replace(law="explicit")
    found = told(explicit, graph=graph, dt="0.1ms")
    assert len(found) == 1 and "graph: delays are rounded to whole steps" in found[0]
    assert "by up to 0.03 ms" in found[0]
    assert told(explicit, graph=graph, dt="0.01ms") == []


def test_steps_are_told_of_what_is_built_too(params):
    assert len(told(params.replace(D="1.53ms"), length=False, dt="0.1ms")) == 1
