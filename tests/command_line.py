"""Commands as a user types them, in this process or in one of their own."""

import contextlib
import io
import os
import shlex
import subprocess
import sys
from pathlib import Path

from cbnet.cli import app

ROOT = Path(__file__).resolve().parent.parent


def run(line):
    """Exit code, standard output and standard error of a command line."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = app.main(shlex.split(line))
    return code, out.getvalue(), err.getvalue()


def refused(line):
    """The one line with which a wrong request is refused, leaving nothing behind."""
    before = sorted(Path().rglob("*"))
    code, out, err = run(line)
    assert code == 2, (out, err)
    assert out == ""
    assert sorted(Path().rglob("*")) == before
    *progressed, message = err.splitlines()
    assert message.startswith("cbnet: error: ")
    assert not any("error" in line for line in progressed)
    return message.removeprefix("cbnet: error: ")


def in_process_of_its_own(*arguments, **more):
    environment = {**os.environ, **more.pop("env", {})}
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(ROOT), environment.get("PYTHONPATH")])
    )
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, **more
    )
