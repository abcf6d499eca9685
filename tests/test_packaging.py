"""What is installed is what stands here."""

import configparser
import fnmatch
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")
MAPPED = {
    package.strip(): ROOT / folder.strip()
    for package, folder in (
        line.split("=") for line in SETUP["options"]["package_dir"].strip().splitlines()
    )
}
# Files that no program reads once cbnet is installed.
NOT_DATA = ("*.py", "*.pyc")


def packages():
    """Packages that stand in the mapped folders, as they are called when installed."""
    for package, folder in MAPPED.items():
        for init in folder.rglob("__init__.py"):
            yield ".".join((package, *init.parent.relative_to(folder).parts))


def data():
    """Other files beside the code, relative to the installed folder of packages."""
    for package, folder in MAPPED.items():
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not any(fnmatch.fnmatch(path.name, p) for p in NOT_DATA):
                yield "/".join((*package.split("."), *path.relative_to(folder).parts))


def test_every_package_is_listed():
    assert sorted(packages()) == sorted(SETUP["options"]["packages"].split())


def test_every_folder_with_code_is_a_package():
    for folder in MAPPED.values():
        for path in folder.rglob("*.py"):
            assert (path.parent / "__init__.py").is_file(), path


@pytest.mark.slow
def test_the_wheel_has_everything(tmp_path):
    """Builds a wheel: pip fetches setuptools for it."""
    tree = tmp_path / "tree"
    ignored = shutil.ignore_patterns(".git", "__pycache__", "build", "*.egg-info", ".*_cache")
    shutil.copytree(ROOT, tree, ignore=ignored)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", tmp_path, tree],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    expected = {f"{package.replace('.', '/')}/__init__.py" for package in packages()}
    assert expected | set(data()) <= inside
    assert not [name for name in inside if name.startswith("tests/")]
    assert any(name.endswith("licenses/LICENSE") for name in inside)
