"""Folders for what is under way: each ends with its process, or when the next one is made.

Whoever has one holds a lock on it, which the system takes back from the dead.
"""

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path

_YOUNG = 2.0  # s within which a folder may belong to a process that has not locked it yet
_OLD = "old"  # what was there before, in a folder that was to replace it: never removed


class Folder:
    """A new folder, after those of the same kind whose processes are dead have been removed.

    Parameters
    ----------
    kind : str
        How its name begins.
    parent : path, optional
        Where; by default the folder for temporary files.

    Attributes
    ----------
    path : Path
    """

    def __init__(self, kind, parent=None):
        parent = Path(parent or tempfile.gettempdir()).absolute()
        _clear(parent, kind)
        self.path = Path(tempfile.mkdtemp(prefix=kind, dir=parent))
        self._handle = _locked(self.path)

    def remove(self):
        """The folder, and all in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _clear(parent, kind):
    for left in parent.glob(f"{kind}*") if hasattr(os, "geteuid") else ():
        with contextlib.suppress(OSError):
            about = left.lstat()
            if left.is_symlink() or not left.is_dir() or about.st_uid != os.geteuid():
                continue
            if time.time() - about.st_mtime < _YOUNG or (left / _OLD).exists():
                continue
            handle = _locked(left)
            if handle is not None:
                shutil.rmtree(left, ignore_errors=True)
                os.close(handle)


def _locked(path):
    """A handle that holds the lock of a folder; None if somebody has it, or there are no locks."""
    try:
        import fcntl
    except ImportError:  # Windows: nobody can tell whose a folder is
        return None
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            return None
        return handle
    return None
