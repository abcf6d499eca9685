"""Statements of synapses, as spikes that arrive in numbers or at refractory neurons need them."""

import contextlib
import re

from ...support.expressions import parse

_STATEMENT = re.compile(r"^\s*(?P<target>\w+)\s*(?P<how>[-+*/]?=)\s*(?P<value>.+?)\s*$")
_RANDOM = {"rand", "randn", "poisson", "binomial"}


def lines(code):
    """The statements of a code, comments left out."""
    found = (line.split("#")[0].strip() for line in re.split(r"[\n;]", code))
    return [line for line in found if line]


def of_held_neurons(code):
    """The same, but that v of a refractory neuron does not move.

    Parameters
    ----------
    code : str
        An ``on_pre``.
    """
    return only_where(code, "not_refractory_post", ("v",))


def only_where(code, condition, targets=None):
    """The same, but that variables move only where a condition is met.

    Parameters
    ----------
    code : str
    condition : str
        Of whole numbers or truth values.
    targets : tuple of str, optional
        Variables of the neuron that it holds for; all of them if not given.
    """
    return "\n".join(_where(line, condition, targets) for line in lines(code))


def _where(line, condition, targets):
    found = _STATEMENT.match(line)
    if not found or (targets and found["target"].removesuffix("_post") not in targets):
        return line
    target, how, value = found.group("target", "how", "value")
    if how in ("+=", "-="):
        return f"{target} {how} int({condition})*({value})"
    new = f"({value})" if how == "=" else f"{target}{how[0]}({value})"
    return f"{target} += int({condition})*({new} - {target})"


def many_at_once(code, count):
    """What `count` spikes of one instant do, as one statement each; None if that is not a multiple.

    Parameters
    ----------
    code : str
        An ``on_pre``.
    count : str
        The variable of their number, as ``"arrived_pre"``.
    """
    found = [_STATEMENT.match(line) for line in lines(code)]
    if not all(found):
        return None
    moved = {one["target"].removesuffix("_post") for one in found}
    for one in found:
        named = {name.removesuffix("_post") for name in re.findall(r"[A-Za-z_]\w*", one["value"])}
        if one["how"] not in ("+=", "-=") or named & (moved | _RANDOM):
            return None
    return "\n".join(f"{one['target']} {one['how']} {count}*({one['value']})" for one in found)


def depend_on_order(net):
    """Whether spikes of one instant do something else than the sum of what each does alone."""
    synapses = [s for p in net.populations for s in p.neuron.synapses.values()]
    return any(many_at_once(s.on_pre, "n") is None for s in synapses)


def moves_potential(code):
    """Whether a spike moves v itself, at once."""
    found = (_STATEMENT.match(line) for line in lines(code))
    return any(one and one["target"] in ("v", "v_post") for one in found)


def starting(neuron, values):
    """Reset and threshold of v in V, each a number or an array, as the strings have them.

    Without both of the forms ``v > ...`` and ``v = ...``: the reset, or else zero, twice.
    """
    found = []
    for text, how in ((neuron.reset, "="), (neuron.threshold, ">")):
        first = lines(text.split(" and ")[0])[0]
        name, sign, right = first.partition(how)
        try:
            found.append(parse(right.strip())(values) if sign and name.strip() == "v" else None)
        except (KeyError, ValueError, ArithmeticError, TypeError):
            found.append(None)
    reset = 0.0 if found[0] is None else found[0]
    return reset, reset if found[1] is None else found[1]


def jump(synapse, values, w):
    """By how much one spike moves v at once, in V; 0 where it does not, or cannot be told.

    Parameters
    ----------
    synapse : Synapse
    values : dict of str to float
        Of parameters and of v, in SI.
    w : float or None
        The efficacy.
    """
    total = 0.0
    for line in lines(synapse.on_pre):
        found = _STATEMENT.match(line)
        if found and found["target"] in ("v", "v_post") and found["how"] in ("+=", "-="):
            with contextlib.suppress(KeyError, ValueError, ArithmeticError, TypeError):
                text = re.sub(r"\b(\w+)_post\b", r"\1", found["value"])
                value = parse(text)({**values, synapse.efficacy: w})
                total += float(value) if found["how"] == "+=" else -float(value)
    return total
