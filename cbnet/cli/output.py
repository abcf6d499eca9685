"""What a command leaves: text on standard output, and files that never replace others."""

import contextlib
import json
import sys
import tempfile
from pathlib import Path

from ..errors import ParameterError, SavingError
from ..support import files
from . import terminal

_LONGEST = 50  # letters of a model's name in that of a file, which may have 255 bytes


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
def saving(out):
    """What saves results in the folder of ``--out``, if there is one.

    Yields
    ------
    Saver
        What could not be saved is told when the block ends: numbers are printed first.

    Raises
    ------
    SavingError
        If a file could not be written; the message says where it was kept.
    """
    if out is None:
        yield Saver(None)
        return
    with folder(out) as where:
        saver = Saver(where)
        yield saver
        saver.tell()


class Saver:
    """Writes files into a folder, and elsewhere if that cannot be done.

    Parameters
    ----------
    where : Path or None
        The folder; nothing is saved if there is none.
    """

    def __init__(self, where):
        self.where, self._failures, self._refuge = where, [], None

    def result(self, result, name):
        """Save a result as ``NAME.nc``, under the first such name that is free; its path."""
        return self.file(f"{name}.nc", files.netcdf(result.to_xarray()))

    def figure(self, figure, name, ending):
        """Save a figure of :mod:`cbnet.results.plotting`; its path."""
        from ..results.plotting import drawing

        return self.file(f"{name}.{ending}", drawing(figure, ending))

    def file(self, name, fill):
        """Write a file (:func:`cbnet.support.files.write`); its path, or None without a folder."""
        if self.where is None:
            return None
        try:
            return files.write_new(self.where / name, fill)
        except (ParameterError, SavingError) as error:
            kept = self._elsewhere(name, fill)
            self._failures.append(f"{error}{f'; kept as {kept}' if kept else ''}")
            return kept

    def _elsewhere(self, name, fill):
        """A folder for temporary files is better than none."""
        try:
            if self._refuge is None:
                self._refuge = Path(tempfile.mkdtemp(prefix="cbnet-kept-"))
            return files.write_new(self._refuge / name, fill)
        except (OSError, ParameterError, SavingError):
            if self._refuge is not None:
                with contextlib.suppress(OSError):  # not empty: another file is there
                    self._refuge.rmdir()
                    self._refuge = None
            return None

    def tell(self):
        """Raise SavingError if anything could not be written."""
        if self._failures:
            raise SavingError(f"--out: {'; '.join(self._failures)}")


def announce(path, as_json=False):
    """Say where a result was saved; on standard error if the output is JSON."""
    if path is not None:
        print(
            terminal.plain(f"saved {path}"), file=sys.stderr if as_json else sys.stdout, flush=True
        )


def file_name(command, params):
    """A name for the result of a command, without its ending."""
    name = getattr(getattr(params, "model", None), "name", "network")
    model = "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
    return f"{command}-{model[:_LONGEST]}"
