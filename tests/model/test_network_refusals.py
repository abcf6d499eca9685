"""What is no network is refused, in one line that begins with the place."""

import numpy as np
import pytest
from brian2 import Hz, ms, mV

import cbnet
from cbnet import Current, Input, Neuron, Population, Projection
from cbnet.errors import CbnetError, ParameterError

CELLS = cbnet.neuron("conductance")
CURRENT = cbnet.neuron("current", tau_S="2 ms")
LEAK = "dv/dt = (E_L - v)/tau_L : volt (unless refractory)"
NAMES = ["E", "I"]


def pools(neuron=CELLS, sizes=(400, 100), **given):
    return [Population(n, neuron, size, **given) for n, size in zip(NAMES, sizes, strict=True)]


def network(*projections, inputs=(), currents=(), neuron=CELLS, sizes=(400, 100)):
    return cbnet.Network(pools(neuron, sizes), projections, inputs, currents)


def one(**changes):
    return Projection(
        **({"source": "E", "target": "I", "kind": "E", "number": 10, "w": 0.01} | changes)
    )


def outside(**changes):
    given = {"name": "x", "target": "I", "kind": "E", "number": 10, "w": 0.01, "rate": 5 * Hz}
    return Input(**(given | changes))


EDGES = cbnet.Explicit([0, 399], [0, 99])
REFUSED = {
    "source": (
        lambda: network(one(source="X")),
        "X->I: got the population 'X'; expected one of E, I",
    ),
    "target": (lambda: network(one(target="X")), "E->X: got the population 'X'"),
    "kind": (lambda: network(one(kind="N")), "E->I: got the kind 'N'; expected one of E, I, for"),
    "too many": (lambda: network(one(number=401)), "E->I.number: got 401; expected at most 400"),
    "itself": (
        lambda: network(one(target="E", number=400)),
        "E->E.number: got 400; expected at most 399",
    ),
    "share": (lambda: network(one(number=0.1)), "E->I.number: got 0.1; expected an in-degree"),
    "negative number": (lambda: network(one(number=-1)), "E->I.number: got -1; expected a finite"),
    "no number": (lambda: network(one(number=None)), "E->I: got no number; expected one of number"),
    "two numbers": (
        lambda: network(one(probability=0.1)),
        "E->I: got number and probability; expected",
    ),
    "percent": (
        lambda: network(one(number=None, probability=10)),
        "E->I.probability: got 10; expected",
    ),
    "no size": (
        lambda: network(one(number=None, probability=0.1), sizes=(None, 100)),
        "E->I.probability: got 0.1; expected a size of 'E'",
    ),
    "no sizes": (
        lambda: network(
            one(number=None, pair_probability=0.1, wiring=cbnet.FixedTotal()), sizes=(400, None)
        ),
        "E->I.pair_probability: got 0.1; expected a size of 'I'",
    ),
    "no replacement": (
        lambda: network(one(number=None, pair_probability=0.1)),
        "E->I.pair_probability: got it with FixedIn",
    ),
    "every pair": (
        lambda: network(one(number=None, pair_probability=1, wiring=cbnet.FixedTotal())),
        "E->I.pair_probability: got 1; expected less",
    ),
    "no w": (
        lambda: network(one(w=None)),
        "E->I.w: got none; expected the efficacy of 'E', a number",
    ),
    "no w with unit": (lambda: network(one(w=None), neuron=CURRENT), "E->I.w: got none; .*in mV"),
    "negative w": (
        lambda: network(one(w=-0.1)),
        "E->I.w: got -0.1; expected a finite number of at",
    ),
    "unit of w": (
        lambda: network(one(w=0.1 * mV)),
        "E->I.w: got .* .wrong unit.; expected a finite",
    ),
    "w without unit": (
        lambda: network(one(w=0.1), neuron=CURRENT),
        "E->I.w: got 0.1 .no unit.; .*mV",
    ),
    "w not finite": (lambda: network(one(w=np.nan)), "E->I.w: got nan .not finite."),
    "w that overshoots": (lambda: network(one(w=1.5)), "E->I.w: got 1.5; expected w < 1, which"),
    "law of w": (lambda: network(one(w=cbnet.Normal(0.5, cv=0.3))), "E->I.w: got 1.14; .*at_most"),
    "unit of law": (
        lambda: network(one(w=cbnet.Normal(1 * mV, cv=0.3))),
        "E->I.w: got Normal.*expected",
    ),
    "array of laws": (
        lambda: network(one(w=cbnet.Normal([0.1, 0.2], cv=0.3))),
        "E->I.w: got a law with",
    ),
    "array of w": (lambda: network(one(w=[0.1, 0.2])), "E->I.w: got "),
    "negative delay": (
        lambda: network(one(delay=-1 * ms)),
        "E->I.delay: got .*; expected .* at least 0",
    ),
    "law of delays": (
        lambda: network(one(delay=cbnet.Uniform(-1 * ms, 1 * ms))),
        "E->I.delay: got Uniform",
    ),
    "delay without unit": (lambda: network(one(delay=1)), "E->I.delay: got 1 .no unit."),
    "wiring": (
        lambda: network(one(wiring="fixed")),
        "E->I.wiring: got 'fixed'; expected one of FixedIn",
    ),
    "twice": (lambda: network(one(), one()), "E->I: got it twice of the kind 'E'; expected one"),
    "edges and number": (lambda: network(one(wiring=EDGES)), "E->I: got number beside edges"),
    "edges beyond": (
        lambda: network(one(source="I", target="E", number=None, wiring=EDGES)),
        "I->E.wiring.i: got the neuron 399; expected at most 99",
    ),
    "edges without sizes": (
        lambda: network(one(number=None, wiring=EDGES), sizes=(None, None)),
        "E->I.wiring: got edges; expected sizes",
    ),
    "input's target": (
        lambda: network(inputs=[outside(target="X")]),
        "x->X: got the population 'X'",
    ),
    "input's name": (
        lambda: network(inputs=[outside(name="E")]),
        "E->I: got 'E', the name of a pop",
    ),
    "no word": (
        lambda: network(inputs=[outside(name="a b")]),
        "Input: got 'a b', which is not made",
    ),
    "no rate": (lambda: network(inputs=[outside(rate=None)]), "x->I.rate: got None"),
    "negative rate": (lambda: network(inputs=[outside(rate=-5 * Hz)]), "x->I.rate: got -5"),
    "input's edges": (lambda: network(inputs=[outside(wiring=EDGES)]), "x->I.wiring: got edges"),
    "input twice": (lambda: network(inputs=[outside(), outside()]), "x->I: got it twice"),
    "current": (
        lambda: network(currents=[Current("c", "I", 1 * mV)]),
        "c->I.value: got .*wrong unit",
    ),
    "current twice": (
        lambda: network(currents=[Current("c", "I", "1 mV/ms")] * 2),
        "c->I: got it twice;",
    ),
    "names": (
        lambda: cbnet.Network(pools() + pools()),
        "populations: got E, I, E, I; expected diff",
    ),
    "nobody": (lambda: cbnet.Network([]), "populations: got none"),
    "no list": (lambda: cbnet.Network(["E"]), "populations: got 'E'; expected a list of cbnet.Pop"),
    "a list within": (lambda: network([one()]), "projections: got .*expected a list of cbnet.Proj"),
    "a word of Python": (
        lambda: cbnet.Network([Population("lambda", CELLS)]),
        "Population: got 'lambda'",
    ),
    "a word of Brian2": (
        lambda: cbnet.Network([Population("N", CELLS)]),
        "Population: got 'N', which",
    ),
    "no neuron": (
        lambda: cbnet.Network(pools("conductance")),
        "E.neuron: got 'conductance'; expected",
    ),
    "size": (lambda: cbnet.Network(pools(sizes=(0, 1))), "E.size: got 0; expected a whole number"),
    "half a neuron": (lambda: cbnet.Network(pools(sizes=(1.5, 1))), "E.size: got 1.5 .not whole."),
    "value's name": (
        lambda: cbnet.Network(pools(values={"tau": 1 * ms})),
        "E.tau: got an unknown name",
    ),
    "value's unit": (
        lambda: cbnet.Network(pools(values={"tau_L": 1 * mV})),
        "E.tau_L: got .*wrong unit",
    ),
    "value's size": (
        lambda: cbnet.Network(pools(values={"tau_L": [1, 2] * ms})),
        r"E.tau_L: got values of shape \(2,\); expected one for each of 400",
    ),
    "value of each": (
        lambda: cbnet.Network(pools(sizes=(2, 2), values={"tau_L": [1, -2] * ms})),
        "E.tau_L: got -2.* ms; expected a finite number above 0",
    ),
    "law of a value": (
        lambda: cbnet.Network(pools(values={"tau_L": cbnet.Normal(1 * ms, cv=1)})),
        "E.tau_L: got Normal.*with values below 0 ms",
    ),
    "reset": (
        lambda: cbnet.Network(pools(values={"V_r": -50 * mV})),
        "E.V_r: got -50 mV; expected",
    ),
    "some reset": (
        lambda: cbnet.Network(pools(values={"V_r": cbnet.Uniform(-60 * mV, -50 * mV)})),
        "E.V_r: got -50 mV; expected",
    ),
    "initial": (
        lambda: cbnet.Network(pools(initial={"u": 1 * mV})),
        "E.initial: got 'u'; expected a",
    ),
    "initial unit": (lambda: cbnet.Network(pools(initial=1 * ms)), "E.initial: got .*wrong unit"),
    "no such value": (
        lambda: cbnet.neuron("conductance", a=0.1, g=1),
        "a: got a value; expected a param",
    ),
    "no such neuron": (lambda: cbnet.neuron("hh"), "MODEL: got 'hh'; expected one of"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_line(case):
    make, message = REFUSED[case]
    with pytest.raises(ParameterError, match=rf"\A{message}") as raised:
        make()
    assert "\n" not in str(raised.value)


MATRICES = {
    "row": ({"number": [[1, 2]]}, r"matrix: number: got shape \(1, 2\); expected plain numbers"),
    "ragged": ({"number": [[1, 2], [3]]}, "matrix: number: got rows of different lengths"),
    "nothing": ({}, "matrix: got no number; expected one of number, probability"),
    "two": (
        {"number": [[1, 1], [1, 1]], "probability": [[1, 1], [1, 1]]},
        "matrix: got number and",
    ),
    "unit": ({"number": [[1, 1], [1, 1]] * mV}, "matrix: number: got shape"),
    "w": ({"number": [[1, 1], [1, 1]], "w": [[1, 2, 3]] * 2}, r"matrix: w: got shape \(2, 3\)"),
    "ragged w": (
        {"number": [[1, 1], [1, 1]], "w": [[1, 2], [3]]},
        "matrix: w: got rows of different",
    ),
    "units": ({"number": [[1, 1], [1, 1]], "w": [["1 mV", "1 ms"]] * 2}, "matrix: w: got several"),
    "kinds": (
        {"number": [[1, 1], [1, 1]], "kinds": ["E"]},
        "matrix: kinds: got \\['E'\\]; expected one for",
    ),
    "ragged kinds": (
        {"number": [[1, 1], [1, 1]], "kinds": [["E"], ["I", "I"]]},
        "matrix: kinds: got r",
    ),
    "words": ({"number": [["few", 1], [1, 1]]}, "matrix: number: got 'few'; expected a number"),
}


@pytest.mark.parametrize("case", MATRICES)
def test_matrices_that_are_none(case):
    given, message = MATRICES[case]
    with pytest.raises(ParameterError, match=rf"\A{message}"):
        cbnet.matrix(NAMES, **({"kinds": NAMES} | given))


def test_an_entry_that_is_no_number_is_refused_with_its_place():
    table = cbnet.matrix(NAMES, NAMES, number=[[1, np.nan], [1, 1]], w=0.01)
    with pytest.raises(ParameterError, match=r"\AI->E.number: got nan \(not finite\)"):
        network(*table)


STRINGS = {
    "no v": (lambda: Neuron("du/dt = -u/tau_L : volt"), "Neuron.equations: got equations of u"),
    "no value": (
        lambda: Neuron("dv/dt = (E_L - v)/tau : volt"),
        "Neuron.equations: got 'tau', which",
    ),
    "unit": (
        lambda: Neuron("dv/dt = E_L - v : volt"),
        "Neuron.equations: got 'dv/dt = E_L - v : volt'",
    ),
    "no unit": (lambda: Neuron("dv/dt = -v/tau_L : volts"), "equations: got the unit 'volts'"),
    "threshold": (
        lambda: Neuron(LEAK, "v > tau_L"),
        "Neuron.threshold: got 'v > tau_L', whose units",
    ),
    "reset": (
        lambda: Neuron(LEAK, reset="v = tau_L"),
        "Neuron.reset: got 'v = tau_L', whose units",
    ),
    "kind": (lambda: Neuron(LEAK, synapses={"lambda": "v += w"}), "Neuron.synapses.'lambda'.: got"),
    "no w": (
        lambda: Neuron(LEAK, synapses={"E": "v += 1*mV"}),
        "Neuron.synapses.'E'.: got 'v \\+= 1",
    ),
    "w twice": (
        lambda: Neuron(LEAK, synapses={"E": "v += w*mV + w"}),
        "Neuron.synapses.'E'.: got .*contra",
    ),
    "syntax": (lambda: Neuron(LEAK, synapses={"E": "v +="}), "Neuron.synapses.'E'.: got 'v \\+='"),
    "no statement": (
        lambda: Neuron(LEAK, synapses={"E": "v"}),
        "Neuron.synapses.'E'.: got 'v'; expected",
    ),
    "a variable": (
        lambda: Neuron(LEAK + "\ndw/dt = -w/tau_L : volt", synapses={"E": "v += w"}),
        "Neuron.synapses.'E'.: got the efficacy 'w', which is a variable",
    ),
    "function": (
        lambda: Neuron(LEAK, synapses={"E": "v += f(w)"}),
        "Neuron.synapses.'E'.: got the func",
    ),
    "own name": (
        lambda: Neuron(LEAK, parameters={"lambda": 1}),
        "Neuron.parameters.'lambda'.: got",
    ),
    "unused": (
        lambda: Neuron(LEAK, parameters={"tau_l": 10 * ms}),
        "Neuron.parameters.'tau_l'.: got it; expected a parameter that a string names",
    ),
    "tau_E": (
        lambda: Neuron("dv/dt = -v/tau_E : volt", parameters={"tau_E": 0 * ms}),
        "Neuron.parameters.'tau_E'.: got 0 ms",
    ),
}


@pytest.mark.parametrize("case", STRINGS)
def test_strings_that_are_no_neuron(case):
    make, message = STRINGS[case]
    with pytest.raises(CbnetError, match=rf"\A{message}") as raised:
        make()
    assert "\n" not in str(raised.value)
