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
from cbnet.errors import DamagedError, ParameterError
from cbnet.model.parameters import Parameters
from cbnet.support import checksum

_folder = None  # of the figure that is being made; without one nothing is kept
_made = None  # from which code


@contextlib.contextmanager
def until_finished(folder, made):
    """Keep what is computed inside in a folder, which is removed in the end unless it fails.

    `made` is what the answers come from beside what is asked: with another one they are not found.
    """
    global _folder, _made
    _folder, _made = Path(folder), made
    try:
        yield
    finally:
        _folder = _made = None
    shutil.rmtree(folder, ignore_errors=True)


def key(name, item):
    """A hash of what is asked, and of the code that answers."""
    text = json.dumps([name, item, _made], sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def answers(name):
    """Known answers by their key."""
    path, found = _path(f"{name}.jsonl"), {}
    lines = path.read_text("utf-8", "replace").splitlines() if path and path.is_file() else ()
    for line in lines:
        # cut where the run was interrupted, or damaged
        with contextlib.suppress(ValueError, TypeError, RecursionError):
            one, answer, known = json.loads(line)
            if known == checksum.of_json([one, answer]):
                found[one] = _arrays(answer)
    return found


def keep_answer(name, one, answer):
    """Keep an answer under its key."""
    path = _path(f"{name}.jsonl")
    if path:
        path.parent.mkdir(exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            plain = json.loads(json.dumps([one, answer], default=_plain))
            file.write("\n" + json.dumps([*plain, checksum.of_json(plain)]))


def simulation(one):
    """The simulation of a key if it is known, else None."""
    path = _path(f"{one[:32]}.nc")
    if path and path.is_file():
        with contextlib.suppress(ParameterError, DamagedError):  # not what was finished
            return results.load(path)
    return None


def keep_simulation(one, result):
    """Keep a simulation under its key."""
    path = _path(f"{one[:32]}.nc")
    if path:
        path.parent.mkdir(exist_ok=True)
        result.save(path, overwrite=True)


def _path(name):
    return _folder and _folder / name


def _plain(value):
    """What JSON does not know: parameters by their fingerprint, arrays and quantities as lists."""
    return value.fingerprint if isinstance(value, Parameters) else np.asarray(value).tolist()


def _arrays(answer):
    """An answer as it was given: lists were arrays."""
    if isinstance(answer, dict):
        return {name: _arrays(value) for name, value in answer.items()}
    return np.array(answer) if isinstance(answer, list) else answer
