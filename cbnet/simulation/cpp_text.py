"""Expressions of a model as C++ text."""

import sympy as sp
from brian2.devices.device import get_device

from ..diffusion import V


def parameters(group, values_of, names):
    """C++ that declares parameters of a population as constants.

    Parameters
    ----------
    group : NeuronGroup
    values_of : callable
        From the name of a parameter to the name of the variable that holds its value.
    names : iterable of str

    Returns
    -------
    list of str
        Statements such as ``const double a = brian::_array_neurons_a[0];``.
    """
    device = get_device()
    return [
        f"const double {name} = brian::"
        f"{device.get_array_name(group.variables[values_of(name)])}[0];"
        for name in sorted(names)
    ]


def names(*expressions):
    """Parameters that expressions name."""
    return {s.name for e in expressions for s in sp.sympify(e).free_symbols - {V}}


def straight_line(expression):
    """C++ of the offset and the slope of an expression that is affine in v."""
    return sp.ccode(expression.subs(V, 0)), sp.ccode(sp.simplify(sp.diff(expression, V)))


def text(expression):
    """C++ of an expression."""
    return sp.ccode(expression)
