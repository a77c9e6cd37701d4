"""The report: self-contained, tolerant of what a run lacks, and safe whatever a recording says."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import threading
from dataclasses import replace as changed
from html.parser import HTMLParser
from io import BytesIO
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image

from turngym.agents.episodes.store import EpisodeStore
from turngym.agents.episodes.strips import strip, words_of
from turngym.agents.episodes.view import PER_PAGE, export, serve
from turngym.envs.types import BadInput, Element, StopReason, Task, Tokens, Turn


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TAGS = words(
    """html head meta title style body main header h1 h2 h3 p section div span strong code pre details summary article
    figure figcaption img svg rect line circle polyline text form select option input output footer script nav a"""
)
ATTRIBUTES = words(
    """lang charset http-equiv content name class src alt width height loading tabindex type placeholder value selected
    href role aria-label aria-hidden viewbox x y x1 y1 x2 y2 cx cy r points text-anchor
    data-phase data-result data-words data-live"""
)


class Page(HTMLParser):
    """What a browser would find on a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self._in = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._in = tag

    def handle_endtag(self, tag):
        self._in = ""

    def handle_data(self, data):
        (self.scripts if self._in == "script" else self.words).append(data)

    @property
    def text(self) -> str:
        return "\n".join(self.words)

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        return [a for t, a in self.elements if t == tag and attributes.items() <= a.items()]


def assert_safe(text: str) -> Page:
    """The page loads nothing, and nothing on it was made by a recording."""
    page = Page(text)
    assert {tag for tag, _ in page.elements} <= TAGS
    assert {name for _, attributes in page.elements for name in attributes} <= ATTRIBUTES
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.all("img"))
    assert all(link["href"].startswith("/") for link in page.all("a"))
    [policy] = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    [script] = page.scripts
    assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    return page


@pytest.fixture
def run(tmp_path, make):
    """The folder of a small training run."""
    folder = tmp_path / "quickstart-1"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "run.yaml").write_text("name: quickstart\nabout: It learns to click.\ntrain: {steps: 4}\n")
    rows = [{"phase": "warm_start", "step": n, "loss": 1 / n, "success": n / 10} for n in range(1, 5)]
    rows += [
        {"phase": "train", "step": n, "success": n / 8, "entropy": 2.0 - n / 4, "seconds": 1.5} for n in range(1, 5)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    summary = {"success_before": 0.25, "ci95_before": [0.1, 0.4], "success_after": 0.75, "ci95_after": [0.6, 0.9],
               "steps": 4, "episodes": 12_800, "wall_s": 372.0}  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(summary))

    def at(phase, seed, success, **fields):
        task = Task("click-color", seed, "Press it.")
        return make(f"{phase}-{seed}", task=task, phase=phase, success=success, **fields)

    with EpisodeStore(folder, "a") as store:
        for seed, (early, late) in enumerate([(False, True), (True, True), (True, False), (False, False)]):
            store.add([at("before", seed, early), at("after", seed, late, step=4)])
        store.add([at("train", 50 + n, n % 2 == 0, step=n) for n in range(20)])
        store.add([at("warm_start", 80, True), at("warm_start", 81, True)])
    return folder


def show(folder) -> Page:
    return assert_safe(export(folder, folder / "report.html").read_text("utf-8"))


def test_a_training_run(run):
    page = show(run)
    for part in ("quickstart", "It learns to click.", "25% → 75%", "+50", "12,800", "6m 12s", "10–40% of 4",
                  "Learning curve", "before 25%", "after 75%", "entropy", "warm start loss",
                  "The same held-out seeds: 1 learned, 1 kept, 1 lost, 1 still failing.",
                  "learned · seed 0", "still failing · seed 3", "During training", "train: {steps: 4}"):  # fmt: skip
        assert part in page.text, part
    assert "seconds" not in page.text, "what never changes is no curve"
    ids = [article["data-words"].split()[0] for article in page.all("article")]
    assert ids[:8] == [f"{phase}-{seed}" for seed in range(4) for phase in ("before", "after")]
    assert ids[8:16] == [f"train-{50 + n}" for n in (0, 3, 5, 8, 11, 14, 16, 19)]
    assert ids[16:] == ["warm_start-80", "warm_start-81"]
    assert len(page.all("option", value="train")) == 1


