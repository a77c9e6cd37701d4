"""The wiki and the tracker as installed: they show what their content says, stand still, and forget at a restore."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from html import unescape

import psutil
import pytest

from turngym.envs.browser import sites
from turngym.envs.browser.sites import Instance
from turngym.envs.browser.sites.tracker import content as tracker_content
from turngym.envs.browser.sites.wiki import content as wiki_content

USER = {"wiki": "MarenHolt", "tracker": "bruno"}
PROFILE = {"wiki": "/wiki/Special:Preferences", "tracker": "/prefs"}


def ask(site: Instance, path: str, user: str | None = None, fields: dict[str, str] | None = None) -> str:
    """Return a page, or what comes of sending a form."""
    data = None if fields is None else urllib.parse.urlencode(fields).encode()
    request = urllib.request.Request(site.address + path, data)
    if user:
        request.add_header("Cookie", "; ".join(f"{it['name']}={it['value']}" for it in site.cookies(user)))
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        return str(answer.read().decode())


def hidden(page: str, marker: str) -> dict[str, str]:
    """Return the hidden fields of the form that holds ``marker``."""
    form = next(it for it in re.findall(r"<form.*?</form>", page, re.S) if marker in it)
    inputs = [it for it in re.findall(r"<input[^>]*>", form) if re.search(r"type=['\"]hidden", it)]
    found = [(re.search(r"name=['\"]([^'\"]+)", it), re.search(r"value=['\"]([^'\"]*)", it)) for it in inputs]
    return {name[1]: unescape(value[1]) if value else "" for name, value in found if name}


def edit_wiki(wiki: Instance, title: str, text: str) -> None:
    path = f"/index.php?title={title}&action=edit"
    page = ask(wiki, path, USER["wiki"])
    fields = {**hidden(page, "wpTextbox1"), "wpTextbox1": text, "wpSummary": "A remark", "wpSave": "Save"}
    ask(wiki, f"/index.php?title={title}&action=submit", USER["wiki"], fields)


def comment(tracker: Instance, number: int, text: str) -> None:
    page = ask(tracker, f"/ticket/{number}", USER["tracker"])
    fields = {**hidden(page, 'id="comment"'), "comment": text, "action": "leave", "submit": "Submit changes"}
    ask(tracker, f"/ticket/{number}", USER["tracker"], fields)


def said(page: str) -> str:
    """Return what a page says, in one line."""
    return " ".join(unescape(re.sub(r"<script.*?</script>|<[^>]+>", " ", page, flags=re.S)).split())


@pytest.fixture(scope="module")
def wikis() -> Iterator[tuple[Instance, Instance]]:
    sites.install("wiki")
    one, two = Instance("wiki"), Instance("wiki")
    yield one, two
    one.close()
    two.close()


@pytest.fixture(scope="module")
def trackers() -> Iterator[tuple[Instance, Instance]]:
    sites.install("tracker")
    one, two = Instance("tracker"), Instance("tracker")
    yield one, two
    one.close()
    two.close()


@pytest.fixture
def wiki(wikis: tuple[Instance, Instance]) -> Instance:
    wikis[0].restore()
    return wikis[0]


@pytest.fixture
def tracker(trackers: tuple[Instance, Instance]) -> Instance:
    trackers[0].restore()
    return trackers[0]


@pytest.fixture(params=["wiki", "tracker"])
def site(request: pytest.FixtureRequest) -> Instance:
    instance: Instance = request.getfixturevalue(request.param)
    return instance


def test_articles_say_what_the_rows_say(wiki: Instance) -> None:
    for article in wiki_content.articles()[::7]:
        page = said(ask(wiki, "/wiki/" + urllib.parse.quote(article.title.replace(" ", "_"))))
        for name, value in article.facts.items():
            assert f"{name} {value.replace('[[', '').replace(']]', '')}" in page


def test_tickets_say_what_the_rows_say(tracker: Instance) -> None:
    for ticket in tracker_content.tickets()[::9]:
        page = said(ask(tracker, f"/ticket/{ticket.id}"))
        assert ticket["summary"] in page
        assert f"Reported by: {ticket.reporter}".lower() in page.lower()
        assert f"Component: {ticket['component']}" in page
        assert all(change.comment in page for change in ticket.changes)


def test_an_edit_shows_at_once_everywhere_and_is_gone_after_restoring(wiki: Instance) -> None:
    edit_wiki(wiki, "Harrow", "The word is zebrafinch. [[Category:Zebrafinches]]")
    members = "/api.php?action=query&list=categorymembers&cmtitle=Category:Zebrafinches&format=json"
    seen = {
        "/wiki/Harrow": "zebrafinch",
        "/wiki/Special:RecentChanges": "A remark",
        "/index.php?title=Harrow&action=history": "A remark",
        "/index.php?search=zebrafinch&fulltext=1": "The word is",
        members: "Harrow",
    }
    for path, mark in seen.items():
        assert mark in said(ask(wiki, path))
    jobs = "/api.php?action=query&meta=siteinfo&siprop=statistics&format=json"
    assert '"jobs":0' in ask(wiki, jobs)
    wiki.restore()
    for path, mark in seen.items():
        assert mark not in said(ask(wiki, path))
    assert '"jobs":0' in ask(wiki, jobs)


def test_a_new_page_turns_the_links_to_it_blue(wiki: Instance) -> None:
    edit_wiki(wiki, "Sable", "See [[Dune grass]].")
    assert "redlink=1" in ask(wiki, "/wiki/Sable")
    edit_wiki(wiki, "Dune_grass", "It holds the sand.")
    assert 'href="/wiki/Dune_grass"' in ask(wiki, "/wiki/Sable")


def test_a_comment_shows_at_once_and_is_gone_after_restoring(tracker: Instance) -> None:
    comment(tracker, 3, "I saw a zebrafinch.")
    comment(tracker, 3, "And another one.")
    page = said(ask(tracker, "/ticket/3"))
    assert page.index("I saw a zebrafinch.") < page.index("And another one.")
    search = "/search?q=zebrafinch&noquickjump=1&ticket=on"
    assert "zebrafinch" in said(ask(tracker, "/timeline"))
    assert 'href="/ticket/3' in ask(tracker, search)
    tracker.restore()
    assert 'href="/ticket/3' not in ask(tracker, search)
    assert "zebrafinch" not in said(ask(tracker, "/ticket/3"))
    assert "zebrafinch" not in said(ask(tracker, "/timeline"))


def test_one_copy_knows_nothing_of_another(
    wikis: tuple[Instance, Instance], trackers: tuple[Instance, Instance]
) -> None:
    for copy in (*wikis, *trackers):
        copy.restore()
    edit_wiki(wikis[0], "Harrow", "Only here.")
    comment(trackers[0], 3, "Only here.")
    assert "Only here." not in ask(wikis[1], "/wiki/Harrow")
    assert "Only here." not in ask(trackers[1], "/ticket/3")


def test_whoever_is_logged_in_stays_so_after_restoring(site: Instance) -> None:
    for user in (*site.site.users, USER[site.site.name]):
        assert user.lower() in said(ask(site, PROFILE[site.site.name], user)).lower()
        site.restore()


def test_time_stands_still(wiki: Instance, tracker: Instance) -> None:
    edit_wiki(wiki, "Harrow", "Now.")
    assert "09:00, 15 January 2024" in said(ask(wiki, "/index.php?title=Harrow&action=history"))
    comment(tracker, 3, "Now.")
    assert "2024-01-15T09:00:01Z" in ask(tracker, "/ticket/3")
    year = time.strftime("%Y")
    for copy, path in ((wiki, "/wiki/Harrow"), (wiki, "/wiki/Special:RecentChanges"), (tracker, "/timeline")):
        assert year not in said(ask(copy, path))


def test_nothing_points_elsewhere_and_nothing_is_missing(site: Instance) -> None:
    page = ask(site, site.site.start)
    for link in set(re.findall(r'<(?:link|script|img)[^>]*(?:href|src)="([^"]+)"', page)):
        link = unescape(link)
        if link.startswith(("/", site.address)):
            path = link.removeprefix(site.address)
            request = urllib.request.Request(site.address + path)
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert answer.status == 200
        else:
            assert not link.startswith(("http", "//")), link


def test_php_that_dies_is_replaced(wiki: Instance) -> None:
    def php() -> list[psutil.Process]:
        return [it for it in psutil.Process().children(recursive=True) if it.name().startswith("php-cgi")]

    before = php()
    assert before
    for process in before:
        process.kill()
    _, alive = psutil.wait_procs(before, timeout=20)
    assert alive == []
    assert "Harrow" in ask(wiki, "/wiki/Harrow")
    deadline = time.monotonic() + 30
    while len(php()) < len(before) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(php()) == len(before)


OWNER = """
import sys, time
from turngym.envs.browser.sites import Instance
copies = [Instance(name) for name in sys.argv[1:]]
print("ready", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("name", ["wiki", "tracker"])
def test_no_process_outlives_an_owner_that_is_killed(name: str, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(name)  # installed
    owner = subprocess.Popen([sys.executable, "-c", OWNER, name], stdout=subprocess.PIPE)
    assert owner.stdout is not None and owner.stdout.readline() == b"ready\n"
    family = psutil.Process(owner.pid).children(recursive=True)
    assert len(family) >= (4 if name == "wiki" else 2)
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []
