"""Checksums of saved numbers: a file that was damaged or edited is told from what was written.

The checksum of a dataset is of its content, whatever the file's format: names, dimensions, every
bit of every value, attributes. It stands among the attributes, so that other programs read the
file as any other. A file of netCDF ends with a second one, of its bytes, which HDF5 passes over:
where a bit of its structure is damaged HDF5 may never return.
"""

import hashlib
import json
import os

from ..errors import DamagedError, warn

ATTRIBUTE = "checksum"
_CONTENT = "content"  # of JSON that is no object
_PART = 2**20  # numbers
_SIGN, _DIGITS = b"\ncbnet-sha256 ", 64


def sealed(dataset):
    """The dataset with its checksum among the attributes.

    Parameters
    ----------
    dataset : xarray.Dataset

    Returns
    -------
    xarray.Dataset
    """
    return dataset.assign_attrs({ATTRIBUTE: of_dataset(dataset)})


def opened(dataset, path):
    """The dataset that was sealed, without the checksum.

    Parameters
    ----------
    dataset : xarray.Dataset
        As it was read.
    path : path
        Of its file, for messages.

    Raises
    ------
    DamagedError
        If it is not what was sealed.

    Warns
    -----
    CbnetWarning
        If it has no checksum.
    """
    found = dataset.copy()
    known = found.attrs.pop(ATTRIBUTE, None)
    if known is None:
        _warn(path)
    elif known != of_dataset(found):
        raise _damaged(path)
    return found


def sign(file):
    """Append the checksum of a file's bytes to it; the file is open for reading and writing."""
    found = _hash(file, file.seek(0, os.SEEK_END))
    file.seek(0, os.SEEK_END)
    file.write(_SIGN + found + b"\n")


def check(path):
    """Raise DamagedError if a file was signed and is not what it was; others pass."""
    length = len(_SIGN) + _DIGITS + 1
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - length, 0))
        end = file.read()
        signed = end.startswith(_SIGN) and len(end) == length
        if signed and _hash(file, size - length) != end[len(_SIGN) : -1]:
            raise _damaged(path)


def _hash(file, size):
    found = hashlib.sha256()
    file.seek(0)
    while size > 0:
        part = file.read(min(size, 1 << 20))
        found.update(part)
        size -= len(part)
    return found.hexdigest().encode()


def _damaged(path):
    return DamagedError(
        f"{path}: got content that is not what was saved (its checksum differs); the file is "
        "damaged, or was edited: compute it again, or take it from a backup"
    )


def _warn(path):
    warn(
        f"{path}: has no checksum, being of an older cbnet or of another program; nothing tells "
        "whether it is what was computed",
    )


def of_dataset(dataset):
    """SHA-256 of everything in a dataset but its checksum.

    Parameters
    ----------
    dataset : xarray.Dataset

    Returns
    -------
    str
    """
    found = hashlib.sha256()

    def feed(*content):
        for part in content:
            part = part if isinstance(part, bytes) else str(part).encode()
            found.update(b"%d " % len(part) + part)

    feed(_attributes(dataset.attrs))
    for name in sorted(dataset.variables, key=str):
        one = dataset.variables[name]
        role = "coordinate" if name in dataset.coords else "variable"
        feed(role, name, json.dumps([*one.dims, *one.shape]), _attributes(one.attrs))
        kind, size, parts = _values(one.values)
        feed(kind)
        found.update(b"%d " % size)
        for part in parts:
            found.update(part)
    return f"sha256:{found.hexdigest()}"


def _values(array):
    """Kind, length and bytes of an array, the same in memory and from every format of file."""
    import numpy as np

    array = np.asarray(array)
    if array.dtype.kind in "OSUT":
        words = json.dumps([_word(value) for value in array.ravel().tolist()]).encode()
        return "words", len(words), [words]
    kind = f"{array.dtype.kind}{array.dtype.itemsize}"
    return kind, array.nbytes, _parts(np.ascontiguousarray(array).reshape(-1))


def _parts(array):
    """Bytes of an array, a part at a time: one that fills the memory is not copied."""
    import numpy as np

    little = array.dtype.newbyteorder("<")
    for start in range(0, array.size, _PART):
        part = array[start : start + _PART]
        if array.dtype.kind in "fc":
            part = np.where(np.isnan(part), array.dtype.type(np.nan), part)
        yield part.astype(little).tobytes()


def _attributes(attributes):
    """Attributes as text: files keep some numbers as arrays of one, or in other types."""
    import numpy as np

    plain = []
    for name in sorted(attributes):
        if name == ATTRIBUTE:
            continue
        value = np.asarray(attributes[name])
        plain.append([name, [_word(one) for one in value.ravel().tolist()]])
    return json.dumps(plain)


def _word(value):
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return repr(value) if isinstance(value, float) else value


def of_json(content):
    """SHA-256 of what JSON can hold."""
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def sealed_json(content, **more):
    """Text of JSON with its checksum.

    Parameters
    ----------
    content : object
        What JSON can hold.
    **more
        For :func:`json.dumps`.

    Returns
    -------
    str
    """
    content = json.loads(json.dumps(content, **more))
    inside = content if isinstance(content, dict) else {_CONTENT: content}
    return json.dumps({**inside, ATTRIBUTE: of_json(content)}, indent=1)


def opened_json(text, path, older=False):
    """The inverse of :func:`sealed_json`.

    Parameters
    ----------
    text : str
    path : path
        Of its file, for messages.
    older : bool
        Take what has no checksum too, with a warning.

    Raises
    ------
    DamagedError
        If it is not what was written.
    """
    try:
        stored = json.loads(text)
    except ValueError as error:
        raise DamagedError(f"{path}: cannot be read ({error})") from error
    if not isinstance(stored, dict) or ATTRIBUTE not in stored:
        if not older:
            raise DamagedError(f"{path}: has no checksum")
        _warn(path)
        return stored
    known = stored.pop(ATTRIBUTE)
    content = stored[_CONTENT] if [*stored] == [_CONTENT] else stored
    if known != of_json(content):
        raise DamagedError(f"{path}: got content that is not what was written")
    return content
