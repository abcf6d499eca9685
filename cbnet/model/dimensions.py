"""The unit of an efficacy, from the statement that it stands in.

The statement's syntax tree is walked with exponents of dimensions, in which those of the efficacy
are unknown: where terms are added, assigned or given to a function, they follow. Brian2, which
takes seconds to import, is not asked.
"""

import ast
import re

from ..errors import ModelError
from .units import unit

ONE = (0.0,) * 7
# Units in which efficacies are usual, and what they are in SI units.
_COMMON = {
    "1": "1", "mV": "V", "ms": "s", "Hz": "Hz", "nS": "S", "pA": "A", "pF": "F",
    "mV/ms": "V/s", "pA/ms": "A/s", "nS/ms": "S/s", "pA*ms": "A*s", "1/V": "1/V", "1/A": "1/A",
    "1/S": "1/S", "1/F": "1/F", "uS/cm^2": "S/m^2", "uA/cm^2": "A/m^2", "uF/cm^2": "F/m^2",
}  # fmt: skip
_PURE = set(re.split(
    " +", "exp log log10 log1p expm1 exprel sin cos tan sinh cosh tanh arcsin arccos arctan"
))  # fmt: skip
_SAME = {"abs", "clip", "ceil", "floor", "int", "sign", "timestep"}
_PLAIN = {"pi", "e", "inf", "N", "i", "j", "refractory", "not_refractory", "t_in_timesteps"}
_TIMES = {"t", "dt", "lastspike", "lastupdate"}
_EQUATION = re.compile(
    r"^\s*(?:d(?P<moves>\w+)\s*/\s*dt|(?P<plain>\w+))\s*(?:=(?P<right>[^:]*))?:"
    r"(?P<unit>[^(#]*?)(?P<flags>\([^)]*\))?\s*(?:#.*)?$",
    re.MULTILINE,
)


def name_of(dims):
    """A unit of these dimensions: one that is usual, else made of SI base units."""
    dims = tuple(float(d) for d in dims)
    for name, si in _COMMON.items():
        if tuple(float(d) for d in unit(si)[1]) == dims:
            return name
    symbols = ("metre", "kilogram", "second", "amp", "kelvin", "mole", "candle")
    powers = [(s, d) for s, d in zip(symbols, dims, strict=True) if d]
    return "*".join(s if d == 1 else f"{s}^{d:g}" for s, d in powers)


def of_variables(equations):
    """Dimensions of every variable in the text of equations, by name."""
    found = {}
    for line in _EQUATION.finditer(_unfolded(equations)):
        text = line["unit"].strip().replace("^", "**")
        if text in ("boolean", "integer"):
            text = "1"
        walk = _Walk({}, "")
        try:
            dims = walk.value(ast.parse(text, mode="eval").body)[0]
        except (SyntaxError, ModelError):
            raise ModelError(
                f"equations: got the unit {text!r} in {line[0].strip()!r}; expected one of "
                "Brian2's, such as volt"
            ) from None
        found[line["moves"] or line["plain"]] = dims
    return found


def right_sides(equations):
    """The right side of every equation: of dv/dt as ``"dv"``, of an expression by its name."""
    found = {}
    for line in _EQUATION.finditer(_unfolded(equations)):
        if line["right"]:
            found[f"d{line['moves']}" if line["moves"] else line["plain"]] = line["right"].strip()
    return found


