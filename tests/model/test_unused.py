"""What was set and does not enter an answer is named; what enters it, or asks for nothing, not."""

import json
import warnings

import pytest
from brian2 import Hz, ms, mV, nS, pF, second

import cbnet
from cbnet.errors import CbnetWarning
from cbnet.model import unused
from cbnet.simulation.run import build
from cbnet.simulation.script import script
from cbnet.theory import asymptotics, batch, scaling
from tests.command_line import run

UNEQUAL = {"law": "gaussian", "CV_K": 0.2}
SMALL = {"K": 40, "a": 0.01}


def told(answer, *arguments, **options):
    """Keys that an answer names in its one warning, and the answer."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CbnetWarning)
        found = answer(*arguments, **options)
    lines = [str(w.message) for w in caught if "does not use" in str(w.message)]
    assert len(lines) <= 1 and not any("\n" in line for line in lines)
    return (tuple(lines[0].partition(":")[0].split(", ")) if lines else ()), found


def conductance(**changes):
    return cbnet.load("conductance").replace(**changes)


@pytest.mark.parametrize(
    ("answer", "options", "changes", "named"),
    [
        (cbnet.solve, {"noise": "diffusion"}, UNEQUAL, ("law", "CV_K")),
        (cbnet.solve, {"noise": "diffusion"}, {"r_E": 30 * Hz, "nu_X": 40 * Hz}, ("r_E",)),
        (cbnet.solve, {"noise": "diffusion"}, {"D": 2 * ms}, ("D_min", "D_max")),
        (cbnet.solve, {"noise": "diffusion", "oscillations": True}, {"D": 2 * ms}, ()),
        (cbnet.solve, {"noise": "diffusion"}, {"V_match": -60 * mV, "I.g": 21}, ("V_match",)),
        (cbnet.solve, {"noise": "fast"}, {"tau_S": 0.2 * ms, "jump": "exponential"}, ("jump",)),
        (cbnet.solve, {"noise": "diffusion"}, {"law": "fixed", "CV_K": 0, "tau_S": 0 * ms}, ()),
        (cbnet.stability, {}, {"D": 2 * ms, "r_I": 3 * Hz, **UNEQUAL}, ("r_I", "law", "CV_K")),
        (cbnet.respond, {"noise": "diffusion"}, {"nu_X": 40 * Hz, "E.g": 21}, ("nu_X",)),
        (cbnet.respond, {"noise": "diffusion"}, {"I.tau_L": 10 * ms}, ("I.tau_L",)),
        (cbnet.respond, {"noise": "diffusion", "population": "I"}, {"I.tau_L": 10 * ms}, ()),
        (cbnet.respond, {"noise": "diffusion", "r_E": 30 * Hz}, {"r_E": 20 * Hz}, ()),
        (cbnet.currents, {}, {"D_max": 2 * ms}, ("D_max",)),
        (cbnet.simulate_neuron, {"duration": 1 * second}, {"CV_K": 0.1, "law": "gaussian"},
         ("CV_K", "law")),
        (cbnet.tuned_input, {"mu": -60 * mV}, {"V_r": -70 * mV, "E_L": -75 * mV}, ("V_r",)),
        (cbnet.voltage_scaling, {"law": "sqrt", "K": 900}, {"tau_rp": 3 * ms, "r_E": 30 * Hz},
         ("tau_rp",)),
        (cbnet.critical_input, {"ratio": 0.5, "noise": "diffusion"}, {"nu_X": 40 * Hz}, ("nu_X",)),
        (scaling.curve, {"law": "inverse", "K": [400]}, {"tau_L": 10 * ms, "a": 0.002}, ("tau_L",)),
        (asymptotics.balance_line, {}, {"tau_rp": 3 * ms, "nu_X": 20 * Hz, "g": 21}, ("tau_rp",)),
        (scaling.exponent, {"eta": 0.8}, {"tau_L": 10 * ms, "E_I": -76 * mV}, ("tau_L",)),
    ],
)  # fmt: skip
def test_each_answer_names_what_it_leaves_out(answer, options, changes, named):
    keys, found = told(answer, conductance(**changes), **options)
    assert keys == named
    if isinstance(found, cbnet.results.Result):
        assert found.unused == named
        assert found.to_dict().get("unused", []) == list(named)
        assert ("not used" in repr(found)) == bool(named)


def test_continuation_names_also_what_it_follows():
    def along(name, values):
        return told(
            cbnet.continuation, conductance(g=25), name, values, noise="diffusion", points=2
        )[0]

    assert along("D_max", [5, 6] * ms) == ("D_max",)
    assert along("nu_X", [20, 21] * Hz) == ()


def test_one_law_of_in_degrees_is_no_distribution():
    with pytest.warns(CbnetWarning, match="law: got 'fixed', equal in-degrees"):
        found = cbnet.heterogeneity(conductance(), noise="diffusion")
    assert max(found.in_si("rate_sd")) == 0
    keys, found = told(
        cbnet.heterogeneity, conductance(D=2 * ms, **UNEQUAL), noise="diffusion", rtol=1e-2
    )
    assert keys == ("D_min", "D_max")
    assert min(found.in_si("rate_sd")) > 1


def test_derived_quantities_stand_for_what_they_are_made_of():
    current = cbnet.load("current")
    assert told(cbnet.respond, current.replace(E_E=5 * mV, V_match=-50 * mV))[0] == ()
    assert told(cbnet.respond, current.replace(J_E=0.1 * mV, J_I=0.5 * mV))[0] == ()


def test_parameters_of_own_models():
    model = cbnet.Model(
        name="leaky",
        equations="dv/dt = (E_L - v)/tau_L : volt (unless refractory)",
        excitatory="v_post += J",
        inhibitory="v_post -= h*J",
        parameters={"J": 0.1 * mV, "h": 5, "Delta": 2 * mV},
    )
    params = cbnet.Parameters(model).replace(J=0.2 * mV, Delta=1 * mV, a=0.1)
    assert told(cbnet.respond, params, noise="diffusion")[0] == ("Delta", "a")


def test_what_a_value_that_was_set_no_longer_follows_from_is_named():
    jumps = cbnet.load("current").replace(J_E=0.1 * mV, J_I=0.5 * mV)
    given = {"E_E": 10 * mV, "E_I": -70 * mV, "V_match": -50 * mV}
    assert told(cbnet.respond, jumps.replace(**given), noise="diffusion")[0] == tuple(given)
    assert told(cbnet.respond, cbnet.load("current").replace(**given), noise="diffusion")[0] == ()
    half = cbnet.load("current").replace(J_E=0.1 * mV, E_E=10 * mV)
    # a follows from both, and J_I from a
    assert told(cbnet.respond, half, noise="diffusion")[0] == ()


def test_what_a_value_follows_from_is_used():
    model = cbnet.Model(
        name="own",
        equations="dv/dt = (V_0 - v)/tau_L : volt (unless refractory)",
        excitatory="v_post += a*(E_E - v_post)",
        inhibitory="v_post += g*a*(E_I - v_post)",
        parameters={"V_0": cbnet.Entry("V_0", None, "mV", follows="E_L"), "C_m": 200 * pF},
        derived=(cbnet.Derived("g_L", "C_m/tau_L", "nS", "tau_L", "C_m/g_L"),),
    )
    params = cbnet.load(model)
    assert told(cbnet.respond, params.replace(E_L=-78 * mV), noise="diffusion")[0] == ()
    both = params.replace(g_L=10 * nS, C_m=300 * pF)
    assert told(cbnet.respond, both, noise="diffusion")[0] == ()
    assert both.tau_L == 30 * ms
    assert told(cbnet.respond, params.replace(C_m=300 * pF), noise="diffusion")[0] == ("C_m",)


def test_many_at_once_are_told_of_once():
    members = [conductance(**UNEQUAL, nu_X=x * Hz) for x in (20, 30)]
    assert told(batch.solve_many, members, "diffusion")[0] == ("law", "CV_K")
    assert told(batch.respond_many, members, "diffusion")[0] == ("law", "CV_K", "nu_X")


def test_simulations_name_what_they_leave_out():
    network = conductance(**SMALL, r_E=30 * Hz, D=2 * ms, **UNEQUAL)
    assert unused.find(network, unused.of_simulation(network)) == ("r_E",)
    assert told(build, network, N=250)[0] == ("r_E",)
    assert told(script, network, N=250)[0] == ("r_E",)
    alone = unused.of_simulation(network, feedforward=True)
    assert unused.find(network, alone) == ("D_min", "D_max")


def test_theory_beside_simulation_is_one_answer():
    network = conductance(**SMALL, D_max=2 * ms, r_E=30 * Hz, **UNEQUAL)
    used = unused.of_network(network), unused.of_simulation(network)
    # delays are of the simulation; with unequal in-degrees it is one of another network
    assert set(unused.of_both([(network, *used)])) == {"r_E", "law", "CV_K"}
    given = {"K": 40, "nu_X": 60 * Hz, "noise": "diffusion", "scalings": ["sqrt"]}
    keys, found = told(cbnet.compare, network, simulate_K=[], **given)
    assert keys == ("D_max", "r_E", "law", "CV_K") == found.unused
    assert (
        told(cbnet.compare, conductance(**SMALL, V_match=-55 * mV), simulate_K=[], **given)[0] == ()
    )  # of the current model


def test_sweeps_name_axes_and_parameters(tmp_path):
    sweep = cbnet.Sweep(
        {"r_E": ["20Hz", "30Hz"], "nu_X": ["30Hz"]},
        parameters={"D_max": "2ms"},
        run="theory",
        noise="diffusion",
    )
    assert told(sweep.run, tmp_path / "sweep", processes=1)[0] == ("D_max", "r_E")


def test_commands_say_it_in_one_line():
    unequal = "network conductance --set law=gaussian --set CV_K=0.2 --noise diffusion --json"
    code, out, err = run(unequal)
    assert code == 0
    assert json.loads(out)["unused"] == ["law", "CV_K"]
    (line,) = err.splitlines()
    assert line.startswith("cbnet: warning: law, CV_K: got law=gaussian, CV_K=0.2, which ")
    assert "of these not used: nu_X" in run("neuron conductance --set nu_X=50Hz")[1]


def test_an_efficacy_that_keeps_a_response_names_what_it_is_not_kept_at():
    params = cbnet.load("conductance").replace(law="gaussian", CV_K=0.2, r_E=30 * Hz, nu_X=30 * Hz)
    with pytest.warns(CbnetWarning, match="^law, CV_K, r_E: got law=gaussian") as told:
        scaled = params.scaled("preserving", K=2000, noise="diffusion")
    assert len(told) == 1
    plain = cbnet.load("conductance").scaled("preserving", K=2000, noise="diffusion")
    assert scaled.a == pytest.approx(plain.a, rel=1e-9)
    neuron = cbnet.load("conductance").replace(r_E=30 * Hz, r_I=12 * Hz)
    neuron.scaled("preserving", K=2000, noise="diffusion", r_E=30 * Hz, r_I=12 * Hz)
    neuron.scaled("sqrt", K=2000)
