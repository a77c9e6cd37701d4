"""The smallest site, in ``notes/``, installed once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from turngym.envs.browser import sites
from turngym.envs.browser.sites import Login, Site

NOTES = Site(
    name="notes",
    title="Notes",
    placeholder="__NOTES__",
    start="/",
    users={"ann": "right", "bea": "right"},
    login=Login("/login", "user", "word"),
    within=Path(__file__).parent,
)


@pytest.fixture(scope="session")
def installed_notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for sites, with the notes installed."""
    home = tmp_path_factory.mktemp("sites")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TURNGYM_SITES", str(home))
        assert sites.install(NOTES)
    return home


@pytest.fixture
def home(installed_notes: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that holds the installed notes, in use."""
    monkeypatch.setenv("TURNGYM_SITES", str(installed_notes))
    return installed_notes


@pytest.fixture(scope="session")
def installed_sites() -> None:
    """All sites that ship, installed where the user has them."""
    for name in sites.SITES:
        sites.install(name)
