"""Contexts with allowed hosts, held by both real backends: what pages may do, and what comes of what they may not."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources

import pytest

from turngym.envs import InfraError
from turngym.envs.browser import devtools_page, playwright_backend, playwright_page, pool
from turngym.envs.browser.protocol import Happening, Key
from turngym.envs.browser.tools import click

pytestmark = pytest.mark.browser

PAGE_SCRIPT = resources.files("turngym.envs.browser").joinpath("scripts", "page.js").read_text()
SIZE = (320, 240)
LINK = "style='position:absolute;left:0;top:0;width:100px;height:50px;display:block;background:rgb(0,0,255)'"


class Site(BaseHTTPRequestHandler):
    """Pages by path; what came in is in ``server.seen``."""

    def do_GET(self):
        self.server.seen.append(self.path)
        match self.path:
            case "/endless":
                self._say("<body>endless<img src=/never>")
            case "/never" | "/silent":
                self.server.over.wait(60)
            case "/file":
                self._say("x", ("content-disposition", "attachment; filename=prices.csv"))
            case "/cookie":
                self._say(f"<body>{self.headers.get('cookie')}", ("set-cookie", "visited=yes; Path=/"))
            case path:
                self._say(self.server.pages[path])

    def _say(self, body, *headers):
        self.send_response(200)
        for name, value in (("content-type", "text/html"), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module", params=["devtools", "playwright"])
def browser(request):
    browser = pool.launch(request.param)
    yield browser
    browser.close()


@pytest.fixture
def sites():
    """Two servers; only the first is allowed."""
    servers = []
    for _ in range(2):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
        server.daemon_threads = True
        server.block_on_close = False
        server.seen, server.pages, server.over = [], {"/": "<body>home"}, threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        server.host = f"127.0.0.1:{server.server_address[1]}"
        server.address = f"http://{server.host}"
        servers.append(server)
    yield servers
    for server in servers:
        server.over.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def context(browser, sites):
    context = browser.new_context(SIZE, hosts=[sites[0].host])
    yield context
    context.close()


def show(page, site, body):
    site.pages["/page"] = f"<!doctype html><body style='margin:0'>{body}"
    page.goto(f"{site.address}/page")


def press(page):
    page.perform(click(50, 25))
    page.settle(5.0)


def told(page):
    """What happened; on a busy machine Playwright tells it a little after the page has come to rest."""
    for _ in range(100):
        if found := page.happenings():
            return found
        page.settle(5.0)
    return []


def text(page):
    return page.evaluate("document.body.innerText")


def is_alive(page):
    """It still takes input and draws."""
    page.evaluate("window.onclick = () => { document.body.style.background = 'rgb(0, 99, 0)'; }, 0")
    page.perform(click(200, 200))
    return tuple(page.draw()[239, 319]) == (0, 99, 0)


def test_a_link_is_followed_until_its_page_is_there(context, sites):
    page = context.new_page()
    site = sites[0]
    site.pages["/next"] = "<body>next<script>window.ready = 1</script>"
    for number in range(10):
        show(page, site, f"<a href=/next {LINK}>go</a>")
        press(page)
        assert (number, page.url, text(page)) == (number, f"{site.address}/next", "next")
    assert page.happenings() == []
    assert is_alive(page)


def test_a_form_is_sent_until_its_answer_is_there(context, sites):
    page = context.new_page()
    sites[0].pages["/find?q=lamp"] = "<body>one lamp"
    for _ in range(10):
        show(page, sites[0], f"<form action=/find><input name=q value=lamp {LINK}></form>")
        page.perform((*click(50, 25), Key("Enter")))
        page.settle(5.0)
        assert text(page) == "one lamp"


def test_leaving_the_allowed_hosts_is_denied_and_the_page_stays(context, sites):
    page = context.new_page()
    for address in (f"{sites[1].address}/", "http://example.com/", "https://192.0.2.1/"):
        show(page, sites[0], f"<a href={address} {LINK}>go</a>")
        press(page)
        assert page.happenings() == [Happening("denied", address)]
        assert page.url == f"{sites[0].address}/page"
        assert text(page) == "go"
    page.goto(f"{sites[1].address}/")
    assert page.happenings() == [Happening("denied", f"{sites[1].address}/")]
    assert text(page) == "go"
    assert is_alive(page)
    assert sites[1].seen == []


def test_nothing_else_of_a_page_leaves_them_either(context, sites):
    page = context.new_page()
    other = sites[1].address
    show(
        page,
        sites[0],
        f"<img src={other}/img><script src={other}/script></script><iframe src={other}/frame></iframe>"
        f"<link rel=stylesheet href={other}/style>",
    )
    failed = page.evaluate(f"fetch('{other}/fetch', {{mode: 'no-cors'}}).then(() => 'came through', () => 'failed')")
    assert failed == "failed"
    assert sites[1].seen == []


def test_a_download_is_refused(context, sites):
    page = context.new_page()
    show(page, sites[0], f"<a href=/file {LINK}>get</a>")
    press(page)
    assert told(page) == [Happening("download", "prices.csv")]
    assert text(page) == "get"
    page.goto(f"{sites[0].address}/file")
    assert page.happenings() == [Happening("download", "prices.csv")]
    assert is_alive(page)


@pytest.mark.parametrize(
    ("script", "answer"), [("alert('saved')", None), ("confirm('saved')", True), ("prompt('saved', 'x')", "x")]
)
def test_a_dialog_is_accepted_and_told(context, sites, script, answer):
    page = context.new_page()
    show(page, sites[0], f'<div onclick="window.answer = {script}" {LINK}>ask</div>')
    press(page)
    assert page.happenings() == [Happening("dialog", "saved")]
    assert page.evaluate("window.answer ?? null") == answer
    assert is_alive(page)


def test_a_page_that_asks_before_it_is_left_is_left(context, sites):
    page = context.new_page()
    sites[0].pages["/next"] = "<body>next"
    show(
        page,
        sites[0],
        f"<script>addEventListener('beforeunload', (event) => event.preventDefault())</script>"
        f"<a href=/next {LINK}>go</a>",
    )
    press(page)
    assert text(page) == "next"
    assert page.happenings() == []


@pytest.mark.parametrize("how", ["<a target=_blank href=/next {}>", "<div onclick=window.open('/next') {}>"])
def test_a_popup_is_told_and_not_opened(context, sites, how):
    page = context.new_page()
    sites[0].pages["/next"] = "<body>next"
    for _ in range(3):
        show(page, sites[0], how.format(LINK))
        press(page)
        page.settle(5.0)
        assert page.happenings() == [Happening("popup", f"{sites[0].address}/next")]
        assert page.url == f"{sites[0].address}/page"
        assert is_alive(page)


def test_a_page_that_never_stops_loading_is_stopped(context, sites, monkeypatch):
    monkeypatch.setattr(devtools_page, "LOAD_SECONDS", 0.5)
    monkeypatch.setattr(playwright_page, "LOAD_SECONDS", 0.5)
    page = context.new_page()
    page.goto(f"{sites[0].address}/endless")
    assert [happening.kind for happening in page.happenings()] == ["slow"]
    assert text(page) == "endless"
    page.goto(f"{sites[0].address}/")
    assert text(page) == "home"
    show(page, sites[0], f"<a href=/silent {LINK}>go</a>")
    page.perform(click(50, 25))
    page.settle(0.5)
    assert [happening.kind for happening in page.happenings()] == ["slow"]
    assert text(page) == "go"
    assert is_alive(page)


def test_a_site_that_is_down_is_our_failure(context, sites):
    page = context.new_page()
    sites[0].shutdown()
    sites[0].server_close()
    with pytest.raises(InfraError, match=r"^site_down: cannot load http://127.0.0.1:\d+/: .*ERR_CONNECTION_REFUSED"):
        page.goto(f"{sites[0].address}/")


def test_a_site_that_goes_down_is_our_failure(context, sites):
    page = context.new_page()
    show(page, sites[0], f"<a href=/next {LINK}>go</a>")
    sites[0].shutdown()
    sites[0].server_close()
    with pytest.raises(InfraError, match=r"^site_down: cannot load http://127.0.0.1:\d+/next"):
        press(page)


def test_tabs_share_cookies_and_contexts_do_not(browser, context, sites):
    address = f"{sites[0].address}/cookie"
    first, second = context.new_page(), context.new_page()
    first.goto(address)
    second.goto(address)
    assert text(second) == "visited=yes"
    context.add_cookies([{"name": "user", "value": "ann", "domain": "127.0.0.1", "path": "/"}])
    first.goto(address)
    assert sorted(text(first).split("; ")) == ["user=ann", "visited=yes"]
    other = browser.new_context(SIZE, hosts=[sites[0].host])
    stranger = other.new_page()
    stranger.goto(address)
    assert text(stranger) == "None"
    other.close()
    second.close()
    assert is_alive(first)


def test_a_context_that_is_reset_has_forgotten_everything(context, sites):
    address = f"{sites[0].address}/cookie"
    for _ in range(3):
        page = context.new_page()
        page.goto(address)
        assert text(page) == "None"
        kept = "localStorage.length + sessionStorage.length + history.length"
        assert page.evaluate(kept) == 2  # the blank page that a tab begins with, and this one
        page.evaluate("localStorage.setItem('a', 1), sessionStorage.setItem('a', 1), document.cookie = 'more=1', 0")
        late = "() => { localStorage.setItem('late', 1); sessionStorage.setItem('late', 1); }"
        page.evaluate(f"addEventListener('pagehide', {late}), 0")
        stored = "new Promise((done) => { indexedDB.open('a').onsuccess = () => done(indexedDB.databases()); })"
        assert len(page.evaluate(stored)) == 1
        other = context.new_page()
        other.goto(address)
        other.evaluate(f"addEventListener('pagehide', {late}), addEventListener('unload', {late}), 0")
        context.reset()
    page = context.new_page()
    page.goto(address)
    assert page.evaluate("indexedDB.databases()") == []
    assert is_alive(page)


def test_many_tabs_draw_in_turns(context, sites):
    pages = [context.new_page() for _ in range(4)]
    for number, page in enumerate(pages):
        show(page, sites[0], f"<div style='height:240px;background:rgb({number}, 0, 0)'></div>")
    for number, page in enumerate(pages):
        assert tuple(page.draw()[5, 5]) == (number, 0, 0)


def test_a_context_takes_its_pages_with_it(browser, sites):
    outside = browser.new_page(SIZE)
    count = "Target.getTargets"
    before = len(outside.command(count)["targetInfos"])
    for _ in range(3):
        context = browser.new_context(SIZE, PAGE_SCRIPT, hosts=[sites[0].host])
        context.new_page().goto(f"{sites[0].address}/")
        assert len(outside.command(count)["targetInfos"]) > before
        context.close()
        context.close()
    assert len(outside.command(count)["targetInfos"]) == before
    outside.close()


@pytest.fixture(params=["devtools", "playwright", "without DevTools"])
def any_context(request, sites, monkeypatch):
    """A context of each backend, and one that is treated as Firefox's and WebKit's are."""
    if request.param == "without DevTools":
        monkeypatch.setattr(playwright_backend.PlaywrightBrowser, "is_chromium", False)
    browser = pool.launch("devtools" if request.param == "devtools" else "playwright")
    yield browser.new_context(SIZE, hosts=[sites[0].host])
    browser.close()


def test_history_is_gone_through_and_ends(any_context, sites):
    page = any_context.new_page()
    sites[0].pages["/next"] = "<body>next"
    assert not page.go(-1)
    page.goto(f"{sites[0].address}/")
    assert not page.go(-1), "the blank page that a tab begins with is no page"
    assert text(page) == "home"
    page.goto(f"{sites[0].address}/next")
    assert not page.go(1)
    for steps, there in ((-1, "home"), (1, "next")):
        assert page.go(steps)
        page.settle(5.0)
        assert text(page) == there


def test_a_reset_forgets_what_a_site_had_the_browser_keep(any_context, sites):
    page = any_context.new_page()
    page.goto(f"{sites[0].address}/cookie")
    page.evaluate("localStorage.setItem('kept', 'yes'), 0")
    page.goto(f"{sites[0].address}/cookie")
    assert text(page) == "visited=yes"
    any_context.reset()
    page = any_context.new_page()
    page.goto(f"{sites[0].address}/cookie")
    assert text(page) == "None"
    assert page.evaluate("localStorage.length") == 0


def test_a_page_that_never_loads_is_left_at_what_it_shows(any_context, sites, monkeypatch):
    for module in (devtools_page, playwright_page):
        monkeypatch.setattr(module, "LOAD_SECONDS", 1.0)
    page = any_context.new_page()
    page.goto(f"{sites[0].address}/endless")
    assert "endless" in text(page)
    assert "slow" in {happening.kind for happening in page.happenings()}
