"""What all tests share: a cache of their own, in which a program is compiled once."""

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def cache_of_this_session(tmp_path_factory):
    """Programs that tests compile stay away from the user's own.

    A test that needs an empty or a broken cache sets ``CBNET_CACHE`` itself.
    """
    before = {name: os.environ.get(name) for name in ("CBNET_CACHE", "CBNET_CACHE_LIMIT")}
    os.environ["CBNET_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ.pop("CBNET_CACHE_LIMIT", None)
    yield os.environ["CBNET_CACHE"]
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    """A folder of its own, where a test can see what was left, and a pipe of 80 columns.

    Some machines that run tests ask for colours or for another width in the environment.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "TERMINAL_WIDTH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("typer.rich_utils.FORCE_TERMINAL", None)
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", None)
    return tmp_path


def pytest_collection_modifyitems(items):
    """What a long computation warns of does not end it; in all other tests it is an error."""
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.filterwarnings("default::cbnet.errors.CbnetWarning"), False)
