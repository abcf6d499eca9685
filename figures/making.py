"""Compute, draw and write figures; take up what is there already."""

import json
import textwrap
import time
from pathlib import Path

from cbnet import checksum, code, files, plotting, unused
from cbnet.errors import DamagedError, ParameterError
from cbnet.parameters import nearest
from cbnet.sweeps import identity

from . import MODES, NAMES, keeping, module


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
            data = one.compute(progress, **one.SETTINGS[mode])
            data.attrs |= {
                **made,
                "seconds": round(time.perf_counter() - started, 1),
                "caption": caption(one, mode),
            }
            files.write(path, files.netcdf(data), overwrite=True)
        data = _load(path)
    data.attrs["caption"] = caption(one, mode)  # of the picture, which may be another than it was
    return data, [path, *_draw(one, data, path)]


def caption(one, mode):
    """The caption of a figure, with the settings that it was made with."""
    settings = "; ".join(f"{name} {_shown(value)}" for name, value in one.SETTINGS[mode].items())
    return f"{one.CAPTION} Settings of --{mode}: {settings}."


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
        if path.endswith((".py", ".toml")) and not (package == "figures" and path in others)
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
