"""Rules for the number of neurons, such as ``"8K"`` or ``"max(4000, 4*K)"``."""

import ast
import math
import operator
import re

from ..errors import ParameterError

_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_FUNCTIONS = {"max": max, "min": min}


def check(rule, label):
    """Raise ParameterError unless a rule can be understood."""
    evaluate(rule, 1000, label)


def evaluate(rule, K, label):
    """The whole number that a rule gives for an in-degree.

    Examples
    --------
    >>> from cbnet.sweeps.rules import evaluate
    >>> evaluate("max(4000, 8K)", 400, "N_E")
    4000
    """
    expected = (
        f"{label}: got {rule!r}; expected a whole number or a rule such as '8K' or 'max(4000, 4K)'"
    )
    if isinstance(rule, bool) or not isinstance(rule, int | str):
        raise ParameterError(expected)
    text = re.sub(r"(?<=[\d.)])\s*K\b", "*K", str(rule))
    try:
        found = _value(ast.parse(text.strip(), mode="eval").body, K)
    except (SyntaxError, KeyError, ZeroDivisionError, ValueError):
        raise ParameterError(expected) from None
    if not math.isfinite(found) or abs(found - round(found)) > 1e-9 * abs(found) or found < 1:
        raise ParameterError(
            f"{label}: got {rule!r}, which is {found:g} for K = {K}; expected a whole number above "
            "0"
        )
    return round(found)


def _value(node, K):
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value
    if isinstance(node, ast.Name) and node.id == "K":
        return K
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](_value(node.left, K), _value(node.right, K))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return _FUNCTIONS[node.func.id](*(_value(a, K) for a in node.args))
    raise ValueError(node)
