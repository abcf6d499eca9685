"""What an unfinished figure has computed: kept in a folder until the figure is finished.

Hours may be lost when a long figure is interrupted. So every answer of :func:`shared.each` and
every simulation of :func:`shared.simulate_all` is written as soon as it is there, under a hash of
what was asked and of the code that answers, and found again when the same is asked in the same
folder.
"""

import contextlib
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np

from cbnet import results
from cbnet.errors import ParameterError
from cbnet.parameters import Parameters
from cbnet.sweeps import identity

_folder = None  # of the figure that is being made; without one nothing is kept


@contextlib.contextmanager
def until_finished(folder):
    """Keep what is computed inside in a folder, which is removed in the end unless it fails."""
    global _folder
    _folder = Path(folder)
    try:
        yield
    finally:
        _folder = None
    shutil.rmtree(folder, ignore_errors=True)


class Answers:
    """Answers of a function by what it was asked, in a file to which lines are appended."""

    def __init__(self, function):
        self._name = f"{function.__module__}.{function.__qualname__}"
        self._path = _folder and _folder / f"{function.__name__.strip('_')}.jsonl"
        self._known = dict(self._read()) if self._path and self._path.is_file() else {}

    def _read(self):
        for line in self._path.read_text("utf-8").splitlines():
            with contextlib.suppress(ValueError):  # cut where the run was interrupted
                key, answer = json.loads(line)
                yield key, _arrays(answer)

    def get(self, item):
        """The answer to an item if it is known, else None."""
        return self._known.get(_key(self._name, item)) if self._known else None

    def put(self, item, answer):
        """Keep the answer to an item."""
        if self._path:
            self._path.parent.mkdir(exist_ok=True)
            line = json.dumps([_key(self._name, item), answer], default=_plain)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"\n{line}")


def simulation(point):
    """The simulation of a point, (Parameters, options), if it is known, else None."""
    path = _simulation_path(point)
    if path and path.is_file():
        with contextlib.suppress(ParameterError):  # not a file that was finished
            return results.load(path)
    return None


def keep_simulation(point, result):
    """Keep the simulation of a point."""
    path = _simulation_path(point)
    if path:
        path.parent.mkdir(exist_ok=True)
        result.save(path, overwrite=True)


def _simulation_path(point):
    return _folder and _folder / f"{_key('simulate', point)[:32]}.nc"


def _key(name, item):
    made = [identity.made(kind) for kind in ("theory", "simulation")]
    text = json.dumps([name, item, made], sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value):
    """What JSON does not know: parameters by their fingerprint, arrays and quantities as lists."""
    return value.fingerprint if isinstance(value, Parameters) else np.asarray(value).tolist()


def _arrays(answer):
    """An answer as it was given: lists were arrays."""
    if isinstance(answer, dict):
        return {name: _arrays(value) for name, value in answer.items()}
    return np.array(answer) if isinstance(answer, list) else answer
