"""Whatever somebody gives as a part of a network makes one, or is refused in one line."""

import copy
import datetime
import random
import tomllib

import numpy as np
import pytest
from brian2 import mV

import cbnet
from cbnet.errors import CbnetError
from cbnet.model.network_file import of_tables
from tests.model.test_network_dict import disinhibition, everything, layers
from tests.model.test_network_file import DISINHIBITION, EVERYTHING, LAYERS

IN_FILES = [
    0, -1, 1.5, float("nan"), float("inf"), 10**30, True, "", "E", "mV", "1 mV", "nan ms", "0.1",
    [], [1], [[1]], [[1, 2], [3]], ["a"], [True], ["1 mV", 2], {}, {"E": 1}, {"size": 3},
    {"law": "normal"}, {"law": 3}, {"values": [1, 2]}, {"values": 3, "unit": "mV"}, {"on_pre": 3},
    {"law": "uniform", "low": 1, "high": [1, 2]}, {"law": "explicit", "file": 3},
    {"law": "fixed_total", "multapses": 3}, {"law": "gaussian_in", "cv": "a"},
    {"law": "normal", "mean": "1 mV", "sd": "1 mV", "cv": 2}, datetime.date(2020, 1, 1), "lambda",
]  # fmt: skip
IN_PYTHON = [
    *IN_FILES, None, object(), 1 * mV, [1, 2] * mV, np.array([1, 2]), np.array("a"), np.nan * mV,
    1j, b"x", lambda: 1, cbnet.FixedIn, cbnet.FixedIn(), cbnet.Explicit([0], [0]),
    cbnet.GaussianIn(0.1), cbnet.Normal(1, 0.1), cbnet.Normal("1 mV", "1 mV"),
    cbnet.Normal([1, 2], 0.1), cbnet.LogNormal(1, 1), cbnet.Uniform("0 ms", "1 ms"),
]  # fmt: skip


def used(make):
    """Whether there is a network, which can be used then; if not, one line says why."""
    try:
        net = make()
    except CbnetError as error:
        assert "\n" not in str(error)
        return False
    rates = [1.0] * len(net.names)
    assert repr(net)
    assert net.distinct
    assert len(net.arrivals(rates)) == len(net.projections) + len(net.inputs)
    assert cbnet.Network.from_dict(net.to_dict()) == net
    return True


def places(table, path=()):
    """Where there is a value in nested tables."""
    parts = table.items() if isinstance(table, dict) else enumerate(table)
    for key, value in parts:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


@pytest.mark.parametrize("text", [DISINHIBITION, LAYERS, EVERYTHING % list(range(10, 40))])
def test_files_with_something_else_in_one_place(text, tmp_path):
    (tmp_path / "edges.csv").write_text("i,j,delay_ms\n0,3,1\n1,4,2\n2,4,3\n")
    base, rng = tomllib.loads(text), random.Random(1)
    cases = [(where, given) for where in places(base) for given in IN_FILES]
    made = 0
    for where, given in rng.sample(cases, 250):
        tables = copy.deepcopy(base)
        inner = tables
        for key in where[:-1]:
            inner = inner[key]
        inner[where[-1]] = given
        made += used(lambda tables=tables: of_tables(tables, tmp_path))
    assert 0 < made < 125


@pytest.mark.parametrize("make", [disinhibition, layers, everything])
def test_replacing_a_value_by_anything(make):
    net, rng = make(), random.Random(2)
    addresses = [
        *(f"{p.place}.{n}" for p in net.projections for n in ("w", "delay", "number", "wiring")),
        *(f"{p.place}.{n}" for p in net.projections for n in ("probability", "pair_probability")),
        *(f"{p.place}.{n}" for p in net.inputs for n in ("w", "rate", "number", "wiring", "until")),
        *(f"{p.place}.value" for p in net.currents),
        *(f"{p.name}.{n}" for p in net.populations for n in (*p.values, "size")),
        *("", "*", "*.", "*->*.w", "a->b.c", "E->E:E.w", "x.y.z", 5, None, ("a",)),
    ]
    cases = [(address, given) for address in addresses for given in IN_PYTHON]
    made = sum(used(lambda a=a, x=x: net.replace({a: x})) for a, x in rng.sample(cases, 500))
    assert 0 < made < 250
