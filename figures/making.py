"""Compute, draw and write figures; take up what is there already."""

import collections
import json
import re
import textwrap
import time
import warnings
from pathlib import Path

from cbnet.errors import CbnetWarning, DamagedError, ParameterError
from cbnet.model import unused
from cbnet.model.entry import nearest
from cbnet.results import plotting
from cbnet.support import checksum, code, files
from cbnet.sweeps import identity

from . import MODES, NAMES, keeping, module

_NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four"}
_BARS = "bars: two standard errors over graphs and noise, none where the error is not known"


def chosen(name):
    """Names of the figures that ``NAME|all`` means."""
    if name == "all":
        return NAMES
    if name not in NAMES:
        raise ParameterError(
            f"NAME: got {name!r}; expected all or one of {', '.join(NAMES)} "
            f"({nearest(str(name), NAMES)})"
        )
    return (name,)


def minutes(names, mode):
    """How long figures take on two cores, about."""
    return sum(module(name).MINUTES[mode] for name in names)


def make(name, mode, out, progress, fresh=False):
    """Data, picture and caption of one figure in a folder.

    Parameters
    ----------
    name : str
        One of :data:`cbnet.figures.NAMES`.
    mode : {"quick", "full"}
        Which settings.
    out : path
        An existing folder.
    progress : object
        With ``stage(name)`` and ``update(fraction)``.
    fresh : bool
        Compute even if data of the same settings and code are there.

    Returns
    -------
    data : xarray.Dataset
    files : list of Path
        ``NAME.nc``, ``NAME.pdf``, ``NAME.png``, ``NAME.txt``; those of an earlier run are replaced.
    """
    if mode not in MODES:
        raise ParameterError(f"mode: got {mode!r}; expected one of {', '.join(MODES)}")
    one, path = module(name), Path(out) / f"{name}.nc"
    made = _identity(name, mode)
    data = None if fresh else _finished(path, made)
    if data is None:
        started = time.perf_counter()
        # the parameters of a figure are those of all its panels
        draft = path.with_name(f"{name}.unfinished")
        with unused.told(), keeping.until_finished(draft, made):
            data, told = _collecting(one.compute, progress, **one.SETTINGS[mode])
            data.attrs |= {
                **made,
                "seconds": round(time.perf_counter() - started, 1),
                "caption": caption(one, mode),
                "warnings": json.dumps(told),
            }
            files.write(path, files.netcdf(data), overwrite=True)
        if told:
            warnings.warn(f"{name}: {_in_short(told)}", CbnetWarning, stacklevel=2)
        data = _load(path)
    told = json.loads(data.attrs.get("warnings", "[]"))
    # of the picture, which may be another than it was
    data.attrs["caption"] = " ".join([caption(one, mode), *([_in_short(told)] if told else [])])
    return data, [path, *_draw(one, data, path)]


def _collecting(compute, *args, **options):
    """What is computed, and the warnings of cbnet on the way: others are shown as ever."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CbnetWarning)
        data = compute(*args, **options)
    mine = [one for one in caught if issubclass(one.category, CbnetWarning)]
    for other in caught:
        if other not in mine:
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    return data, [str(one.message) for one in mine]


def _in_short(told):
    """How many warnings there were, and of what kind, in a line."""
    kinds = collections.Counter(_kind(one) for one in told)
    listed = "; ".join(f"{kind} ({count})" for kind, count in kinds.most_common())
    return f"Warnings while it was computed (each in the data's attribute warnings): {listed}."


def _kind(warning):
    """A warning without its numbers: what stands before the first of them, or a colon."""
    return re.split(r"[:;]|,? [^ ]*\d", warning, maxsplit=1)[0].strip()


def caption(one, mode):
    """The caption of a figure, with the settings that it was made with."""
    seeds = one.SETTINGS[mode].get("seeds", ())
    graphs = f"{_NUMBERS.get(len(seeds), len(seeds))} graphs each, {_BARS}"
    settings = "; ".join(f"{name} {_shown(value)}" for name, value in one.SETTINGS[mode].items())
    return f"{one.CAPTION.replace('{GRAPHS}', graphs)} Settings of --{mode}: {settings}."


def _shown(value):
    """A setting in words."""
    if value is None:
        return "chosen by K"
    if isinstance(value, dict):
        return "(" + ", ".join(f"{name} {_shown(one)}" for name, one in value.items()) + ")"
    if isinstance(value, list):
        if len(value) > 9:
            return f"{_shown(value[0])} to {_shown(value[-1])} ({len(value)} values)"
        return ", ".join(map(_shown, value))
    return str(value) if isinstance(value, str) else f"{value:g}"


def unfinished(names, mode, out):
    """Those of the figures that :func:`make` would compute."""
    return tuple(n for n in names if _finished(Path(out) / f"{n}.nc", _identity(n, mode)) is None)


def _identity(name, mode):
    """What the data of a figure come from: settings, code, versions of what computes."""
    made = {  # of cbnet its code says more than its version
        kind: {name: of for name, of in identity.made(kind).items() if name != "cbnet"}
        for kind in ("theory", "simulation")
    }
    about = [module(name).SETTINGS[mode], made, _code(name)]
    return {"figure": name, "mode": mode, "made_from": json.dumps(about, sort_keys=True)}


def _code(name):
    """Hash of what computes a figure, the models among it; of its own module not the drawing."""
    own = f"{name}.py"
    others = {f"{other}.py" for other in NAMES if other != name} | {"drawing.py", "making.py"}
    contents = {
        f"{package}/{path}": file.read_bytes()
        for package in ("figures", "models")
        for path, file in code.files(f"cbnet.{package}").items()
        if path.endswith((".py", ".toml")) and not path.startswith("claims/")
        if not (package == "figures" and path in others)
    }
    return code.digest(contents, {f"figures/{own}": ("compute", "SETTINGS")})


def _finished(path, made):
    """The data of an earlier run, if it had the same settings and code; damaged ones do not."""
    if not path.is_file():
        return None
    try:
        data = files.read_netcdf(path)
        known = all(data.attrs.get(k) == v for k, v in made.items())
        return checksum.opened(data, path) if known else None
    except (ParameterError, DamagedError):
        return None


def _load(path):
    return checksum.opened(files.read_netcdf(path), path)


def _draw(one, data, path):
    figure = one.draw(data)
    for ending in ("pdf", "png"):
        yield files.write(path.with_suffix(f".{ending}"), plotting.drawing(figure, ending), True)
    caption = textwrap.fill(data.attrs["caption"], 100) + "\n"
    yield files.write(path.with_suffix(".txt"), caption, True)
