"""The command line of the theory: noise by name, accuracy, currents."""

import json
import re

import pytest

from cbnet.cli import options, tables
from cbnet.errors import CbnetWarning
from cbnet.theory.neuron.colored.colored_noise_limits import WITHIN
from cbnet.theory.neuron.treatments import METHODS
from tests import command_line

pytestmark = pytest.mark.usefixtures("empty_folder")

KEYS = {"rate_Hz", "cv", "V_mean_mV", "V_sd_mV", "tau_eff_ms", "mu_mV", "noise", "error"}
DRIVEN = "--set r_E=30Hz --set r_I=12Hz"
# where each treatment is right, for the reference neuron
SETTINGS = {
    "shot": "",
    "diffusion": "",
    "effective": "",
    "kramers": "--set r_I=16Hz",
    "colored": "--set tau_S=1ms",
    "fast": "--set tau_S=0.5ms --set a=0.0016",
    "shift": "--set tau_S=0.5ms --set a=0.0016",
    "rescaled": "--set tau_S=1ms --set r_E=60Hz --set r_I=5Hz --set a=0.0012",
    "adiabatic": "--set tau_S=100ms --set r_E=60Hz",
    "rice": "--set tau_S=5ms --set a=0.003 --set g=12 --set r_E=20Hz --set r_I=16Hz",
}


def run(line):
    """Exit code, standard output, and what cbnet says on standard error.

    Brian2's parser may warn of packages that it uses.
    """
    code, out, err = command_line.run(line)
    said = [line for line in err.splitlines() if line.startswith("cbnet: ")]
    return code, out, "\n".join(said)


def refused(line):
    code, out, err = run(line)
    assert (code, out) == (2, ""), (line, out, err)
    (message,) = err.splitlines()
    return message.removeprefix("cbnet: error: ")


def test_every_noise_is_named_with_its_range():
    assert set(options.NOISES) == set(METHODS) == set(SETTINGS)
    for command in ("neuron", "network", "compare"):
        _, out, _ = run(f"{command} --help")
        for name, text in options.NOISES.items():
            assert f"{name}: {text}" in map(str.strip, out.splitlines())
    for name in METHODS:
        assert tables.describe_noise(name) != f"theory: {name} noise"


@pytest.mark.parametrize("noise", SETTINGS)
def test_a_neuron_with_every_noise(noise):
    # a parameter is set once: those of the noise come in place of the common ones
    given = SETTINGS[noise].split("--set ")[1:]
    names = [text.partition("=")[0] for text in given]
    common = [f"--set {s}" for s in ("r_E=30Hz", "r_I=12Hz") if s.partition("=")[0] not in names]
    line = f"neuron conductance --noise {noise} {' '.join(common)} {SETTINGS[noise]}"
    code, out, err = run(f"{line} --json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert set(found) == KEYS
    assert found["noise"].split()[0] == noise
    assert found["rate_Hz"] > 0
    # a formula has an error of its own
    within = {"kramers": 0.2, **WITHIN}.get(noise, METHODS[noise].rtol)
    assert 0 < found["error"] <= within


def test_the_table_says_the_method_and_its_error():
    _, out, _ = run(f"neuron conductance {DRIVEN} --noise colored --set tau_S=1ms")
    assert "theory: synaptic time constants and finite jumps (colored noise)" in out
    assert re.search(r"estimated relative error +0\.00\d+", out)
    text = tables.describe_noise("shot (limit tau_S -> 0; large deviations)")
    assert text == (
        "theory: finite jumps (shot noise); the synaptic time constants were neglected "
        "(limit tau_S -> 0); large deviations"
    )


@pytest.mark.parametrize("command", [f"neuron conductance {DRIVEN}", "network conductance"])
def test_accuracy_is_asked_for_and_delivered(command):
    code, out, _ = run(f"{command} --noise diffusion --rtol 1e-4 --json")
    rough = json.loads(out)
    _, out, _ = run(f"{command} --noise diffusion --json")
    fine = json.loads(out)
    assert code == 0 and fine["error"] <= 1e-8 and fine["error"] < rough["error"] <= 1e-4


@pytest.mark.parametrize("command", ["neuron", "network"])
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("--rtol 2", "--rtol: got 2.0; expected a number from 1e-12 to 1"),
        ("--rtol 1e-13", "--rtol: got 1e-13; expected a number from 1e-12 to 1"),
        ("--rtol high", "--rtol: got high (not a number)"),
        ("--noise colored", "--noise: got 'colored' with instantaneous synapses; set tau_S"),
        ("--noise fast", "--noise: got 'fast' with instantaneous synapses; set tau_S"),
        ("--noise pink", "--noise: got 'pink'; expected one of diffusion, effective, kramers"),
    ],
)
def test_what_cannot_be_used_is_refused(command, given, expected):
    assert refused(f"{command} conductance {given}").startswith(expected)