def of_efficacy(synapse, known, place):
    """Dimensions of the efficacy of a synapse.

    Parameters
    ----------
    synapse : Synapse
        Whose statements or equations name it.
    known : dict of str to tuple
        Dimensions of variables and parameters.
    place : str
        What stands before the colon of an error.

    Returns
    -------
    tuple of float

    Raises
    ------
    ModelError
        If the strings do not say them, or contradict themselves.

    Examples
    --------
    >>> from cbnet import Synapse
    >>> from cbnet.model.dimensions import name_of, of_efficacy
    >>> from cbnet.model.units import unit
    >>> volt = unit("volt")[1]
    >>> name_of(of_efficacy(Synapse("v_post += w*(E_E - v_post)"), {"v": volt, "E_E": volt}, ""))
    '1'
    """
    walk = _Walk(known, place, synapse.efficacy)
    for text in (synapse.on_pre, synapse.on_post):
        walk.statements(text)
    walk.equations(synapse.equations)
    strings = (synapse.on_pre, synapse.on_post, synapse.equations)
    text = "; ".join(" ".join(x.split()) for x in strings if x.strip())
    return walk.solved(text) if synapse.efficacy else walk.consistent(text)


def check_statements(text, known, place):
    """Refuse statements, or a condition, with unknown names or units that contradict each other."""
    walk = _Walk(known, place)
    walk.statements(text)
    walk.consistent(text)


def check_equations(equations, known, place):
    """Refuse equations with unknown names or units that contradict each other."""
    for line in _EQUATION.finditer(_unfolded(equations)):
        walk = _Walk(known, place)
        walk.equations(line[0])
        walk.consistent(line[0])


def _unfolded(equations):
    """Equations with one line each: Brian2 lets one go on in the next line."""
    return re.sub(r"\\\n|\n(?=\s*[-+*/)])|(?<=[-+*/(])\s*\n", " ", equations)


