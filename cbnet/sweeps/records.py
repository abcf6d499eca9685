"""The file of a finished point, or of a batch of points: complete, or not there.

A line with a hash of everything after it, a line of JSON that describes what follows, and the bytes
of the arrays. A file that was cut or changed is noticed by its hash.
"""

import hashlib
import json
from dataclasses import dataclass, field

import numpy as np

from ..errors import DamagedError

KINDS = ("theory", "simulation")
_MAGIC = b"cbnet-points 1 "


@dataclass(frozen=True)
class Record:
    """Finished points of one kind.

    Attributes
    ----------
    kind : {"theory", "simulation"}
    identities : tuple of str
        One a point.
    made : dict of str to str
        Versions that made them.
    arrays : dict of str to ndarray
        The first dimension is that of the points.
    about : list of dict
        For each point what is no result: seconds, warnings.
    """

    kind: str
    identities: tuple
    made: dict
    arrays: dict
    about: list = field(default_factory=list)

    def to_bytes(self):
        """The whole file."""
        described, parts = [], []
        for name, array in self.arrays.items():
            array = np.asarray(array)
            if array.dtype.kind == "U":
                array = np.char.encode(array, "utf-8")
                described.append([name, "words", list(array.shape), array.dtype.itemsize])
            else:
                described.append([name, array.dtype.str, list(array.shape), 0])
            parts.append(np.ascontiguousarray(array).tobytes())
        head = {
            "kind": self.kind,
            "identities": self.identities,
            "made": self.made,
            "arrays": described,
            "about": self.about,
        }
        body = json.dumps(head, allow_nan=False).encode() + b"\n" + b"".join(parts)
        return _MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body

    @classmethod
    def from_bytes(cls, content):
        """The inverse of :meth:`to_bytes`; DamagedError if it is not what was written."""
        first, _, body = content.partition(b"\n")
        if first != _MAGIC + hashlib.sha256(body).hexdigest().encode():
            raise DamagedError("its content is not what was written")
        try:
            return cls._of_body(body)
        except (ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
            raise DamagedError(f"it holds no points ({error})") from error

    @classmethod
    def _of_body(cls, body):
        line, _, data = body.partition(b"\n")
        head = json.loads(line)
        if head["kind"] not in KINDS:
            raise ValueError(f"points of kind {head['kind']!r}")
        arrays, start = {}, 0
        for name, dtype, shape, width in head["arrays"]:
            kind = np.dtype(f"S{width}") if dtype == "words" else np.dtype(dtype)
            count = int(np.prod(shape))
            array = np.frombuffer(data, kind, count, start).reshape(shape)
            start += count * kind.itemsize
            arrays[name] = np.char.decode(array, "utf-8") if dtype == "words" else array
        return cls(head["kind"], tuple(head["identities"]), head["made"], arrays, head["about"])
