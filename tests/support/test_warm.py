"""What needs neither Brian2 nor sympy, whose import takes longer than many a simulation."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import cbnet
from cbnet.model import reduced
from cbnet.simulation.step import timestep

ROOT = Path(__file__).resolve().parents[2]
SLOW = ("brian2", "sympy")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A cache in which the functions of the model are, and a saved result."""
    found = tmp_path_factory.mktemp("warm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CBNET_CACHE", str(found / "cache"))
        reduced._remembered.cache_clear()
        params = cbnet.load("conductance")
        timestep.choose(params)
        cbnet.respond(params).save(found / "response.nc")
        cbnet.solve(params).save(found / "solution.nc")
    return found


def imported(code, folder):
    """Which of the slow packages a program has imported at its end."""
    code = f"import sys\n{code}\nprint([name for name in {SLOW} if name in sys.modules])"
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "CBNET_CACHE": str(folder / "cache"),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return eval(done.stdout.splitlines()[-1])


def test_what_is_not_in_the_cache_is_derived(tmp_path):
    code = "import cbnet\nfrom cbnet.simulation.step import timestep\n"
    code += "timestep.bias(cbnet.load('conductance'), 1e-4, 71, 41)"
    assert imported(code, tmp_path) == list(SLOW)
    assert imported(code, tmp_path) == []


RESULT = """
import dataclasses, cbnet
from cbnet.results import Result, variable

@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Two(Result):
    rate: object = variable("Hz", key="rate_Hz")
    V: object = variable("mV", ("x",), key="V_mV")

two = Two(parameters=cbnet.load("conductance"), rate=20.0, V=[-0.06, -0.07])
assert two.to_dict() == {"rate_Hz": 20.0, "V_mV": [-60.0, -70.0]}
assert two == Two(parameters=two.parameters, rate=20.0, V=[-0.06, -0.07])
assert "rate           20 Hz" in repr(two)
two.save("two.nc", overwrite=True)
"""


@pytest.mark.parametrize(
    "code",
    [
        "import cbnet; cbnet.load('conductance').replace(K='400', nu_X='20Hz')",
        "import cbnet\nfrom cbnet.simulation.step import timestep\n"
        "assert timestep.choose(cbnet.load('conductance').replace(nu_X='20Hz'))[0] > 0",
        RESULT,
        "from cbnet.cli import app; app.main(['params', 'conductance'])",
        "from cbnet.cli import app; assert app.main(['show', 'response.nc']) == 0",
        "from cbnet.cli import app; assert app.main(['show', 'solution.nc', '--json']) == 0",
        "from cbnet.cli import app; assert app.main(['cache']) == 0",
    ],
    ids=["load", "choose", "result", "params", "show", "show network", "cache"],
)
def test_neither_is_imported(code, folder):
    assert imported(code, folder) == []


def test_reading_a_field_gives_a_quantity(folder):
    code = "from cbnet import results\nrate = results.load('response.nc').rate\n"
    assert imported(code + "assert rate.dim is not None", folder) == list(SLOW)