def test_several_tasks_have_their_success_each(run, make):
    assert "Success by task" not in show(run).text, "of one task there is nothing to tell apart"
    with EpisodeStore(run, "a") as store:
        for phase, success in (("before", False), ("after", True)):
            task = Task("enter-text", 7, "Enter it.")
            store.add([make(f"{phase}-text", task=task, phase=phase, success=success)])
    text = show(run).text
    assert "Success by task" in text
    for part in ("0% → 100%", "enter-text", "50% → 50%", "click-color"):
        assert part in text, part


def test_tasks_that_are_numbers_are_in_their_order(run, make):
    with EpisodeStore(run, "a") as store:
        for name in ("10", "9", "100"):
            store.add([make(f"eval-{name}", task=Task(name, 7, "Press it."), phase="eval")])
    labels = [label for label in show(run).words if label in ("9", "10", "100")]
    assert labels[:3] == ["9", "10", "100"]


def test_the_database_file_names_the_run_too(run, tmp_path):
    assert "It learns to click." in export(run / "episodes.db", tmp_path / "new" / "r.html").read_text()


def test_a_folder_with_episodes_only(tmp_path, make):
    broke = {"stop_reason": StopReason.INFRA_ERROR, "infra_error": {"kind": "browser_died", "message": "gone"}}
    folder = tmp_path / "random-8"
    folder.mkdir()
    with EpisodeStore(folder, "a") as store:
        store.add([make(f"p{n}", phase="play", success=n < 30) for n in range(40)])
        store.add([make("x", phase="play", success=False, final=None, **broke)])
    page = show(folder)
    assert "random-8" in page.text
    assert "75%" in page.text
    assert "60–86% of 40" in page.text  # Wilson; the broken one is no part of it.
    assert "1 ended by a failure of ours" in page.text
    assert "browser_died: gone" in page.text
    assert len(page.all("article")) == 16 + 1
    assert "Learning curve" not in page.text


def test_an_empty_store(tmp_path):
    EpisodeStore(tmp_path / "episodes.db", "a").close()
    assert "episodes" in show(tmp_path).text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("summary.json", "{"),
        ("summary.json", "[1, 2]"),
        ("summary.json", '{"success_before": "<b>", "ci95_before": [1], "ci95_after": [null, "x"], "wall_s": NaN}'),
        ("summary.json", '{"success_before": 1e999, "episodes": true, "steps": [], "success_after": 0.5}'),
        ("metrics.jsonl", '{"phase": "train", "step": 1, "success": 0.5}\n{"phase": "tr'),
        ("metrics.jsonl", '[]\n7\nnull\n{"phase": ["a"], "step": "x", "loss": NaN}\n{"loss": 1}\n{"loss": 2}\n'),
        ("metrics.jsonl", '{"phase": "train", "loss": 1e400, "x": 1e308}\n{"phase": "train", "x": -1e308}\n'),
        ("run.yaml", "name: [a\n"),
        ("run.yaml", "- name\n"),
        ("run.yaml", "name: 7\nabout: {a: b}\nscenario: {name: inner}\n"),
        ("run.yaml", "!!python/object/apply:os.system ['false']\n"),
    ],
)
def test_other_files_may_be_odd(run, name, content):
    (run / name).write_text(content)
    assert len(show(run).all("article")) == 18


def test_unreadable_lines_of_metrics_are_told(run):
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"phase": "tra')
    assert "1 unreadable lines of metrics.jsonl were left out." in show(run).text


def test_a_resumed_runs_last_word_on_a_step_counts(run):
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"phase": "train", "step": 4, "entropy": 7.25}\n')
    assert "7.25" in show(run).text


def test_no_run(tmp_path, run):
    with pytest.raises(BadInput, match="no such episode store"):
        export(tmp_path / "nowhere", tmp_path / "r.html")
    with pytest.raises(BadInput, match="no such episode store"):
        serve(tmp_path / "nowhere")
    with pytest.raises(BadInput, match=r"quickstart-1: cannot be written: Is a directory"):
        export(run, run)


# What is drawn ------------------------------------------------------------------------------------------------------


def drawn(make, call, image=None, **fields) -> Page:
    episode = make("e")
    seen = {"text": "Press it.", "images": (np.zeros((50, 100, 3), np.uint8) if image is None else image,)}
    turn = changed(episode.turns[0], observation=seen, call=call, **fields)
    return Page(strip(changed(episode, turns=(turn,)), max_side=800))


