"""WebSiteEnv on a small site of the tests' own, by a task file: what tasks, tools and faults come to."""

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import gymnasium as gym
import pytest

from turngym.envs import BadInput, InfraError
from turngym.envs.browser import tabs, website
from turngym.envs.browser.website import WebSiteEnv

pytestmark = pytest.mark.browser

HOME = """<!doctype html><title>Home</title><body style='margin:0;height:2000px'>
<h1>Lamps</h1><a href=/lamp>Green lamp</a> <a href='/out'>Elsewhere</a> <a href=/file>Prices</a>
<a href=/lamp target=_blank>In a tab</a> <button onclick="alert('Sold out'); document.title = 'said'">Ask</button>
<form action=/find><input name=q aria-label=Search></form>
<select onchange="document.body.dataset.sort = this.value"><option>Name<option>Price</select>
<p id=late></p><script>
  setTimeout(() => fetch('/late').then((answer) => answer.text()).then((text) => { late.innerText = text; }), 400);
</script>"""


class Shop(BaseHTTPRequestHandler):
    """A shop with one lamp."""

    def do_GET(self):
        at = urlsplit(self.path)
        match at.path:
            case "/":
                self._say(HOME)
            case "/lamp":
                self._say(f"<title>Lamp</title><h1>Green lamp</h1><p id=price>$12.50</p>{self.headers.get('cookie')}")
            case "/late":
                self._say("New: a red lamp")
            case "/find":
                self._say(f"<p>Found {parse_qs(at.query).get('q', [''])[0]}")
            case "/out":
                self.send_response(302)
                self.send_header("location", "http://example.com/offer")
                self.end_headers()
            case "/file":
                self._say("1", ("content-disposition", "attachment; filename=prices.csv"))
            case "/loop":
                self._say("<button onclick='for (;;);' style='width:300px;height:300px'>loop</button>")
            case "/long":
                self._say("".join(f"<button>{number}</button>" for number in range(20000)))
            case "/endless":
                self._say("<p>so far</p><img src=/never>")
            case "/nothing":
                self.send_response(204)
                self.end_headers()
            case "/circle":
                self.send_response(302)
                self.send_header("location", "/circle")
                self.end_headers()
            case "/slow":
                self.send_response(200)
                self.send_header("content-length", "5")
                self.end_headers()
                self.wfile.flush()
                time.sleep(0.4)
                self.wfile.write(b"later")
            case "/written":
                self._say(
                    "<p id=o></p><p id=t></p><a href=/circle>round</a> <a href=mailto:a@b.c target=_blank>mail</a>"
                    "<script>alert('hi'); setTimeout(() => { o.innerText = 'in time'; }, 100);"
                    "fetch('/slow').then((got) => got.text()).then((text) => { t.innerText = text; });</script>"
                )
            case "/soon":
                self._say("<p>soon</p><script>setTimeout(() => { location = '/lamp'; }, 500);</script>")
            case "/broken":
                self.send_error(503)
            case "/never":
                self.server.over.wait(60)
            case _:
                self.send_error(404)

    def _say(self, body, *headers):
        self.send_response(200)
        for name, value in (("content-type", "text/html"), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def shop():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    server.daemon_threads = True
    server.block_on_close = False
    server.over = threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.over.set()
    server.shutdown()
    server.server_close()


def row(number, **changes):
    answers = {"exact_match": "$12.50"}
    scored = {"eval_types": ["string_match"], "reference_answers": answers, "reference_url": "", "program_html": []}
    return {
        "sites": ["shopping"], "task_id": number, "require_login": False, "storage_state": None,
        "start_url": "__SHOPPING__/", "geolocation": None, "intent_template": "", "instantiation_dict": {},
        "intent": "What does the green lamp cost?", "intent_template_id": 0, "require_reset": False, "eval": scored,
    } | changes  # fmt: skip


@pytest.fixture
def make(shop, tmp_path):
    made = []

    def make(*rows, **kwargs):
        file = tmp_path / "tasks.json"
        file.write_text(json.dumps(list(rows) or [row(1)]))
        keywords = {"task_file": str(file), "observation": "html", "addresses": {"__SHOPPING__": shop}} | kwargs
        made.append(WebSiteEnv(**keywords))
        return made[-1]

    yield make
    for env in made:
        env.close()


def call(name, **arguments):
    return {"name": name, "arguments": arguments}


def number_of(env, words):
    """The number of the element whose line holds these words."""
    marks = env._sight.readings[env._sight.kinds[-1]].marks
    return next(mark.id for mark in marks if words in mark.name)


@pytest.mark.parametrize("backend", ["devtools", "playwright"])
def test_a_task_is_done_by_number_and_scored(make, backend):
    env = make(backend=backend)
    observation, info = env.reset(seed=0)
    assert info["instruction"] == "What does the green lamp cost?"
    assert observation["images"] == ()
    assert "Green lamp" in observation["text"]
    observation, *_, info = env.step(call("click_element", element=number_of(env, "Green lamp")))
    assert info["error"] is None
    assert "$12.50" in observation["text"]
    _, reward, terminated, truncated, info = env.step(call("answer", text="$12.50"))
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert info["stop_reason"] == "success"
    assert info["signals"] == {"success": 1.0, "score": 1.0, "string_match.exact_match": 1.0}


def test_a_wrong_answer_is_a_failure_and_no_answer_is_a_truncation(make):
    env = make(max_turns=2)
    env.reset(seed=0)
    _, reward, terminated, _, info = env.step(call("answer", text="$1"))
    assert (reward, terminated, info["stop_reason"]) == (0.0, True, "failure")
    env.reset(seed=0)
    env.step(call("wait"))
    _, reward, terminated, truncated, info = env.step(call("wait"))
    assert (reward, terminated, truncated, info["stop_reason"]) == (0.0, False, True, "turn_limit")


def test_what_scripts_fetch_later_is_there_and_time_is_the_pages_own(make):
    env = make(observation=["screenshot", "axtree"])
    first, _ = env.reset(seed=0)
    assert "New: a red lamp" in first["text"]
    again, _ = env.reset(seed=1)
    assert first["text"] == again["text"]
    assert (first["images"][0] == again["images"][0]).all()
    assert first["images"][0].shape == (720, 1280, 3)


def test_forms_lists_and_history(make, shop):
    env = make(observation="dom")
    env.reset(seed=0)
    observation, *_ = env.step(call("fill_element", element=number_of(env, "Search"), text="lamps & oars", enter=True))
    assert "Found lamps &amp; oars" in observation["text"] or "Found lamps & oars" in observation["text"]
    observation, *_, info = env.step(call("back"))
    assert (info["error"], f"{shop}/\n" in observation["text"] + "\n") == (None, True)
    observation, *_, info = env.step(call("forward"))
    assert "Found" in observation["text"]
    *_, info = env.step(call("forward"))
    assert info["error"] == "there is no page to go forward to"
    env.step(call("back"))
    *_, info = env.step(call("back"))
    assert info["error"] == "there is no page to go back to"


def test_tabs(make, shop):
    env = make(row(1, start_url="__SHOPPING__/ |AND| __SHOPPING__/lamp"))
    observation, _ = env.reset(seed=0)
    assert f"Page: {shop}/ (tab 0)\nTab 1: {shop}/lamp\n" in observation["text"]
    observation, *_ = env.step(call("switch_tab", tab=1))
    assert "$12.50" in observation["text"]
    *_, info = env.step(call("switch_tab", tab=2))
    assert info["error"] == "there is no tab 2: there are 2, counted from 0"
    env.step(call("switch_tab", tab=0))
    observation, *_ = env.step(call("click_element", element=number_of(env, "In a tab")))
    assert f"Page: {shop}/lamp (tab 2)" in observation["text"]
    observation, *_ = env.step(call("close_tab", tab=2))
    observation, *_ = env.step(call("close_tab", tab=0))
    assert f"Page: {shop}/lamp\n" in observation["text"]
    *_, info = env.step(call("close_tab", tab=0))
    assert info["error"] == "the last tab stays open"
    env.step(call("new_tab"))
    observation, *_ = env.step(call("goto", url=f"{shop}/"))
    assert "Lamps" in observation["text"]


@pytest.mark.parametrize("backend", ["devtools", "playwright"])
def test_leaving_the_sites_is_an_error_that_the_agent_sees(make, shop, backend):
    env = make(backend=backend)
    before, _ = env.reset(seed=0)
    observation, *_, info = env.step(call("goto", url="http://example.com/"))
    assert info["error"] == f"http://example.com/ is outside the allowed sites: {shop}"
    assert observation["text"].startswith(before["text"])
    *_, info = env.step(call("goto", url="file:///etc/passwd"))
    assert info["error"] == "'file:///etc/passwd' is no address of a web page"
    *_, info = env.step(call("goto", url="http://[/"))
    assert info["error"] == "'http://[/' is no address"
    *_, info = env.step(call("goto", url="http://a:b c/"))
    assert info["error"].startswith("http://a:b c/ is outside the allowed sites")
    for away in (call("click_element", element=number_of(env, "Elsewhere")), call("goto", url=f"{shop}/out")):
        observation, *_, info = env.step(away)
        assert info["infra_error"] is None
        assert "Error: http://example.com/offer is outside the allowed sites; the page stays." in observation["text"]
        assert f"Page: {shop}/\n" in observation["text"]


@pytest.mark.parametrize("backend", ["devtools", "playwright"])
def test_a_page_that_leaves_by_itself_is_followed(make, shop, backend):
    env = make(backend=backend)
    env.reset(seed=0)
    observation, *_, info = env.step(call("goto", url=f"{shop}/soon"))
    assert info["infra_error"] is None
    assert "Green lamp" in observation["text"]
    assert f"Page: {shop}/lamp\n" in observation["text"]


@pytest.mark.parametrize("backend", ["devtools", "playwright"])
def test_what_cannot_be_shown_is_told_and_no_failure_of_ours(make, shop, backend):
    env = make(row(1, start_url="__SHOPPING__/written"), backend=backend)
    env.reset(seed=0)
    for path in ("/nothing", "/circle"):
        observation, *_, info = env.step(call("goto", url=shop + path))
        assert info["infra_error"] is None
        assert f"Error: this could not be shown: {shop}{path}" in observation["text"]
    env.reset(seed=0)
    observation, *_, info = env.step(call("click_element", element=number_of(env, "mail")))
    assert info["infra_error"] is None
    observation, *_, info = env.step(call("click_element", element=number_of(env, "round")))
    assert (info["infra_error"], f"could not be shown: {shop}/circle" in observation["text"]) == (None, True)


def test_a_step_waits_for_whole_answers(make):
    env = make(row(1, start_url="__SHOPPING__/written"))
    observation, _ = env.reset(seed=0)
    assert "later" in observation["text"]


def test_evaluators_wait_as_a_step_does_and_do_not_mind_dialogs(make):
    look = {"url": "__SHOPPING__/written", "locator": "document.querySelector('#o').innerText",
            "required_contents": {"exact_match": "in time"}}  # fmt: skip
    scored = {"eval_types": ["program_html"], "reference_answers": None, "reference_url": "", "program_html": [look]}
    env = make(row(1, eval=scored))
    env.reset(seed=0)
    assert env.step(call("answer", text="done"))[1] == 1.0


def test_a_task_that_could_not_be_begun_or_judged_is_refused_at_once(make):
    env = make(row(3, start_url="http://example.com/"))
    with pytest.raises(
        BadInput, match=r"tasks.json: task 3: start_url: http://example.com/ is at none of the addresses"
    ):
        env.reset(seed=0)
    scored = {
        "eval_types": ["url_match"],
        "reference_answers": None,
        "reference_url": "__REDDIT__/f",
        "program_html": [],
    }
    env = make(row(4, eval=scored))
    with pytest.raises(BadInput, match=r"tasks.json: task 4: eval.reference_url: .*__REDDIT__"):
        env.reset(seed=0)
    env = make(row(6, geolocation={"latitude": 1.0, "longitude": 2.0}))
    with pytest.raises(BadInput, match=r"tasks.json: task 6: geolocation: expected null"):
        env.reset(seed=0)
    env = make(row(8, require_reset=True))
    with pytest.raises(BadInput, match=r"tasks.json: task 8: require_reset: expected false"):
        env.reset(seed=0)
    for steps, wrong in (
        ([{"click": "#a"}, {"clik": "#b"}], r"\[1\]: expected one of goto \(str\).*clik"),
        ({}, ": expected a list"),
    ):
        with pytest.raises(BadInput, match=rf"tasks.json: task 7: oracle{wrong}"):
            make(row(7, oracle=steps)).reset(seed=0)
    env = make(row(5, start_url=" |AND| ".join(["__SHOPPING__/"] * 9)))
    with pytest.raises(BadInput, match=r"tasks.json: task 5: start_url: there are 9 pages, and at most 8 tabs"):
        env.reset(seed=0)


def test_there_is_no_way_past_the_proxy(make):
    env = make()
    env.reset(seed=0)
    assert env._tabs.page.evaluate("typeof RTCPeerConnection + typeof webkitRTCPeerConnection") == "undefinedundefined"


def test_downloads_and_dialogs_are_told(make):
    env = make()
    env.reset(seed=0)
    observation, *_ = env.step(call("click_element", element=number_of(env, "Prices")))
    assert "Error: the page offered a file, prices.csv; downloads are refused." in observation["text"]
    observation, *_ = env.step(call("click_element", element=number_of(env, "Ask")))
    assert "The page said: Sold out" in observation["text"]


def test_a_page_that_never_stops_loading_is_told_and_a_long_one_is_cut(make, shop, monkeypatch):
    monkeypatch.setattr("turngym.envs.browser.devtools_page.LOAD_SECONDS", 0.5)
    monkeypatch.setattr(tabs, "LOAD_SECONDS", 0.5)
    env = make(observation="dom")
    env.reset(seed=0)
    observation, *_ = env.step(call("goto", url=f"{shop}/endless"))
    assert "so far" in observation["text"]
    assert "The page was stopped while it was still loading" in observation["text"]
    observation, *_ = env.step(call("goto", url=f"{shop}/long"))
    assert "characters are left out" in observation["text"]
    assert len(observation["text"]) < 50_000


def test_a_page_that_crashes_or_hangs_is_our_failure_and_the_next_episode_is_sound(make, shop, monkeypatch):
    monkeypatch.setenv("TURNGYM_BROWSER_TIMEOUT", "3")
    env = make(backend="devtools")
    env.reset(seed=0)
    env._tabs.page._browser.post("Page.crash", {}, env._tabs.page._session)
    _, reward, terminated, truncated, info = env.step(call("wait"))
    assert (reward, terminated, truncated, info["stop_reason"]) == (0.0, False, True, "infra_error")
    assert info["infra_error"]["kind"] == "browser_died"
    env.reset(seed=0)
    env.step(call("goto", url=f"{shop}/loop"))
    *_, truncated, info = env.step(call("click_element", element=number_of(env, "loop")))
    assert (truncated, info["infra_error"]["kind"]) == (True, "browser_hung")
    with pytest.raises(gym.error.ResetNeeded):
        env.step(call("wait"))
    observation, _ = env.reset(seed=0)
    assert "Lamps" in observation["text"]


def test_a_site_that_is_down_is_our_failure(make):
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        env = make(addresses={"__SHOPPING__": f"http://127.0.0.1:{taken.getsockname()[1]}"})
        with pytest.raises(InfraError, match=r"^site_down: .*ERR_CONNECTION_REFUSED"):
            env.reset(seed=0)


def looking_at(path, text):
    look = {"url": path, "locator": "document.body.innerText", "required_contents": {"must_include": [text]}}
    return {"eval_types": ["program_html"], "reference_answers": None, "reference_url": "", "program_html": [look]}


@pytest.mark.parametrize(("path", "why"), [("broken", "HTTP 503"), ("endless", "slow")])
def test_a_page_that_cannot_be_judged_is_our_failure(make, monkeypatch, path, why):
    monkeypatch.setattr("turngym.envs.browser.devtools_page.LOAD_SECONDS", 0.5)
    monkeypatch.setattr(tabs, "LOAD_SECONDS", 0.5)
    env = make(row(1, eval=looking_at(f"__SHOPPING__/{path}", "lamp")))
    env.reset(seed=0)
    _, reward, terminated, truncated, info = env.step(call("answer", text="done"))
    assert (reward, terminated, truncated, info["stop_reason"]) == (0.0, False, True, "infra_error")
    assert why in info["infra_error"]["message"]


def test_a_start_page_with_a_servers_error_is_our_failure(make):
    env = make(row(1, start_url="__SHOPPING__/broken"))
    with pytest.raises(InfraError, match=r"^site_down: the start page .*/broken is not there: HTTP 503"):
        env.reset(seed=0)


def test_on_sites_of_others_a_page_has_the_real_time(make, shop):
    env = make()
    env.reset(seed=0)
    now = time.time()
    assert abs(env._tabs.page.evaluate("Date.now()") / 1000 - now) < 60
    kept = "document.cookie = 'kept=1; expires=' + new Date(Date.now() + 3600e3).toUTCString(), document.cookie"
    assert env._tabs.page.evaluate(kept) == "kept=1"
    assert "'undefined'" in repr(env._tabs.page.evaluate("typeof window.turngymStart"))


def test_tasks_of_two_files_or_of_one_are_of_their_splits(make, tmp_path):
    (tmp_path / "test.json").write_text(json.dumps([row(7, intent="Test it"), row(8, intent="Test it")]))
    (tmp_path / "both.json").write_text(json.dumps([row(1, split="train"), row(2, split="test"), row(3)]))
    (tmp_path / "train.json").write_text(json.dumps([row(7, intent="Learn it", oracle=[{"answer": "$12.50"}])]))
    files = {split: str(tmp_path / f"{split}.json") for split in ("train", "test")}
    both = str(tmp_path / "both.json")
    assert website.task_names(files) == ["7", "8"]
    assert website.task_names(files, "train") == website.solved_tasks(files) == ["7"]
    assert website.task_names(both, "train") == ["1", "3"]
    assert website.task_names(both, "test") == ["2", "3"]
    assert website.solved_tasks(both) == []
    env = make(task_file=files)
    assert env.reset(seed=0)[1]["instruction"] == "Learn it"
    assert [call["name"] for call in env.solution()] == ["answer"]
    assert env.reset(seed=0, options={"task": "7", "split": "test"})[1]["instruction"] == "Test it"
    drawn = {env.reset(seed=seed, options={"split": "test"})[1]["task"] for seed in range(8)}
    assert drawn == {"7", "8"}
    with pytest.raises(BadInput, match=r"train.json: there is no task '8'"):
        env.reset(seed=0, options={"task": "8", "split": "train"})
    with pytest.raises(BadInput, match="task_file must be the path of a task file, or one for train and one for test"):
        make(task_file={"train": both})
    (tmp_path / "both.json").write_text(json.dumps([row(1, split="dev")]))
    with pytest.raises(BadInput, match=r"both.json: task 1: split: expected 'train' or 'test', got 'dev'"):
        make(task_file=both)
    (tmp_path / "both.json").write_text(json.dumps([row(1, split="train")]))
    assert website.task_names({"train": both, "test": both}, "test") == ["1"]
    with pytest.raises(BadInput, match=r"both.json: there is no task of the split 'test'"):
        make(task_file=both).reset(seed=0, options={"split": "test"})


def test_evaluators_see_the_page_that_was_left_and_others(make, shop):
    looks = [
        {"url": "last", "locator": "document.body.dataset.sort", "required_contents": {"exact_match": "Price"}},
        {"url": "__SHOPPING__/lamp", "locator": "document.querySelector('#price').innerText",
         "required_contents": {"must_include": ["12.50 |OR| 13"]}},
    ]  # fmt: skip
    scored = {"eval_types": ["program_html", "url_match"], "reference_answers": None, "reference_url": "__SHOPPING__/",
              "url_note": "EXACT", "program_html": looks}  # fmt: skip
    env = make(row(1, eval=scored))
    env.reset(seed=0)
    *_, info = env.step(call("select_option", element=number_of(env, "Name"), option="Price"))
    _, reward, *_, info = env.step(call("answer", text=""))
    assert reward == 1.0
    assert sorted(info["signals"]) == [
        "program_html.0.exact_match", "program_html.1.must_include.0", "score", "success", "url_match"
    ]  # fmt: skip


def test_a_storage_state_logs_in(make, shop, tmp_path):
    host = urlsplit(shop).hostname
    cookie = {"name": "user", "value": "ann", "domain": host, "path": "/"}
    (tmp_path / "ann.json").write_text(json.dumps({"cookies": [cookie], "origins": []}))
    env = make(row(1, storage_state="./ann.json", require_login=True, start_url="__SHOPPING__/lamp"))
    observation, _ = env.reset(seed=0)
    assert "user=ann" in observation["text"]
    env = make(row(2, storage_state="./nobody.json", require_login=True))
    with pytest.raises(BadInput, match=r"tasks.json: task 2: storage_state: there is no file './nobody.json'"):
        env.reset(seed=0)


@pytest.mark.parametrize(
    ("kwargs", "why"),
    [
        ({"task": "7"}, "there is no task '7'"),
        ({"observation": "pixels"}, "observation must be one of"),
        ({"addresses": {"__SHOPPING__": "localhost"}}, "addresses: __SHOPPING__: expected an address"),
        ({"addresses": "http://localhost"}, "addresses must map placeholders to addresses"),
        ({"judge": "http://localhost"}, "judge must be 'URL MODEL'"),
        ({"level": 1}, "level must be 0"),
        ({"backend": "firefox"}, "backend must be one of"),
        ({"image_size": (0, 5)}, "image_size must be two positive integers"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(make, kwargs, why):
    with pytest.raises(BadInput, match=why) as error:
        make(**kwargs)
    assert "\n" not in str(error.value)


def test_an_address_that_is_not_given_is_named(make):
    env = make(addresses={})
    with pytest.raises(BadInput, match=r"tasks.json: task 1: start_url: .*__SHOPPING__"):
        env.reset(seed=0)


def test_the_manual_has_gymnasiums_headings():
    for heading in ("Description", "Action Space", "Observation Space", "Starting State", "Rewards", "Episode End"):
        assert f"## {heading}\n" in website.WebSiteEnv.__doc__
