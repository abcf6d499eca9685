"""Statements of synapses: several spikes at once, spikes at neurons that are held."""

import numpy as np
import pytest

import cbnet
from cbnet.simulation.brian import statements


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("v_post += w", "v_post += int(not_refractory_post)*(w)"),
        ("v -= w*(v - E_I)  # a jump", "v -= int(not_refractory_post)*(w*(v - E_I))"),
        ("v_post = V_r", "v_post += int(not_refractory_post)*((V_r) - v_post)"),
        ("v_post *= 1 - w", "v_post += int(not_refractory_post)*(v_post*(1 - w) - v_post)"),
        ("s_E_post += w/tau_E; u_post += 1", "s_E_post += w/tau_E\nu_post += 1"),
    ],
)
def test_held_neurons_do_not_move(code, expected):
    assert statements.of_held_neurons(code) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("s_post += w/tau", "s_post += n*(w/tau)"),
        ("a_post += w\nb_post -= 2*w", "a_post += n*(w)\nb_post -= n*(2*w)"),
        ("v_post += w*(E_E - v_post)", None),
        ("v_post += w*(E_E - v)", None),
        ("a_post += w\nb_post += a_post", None),
        ("a_post += int(rand() < p)*w", None),
        ("a_post = w", None),
        ("a_post *= 1 + w", None),
        ("not a statement", None),
    ],
)
def test_what_many_spikes_do_at_once(code, expected):
    assert statements.many_at_once(code, "n") == expected


def test_where_v_starts():
    cells = cbnet.neuron("current")
    values = {"V_r": -0.06, "theta": -0.05}
    assert statements.starting(cells, values) == (-0.06, -0.05)
    adex = cbnet.Neuron(
        "dv/dt = -v/tau_L - u : volt\ndu/dt = -u/tau_L : volt/second",
        threshold="v > 2*theta and u > 0*volt/second",
        reset="v = V_r; u += 1*mV/ms",
        parameters={"theta": "-20 mV", "V_r": "-55 mV"},
    )
    theta = np.array([-0.02, -0.03])
    low, high = statements.starting(adex, {"V_r": -0.055, "theta": theta})
    assert low == -0.055 and high.tolist() == [-0.04, -0.06]
    wild = cbnet.Neuron("dv/dt = -v/tau_L : volt", threshold="0*volt < v", reset="v -= 1*mV")
    assert statements.starting(wild, wild.defaults) == (0.0, 0.0)


def test_how_far_a_spike_moves_v():
    values = {"v": -0.06, "E_E": 0.0, "tau": 1.0}
    jump = cbnet.Synapse("v_post += w*(E_E - v_post)")
    assert statements.jump(jump, values, 0.01) == pytest.approx(6e-4)
    assert statements.jump(cbnet.Synapse("v -= w"), values, 2e-4) == -2e-4
    assert statements.jump(cbnet.Synapse("s_post += w/tau"), values, 2e-4) == 0
    assert statements.jump(cbnet.Synapse("v += w*rand()"), values, 2e-4) == 0


def test_where_a_condition_is_met():
    code = "v_post += w*(E - v_post)\nu_post *= 2"
    assert statements.only_where(code, "level <= n_pre") == (
        "v_post += int(level <= n_pre)*(w*(E - v_post))\n"
        "u_post += int(level <= n_pre)*(u_post*(2) - u_post)"
    )