def test_a_click_is_a_ring_where_it_was(make):
    page = drawn(make, {"name": "click", "arguments": {"x": 20, "y": 30}})
    assert {(c["cx"], c["cy"]) for c in page.all("circle")} == {("20.5", "30.5")}
    assert page.all("svg", viewbox="0 0 100 50")
    assert "click(x=20, y=30)" in page.text
    double = drawn(make, {"name": "double_click", "arguments": {"x": 20, "y": 30}})
    assert len(double.all("circle")) == len(page.all("circle")) + 2


def test_a_drag_and_a_scroll_are_arrows(make):
    drag = drawn(make, {"name": "drag", "arguments": {"x": 10, "y": 10, "to_x": 90, "to_y": 40}})
    assert drag.all("line", x1="10.5", y1="10.5", x2="90.5", y2="40.5")
    scroll = drawn(make, {"name": "scroll", "arguments": {"x": 50, "y": 20, "dx": 0, "dy": 99}})
    assert scroll.all("line", x1="50.5", y1="20.5", x2="50.5", y2="36.5")


def test_text_and_keys_are_captions(make):
    assert "type hello" in drawn(make, {"name": "type", "arguments": {"text": "hello"}}).text
    assert "press Enter" in drawn(make, {"name": "press", "arguments": {"key": "Enter"}}).text


@pytest.mark.parametrize("x", [-1, 101, 1e300, float("nan"), 10**400, "20", None, [1], True])
def test_a_point_that_is_none_draws_nothing(make, x):
    page = drawn(make, {"name": "click", "arguments": {"x": x, "y": 5}})
    assert not page.all("svg")
    assert "click(" in page.text


def test_small_pictures_are_enlarged_whole_and_large_ones_reduced(make):
    call = {"name": "wait", "arguments": {}}
    noise = np.random.default_rng(0).integers(0, 256, (112, 84, 3), np.uint8)
    [shown, _] = drawn(make, call, noise).all("img")
    assert (shown["width"], shown["height"], shown["class"]) == ("168", "224", "crisp")
    assert (picture(shown) == noise).all()
    [large, _] = drawn(make, call, np.zeros((1000, 2000, 3), np.uint8)).all("img")
    assert picture(large).shape == (400, 800, 3)
    assert (large["width"], large["height"], large.get("class")) == ("464", "232", None)


def picture(image) -> np.ndarray:
    with Image.open(BytesIO(base64.b64decode(image["src"].split(",")[1]))) as file:
        return np.array(file)


def test_pictures_may_be_missing_empty_or_many(make):
    images = (np.zeros((5, 5, 3), np.uint8), np.zeros((0, 4, 3), np.uint8), np.zeros((9, 9, 3), np.uint8))
    page = drawn(make, {"name": "click", "arguments": {"x": 1, "y": 1}})
    episode = make("e", final={"text": "only words", "images": ()})
    turn = changed(episode.turns[0], observation={"text": "Press it.\nthe result", "images": images})
    page = Page(strip(changed(episode, turns=(turn,))))
    assert len(page.all("img")) == 2
    for part in ("empty picture", "the result", "only words", "there"):
        assert part in page.text


def test_a_long_text_is_folded_and_one_without_a_picture_is_there_once(make):
    episode = make("e")
    observed = {**episode.turns[0].observation, "text": "Press it.\n" + "so much " * 500}
    page = Page(strip(changed(episode, turns=(changed(episode.turns[0], observation=observed),))))
    assert "text · 3,999 characters" in page.text
    assert page.text.count("so much so much") > 0
    words_alone = {"text": "Press it.\n" + "only words " * 500, "images": ()}
    page = Page(strip(changed(episode, turns=(changed(episode.turns[0], observation=words_alone),))))
    assert page.text.count("only words") == 500
    assert "characters" not in page.text


def test_two_turns_fit_beside_two_others_and_more_do_not(make):
    episode = make("e")
    classes = [Page(strip(changed(episode, turns=episode.turns * n))).all("article")[0]["class"] for n in (1, 2, 3)]
    assert classes == ["episode", "episode wide", "episode wide long"]


def test_what_was_said_and_refused(make):
    episode = make("e")
    tokens = Tokens((1,), (), (5, 6), (-0.5, -1.5))
    turn = changed(episode.turns[0], error="nothing is focused", tokens=tokens, reward=-0.5)
    page = Page(strip(changed(episode, turns=(turn,))))
    for part in ("there", "<think>there</think> click", "nothing is focused", "-0.5", "2 tokens", "mean log-prob -1"):
        assert part in page.text