class _Walk:
    """Dimensions of expressions: pairs (exponents, power of the efficacy); None fits anything."""

    def __init__(self, known, place, efficacy=None):
        self.known, self.place, self.efficacy = known, place, efficacy
        self.temporary = {}  # values of names that the statements themselves introduce
        self.conditions = []  # (exponents, power): their sum with power × the unknown is zero

    def tree(self, text):
        """The syntax tree of statements."""
        lines = re.split(r"[\n;]", re.sub(r"\\\n", " ", text))
        try:
            return ast.parse("\n".join(x.strip() for x in lines))
        except SyntaxError as error:
            raise ModelError(f"{self.place}: got {text.strip()!r}; {error.msg}") from None

    def statements(self, text):
        for one in self.tree(text).body:
            self.statement(one)

    def equations(self, text):
        second = unit("s")[1]
        for line in _EQUATION.finditer(_unfolded(text)):
            if not line["right"]:
                continue
            dims = self.known[line["moves"] or line["plain"]]
            if line["moves"]:
                dims = tuple(d - s for d, s in zip(dims, second, strict=True))
            self.equal((dims, 0.0), self.value(self.tree(line["right"]).body[0].value))

    def statement(self, node):
        if isinstance(node, ast.AugAssign):
            target, value = self.value(node.target), self.value(node.value)
            if isinstance(node.op, ast.Add | ast.Sub):
                self.equal(target, value)
            else:
                self.equal(value, (ONE, 0.0))
        elif isinstance(node, ast.Assign) and self._is_new(node.targets[0]):
            self.temporary[node.targets[0].id] = self.value(node.value)
        elif isinstance(node, ast.Assign):
            self.equal(self.value(node.targets[0]), self.value(node.value))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Compare | ast.BoolOp):
            self.value(node.value)  # a threshold
        else:
            raise ModelError(
                f"{self.place}: got {ast.unparse(node)!r}; expected an assignment such as "
                "'v_post += w'"
            )

    def _is_new(self, node):
        if not isinstance(node, ast.Name) or node.id.endswith(("_pre", "_post")):
            return False
        return node.id not in {*self.known, self.efficacy}

    def equal(self, one, other):
        if one is None or other is None:
            return
        difference = tuple(x - y for x, y in zip(one[0], other[0], strict=True))
        self.conditions.append((difference, one[1] - other[1]))

    def solved(self, text):
        """Dimensions of the efficacy."""
        known = [(d, p) for d, p in self.conditions if p]
        if not known:
            raise ModelError(
                f"{self.place}: got {text.strip()!r}, from which the unit of {self.efficacy!r} "
                "does not follow; expected a statement with it, or a Synapse with efficacy=None"
            )
        dims = tuple(-x / known[0][1] + 0.0 for x in known[0][0])
        self.consistent(text, dims)
        return dims

    def consistent(self, text, dims=ONE):
        """Refuse conditions that contradict each other."""
        for difference, p in self.conditions:
            if any(abs(x + p * d) > 1e-9 for x, d in zip(difference, dims, strict=True)):
                raise ModelError(
                    f"{self.place}: got {' '.join(text.split())!r}, whose units contradict each "
                    "other; expected terms of one unit"
                )

    def value(self, node):
        visit = getattr(self, f"_{type(node).__name__}", None)
        if visit is None:
            raise ModelError(f"{self.place}: got {ast.unparse(node)!r}; expected arithmetic")
        return visit(node)

    def _Constant(self, node):
        return None if node.value == 0 and type(node.value) is not bool else (ONE, 0.0)

    def _Name(self, node):
        name = re.sub(r"_(?:post|pre)$", "", node.id)
        if node.id == self.efficacy:
            return ONE, 1.0
        if node.id in self.temporary:
            return self.temporary[node.id]
        for one in (node.id, name):
            if one in self.known:
                return tuple(map(float, self.known[one])), 0.0
        if name in _PLAIN:
            return ONE, 0.0
        if name == "xi" or name.startswith("xi_"):
            return (0.0, 0.0, -0.5, 0.0, 0.0, 0.0, 0.0), 0.0
        if name in _TIMES:
            return tuple(map(float, unit("s")[1])), 0.0
        try:
            return tuple(map(float, unit(name)[1])), 0.0
        except KeyError:
            raise ModelError(
                f"{self.place}: got {name!r}, which has no value; add it to the neuron's parameters"
            ) from None

    def _BinOp(self, node):
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(node.op, ast.Pow):
            return self._power(left, node.right)
        if isinstance(node.op, ast.Add | ast.Sub | ast.Mod):
            self.equal(left, right)
            return right if left is None else left
        if left is None or right is None:  # zero times anything
            return None
        sign = 1 if isinstance(node.op, ast.Mult) else -1
        dims = tuple(x + sign * y for x, y in zip(left[0], right[0], strict=True))
        return dims, left[1] + sign * right[1]

    def _power(self, base, exponent):
        if base is None:
            return None
        sign = -1.0 if isinstance(getattr(exponent, "op", None), ast.USub) else 1.0
        number = getattr(getattr(exponent, "operand", exponent), "value", None)
        if isinstance(number, int | float):
            n = sign * number
        else:
            self.equal(base, (ONE, 0.0))
            self.equal(self.value(exponent), (ONE, 0.0))
            return ONE, 0.0
        return tuple(n * x for x in base[0]), n * base[1]

    def _UnaryOp(self, node):
        return (ONE, 0.0) if isinstance(node.op, ast.Not) else self.value(node.operand)

    def _Compare(self, node):
        parts = [self.value(part) for part in (node.left, *node.comparators)]
        for part in parts[1:]:
            self.equal(parts[0], part)
        return ONE, 0.0

    def _BoolOp(self, node):
        for part in node.values:
            self.value(part)
        return ONE, 0.0

    def _Call(self, node):
        name = ast.unparse(node.func)
        inputs = [self.value(part) for part in node.args]
        if name in ("rand", "randn"):
            return ONE, 0.0
        if name == "sqrt" and inputs[0] is not None:
            return tuple(x / 2 for x in inputs[0][0]), inputs[0][1] / 2
        if name in _SAME:
            for other in inputs[1:]:
                self.equal(inputs[0], other)
            return (ONE, 0.0) if name in ("int", "sign") else inputs[0]
        if name not in _PURE:
            raise ModelError(
                f"{self.place}: got the function {name!r}, which the unit of the efficacy cannot "
                "be followed through; expected one of Brian2's"
            )
        for one in inputs:
            self.equal(one, (ONE, 0.0))
        return ONE, 0.0
