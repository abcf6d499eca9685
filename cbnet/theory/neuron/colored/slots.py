"""Synaptic variables of a neuron with classes of arrivals: those of a kind add up to one."""

import numpy as np

from ....errors import ParameterError

_SAME = 1e-9  # relative, of functions of v that one variable serves
_POTENTIALS = 9  # from below the reset to the threshold


def slots_of(classes, R, ends, place, most=2):
    """Rates, jumps and time constants of synaptic variables, as a Membrane takes them.

    Arrivals of charges q_k at rates R_k that one variable takes up are given as arrivals of the
    charge Σ R q²/Σ R q at the rate (Σ R q)²/Σ R q²: mean and variance are those of the sum. That is
    so for the classes of a kind, and for kinds of the same time constant that move v in the same
    direction, in proportion to each other at every v.

    Parameters
    ----------
    classes : sequence of ArrivalClass
        All with a time constant.
    R : ndarray, shape (classes,)
        Arrivals per second.
    ends : tuple of float
        Reset and threshold, V.
    place : str
        What messages begin with.
    most : int
        Variables that may be left.

    Returns
    -------
    rates, jumps, taus : tuple, each of two at least

    Raises
    ------
    ParameterError
        If it takes more synaptic variables.
    """
    v = np.linspace(2 * ends[0] - ends[1], ends[1], _POTENTIALS)
    groups = []
    for each, rate in zip(classes, R, strict=True):
        h = each.h(v)
        for group in groups:
            factor = _proportion(h, group["h"])
            if each.tau == group["of"].tau and factor is not None:
                group["parts"].append((rate, factor))
                break
        else:
            groups.append({"of": each, "h": h, "parts": [(rate, 1.0)]})
    if len(groups) > most:
        kinds = ", ".join(f"{g['of'].kind} ({g['of'].tau * 1e3:g} ms)" for g in groups)
        raise ParameterError(
            f"{place}: got synapses of {kinds}; expected {most} synaptic variables at most: use "
            "'diffusion' or 'shot', which take their time constants as zero, or 'fast'"
        )
    found = [(*_merged(g["parts"], g["of"].h), g["of"].tau) for g in groups]
    while len(found) < 2:  # a second one at which nothing arrives
        found.append((0.0, *found[0][1:]))
    return tuple(zip(*found, strict=True))


def _proportion(h, other):
    """h over another function of v, if it is the same positive number everywhere."""
    largest = np.argmax(np.abs(other))
    if other[largest] == 0:
        return None
    factor = h[largest] / other[largest]
    off = np.abs(h - factor * other).max()
    return float(factor) if factor > 0 and off <= _SAME * np.abs(h).max() else None


def _merged(parts, h):
    """Rate and jump of arrivals with these (rate, size in units of h)."""
    parts = [(R, q) for R, q in parts if R > 0]
    if len(parts) <= 1:
        rate, q = parts[0] if parts else (0.0, 1.0)
        return float(rate), h if q == 1 else _times(h, q)
    first = sum(R * q for R, q in parts)
    second = sum(R * q**2 for R, q in parts)
    return float(first**2 / second), _times(h, second / first)


def _times(h, factor):
    return lambda v: h(v) * factor
