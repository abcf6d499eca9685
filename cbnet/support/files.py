"""Files: written whole or not at all, each under a name that no other writer has.

A file is written beside its place under another name, brought to the disk, and then given its
name: by a link, which fails where the name is taken, however many processes write at once. What a
killed process left unfinished is removed by the next one that writes into the folder.
"""

import contextlib
import errno
import os
import tempfile
import time
import warnings
from pathlib import Path

from ..errors import ParameterError, SavingError
from . import checksum, trial

_DRAFT = ".draft-"
_YOUNG = 2.0  # s within which a draft may belong to a process that has not locked it yet
_AT_ONCE = 2**26  # bytes
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)


def write(path, fill, overwrite=False):
    """Write a file, whole or not at all.

    Parameters
    ----------
    path : str or Path
        Where.
    fill : callable or bytes or str
        ``fill(file)`` writes into a binary file; or what is to be written.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path

    Raises
    ------
    ParameterError
        If the file exists and `overwrite` is not set, or the folder cannot be written.
    SavingError
        If the disk is full or fails; nothing is left behind.
    """
    path = Path(path)
    if not overwrite and os.path.lexists(path):
        raise exists(path)
    with _draft(path, fill) as draft:
        if overwrite:
            os.replace(draft, path)
        elif not _claim(draft, path):
            raise exists(path)
    return path


def write_new(path, fill):
    """Write a file under the first of ``NAME``, ``NAME-2``, ``NAME-3``, ... that is free.

    Parameters
    ----------
    path, fill
        As for :func:`write`.

    Returns
    -------
    Path
        The name that it got.
    """
    path = Path(path)
    with _draft(path, fill) as draft:
        for candidate in names(path):
            if not os.path.lexists(candidate) and _claim(draft, candidate):
                return candidate


def names(path):
    """``NAME``, ``NAME-2``, ``NAME-3``, ..."""
    yield path
    count = 1
    while True:
        count += 1
        yield path.with_name(f"{path.stem}-{count}{path.suffix}")


def netcdf(dataset):
    """What writes a dataset as netCDF with checksums, for :func:`write`.

    HDF5 that cannot write ends the process when it closes the file. So it writes into a file of
    Python's, which keeps the first error for later.
    """

    def fill(file):
        import h5netcdf
        from xarray.backends import H5NetCDFStore

        patient = _Patient(file)
        with h5netcdf.File(patient, "w") as made:
            checksum.sealed(dataset).dump_to_store(H5NetCDFStore(made))
        if patient.error is not None:
            raise patient.error
        checksum.sign(file)

    return fill


class _Patient:
    """A binary file that goes on after an error of the disk, and remembers it."""

    def __init__(self, file):
        self._file, self.error, self._position, self._end = file, None, 0, 0

    def write(self, data):
        size = memoryview(data).nbytes
        if self.error is None:
            try:
                self._file.seek(self._position)
                self._file.write(data)
            except OSError as error:
                self.error = error
        self._position += size
        self._end = max(self._end, self._position)
        return size

    def readinto(self, buffer):
        size = memoryview(buffer).nbytes
        if self.error is None:
            try:
                self._file.seek(self._position)
                size = self._file.readinto(buffer)
            except OSError as error:
                self.error = error
        self._position += size
        return size

    def read(self, size=-1):
        buffer = bytearray(self._end - self._position if size < 0 else size)
        return bytes(buffer[: self.readinto(buffer)])

    def seek(self, offset, whence=os.SEEK_SET):
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._end}[whence]
        self._position = start + offset
        return self._position

    def tell(self):
        return self._position

    def truncate(self, size=None):
        self._end = self._position if size is None else size
        if self.error is None:
            try:
                self._file.truncate(self._end)
            except OSError as error:
                self.error = error
        return self._end

    def flush(self):
        if self.error is None:
            try:
                self._file.flush()
            except OSError as error:
                self.error = error

    def close(self):
        self.flush()


