"""The folder of a sweep: what is finished, what failed, and who is working in it."""

import contextlib
import errno
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import CbnetError, ParameterError, SavingError
from ..support import checksum, files
from ..support.locks import FileLock
from . import identity, records
from .grid import Grid

GRID, PROGRESS, LOCK = "sweep.json", "progress.json", ".lock"
_POINTS, _FAILED = "points", "failed"
_FULL = (errno.ENOSPC, errno.EDQUOT)


class SweepError(CbnetError, RuntimeError):
    """A sweep cannot go on; the message says what is kept and what to do."""


@dataclass
class Contents:
    """What a folder holds.

    Attributes
    ----------
    finished : dict of str to (Record, int)
        By identity, for the versions asked for.
    other : dict of str to list of (Record, int)
        Those that other versions computed.
    failed : dict of str to dict
        By identity: message, when, attempts.
    damaged : list of Path
        Files that are not what was written.
    """

    finished: dict = field(default_factory=dict)
    other: dict = field(default_factory=dict)
    failed: dict = field(default_factory=dict)
    damaged: list = field(default_factory=list)


class Store:
    """A folder in which a sweep keeps its points.

    Parameters
    ----------
    folder : str or Path
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self._lock = None

    @property
    def exists(self):
        """Whether a sweep was started here."""
        return (self.folder / GRID).is_file()

    @contextlib.contextmanager
    def working(self):
        """The folder made ready to be written, for one process at a time.

        Raises
        ------
        ParameterError
            If it cannot be written, or is in use.
        """
        new = not self.folder.exists()
        if not new and not self.folder.is_dir():
            raise ParameterError(f"--out: got {str(self.folder)!r}, a file; expected a folder")
        own = {LOCK, PROGRESS, _POINTS, _FAILED}
        if not new and not self.exists and {p.name for p in self.folder.iterdir()} - own:
            raise ParameterError(
                f"--out: got the folder {str(self.folder)!r} with other files in it; expected a "
                "new one, or that of a sweep"
            )
        lock = FileLock(self.folder / LOCK)
        with self.explained():
            taken = lock.take()
        if not taken:
            raise SweepError(
                f"{self.folder}: another sweep is working in it ({lock.owner()}); wait for "
                "it, or stop it: nothing was changed"
            )
        try:
            with self.explained():
                (self.folder / _POINTS).mkdir(exist_ok=True)
                (self.folder / _FAILED).mkdir(exist_ok=True)
                probe = self.folder / _POINTS / ".draft-probe"
                probe.write_bytes(b"cbnet")
                for left in self.folder.rglob(".draft-*"):  # of a process that was killed
                    shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
                lock.sign()
            yield self
        finally:
            lock.release()

    def busy(self):
        """Whether a sweep is working in the folder."""
        if not (self.folder / LOCK).is_file():
            return False
        lock = FileLock(self.folder / LOCK)
        try:
            if lock.take(shared=True):
                lock.release()
                return False
        except OSError:
            return False  # a folder that cannot be written is not written by anybody
        return True

    @contextlib.contextmanager
    def explained(self):
        """What the system says about the folder, in one line that says what is kept."""
        try:
            yield
        except (OSError, SavingError, ParameterError) as caught:
            error = caught if isinstance(caught, OSError) else caught.__cause__
            if not isinstance(error, OSError):
                raise
            if error.errno in _FULL:
                raise SweepError(
                    f"{self.folder}: no space left on its disk; what is finished is kept: make "
                    "room and run the same command again"
                ) from error
            if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR):
                raise SweepError(
                    f"{self.folder}: cannot be written ({error.strerror}); what is finished is "
                    "kept: make it writable, or give another folder with --out"
                ) from error
            raise SweepError(f"{error.filename or self.folder}: {error.strerror}") from error

    def write_json(self, name, content):
        """Write a small file, whole or not at all."""
        text = checksum.sealed_json(content, allow_nan=False)
        with self.explained():
            files.replace(self.folder / name, text.encode())

    def add(self, record):
        """Keep finished points."""
        if len(record.identities) == 1:
            name = record.identities[0][:40]
        else:
            name = "batch-" + identity.digest(list(record.identities))[:34]
        tag = identity.tag(record.kind, record.made)
        with self.explained():
            files.replace(self.folder / _POINTS / f"{name}-{tag}.points", record.to_bytes())
            failures = any((self.folder / _FAILED).iterdir())
            for one in record.identities if failures else ():
                self._failure(one).unlink(missing_ok=True)

    def _failure(self, one):
        return self.folder / _FAILED / f"{one[:40]}.json"

    def add_failure(self, one, kind, message, before=0):
        """Keep what went wrong with a point."""
        about = {
            "identity": one,
            "message": message,
            "attempts": before + 1,
            "at": time.time(),
            "tag": identity.tag(kind),
        }
        with self.explained():
            files.replace(self._failure(one), checksum.sealed_json(about).encode())

    def begin(self, grid, keep_old):
        """Say what is run here, and by which versions."""
        made = {kind: identity.made(kind) for kind in ("theory", "simulation")}
        self.write_json(GRID, {"grid": grid.to_dict(), "made": made, "keep_old": keep_old})

    def grid(self):
        """The grid that was run here last.

        Raises
        ------
        ParameterError
            If no sweep was started here.
        """
        return Grid.from_dict(self._last()["grid"])

    def last_made(self):
        """Versions that the last run had, by kind, and whether it took older points too."""
        last = self._last()
        return last["made"], last["keep_old"]

    def _last(self):
        try:
            path = self.folder / GRID
            last = checksum.opened_json(path.read_text(encoding="utf-8"), path, older=True)
            return {name: last[name] for name in ("grid", "made", "keep_old")}
        except FileNotFoundError:
            raise ParameterError(
                f"{self.folder}: got a folder without {GRID}; expected that of a sweep"
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ParameterError(
                f"{self.folder / GRID}: cannot be read ({error}); run cbnet sweep again to write it"
            ) from error

    def progress(self):
        """What the last run said of its progress; an empty dict if nothing."""
        try:
            path = self.folder / PROGRESS
            return dict(checksum.opened_json(path.read_text(encoding="utf-8"), path))
        except (OSError, ValueError, TypeError):
            return {}

    def read(self, made=None, keep_old=False):
        """Everything that is kept.

        Parameters
        ----------
        made : dict, optional
            By kind, the versions whose points are finished ones; those that compute now if not
            given.
        keep_old : bool
            Take those of other versions as finished where there are no such ones.

        Returns
        -------
        Contents
        """
        found = Contents()
        made = made or {kind: identity.made(kind) for kind in records.KINDS}
        for path in sorted((self.folder / _POINTS).glob("*.points")):
            try:
                record = records.Record.from_bytes(path.read_bytes())
            except (CbnetError, OSError):
                found.damaged.append(path)
                continue
            current = made[record.kind] == record.made
            for row, one in enumerate(record.identities):
                if current:
                    found.finished[one] = record, row
                else:
                    found.other.setdefault(one, []).append((record, row))
        if keep_old:
            old = {one: records[-1] for one, records in found.other.items()}
            found.finished = old | found.finished
        for path in sorted((self.folder / _FAILED).glob("*.json")):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                about = checksum.opened_json(path.read_text(encoding="utf-8"), path)
                found.failed[about["identity"]] = about
        return found

    def set_aside(self, path):
        """Give a damaged file another name: it is not read again, and can be looked at."""
        with self.explained():
            path.rename(path.with_suffix(".damaged"))