def test_long_episodes_lose_their_middle_in_a_file_only(make):
    episode = make("e")
    episode = changed(episode, turns=episode.turns * 20)
    assert len(Page(strip(episode)).all("figure")) == 20 + 1
    page = Page(strip(episode, max_turns=5))
    assert len(page.all("figure")) == 5 + 1
    assert re.findall(r"turn \d+|\d+ more turns", page.text) == [
        "turn 1", "turn 2", "15 more turns", "turn 18", "turn 19", "turn 20"
    ]  # fmt: skip


def test_a_call_in_words():
    assert (
        words_of({"name": "type", "arguments": {"text": 'a "b"', "n": [1, None]}})
        == 'type(text="a \\"b\\"", n=[1, null])'
    )
    assert words_of({"name": "", "arguments": {"error": "no call"}}) == "no call"


# What a recording must not do ---------------------------------------------------------------------------------------

POISON = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&lt;b&gt;</style></title></textarea><!--\x00\ud800"


def poisoned(make):
    """An episode with markup in every field that holds text."""

    def bad(where: str) -> str:
        return f"{where}{POISON}{where}"

    image = np.zeros((4, 4, 3), np.uint8)
    seen = {"text": bad("text"), "images": (image,)}
    arguments = {bad("key"): bad("value"), "x": 1, "y": 2, "text": bad("typed")}
    call = {"name": bad("tool"), "arguments": arguments}
    turn = Turn(seen, bad("<think>why") + "</think>", call, 1.0, {bad("signal"): 1.0}, bad("error"),
                tokens=Tokens((), (), (1,), (0.0,)),
                elements=(Element(bad("role"), bad("name"), 0, 0, 1, 1),))  # fmt: skip
    quiet = changed(turn, error=None, call={"name": "", "arguments": {}})
    return make(
        "id" + POISON.replace("\ud800", ""), env_id="env<b>", task=Task("task<script>", 1, bad("instruction")),
        turns=(turn, quiet, turn), final=seen, stop_reason=StopReason.INFRA_ERROR, phase="phase<script>",
        infra_error={"kind": bad("kind"), "message": bad("message")}, policy=bad("policy").replace("\ud800", ""),
        group="group<script>", env_kwargs={bad("k"): bad("v")}, state={bad("k"): bad("v")},
    )  # fmt: skip


def poison_run(folder, make):
    folder.mkdir()
    with EpisodeStore(folder, "a") as store:
        episode = poisoned(make)
        phases = ("phase<script>", "before", "after", "train", "play")
        store.add([changed(episode, id=episode.id + phase, phase=phase) for phase in phases])
        for phase in ("before", "after"):
            store.add([changed(episode, id=phase, phase=phase, stop_reason=StopReason.FAILURE)])
    clean = POISON.replace("\ud800", "").replace("\x00", "")
    (folder / "run.yaml").write_text(json.dumps({"name": "name" + clean, "about": "about" + clean}))
    rows = [
        {"phase": phase, "step": n, "metric" + clean: n, "text": clean} for phase in ("train", clean) for n in (1, 2)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "summary.json").write_text(json.dumps({"success_before": clean, "steps": clean, "wall_s": clean}))


def test_markup_in_a_recording_is_shown_as_text(tmp_path, make):
    poison_run(tmp_path / "run", make)
    page = show(tmp_path / "run")
    for field in ("text", "why", "tool", "key", "value", "typed", "signal", "error", "instruction", "kind", "message",
                  "policy", "id", "name", "about", "metric"):  # fmt: skip
        assert f"{field}<script>alert(1)</script>" in page.text, field
    assert "task<script>" in page.text


