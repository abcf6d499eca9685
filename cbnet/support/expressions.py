"""Arithmetic written as text, computed by a walk over its syntax tree.

Such text comes out of files that anybody may have written: of results, sweeps and the cache. It is
never compiled or run as Python. What is no number, name, operator or known function is refused.
"""

import ast
import functools
import math
import operator

_LONGEST = 20_000  # characters


def _power(base, exponent):
    if isinstance(base, int) and isinstance(exponent, int):
        base = float(base)  # 9**9**9 has more digits than memory
    return base**exponent


_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: _power,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
FUNCTIONS = {name: getattr(math, name) for name in ("exp", "log", "sqrt", "expm1", "log1p")}


@functools.lru_cache(maxsize=256)
def parse(text, functions=()):
    """An arithmetic expression as a function of the values of its names.

    Parameters
    ----------
    text : str
        Such as ``"a*(E_E - V_match)"`` or ``"a < 1"``.
    functions : tuple of (str, callable)
        Functions that it may call beside exp, log, sqrt, expm1 and log1p.

    Returns
    -------
    callable
        ``values -> float or bool``, of a mapping; KeyError for a name that it does not have,
        ArithmeticError or ValueError where there is no value.

    Raises
    ------
    ValueError
        If the text is something else.

    Examples
    --------
    >>> from cbnet.support.expressions import parse
    >>> parse("2*a + sqrt(b)")({"a": 1.5, "b": 4.0})
    5.0
    """
    tree = _tree(text.strip(), "eval")
    return _Walk(FUNCTIONS | dict(functions), operator.itemgetter).value(tree.body)


@functools.lru_cache(maxsize=512)
def numpy_function(source):
    """The text of a function of arrays, as sympy writes it, as a function.

    Parameters
    ----------
    source : str
        ``def NAME(ARGUMENTS):`` with assignments and a return, in names of numpy's ufuncs.

    Returns
    -------
    callable

    Raises
    ------
    ValueError
        If the text is something else.
    """
    import numpy as np

    body = _tree(source, "exec").body
    if len(body) != 1 or not isinstance(body[0], ast.FunctionDef):
        raise ValueError("expected one function")
    (made,) = body
    slots = {argument.arg: k for k, argument in enumerate(made.args.args)}
    walk = _Walk(_Ufuncs(np), lambda name: operator.itemgetter(slots[name]))
    steps = []
    *assignments, last = made.body
    for step in assignments:
        if not (isinstance(step, ast.Assign) and isinstance(step.targets[0], ast.Name)):
            raise ValueError("expected assignments and a return")
        steps.append(walk.value(step.value))
        slots[step.targets[0].id] = len(slots)
    if not isinstance(last, ast.Return):
        raise ValueError("expected assignments and a return")
    result = walk.value(last.value)
    if not steps:
        return lambda *arguments: result(arguments)

    def compute(*arguments):
        values = list(arguments)
        for step in steps:
            values.append(step(values))
        return result(values)

    return compute


class _Ufuncs:
    """Functions of numpy that compute elements from elements, and constants."""

    _MORE = ("where", "select", "clip", "amin", "amax")
    _CONSTANTS = ("pi", "e", "nan", "inf")

    def __init__(self, numpy):
        self._numpy = numpy

    def __contains__(self, name):
        found = getattr(self._numpy, name, None)
        return isinstance(found, self._numpy.ufunc) or name in self._MORE + self._CONSTANTS

    def __getitem__(self, name):
        if name not in self:
            raise KeyError(name)
        return getattr(self._numpy, name)


def _tree(text, mode):
    if len(text) > _LONGEST:
        raise ValueError(f"expected at most {_LONGEST} characters")
    try:
        return ast.parse(text, mode=mode)
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(str(error)) from None


class _Walk:
    """Turns nodes of a syntax tree into functions of a frame of values.

    Parameters
    ----------
    functions : mapping of str to callable
        What may be called, and constants.
    name : callable
        ``name(text)`` gives what takes the value of a name out of a frame; KeyError if none does.
    """

    def __init__(self, functions, name):
        self._functions, self._name = functions, name

    def value(self, node):
        """A function of a frame."""
        visit = getattr(self, f"_{type(node).__name__}", None)
        if visit is None:
            raise ValueError(f"{type(node).__name__}: expected arithmetic")
        return visit(node)

    def _Constant(self, node):
        value = node.value
        if type(value) not in (int, float, bool, type(None)):
            raise ValueError(f"{value!r}: expected a number")
        return lambda frame: value

    def _Name(self, node):
        try:
            return self._name(node.id)
        except KeyError:
            if node.id in self._functions and not callable(self._functions[node.id]):
                constant = self._functions[node.id]
                return lambda frame: constant
            raise ValueError(f"{node.id}: is no known name") from None

    def _UnaryOp(self, node):
        if isinstance(node.op, ast.Not):
            inner = self.value(node.operand)
            return lambda frame: not inner(frame)
        apply, inner = self._operator(node.op), self.value(node.operand)
        return lambda frame: apply(inner(frame))

    def _BinOp(self, node):
        apply = self._operator(node.op)
        left, right = self.value(node.left), self.value(node.right)
        return lambda frame: apply(left(frame), right(frame))

    def _Compare(self, node):
        parts = [self.value(part) for part in (node.left, *node.comparators)]
        tests = [self._operator(op) for op in node.ops]
        if len(tests) == 1:
            (test,), (left, right) = tests, parts
            return lambda frame: test(left(frame), right(frame))

        def compare(frame):
            found = [part(frame) for part in parts]
            return all(t(x, y) for t, x, y in zip(tests, found, found[1:], strict=False))

        return compare

    def _BoolOp(self, node):
        parts, test = [self.value(part) for part in node.values], all
        if isinstance(node.op, ast.Or):
            test = any
        return lambda frame: test(part(frame) for part in parts)

    def _List(self, node):
        parts = [self.value(part) for part in node.elts]
        return lambda frame: [part(frame) for part in parts]

    _Tuple = _List

    def _Call(self, node):
        called = self._callee(node.func)
        inputs = [self.value(part) for part in node.args]
        named = {word.arg: self.value(word.value) for word in node.keywords}
        if None in named:
            raise ValueError("**: expected arithmetic")
        if named:
            return lambda frame: called(
                *(one(frame) for one in inputs), **{k: one(frame) for k, one in named.items()}
            )
        if len(inputs) == 1:
            (only,) = inputs
            return lambda frame: called(only(frame))
        return lambda frame: called(*(one(frame) for one in inputs))

    def _callee(self, node):
        reduce = isinstance(node, ast.Attribute) and node.attr == "reduce"
        name = node.value if reduce else node
        if not isinstance(name, ast.Name) or name.id not in self._functions:
            raise ValueError(f"{ast.unparse(node)}: is no known function")
        found = self._functions[name.id]
        return found.reduce if reduce else found

    @staticmethod
    def _operator(op):
        try:
            return _OPERATORS[type(op)]
        except KeyError:
            raise ValueError(f"{type(op).__name__}: expected arithmetic") from None
