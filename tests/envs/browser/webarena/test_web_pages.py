"""Evaluators on real pages, in both browser backends."""

import pytest

from turngym.envs import InfraError
from turngym.envs.browser import pool
from turngym.envs.browser.server import serve
from turngym.envs.browser.webarena import PageViewer, evaluate, parse

pytestmark = pytest.mark.browser

ALL_ITEMS = "[...document.querySelectorAll('li')]"
SUM = "document.querySelector('.sum').textContent"
PAGES = {
    "form.html": """<!doctype html><title>Form</title><input name=title value=empty><textarea></textarea>
        <button class=fold onclick="document.querySelector('.inner').textContent = 'open'">more</button>
        <p class=inner>shut</p><p class=sum>$59.50</p><ul><li>Long oar<li>Short &amp; light oar</ul>""",
    "order.html": "<!doctype html><h1>Order 5</h1><p class=items>Lamp</p><p class=number>2</p>",
    "members.html": """<!doctype html><table>
        <tr><td data-label=Account><span class=gl-avatar-labeled-sublabel>@ada</span>
            <td class=col-max-role><span>Owner</span>
        <tr><td data-label=Account><span class=gl-avatar-labeled-sublabel>@o"b</span>
            <td class=col-max-role><span>Guest</span>
        </table>""",
}


@pytest.fixture(scope="module", params=["devtools", "playwright"])
def browser(request):
    browser = pool.launch(request.param)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    for name, text in PAGES.items():
        (folder / name).write_text(text)
    return serve(str(folder))


@pytest.fixture
def page(browser, site):
    page = browser.new_page((320, 240))
    page.goto(site + "/form.html")
    yield page
    page.close()


def score(page, site, *programs, **evaluation):
    """Score programs (url, locator, required contents[, preparations]) on the page."""
    keys = ("url", "locator", "required_contents", "prep_actions")
    rows = [dict(zip(keys, program, strict=False)) for program in programs]
    row = {"task_id": 1, "sites": ["shop"], "start_url": "__SHOP__", "intent": "Do it"}
    types = ["program_html"] + ["url_match"] * ("reference_url" in evaluation)
    row["eval"] = {"eval_types": types, "program_html": rows, **evaluation}
    return evaluate(parse(row, "f")[0], None, PageViewer(page), addresses={"__SHOP__": site}).score


def test_what_was_filled_in_is_still_there_and_then_other_pages_are_opened(page, site):
    page.evaluate(
        "document.querySelector('textarea').value = 'a refund'; document.querySelector('input').value = 'x & y'"
    )
    asked = [
        ("last", "document.querySelector('textarea').value", {"exact_match": "A refund"}),
        ("last", "document.querySelector('[name=\"title\"').value", {"must_include": ["x &amp; y"]}),
        (
            "__SHOP__/order.html",
            "",
            {"must_include": ["<h1>order 5</h1>", "oar |OR| lamp"], "must_exclude": ["refund"]},
        ),
        ("last", "document.querySelector('.number').outerText", {"required_values": ["== 2"]}),
    ]
    assert score(page, site, *asked, reference_url="__SHOP__/form.html") == 1.0
    assert page.evaluate("document.title") == ""  # the page is left where the last check took it


@pytest.mark.parametrize(
    ("locator", "checks", "expected"),
    [
        (f"{ALL_ITEMS}.map((one) => one.outerText).join(' ')", {"must_include": ["Long oar", "Short & light"]}, 1),
        ("document.querySelector('.sum').outerText;", {"exact_match": "$59.50"}, 1),
        ("document.querySelector('.sum').outerText // a note", {"exact_match": "$59.50"}, 1),
        ("document.querySelector('.none').outerText", {"exact_match": ""}, 1),  # throws
        ("document.querySelector('.none').outerText", {"must_include": ["null"]}, 0),
        ("document.querySelector('.none')?.outerText", {"exact_match": ""}, 0),  # undefined
        ("document.querySelector('.none')", {"must_exclude": ["x"]}, 0),  # null
        ("document.querySelector('.sum')", {"must_include": ["HTMLParagraphElement"]}, 1),  # what is no text is named
        ("document.querySelectorAll('li').length", {"exact_match": "2"}, 1),
        ("document.querySelector('.sum') !== null", {"exact_match": "true"}, 1),
        ("document.querySelector(')(", {"must_include": ["x"]}, 0),  # cannot run
        ("document.querySelector(')(')", {"must_include": ["x"]}, 0),  # no selector
        ("document.fonts.ready.then(() => 'later')", {"exact_match": "later"}, 1),
        ("document.fonts.ready.then(() => { throw 'later' })", {"exact_match": ""}, 1),
        ("lambda:() => document.title", {"exact_match": "form"}, 1),
        (f"lambda:(() => {{ return parseFloat({SUM}.substr(1)) }})()", {"required_values": ["< 60", "> 59"]}, 1),
        ("lambda:(() => { const sum = document.links[0]; return sum ? 1 : 0; })()", {"required_values": ["< 60"]}, 0),
        ("lambda:async () => { await 0; throw new Error('x') }", {"must_exclude": ["y"]}, 0),
        ("func:get_query_text(__page__, 'li + li')", {"exact_match": "Short & light oar"}, 1),
        ("func:get_query_text_lowercase(__page__, '.none')", {"exact_match": ""}, 1),
        ("func:get_query_text(__page__, ')(')", {"exact_match": ""}, 1),
    ],
)  # fmt: skip
def test_what_a_locator_finds(page, site, locator, checks, expected):
    assert score(page, site, ("last", locator, checks)) == expected


def test_preparations_happen_on_the_page(page, site):
    inner = "document.querySelector('.inner').outerText"
    assert score(page, site, ("last", inner, {"exact_match": "open"})) == 0.0
    actions = ["document.querySelector('.fold').click()", "nowhere.click()"]
    assert score(page, site, ("last", inner, {"exact_match": "open"}, actions)) == 1.0


@pytest.mark.parametrize(("account", "role"), [("ada", "Owner"), ('o"b', "Guest"), ("nobody", "")])
def test_roles(page, site, account, role):
    locator = f"func:gitlab_get_project_memeber_role(__page__, {account!r})"
    assert score(page, site, ("__SHOP__/members.html", locator, {"exact_match": role})) == 1.0
    assert score(page, site, ("__SHOP__/members.html", locator, {"exact_match": role + "x"})) == 0.0


def test_a_site_that_is_gone_is_no_score(page):
    with pytest.raises(InfraError, match="page_error"):
        score(page, "http://127.0.0.1:1", ("__SHOP__/x", "", {"must_exclude": ["x"]}))


def test_a_browser_that_died_is_no_score(site):
    browser = pool.launch("devtools")
    page = browser.new_page((320, 240))
    page.goto(site + "/form.html")
    browser.close()
    with pytest.raises(InfraError, match="browser_died"):
        score(page, site, ("last", "document.title", {"exact_match": ""}))
