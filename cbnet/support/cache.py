"""The user's cache folder: what takes long to make, such as a compiled program, is made once.

An entry is a folder named by a key, which whoever asks computes from everything that the entry
depends on. It is made under another name and renamed when it is complete, so that what was
interrupted is never used. Locks on a file beside it, exclusive while it is made or removed and
shared while it is used, are the system's own, which go with the process that holds them.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ..errors import CbnetError, ParameterError, SimulationError, warn
from . import checksum, files
from .locks import FileLock

DEFAULT_LIMIT = "2GB"
_RECORD = "cbnet-entry.json"
_DRAFT = ".draft-"
_POLL = 0.05  # s between attempts at a lock: a call that blocks would hold a thread at Ctrl-C
_ATTEMPTS = 3
_FULL = (errno.ENOSPC, errno.EDQUOT)
_OTHERS_MAY_WRITE = 0o022
_BYTES = {"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}


@dataclass(frozen=True)
class Entry:
    """What is known of one entry of the cache.

    Attributes
    ----------
    key, description : str
        Its name, and what it is in one line.
    bytes : int
        Size of its files.
    created, last_used : float
        Seconds since the epoch.
    """

    key: str
    description: str
    bytes: int
    created: float
    last_used: float


def folder():
    """Where the cache is: ``CBNET_CACHE``, or the system's place for the user's caches.

    Raises
    ------
    SimulationError
        If the system knows no such place.
    """
    given = os.environ.get("CBNET_CACHE")
    if given:
        return Path(given).expanduser().absolute()
    import platformdirs

    found = Path(platformdirs.user_cache_dir("cbnet"))
    if not found.is_absolute():  # a user without a home folder
        raise SimulationError(
            f"cache folder: got {str(found)!r} from a user without a home folder; set CBNET_CACHE "
            "to a folder that can be written"
        )
    return found


def limit():
    """How many bytes the cache may hold: ``CBNET_CACHE_LIMIT``, such as 500MB, or 2 GB.

    Raises
    ------
    ParameterError
        If ``CBNET_CACHE_LIMIT`` is not a size.
    """
    given = os.environ.get("CBNET_CACHE_LIMIT") or DEFAULT_LIMIT
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([kMGT]B)\s*", given)
    if not found:
        raise ParameterError(
            f"CBNET_CACHE_LIMIT: got {given!r}; expected a size such as 500MB or 2GB"
        )
    return int(float(found[1]) * _BYTES[found[2]])


def _prepared():
    """The cache folder, made for the user alone if it is not there.

    Raises
    ------
    SimulationError
        If somebody else could have put something into it: programs of it are run.
    """
    top = folder()
    with _explained():
        top.mkdir(mode=0o700, parents=True, exist_ok=True)
    _trust(top)
    for part in (_programs(), _texts()):
        with _explained():
            part.mkdir(mode=0o700, exist_ok=True)
        _trust(part)
    return top


def _trust(path):
    """Raise SimulationError unless a file or folder is the user's, and nobody else may write it."""
    if not hasattr(os, "geteuid"):
        return
    with _explained():
        status = os.lstat(path)
    if status.st_uid != os.geteuid():
        said = f"belongs to user {_user(status.st_uid)}"
    elif stat.S_ISLNK(status.st_mode) and path != folder():
        said = "is a link"
    elif not stat.S_ISLNK(status.st_mode) and status.st_mode & _OTHERS_MAY_WRITE:
        said = "can be written by others"
    else:
        return
    raise SimulationError(
        f"cache folder {folder()}: cannot be trusted ({path} {said}); set CBNET_CACHE to a folder "
        f"of your own, or remove this one"
    )


def _user(number):
    try:
        import pwd

        return pwd.getpwuid(number).pw_name
    except (ImportError, KeyError):
        return number


