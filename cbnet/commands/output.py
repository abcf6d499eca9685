"""What a command leaves: text on standard output, and files that never replace others."""

import contextlib
import json
import sys
import tempfile
from pathlib import Path

from ..errors import ParameterError


def print_json(data):
    """The one JSON object of ``--json``."""
    print(json.dumps(data, allow_nan=False, ensure_ascii=False), flush=True)


def unused(path):
    """The path, or the first of ``NAME-2``, ``NAME-3``, ... that does not exist."""
    path, count = Path(path), 1
    found = path
    while found.exists():
        count += 1
        found = path.with_name(f"{path.stem}-{count}{path.suffix}")
    return found


@contextlib.contextmanager
def folder(path, option="--out"):
    """A folder that can be written, checked before the work; taken away again if nothing is in it.

    Raises
    ------
    ParameterError
        If it cannot be created or written.
    """
    path = Path(path)
    made = []
    try:
        try:
            for part in (*reversed(path.parents), path):
                if not part.exists():
                    part.mkdir()
                    made.append(part)
            with tempfile.TemporaryFile(dir=path):
                pass
        except OSError as error:
            raise ParameterError(
                f"{option}: got {str(path)!r} ({error.strerror}); expected a folder that can be "
                "written"
            ) from error
        yield path
    finally:
        for part in reversed(made):
            with contextlib.suppress(OSError):  # not empty: the work left something
                part.rmdir()


@contextlib.contextmanager
def saving(out, name):
    """A function that saves a result as `name` in the folder of ``--out``, if there is one."""
    if out is None:
        yield lambda result: None
        return
    with folder(out) as where:
        yield lambda result: result.save(unused(where / f"{name}.nc"))


def save_figure(figure, path):
    """Write a figure of :mod:`cbnet.plotting`."""
    from ..plotting import style

    with style():  # also says how fonts and pixels are written
        figure.savefig(path)


def announce(path, stream=None):
    """Say where a result was saved."""
    if path is not None:
        print(f"saved {path}", file=stream or sys.stdout, flush=True)


def file_name(command, params):
    """A name for the result of a command, without its ending."""
    model = "".join(c if c.isalnum() or c in "-_" else "_" for c in params.model.name)
    return f"{command}-{model}"
