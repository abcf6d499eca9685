"""Expressions of a model as C++ text."""

import sympy as sp
from brian2.devices.device import get_device

from ..model.reduction import V

_PREFIX = "p_"


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
        Statements such as ``const double p_a = brian::_array_neurons_a[0];``.
    """
    device = get_device()
    return [
        f"const double {_PREFIX}{name} = brian::"
        f"{device.get_array_name(group.variables[values_of(name)])}[0];"
        for name in sorted(names)
    ]


def names(*expressions):
    """Parameters that expressions name."""
    return {s.name for e in expressions for s in getattr(e, "free_symbols", set()) - {V}}


def straight_line(expression):
    """C++ of the offset and the slope of an expression that is affine in v."""
    return text(expression.subs(V, 0)), text(sp.simplify(sp.diff(expression, V)))


def text(expression):
    """C++ of an expression in ``v`` and the parameters as :func:`parameters` declares them."""
    mine = {s: sp.Symbol(variable(s.name)) for s in expression.free_symbols - {V}}
    return sp.ccode(expression.xreplace(mine))


def variable(name):
    """The C++ variable of a parameter, whose own name may mean something in C++."""
    return _PREFIX + name
