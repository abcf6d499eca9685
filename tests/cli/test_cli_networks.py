"""Commands on networks of named populations."""

import json
from pathlib import Path

import pytest

from tests.command_line import refused, run

NETWORK = """
[populations]
E = 200
PV = 50

[neuron]
model = "current"

[projections]
kinds = ["E", "I"]
number = [[40, 10], [40, 10]]
w = {values = [[0.4, 2.0], [0.4, 2.0]], unit = "mV"}
delay = "1.5 ms"

[inputs.thalamus]
kind = "E"
number = 40
w = "0.4 mV"
rate = "60 Hz"
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.toml").write_text(NETWORK)
    return "net.toml"


def test_theory_of_a_file(file):
    code, out, err = run(f"network {file} --noise diffusion --json --out saved")
    assert code == 0, err
    found = json.loads(out)
    assert found["populations"] == ["E", "PV"]
    (state,) = found["fixed_points"]
    assert state["stable"] and 0 < state["rate_Hz"]["PV"] == pytest.approx(state["rate_Hz"]["E"])
    code, out, err = run(f"network {file} --noise diffusion --set thalamus.rate=80Hz")
    assert code == 0 and "state 1" in out and "PV" in out and "leading mode" in out
    code, out, err = run("show saved")
    assert code == 0 and "state 1" in out, err


def test_parts_of_a_file(file):
    code, out, err = run(f"params {file}")
    assert code == 0 and "PV" in out and "thalamus" in out, err
    code, out, err = run(f"params {file} --json")
    assert code == 0 and json.loads(out)["populations"], err


def test_what_a_network_says_itself_is_refused(file):
    for command in (
        f"network {file} -N 500",
        f"simulate {file} -N 500",
        f"simulate {file} --storage stored",
        f"compare {file} --K 400",
        f"neuron {file}",
        f"script {file}",
    ):
        assert "network" in refused(command), command
    assert "nobody" in refused(f"network {file} --set nobody.tau_L=10ms")
    assert "thalamus" in refused(f"network {file} --set thalamus.rate=10mV")


@pytest.mark.slow
def test_simulation_beside_theory(file):
    """Compiles a program."""
    code, out, err = run(f"simulate {file} --duration 2s --seed 3 --json")
    assert code == 0, err
    simulated = json.loads(out)
    code, out, err = run(f"compare {file} --duration 2s --seed 3 --seeds 2 --json --out both")
    assert code == 0, err
    found = json.loads(out)
    assert {Path(name).suffix for name in found["files"]} == {".nc", ".png", ".pdf"}
    for name in ("E", "PV"):
        theory, rate, sem = (
            found[side][key][name]
            for side, key in (
                ("theory", "rate_Hz"), ("simulation", "rate_Hz"), ("simulation", "rate_Hz_sem")
            )
        )  # fmt: skip
        # theory leaves out correlations: a few per cent of so small a network
        assert abs(theory - rate) < 0.1 * rate + 3 * sem
        assert abs(simulated["rate_Hz"][name] - rate) < 0.1 * rate + 3 * sem
    code, out, err = run(f"simulate {file} --duration 1s --record-spikes 20")
    assert code == 0 and "LvR" in out, err
