"""By how much spikes move v on average, from the strings, evaluated as arithmetic.

Neither Brian2 nor sympy is imported. A spike that moves a variable s which decays, and which drives
v, moves v by the charge times what a unit of s does.
"""

import ast
import re

import numpy as np

from ..errors import ModelError
from ..support.expressions import parse
from . import dimensions
from .units import unit

_NUMPY = tuple((n, getattr(np, n)) for n in ("exp", "log", "sqrt", "expm1", "log1p"))
_SAME = 1e-9


class Frame(dict):
    """Values by name, and those of units."""

    def __missing__(self, name):
        bare = re.sub(r"_(?:post|pre)$", "", name)
        return self[bare] if bare != name and bare in self else unit(name)[0]


class MeanEffect:
    """Drift of v and effect of spikes, as functions of v (V), an array.

    Parameters
    ----------
    neuron : Neuron
    values : dict
        Of its parameters, SI; floats, or arrays that broadcast against v.
    """

    def __init__(self, neuron, values):
        self.neuron, self.values = neuron, values
        self.rates = dimensions.right_sides(neuron.equations)

    def leak(self, v):
        """dv/dt without arrivals, V/s."""
        return self.rate("v", v, {})

    def effect(self, kind, w, v):
        """h(v): by how much one spike moves v, V.

        Raises
        ------
        ModelError
            If the spike moves several variables, or one that does not decay exponentially.
        """
        synapse = self.neuron.synapses[kind]
        place = f"Neuron.synapses[{kind!r}]"
        if synapse.equations.strip():
            raise ModelError(
                f"{place}: got variables of the synapse; expected a string in the neuron's alone"
            )
        target, jump = self._jump(synapse, w, v, place)
        if target == "v":
            return jump
        still, once, twice = (self.rate(target, v, {target: x}) for x in (0.0, 1.0, 2.0))
        drive = [self.rate("v", v, {target: x}) for x in (0.0, 1.0, 2.0)]
        decays = np.all(still == 0) and np.all(once < 0) and _straight(still, once, twice)
        if not decays or not _straight(*drive):
            raise ModelError(
                f"{place}: got {target!r}, which does not decay exponentially and drive v in "
                "proportion; expected that: give the mean current yourself"
            )
        return jump / -once * (drive[1] - drive[0])

    def _jump(self, synapse, w, v, place):
        """The variable that a spike moves, and by how much."""
        frame = self._frame(v, {synapse.efficacy or "w": w})
        before, moved = dict(frame), {}
        for line in re.split(r"[\n;]", synapse.on_pre):
            if line.strip():
                name, value = self._assigned(line.strip(), frame)
                frame[name] = moved[name] = value
        moved = {n: x for n, x in moved.items() if n in self.neuron.variables}
        if len(moved) != 1:
            raise ModelError(f"{place}: got jumps of {', '.join(moved)}; expected one variable's")
        ((name, after),) = moved.items()
        return name, after - before[name]

    @staticmethod
    def _assigned(line, frame):
        node = ast.parse(line).body[0]
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        name = re.sub(r"_(?:post|pre)$", "", target.id)
        if isinstance(node, ast.AugAssign):
            node = ast.BinOp(ast.Name(name), node.op, node.value)
            return name, parse(ast.unparse(node), _NUMPY)(frame)
        return name, parse(ast.unparse(node.value), _NUMPY)(frame)

    def _frame(self, v, others):
        still = {n: np.zeros(np.shape(v)) for n in self.neuron.variables}
        return Frame({**still, **self.values, "v": np.asarray(v, float), **others})

    def rate(self, name, v, others):
        """What a variable changes by, SI; others of the neuron are zero unless they are given."""
        frame = self._frame(v, others)
        for plain, text in self.rates.items():  # expressions, in the order of the equations
            if not plain.startswith("d") or plain[1:] not in self.neuron.variables:
                frame[plain] = parse(text, _NUMPY)(frame)
        return parse(self.rates[f"d{name}"], _NUMPY)(frame) + np.zeros(np.shape(v))


def _straight(zero, one, two):
    scale = np.maximum(np.abs(two - zero), 1e-300)
    return np.all(np.abs((two - zero) - 2 * (one - zero)) <= _SAME * scale)
