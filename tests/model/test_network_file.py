"""Networks in TOML files."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from brian2 import ms

import cbnet
from cbnet.errors import ModelError, ParameterError
from tests.model.test_network_dict import everything
from tests.model.test_network_parts import PAIRS, SIZES, disinhibition, layers

DISINHIBITION = """
[populations]
E = 4000
PV = 500
SOM = 500

[neuron]
model = "conductance"

[neuron.PV]
tau_L = "10 ms"

[projections]
kinds = ["E", "I", "I"]
number = [
    [400, 100, 100],
    [400, 100, 50],
    [400, 0, 0],
]
w = [
    [0.002, 0.03, 0.02],
    [0.003, 0.03, 0.02],
    [0.002, 0, 0],
]
delay = {law = "uniform", low = "0.5 ms", high = "3 ms"}

[inputs.thalamus]
targets = ["E", "PV"]
kind = "E"
number = 400
w = 0.002
rate = "30 Hz"
"""
LAYERS = """
[populations]
L23E = {size = 20683, initial = {law = "normal", mean = "-58 mV", sd = "10 mV"}}
L23I = {size = 5834, initial = {law = "normal", unit = "mV", mean = -58, sd = 10}}

[neuron]
model = "current"
tau_S = "0.5 ms"
tau_L = "10 ms"
E_L = "-65 mV"
theta = "-50 mV"
V_r = "-65 mV"
tau_rp = "2 ms"

[projections]
kinds = ["E", "I"]
pair_probability = [[0.1009, 0.1689], [0.1346, 0.1371]]
w = {law = "normal", unit = "mV", mean = [[0.15, 0.6], [0.15, 0.6]], cv = 0.1}
delay = {law = "normal", unit = "ms", mean = [1.5, 0.75], cv = 0.5, at_least = "0.1 ms"}
wiring = {law = "fixed_total", multapses = true}

[inputs.background]
kind = "E"
number = [1600, 1500]
w = "0.1756 mV"
rate = "8 Hz"
"""
EVERYTHING = """
[populations.A]
size = 30
[populations.A.initial]
u = 0.5
v = "-60 mV"
[populations.B]
size = 20

[neuron]
equations = '''
dv/dt = (E_L - v)/tau_L - u*mV/ms : volt (unless refractory)
du/dt = -u/tau_u : 1
'''
reset = "v = V_r; u += b"
tau_u = "100 ms"
parameters = {b = 0.1}
[neuron.synapses]
E = {on_pre = "v_post += x*w\\n x *= 0.5", equations = "dx/dt = (1 - x)/tau_L : 1"}
none = {on_pre = "v_post += 1*mV", efficacy = ""}
[neuron.A]
tau_L = {unit = "ms", values = %s}
[neuron.B]
tau_L = {law = "normal", mean = "20 ms", cv = 0.1}

[[projections]]
source = "A"
target = "B"
kind = "E"
number = 10
w = {law = "log_normal", mean = "0.1 mV", cv = 1}
wiring = {law = "gaussian_in", cv = 0.1}

[[projections]]
source = "B"
target = "A"
kind = "E"
w = "1 mV"
wiring = {law = "explicit", file = "edges.csv"}

[[projections]]
source = "B"
target = "A"
kind = "none"
number = 5
delay = {law = "exponential", mean = "2 ms"}

[[projections]]
names = ["B"]
kinds = "E"
probability = [[0.3]]
w = "0 mV"
wiring = {law = "fixed_total", multapses = false}

[inputs.x]
kind = "E"
w = "1 mV"
rate = {A = "500 Hz"}
until = "1 s"