@contextlib.contextmanager
def entry(key, build, description="", waiting=None):
    """The folder of an entry, made if it is not there, and kept as long as it is in use.

    Parameters
    ----------
    key : str
        Hexadecimal digits: a hash of everything that the entry depends on.
    build : callable
        ``build(folder)`` fills an empty folder, which is renamed when it returns: no file may name
        the folder it is in. Of several processes and threads that ask for a key at once one builds.
    description : str
        What this is, in one line.
    waiting : callable, optional
        ``waiting(who)`` is called again and again while another process or thread builds, with who
        it is in words; what it raises ends the wait.

    Yields
    ------
    Path
        Not to be written to: others may be using it.

    Raises
    ------
    SimulationError
        If the cache folder cannot be written.

    Examples
    --------
    >>> from cbnet.support import cache
    >>> def compile_it(folder):
    ...     (folder / "main").write_text("...")
    >>> with cache.entry("0a1b", compile_it, "an example") as made:
    ...     (made / "main").is_file()
    True
    """
    most, built = limit(), False
    _prepared()
    for _ in range(_ATTEMPTS):
        with using(key, waiting) as found:
            if found is not None:
                if built:
                    _evict(most)
                yield found
                return
        lock = _held(key, False, waiting)
        try:
            if not _complete(_place(key)):
                _build(key, build, description)
                built = True
        finally:
            _release(lock, key)
    raise SimulationError(
        f"cache folder {folder()}: got an entry that is removed or changed as soon as it is made; "
        "raise CBNET_CACHE_LIMIT, or set CBNET_CACHE to a folder that nothing else writes"
    )


@contextlib.contextmanager
def using(key, waiting=None):
    """The folder of an entry, kept as long as it is in use; None if there is no such entry.

    Parameters
    ----------
    key, waiting
        As for :func:`entry`.
    """
    if not _place(key).is_dir():
        yield None
        return
    for part in (folder(), _programs(), _place(key)):
        _trust(part)
    lock = _held(key, True, waiting)
    try:
        if not _complete(_place(key)):
            yield None
            return
        with _explained():
            os.utime(lock.fd)
        yield _place(key)
    finally:
        _release(lock, key)


def entries():
    """What is in the cache, used last first.

    Returns
    -------
    list of Entry

    Raises
    ------
    SimulationError
        If the folder cannot be read, or is none.
    """
    try:
        os.listdir(folder())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unusable(error) from error
    found = []
    for path in _programs().glob("*/" + _RECORD):
        record = _record(path.parent)
        if record is None or _DRAFT in path.parent.name:
            continue
        used = record["created"]
        with contextlib.suppress(OSError):
            used = max(used, _lock(path.parent.name).path.stat().st_mtime)
        about = (record[name] for name in ("description", "bytes", "created"))
        found.append(Entry(path.parent.name, *about, used))
    return sorted(found, key=lambda one: one.last_used, reverse=True)


def size():
    """How many bytes the cache holds."""
    return sum(one.bytes for one in entries()) + sum(s.st_size for _, s in _written_texts())


def clear():
    """Remove everything that is not in use.

    Returns
    -------
    removed, kept : int
        Numbers of entries.
    """
    before = len(entries())
    _evict(0)
    after = len(entries())
    return before - after, after


def check():
    """Raise SimulationError unless the cache folder can be written; makes it if it is not there."""
    _prepared()
    with _explained(), tempfile.TemporaryFile(dir=_programs()) as file:
        file.write(b"cbnet")
    lock = FileLock(_programs() / f"check-{os.getpid()}.lock")
    with _explained():
        lock.take()
    lock.release(remove=True)


def text(key, make):
    """What ``make()`` returns, from the cache if it was made before.

    Parameters
    ----------
    key : str
        Hexadecimal digits: a hash of everything that it depends on.
    make : callable
        Returns what JSON can hold. A cache that cannot be written goes unnoticed: it is called
        again next time.

    Warns
    -----
    CbnetWarning
        If the folder could have been written by others: it is not used.
    """
    try:
        path = _prepared() / "texts" / f"{key}.json"
    except SimulationError as error:
        if "trusted" in str(error):
            warn(f"{error}: not used")
        return json.loads(json.dumps(make()))
    with contextlib.suppress(OSError, ValueError, SimulationError):
        _trust(path)
        stored = checksum.opened_json(path.read_text(encoding="utf-8"), path)
        with contextlib.suppress(OSError):
            os.utime(path)
        return stored
    made = make()
    with contextlib.suppress(CbnetError):
        files.write(path, checksum.sealed_json(made), overwrite=True)
    return json.loads(json.dumps(made))


