"""What a point is, to the last bit, and what made its numbers."""

import functools
import hashlib
import importlib.metadata
import struct
import sys

import numpy as np

from .. import __version__
from ..support import code


def digest(*content):
    """A hash of numbers by their bytes, words, and dicts and lists of them.

    Examples
    --------
    >>> from cbnet.sweeps.identity import digest
    >>> digest(0.1 + 0.2) == digest(0.3)
    False
    """
    found = hashlib.sha256()
    _feed(found, content)
    return found.hexdigest()


def _feed(found, x):
    if isinstance(x, np.ndarray):
        found.update(b"a" + x.dtype.str.encode() + struct.pack(f"<{x.ndim + 1}q", x.ndim, *x.shape))
        found.update(np.ascontiguousarray(x).tobytes())
    elif isinstance(x, bool | np.bool_):
        found.update(b"b1" if x else b"b0")
    elif isinstance(x, int | np.integer):
        found.update(b"i%d;" % int(x))
    elif isinstance(x, float | np.floating):
        found.update(b"f" + struct.pack("<d", x))
    elif isinstance(x, str):
        text = x.encode()
        found.update(b"s%d;" % len(text) + text)
    elif x is None:
        found.update(b"n")
    elif isinstance(x, dict):
        found.update(b"d%d;" % len(x))
        for key in sorted(x):
            _feed(found, key)
            _feed(found, x[key])
    elif isinstance(x, list | tuple):
        found.update(b"l%d;" % len(x))
        for part in x:
            _feed(found, part)
    else:
        raise TypeError(f"{type(x).__name__} has no bytes of its own")


@functools.cache
def made(kind):
    """What makes the numbers of ``"theory"`` or ``"simulation"``: versions, and cbnet's own code.

    Returns
    -------
    dict of str to str
    """
    found = {"cbnet": __version__, "python": "{}.{}".format(*sys.version_info)}
    for name in ("brian2", "numpy", "scipy"):
        found[name] = importlib.metadata.version(name)
    parts = {"theory": code.THEORY, "simulation": code.SIMULATION}[kind]
    return found | {"code": code.of(*parts)[:16]}


def tag(kind, versions=None):
    """A short hash of :func:`made`."""
    return digest(kind, made(kind) if versions is None else versions)[:12]


def of_values(resolved, left_out):
    """Bytes of the resolved parameters of both populations, without some of them."""
    parts = []
    for values in resolved:
        names = [name for name in values if name not in left_out]
        words = [str(values[name]) for name in names if isinstance(values[name], str | int)]
        numbers = [float(values[name]) for name in names if not isinstance(values[name], str | int)]
        parts += ["\n".join(names), "\n".join(words)]
        parts.append(struct.pack(f"<{len(numbers)}d", *numbers).hex())
    return "\n\n".join(parts)


_known = {}


def of_model(model):
    """Hash of a model's strings and table."""
    if id(model) not in _known or _known[id(model)][0] is not model:
        _known[id(model)] = model, digest(model.to_dict())
    return _known[id(model)][1]