def fetch(url: str, path: str = "/", host: str | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", int(url.rsplit(":", 1)[1].strip("/")))
    connection.request("GET", path, headers={} if host is None else {"Host": host})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


@pytest.fixture
def served(run, tmp_path, make):
    """``served(folder)`` serves a run until the test is over and returns its address."""
    servers = []

    def start(folder) -> str:
        url, server = serve(folder)
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        servers.append(server)
        return url

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_server_shows_every_episode_page_by_page(served, tmp_path, make):
    folder = tmp_path / "long"
    folder.mkdir()
    with EpisodeStore(folder, "a") as store:
        store.add([make(f"e{n}", phase="play", success=n % 2 == 0) for n in range(2 * PER_PAGE + 5)])
        url = served(folder)
        found = []
        for number in (1, 2, 3):
            status, text = fetch(url, f"/?page={number}")
            assert status == 200
            page = assert_safe(text)
            assert f"{2 * PER_PAGE + 5} episodes, page {number} of 3" in page.text
            found += [article["data-words"].split()[0] for article in page.all("article")]
        assert found == [f"e{n}" for n in range(2 * PER_PAGE + 5)]
        assert "page 3 of 3" in fetch(url, "/?page=99")[1]
        assert "page 1 of 3" in fetch(url, "/?page=-1e9")[1]
        assert "26 episodes, page 1 of 2" in fetch(url, "/?result=failure&phase=play")[1]
        assert [a["data-words"].split()[0] for a in Page(fetch(url, "/?search=e44")[1]).all("article")] == ["e44"]
        assert "0 episodes" in fetch(url, "/?phase=nowhere")[1]
        store.add([make("new")])  # A run that is still going.
        assert f"{2 * PER_PAGE + 6} episodes" in fetch(url)[1]


def test_links_keep_the_filter(served, tmp_path, make):
    with EpisodeStore(tmp_path / "episodes.db", "a") as store:
        store.add([make(f"e&{n}", phase="play") for n in range(3 * PER_PAGE)])
    text = fetch(served(tmp_path), "/?" + urlencode({"phase": "play", "search": "e&", "page": "2"}))[1]
    page = assert_safe(text)
    links = [link["href"] for link in page.all("a")]
    assert links == ["/", *(f"/?phase=play&search=e%26&page={number}" for number in (1, 1, 3, 3))]
    assert "selected" in page.all("option", value="play")[0]
    assert page.all("input", name="search", value="e&")


def test_the_server_answers_only_its_own_names_and_its_own_page(served, run):
    url = served(run)
    assert url.startswith("http://127.0.0.1:")
    assert fetch(url)[0] == 200
    assert fetch(url, host=url.removeprefix("http://").strip("/").replace("127.0.0.1", "localhost"))[0] == 200
    assert fetch(url, host="evil.example")[0] == 403
    assert fetch(url, "/../../etc/passwd")[0] == 404
    assert fetch(url, "/episodes.db")[0] == 404


def test_markup_in_a_recording_or_a_query_is_served_as_text(served, tmp_path, make):
    poison_run(tmp_path / "run", make)
    url = served(tmp_path / "run")
    assert "<script>alert(1)</script>" in assert_safe(fetch(url)[1]).text
    query = urlencode({"phase": "phase<script>", "search": '"><script>', "page": "<b>", "result": "'"})
    assert_safe(fetch(url, "/?" + query)[1])


def test_a_run_that_turns_bad_is_told_in_a_line(served, run):
    url = served(run)
    for path in run.glob("episodes.db*"):
        path.write_bytes(b"no database" * 100)
    status, text = fetch(url)
    assert status == 500
    assert "episodes.db" in text
    assert "\n" not in text


def test_a_port_that_is_taken(served, run):
    port = int(served(run).rsplit(":", 1)[1].strip("/"))
    with pytest.raises(BadInput, match=f"port {port}: Address already in use"):
        serve(run, port)


def test_assets_hold_no_address_of_another_machine(run):
    text = export(run, run / "r.html").read_text()
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"data:[^\"]*", "", text))


@pytest.mark.browser
def test_in_a_browser_nothing_runs_but_the_filter(tmp_path, make):
    from playwright.sync_api import sync_playwright

    from turngym.envs.browser.chromium import find

    poison_run(tmp_path / "run", make)
    file = export(tmp_path / "run", tmp_path / "r.html")
    trouble: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.on("dialog", lambda dialog: (trouble.append(dialog.message), dialog.dismiss()))
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("request", lambda request: trouble.append(request.url) if request.url[:5] != "data:" else None)
        page.goto(file.as_uri())
        count = page.locator("article:visible").count()
        page.select_option("select[name=phase]", "before")
        shown = page.locator("article:visible").count()
        page.locator("article:visible .frame").first.click()
        enlarged = page.locator("dialog[open] img").count()
        width = page.evaluate("document.documentElement.scrollWidth")
        browser.close()
    assert trouble == [file.as_uri()]
    assert (count, shown, enlarged) == (8, 1, 1)
    assert width == 390
