"""Which code made a number: one hash of cbnet's files, whatever folders they lie in.

Everything that may change a number is in it, by its path within the package, and nothing else:
comments, docstrings and captions may be rewritten without computing anything again.
"""

import ast
import functools
import hashlib
import importlib.resources
import sys

from . import cache

# Of the package, what makes no number of its own, or only one of two kinds; all else is in.
_APART = (
    *("theory", "simulation", "sweeps", "models", "figures", "cli", "__main__.py"),
    *("results/plotting.py", "results/plotting_networks.py"),
    *("support/citations.py", "support/machine.py"),
)
THEORY = ("theory", "sweeps/tasks.py", "sweeps/keep.py")
SIMULATION = ("simulation", "sweeps/tasks.py", "sweeps/keep.py")
_PROSE = ("__version__", "CAPTION")  # what is told, not computed


@functools.cache
def of(*parts):
    """Hash of the code of cbnet that is common to all numbers, and of some more of it.

    Parameters
    ----------
    *parts : str
        Folders and files beside the common ones, such as those of ``THEORY``.

    Returns
    -------
    str
        Hexadecimal digits.
    """
    return digest({path: file.read_bytes() for path, file in chosen(*parts).items()})


def chosen(*parts):
    """The files of which :func:`of` is the hash, by their path."""
    found = {
        path: file
        for path, file in files("cbnet").items()
        if not any(_within(path, apart) for apart in _APART)
        or any(_within(path, part) for part in parts)
    }
    missing = [part for part in parts if not any(_within(path, part) for path in found)]
    if missing:
        raise ValueError(f"code: got no file of {missing[0]!r}")
    return found


def files(package):
    """Every file of a package and of its folders, by its path within the package.

    Parameters
    ----------
    package : str
        Its full name.

    Returns
    -------
    dict of str to importlib.resources.abc.Traversable
    """
    return dict(sorted(_walk(importlib.resources.files(package), "")))


def _walk(folder, before):
    for one in folder.iterdir():
        if one.is_dir():
            if one.name != "__pycache__" and not one.name.startswith("."):
                yield from _walk(one, f"{before}{one.name}/")
        elif not one.name.startswith(".") and not one.name.endswith((".pyc", "~")):
            yield before + one.name, one


def _within(path, part):
    return path == part or path.startswith(f"{part}/")


def digest(contents, reached=None):
    """Hash of files, of those in Python without their prose.

    Parameters
    ----------
    contents : dict of str to bytes
        By path.
    reached : dict of str to tuple of str, optional
        For some paths the names that are used of them: what these do not need is left out.

    Returns
    -------
    str
    """
    reached = reached or {}
    raw = hashlib.sha256()
    for path in sorted(contents):
        size = f"{len(path)} {len(contents[path])} {reached.get(path, ())} "
        raw.update(size.encode() + path.encode() + contents[path])
    # another Python writes the same tree in other words
    raw.update(repr(sys.version_info[:2]).encode())

    def derive():
        found = hashlib.sha256()
        for path in sorted(contents):
            content = contents[path]
            if path.endswith(".py"):
                content = without_prose(content, reached.get(path)).encode()
            found.update(f"{len(path)} {len(content)} ".encode() + path.encode() + content)
        return found.hexdigest()

    return cache.text(raw.hexdigest(), derive)


def without_prose(source, names=None):
    """What a module does, in words that comments, docstrings and line breaks do not change.

    Parameters
    ----------
    source : str or bytes
    names : sequence of str, optional
        Take these definitions and what they use, in place of the whole module.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if documented and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    body = [node for node in tree.body if not set(_PROSE) & set(_defined(node))]
    if names is not None:
        body = _used(body, names)
    return "\n".join(map(ast.dump, body))


def _used(body, names):
    """Those statements of a module that some names need, one through the other."""
    found, todo = set(), list(names)
    while todo:
        name = todo.pop()
        for k, node in enumerate(body):
            if k not in found and name in _defined(node):
                found.add(k)
                todo += [one.id for one in ast.walk(node) if isinstance(one, ast.Name)]
    return [body[k] for k in sorted(found)]


def _defined(node):
    """Names that a statement of a module binds."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
    return [
        one.id
        for one in ast.walk(node)
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
    ]