def _programs():
    return folder() / "programs"


def _texts():
    return folder() / "texts"


def _place(key):
    if not re.fullmatch(r"[0-9a-f]+", key):
        raise ValueError(f"key: got {key!r}; expected hexadecimal digits")
    return _programs() / key


def _lock(key):
    """The lock of an entry; the time of its file is when the entry was last used."""
    return FileLock(_place(key).with_name(f"{key}.lock"))


def _held(key, shared, waiting):
    lock = _lock(key)
    while True:
        with _explained():
            if lock.take(shared):
                if not shared:
                    lock.sign()
                return lock
        if waiting is not None:
            waiting(lock.owner())
        time.sleep(_POLL)


def _release(lock, key):
    lock.release(remove=not _place(key).exists())


def _draft(key):
    return tempfile.mkdtemp(dir=_programs(), prefix=f"{key}{_DRAFT}")


def _build(key, build, description):
    """Make an entry, while its lock is held."""
    with _explained():
        for left in _programs().glob(f"{key}{_DRAFT}*"):  # of a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        if _place(key).exists():
            _remove(key)
        draft = Path(_draft(key))
    try:
        try:
            build(draft)
        except OSError as error:
            if error.errno in _FULL:
                raise _unusable(error) from error
            raise
        with _explained():
            made = [p for p in draft.rglob("*") if p.is_file()]
            record = {
                "description": description,
                "created": time.time(),
                "bytes": sum(p.stat().st_size for p in made),
                "files": {p.relative_to(draft).as_posix(): _hash(p) for p in made},
            }
            (draft / _RECORD).write_text(json.dumps(record), encoding="utf-8")
            os.rename(draft, _place(key))
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _record(path):
    try:
        return json.loads((path / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _complete(path):
    """Whether every file is what was made: disks that fail, or tidy caches, leave others.

    Checked by content: a program of the cache is run.
    """
    record = _record(path)
    if record is None:
        return False
    try:
        return all(_hash(path / name) == known for name, known in record["files"].items())
    except (OSError, TypeError, KeyError, AttributeError):
        return False


def _hash(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove(key):
    """Take an entry away, while its lock is held: at once, whenever this process is killed."""
    gone = _draft(key)
    os.rename(_place(key), gone)
    shutil.rmtree(gone, ignore_errors=True)


def _evict(most):
    """Remove what killed processes left, and what was not used for longest until the rest fits."""
    with _explained():
        for left in _programs().glob(f"*{_DRAFT}*"):
            key = left.name.partition(_DRAFT)[0]
            lock = _lock(key)
            if lock.take():
                shutil.rmtree(left, ignore_errors=True)
                _release(lock, key)
        known = entries()
        texts = _written_texts()
        total = sum(one.bytes for one in known) + sum(status.st_size for _, status in texts)
        oldest = [(one.last_used, one.bytes, one.key) for one in known]
        oldest += [(status.st_mtime, status.st_size, path) for path, status in texts]
        for _, n, which in sorted(oldest, key=lambda one: one[0]):
            if total <= most:
                break
            if isinstance(which, Path):
                which.unlink(missing_ok=True)
                total -= n
                continue
            lock = _lock(which)
            if lock.take():
                try:
                    if _place(which).exists():
                        _remove(which)
                finally:
                    _release(lock, which)
                total -= n


def _written_texts():
    found = []
    for path in _texts().glob("*"):
        with contextlib.suppress(FileNotFoundError):
            found.append((path, path.stat()))
    return found


def _unusable(error):
    return SimulationError(
        f"cache folder {folder()}: cannot be used ({error.strerror}); set CBNET_CACHE to a folder "
        "with room that can be written"
    )


@contextlib.contextmanager
def _explained():
    try:
        yield
    except OSError as error:
        raise _unusable(error) from error