@pytest.mark.parametrize("noise", WITHIN)
def test_help_states_the_errors_of_formulas(noise):
    assert options.NOISES[noise].endswith(f"; {WITHIN[noise]:.0%}".replace("%", " %"))


@pytest.mark.parametrize("noise", ["rice", "kramers"])
def test_a_network_needs_rates_above_threshold(noise):
    message = refused(f"network conductance --set tau_S=20ms --noise {noise}")
    assert message.startswith(f"--noise: got {noise!r}, which has no rate above threshold")
    assert "colored" in message and "rice," not in message


@pytest.mark.parametrize("option", ["--noise shot", "--rtol 1e-3", "--currents"])
def test_an_exact_simulation_has_no_options_of_theory(option):
    message = refused(f"neuron conductance --simulate {option}")
    assert message.startswith(f"{option.split()[0]}: got")
    assert "with --simulate, which treats every spike exactly" in message


def test_without_a_barrier_there_is_no_escape_rate():
    line = "neuron current --noise kramers --set r_E=60Hz"
    code, out, err = run(line)
    assert code == 0 and "no barrier" in out
    assert err.startswith("cbnet: warning: noise: got 'kramers' where no barrier holds v")
    code, out, _ = run(f"{line} --json")
    found = json.loads(out)
    assert code == 0 and found["rate_Hz"] is None and found["error"] is None
    assert found["noise"] == "kramers (no barrier)"


def test_outside_of_its_range_a_formula_warns_once_on_standard_error():
    line = f"neuron conductance {DRIVEN} --noise rescaled --set tau_S=1ms --json"
    code, out, err = run(line)
    found = json.loads(out)
    assert code == 0 and found["rate_Hz"] > 0 and found["error"] is None
    assert found["noise"] == "rescaled (outside of its range: error not known)"
    (warning,) = err.splitlines()
    assert warning == (
        "cbnet: warning: noise: got 'rescaled' outside of its range; it is good for mu at least "
        "three sd above the threshold, and V_r at least one below: use 'colored'"
    )


def test_a_network_warns_of_its_fixed_points_and_not_of_the_search():
    """A search passes far from every range; the answer may lie within it."""
    _, out, err = run("network current --noise fast --set tau_S=1ms --json")
    assert err == "" and json.loads(out)["fixed_points"][0]["rate_E_Hz"] > 1
    _, _, err = run("network current --noise rescaled --set tau_S=1ms --json")
    (warning,) = err.splitlines()
    assert "'rescaled' outside of its range" in warning


def test_library_calls_warn_of_their_own_inputs():
    import cbnet

    params = cbnet.load("conductance").replace(tau_S="1ms", r_E="30Hz", r_I="12Hz")
    with pytest.warns(CbnetWarning, match="noise: got 'rescaled' outside of its range"):
        cbnet.respond(params, noise="rescaled")


def test_currents_stand_beside_the_fixed_keys():
    line = f"neuron conductance {DRIVEN} --currents"
    code, out, err = run(f"{line} --json --noise diffusion")
    assert (code, err) == (0, "")
    found = json.loads(out)
    currents = found.pop("currents")
    assert set(found) == KEYS
    assert set(currents) == {
        "current_mean_mV_per_ms",
        "current_sd_mV_per_ms",
        "leak_mean_mV_per_ms",
        "rate_Hz",
        "drift_rate_Hz",
        "diffusion_rate_Hz",
        "noise",
        "error",
    }
    E, I, net = currents["current_mean_mV_per_ms"]  # noqa: E741
    assert E > 0 > I and net == pytest.approx(E + I, rel=currents["error"] * (E - I) / net)
    total = currents["drift_rate_Hz"] + currents["diffusion_rate_Hz"]
    assert total == pytest.approx(found["rate_Hz"], rel=1e-7)
    code, out, _ = run(f"{line} --out results")
    assert code == 0
    assert re.search(r"excitatory +\d+\.\d+ +0\.\d+", out)
    assert re.search(r"carried by diffusion +-?\d+\.\d+ Hz", out)
    assert re.search(r"leak, mean +-\d\.\d+ mV/ms", out)
    assert max(map(len, out.splitlines())) <= 80
    *_, first, second = out.splitlines()
    assert first == "saved results/neuron-conductance.nc"
    _, shown, _ = run(f"show {second.removeprefix('saved ')}")
    assert "currents of one neuron" in shown and shown.strip() in out
