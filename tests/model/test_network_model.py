"""A network as an object."""

import numpy as np
import pytest

import cbnet
from cbnet.errors import ParameterError
from cbnet.model.distributions import Uniform
from cbnet.model.network import Network, Projection


@pytest.mark.parametrize("name", ["conductance", "current"])
@pytest.mark.parametrize("tau", [0, 2e-3])
def test_e_and_i_are_a_network(name, tau):
    params = cbnet.load(name).updated({"tau_E": tau, "tau_I": tau})
    net = Network.ei(params, N=5000)
    values = params.resolve()
    w = ("a", "J_E")[name == "current"]
    assert net.sizes == {"E": 4000, "I": 1000}
    total = net.total("E", {"E": 5.0, "I": 7.0})
    assert total["E", values[w]] == values["K"] * (5.0 + values["nu_X"])
    assert sum(r for (kind, _), r in total.items() if kind == "I") == 0.25 * values["K"] * 7
    assert not {"a", "g", "J_E", "J_I"} & set(net.values("E"))
    assert all("w" in s.on_pre for s in net["E"].neuron.synapses.values())


def test_what_no_population_or_kind_is_named_for_is_refused():
    net = Network.ei(cbnet.load("conductance"))
    with pytest.raises(ParameterError, match="X->E: got the population 'X'"):
        Network(net.populations, [Projection("X", "E", "E", 10, 0.1, "1 ms")])
    with pytest.raises(ParameterError, match="I->E: got the kind 'N'"):
        Network(net.populations, [Projection("I", "E", "N", 10, 0.1, "1 ms")])


def test_laplace_transform_of_uniform_delays():
    law, lam = Uniform(1e-3, 3e-3), np.array([0, 50 + 300j])
    x = np.linspace(1e-3, 3e-3, 100_001)
    y = np.exp(-lam[1] * x)
    direct = (y.sum() - (y[0] + y[-1]) / 2) / (len(x) - 1)
    assert np.allclose(law.laplace(lam), [1, direct], rtol=1e-9)


def test_populations_are_one_only_where_their_rates_must_be_equal():
    params = cbnet.load("conductance")
    net = Network.ei(params)
    assert net.distinct == (("E",), (0, 0))
    unequal = Network.ei(params.replace(**{"I.tau_L": "10 ms"}))
    assert unequal.distinct == (("E", "I"), (0, 1))
    # two pools that know themselves alone may be in two states
    same = [Projection(n, n, "E", 10, 0.001, "1 ms") for n in net.names]
    assert Network(net.populations, same).distinct == (("E", "I"), (0, 1))