def replace(path, fill):
    """As :func:`write` with `overwrite`, but errors of the system are what is raised."""
    try:
        write(path, fill, overwrite=True)
    except (ParameterError, SavingError) as error:
        raise error.__cause__ or error from None


@contextlib.contextmanager
def _draft(path, fill):
    """The file written under another name; gone when the block ends."""
    draft = None
    try:
        try:
            clear(path.parent)
            handle, draft = tempfile.mkstemp(dir=path.parent, prefix=_DRAFT)
        except OSError as error:
            raise ParameterError(f"{path}: cannot be written ({error.strerror})") from error
        with open(handle, "w+b", buffering=0) as file:
            with contextlib.suppress(OSError):  # a file system without locks
                _lock(file)
            if isinstance(fill, str | bytes):
                _all(file, fill.encode() if isinstance(fill, str) else fill)
            else:
                fill(file)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(draft, 0o666 & ~umask())
            yield draft
        _sync(path.parent)
    except OSError as error:
        raise SavingError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        if draft is not None:
            with contextlib.suppress(OSError):
                os.unlink(draft)


def _all(file, content):
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]


def _claim(draft, path):
    """Give a draft its name unless that is taken; whether it was free."""
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            return False
        os.replace(draft, path)
    return True


def exists(path):
    """That a name is taken."""
    return ParameterError(
        f"{path}: exists already; give another name, or overwrite=True to replace it"
    )


def _sync(folder):
    """Bring the names of a folder to the disk, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def clear(folder):
    """Remove what processes that died left unfinished in a folder."""
    for left in Path(folder).glob(f"{_DRAFT}*"):
        with contextlib.suppress(OSError):
            if left.is_symlink() or not left.is_file():
                continue
            if time.time() - left.stat().st_mtime < _YOUNG:
                continue
            with open(left, "rb") as file:
                _lock(file)
                left.unlink()


def _lock(file):
    """Lock an open file until it is closed; OSError if somebody else has it."""
    try:
        import fcntl
    except ImportError as error:  # Windows: nobody can tell whose a draft is
        raise OSError("no locks") from error
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def umask():
    """The mode that new files do not get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def read_netcdf(path):
    """What :func:`netcdf` wrote, in memory.

    Parameters
    ----------
    path : path

    Returns
    -------
    xarray.Dataset
        With its checksum, which is for :func:`cbnet.support.checksum.opened` to look at.

    Raises
    ------
    ParameterError
        If it cannot be read.
    DamagedError
        If it is not what was written.
    """
    import xarray as xr

    checksum.check(path)
    try:
        trial.run(_read, path)
        # decode_times would turn every millisecond into a numpy timedelta
        with (
            warnings.catch_warnings(action="ignore", category=UserWarning),  # of odd files
            xr.open_dataset(path, engine="h5netcdf", decode_times=False) as dataset,
        ):
            found = dataset.load()
    except Exception as error:  # of HDF5, h5netcdf, xarray: whatever a damaged file leads them to
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ParameterError(f"{path}: cannot be read as netCDF ({reason})") from error
    objects = [name for name, one in found.variables.items() if _holds_objects(one.values)]
    if objects:
        raise ParameterError(f"{path}: got objects in {objects[0]!r}; expected numbers or words")
    return found


def _read(path):
    """Everything in a file, so that whatever it does to HDF5 happens here."""
    import h5py

    def look(name, one):
        dict(one.attrs)
        if isinstance(one, h5py.Dataset):
            rows = max(1, _AT_ONCE // max(1, one.nbytes // max(1, len(one)))) if one.ndim else 0
            for start in range(0, len(one), rows) if rows else ():
                one[start : start + rows]
            if not rows:
                one[()]

    with h5py.File(path, "r") as file:
        dict(file.attrs)
        file.visititems(look)


def _holds_objects(array):
    return array.dtype == object and not all(isinstance(x, str) for x in array.ravel())