[currents.c]
B = "0.1 mV/ms"
"""


def read(folder, text):
    path = folder / "net.toml"
    path.write_text(text, "utf-8")
    return cbnet.load(str(path))


@pytest.mark.parametrize(("text", "make"), [(DISINHIBITION, disinhibition), (LAYERS, layers)])
def test_a_file_and_python_say_the_same(tmp_path, text, make):
    net = read(tmp_path, text)
    assert net == make()
    assert net.to_dict()["neurons"] == make().to_dict()["neurons"]


def test_everything_that_python_says_a_file_can_say(tmp_path):
    (tmp_path / "edges.csv").write_text("i,j,delay_ms\n0,3,1\n1,4,2\n2,4,3\n")
    each = np.asarray(np.linspace(10, 20, 30) * ms / ms)
    net = read(tmp_path, EVERYTHING % [float(f"{x:.17g}") for x in each])
    assert net.to_dict().keys() == everything().to_dict().keys()
    for part in ("populations", "projections", "inputs", "currents"):
        for one, other in zip(net.to_dict()[part], everything().to_dict()[part], strict=True):
            assert one == other
    assert net == everything()


def test_a_published_network_in_a_file(tmp_path):
    rows = ",\n".join(f"    [{', '.join(row.split())}]" for row in PAIRS.strip().splitlines())
    net = read(
        tmp_path,
        "[populations]\n"
        + "\n".join(f"{n} = {size}" for n, size in SIZES.items())
        + '\n[neuron]\nmodel = "current"\ntau_S = "0.5 ms"\n[projections]\n'
        + f"kinds = {json.dumps(['E', 'I'] * 4)}\npair_probability = [\n{rows}\n]\n"
        + 'w = "0.15 mV"\ndelay = "1.5 ms"\nwiring = "fixed_total"\n',
    )
    assert sum(p.total for p in net.projections) == 298_880_968


def test_a_network_in_a_file_of_python(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "import cbnet\n"
        "cells = cbnet.neuron('current')\n"
        "net = cbnet.Network([cbnet.Population('E', cells, 10)])\n"
    )
    assert cbnet.load(f"{path}:net").sizes == {"E": 10}
    net = cbnet.load(f"{path}:net")
    assert cbnet.load(net) is net
    with pytest.raises(ModelError, match="got no Model or Network called 'other'; .*one of net"):
        cbnet.load(f"{path}:other")
    with pytest.raises(ParameterError, match="MODEL: got .*, a network of E; expected a model of"):
        cbnet.neuron(f"{path}:net")


CHANGES = [
    ("E = 4000", "E = 0", r"\[populations\] E.size: got 0; expected a whole"),
    ("E = 4000", "lambda = 1", r"\[populations\] Population: got 'lambda', which is a word"),
    ("E = 4000", "E = {sizes = 3}", r"\[populations\] sizes: got an unknown name among what a pop"),
    ("PV = 500", "PV = 50", r"\[projections\] PV->E.number: got 100; expected at most 50"),
    ('"conductance"', '"conductanc"', r"\[neuron\] MODEL: got 'conductanc'; .*did you mean 'cond"),
    ('"conductance"', "3", r"\[neuron\] model: got 3; expected a string"),
    (
        '"conductance"',
        '"conductance"\nequations = ""',
        r"\[neuron\] equations: got it beside model",
    ),
    ('model = "conductance"', "", r"\[neuron.E\] got neither model nor equations"),
    (
        'model = "conductance"',
        'equations = "dv/dt = -v : volt"',
        r"\[neuron\] Neuron.equations: got",
    ),
    (
        "[neuron]",
        "[neurons]",
        r"neurons: got an unknown name among tables; .*did you mean 'neuron'",
    ),
    ('"10 ms"', '"10 mV"', r"\[neuron.PV\] PV.tau_L: got 10 mV"),
    ('tau_L = "10 ms"', "tau = 1", r"\[neuron.PV\] PV.tau: got an unknown name"),
    ('"10 ms"', "[1, 2]", r"\[neuron.PV\] PV.tau_L: got an array in another unit"),
    ('"10 ms"', '{law = "gamma"}', r"\[neuron.PV\] PV.tau_L.law: got 'gamma'; expected one of uni"),
    (
        '"10 ms"',
        '{values = [1], units = "ms"}',
        r"\[neuron.PV\] PV.tau_L: got a table of values, u",
    ),
    ('"10 ms"', '{values = [1], unit = "parsec"}', r"\[neuron.PV\] PV.tau_L.unit: got 'parsec'"),
    ("[400, 0, 0]", "[400, 0]", r"\[projections\] matrix: number: got rows of different lengths"),
    ("[400, 100, 50]", "[400, 100, nan]", r"\[projections\] SOM->PV.number: got nan"),
    (
        "[400, 100, 50]",
        "[400, 100, 0.5]",
        r"\[projections\] SOM->PV.number: got 0.5; expected an in",
    ),
    ('kinds = ["E", "I", "I"]', "", r"\[projections\] kinds: got none"),
    ('kinds = ["E", "I", "I"]', 'kinds = "X"', r"\[projections\] E->E: got the kind 'X'"),
    ("delay = {", "delays = {", r"\[projections\] delays: got an unknown name among those of proj"),
    ('low = "0.5 ms"', 'low = "5 ms"', r"\[projections\] delay: Uniform.low: got 0.005"),
    ('low = "0.5 ms", ', "", r"\[projections\] delay: got high; expected low, high of 'uniform'"),
    ('"uniform"', '"normal"', r"\[projections\] delay.low: got it; expected mean, sd, cv"),
    (
        "delay =",
        'wiring = "random"\ndelay =',
        r"\[projections\] wiring: got 'random'; expected one",
    ),
    ("delay =", 'wiring = {law = "explicit"}\ndelay =', r"\[projections\] wiring: got nothing for"),
    ("delay =", 'source = "E"\ndelay =', r"\[projections\] kinds: got an unknown name among"),
    ('"30 Hz"', '"30 mV"', r"\[inputs.thalamus\] thalamus->E.rate: got 30 mV"),
    ('"30 Hz"', '{E = "3 Hz"}', r"\[inputs.thalamus\] rate: got none for PV"),
    (
        '"30 Hz"',
        '["3 Hz"]',
        r"\[inputs.thalamus\] rate: got 1 values; expected one for each of E, P",
    ),
    ('"E", "PV"]\n', '"E", "VIP"]\n', r"\[inputs.thalamus\] thalamus->VIP: got the population"),
    ('kind = "E"\n', "", r"\[inputs.thalamus\] kind: got none"),
    ("[inputs.thalamus]", "[inputs]", r"\[inputs\] got no tables; expected one with a name"),
    ("[inputs.thalamus]", "[inputs.E]", r"\[inputs.E\] E->E: got 'E', the name of a population"),
    ("[populations]", "[populations", "got what is no TOML"),
    ("[populations]", "[people]", "people: got an unknown name among tables"),
]


@pytest.mark.parametrize(("old", "new", "message"), CHANGES, ids=range(len(CHANGES)))
def test_what_is_refused_is_refused_with_its_table(tmp_path, old, new, message):
    assert old in DISINHIBITION
    with pytest.raises((ParameterError, ModelError), match=rf"\A\S*net.toml: {message}") as raised:
        read(tmp_path, DISINHIBITION.replace(old, new, 1))
    assert "\n" not in str(raised.value)


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(ParameterError, match="none.toml: got no file of text"):
        cbnet.load(str(tmp_path / "none.toml"))
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ParameterError, match="b.toml: got no file of text"):
        cbnet.load(str(tmp_path / "b.toml"))


def test_commands_for_a_model_refuse_a_network(tmp_path):
    from tests.command_line import refused

    read(tmp_path, DISINHIBITION)
    message = refused(f"script {tmp_path / 'net.toml'}")
    assert "a network of named populations; expected a model" in message


def test_a_network_is_read_without_brian2(tmp_path):
    """Importing it takes seconds; and a model of E and I does without numpy."""
    read(tmp_path, DISINHIBITION)
    code = (
        "import sys, cbnet; n = cbnet.load('net.toml').replace({'thalamus.rate': '20 Hz'})"
        ".scaled('sqrt', 0.5); n.fingerprint; assert not {'brian2', 'sympy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    code = "import sys, cbnet; cbnet.load('conductance'); assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_the_documented_file_is_the_documented_network(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "networks.md").read_text("utf-8")
    text = re.search(r"^```toml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)[1]
    net = read(tmp_path, text)
    assert net == disinhibition()
    assert f"```text\n{net}\n```" in page
