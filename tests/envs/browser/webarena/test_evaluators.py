"""Evaluators on a page in memory: closed cases for each kind, and the promises of the whole."""

import ast
import json
import random
from pathlib import Path

import pytest

import turngym.envs.browser.webarena as webarena
from turngym.envs import BadInput, InfraError
from turngym.envs.browser.webarena import HELPERS, ExactJudge, evaluate, load, parse

FIXTURES = Path(__file__).parent / "fixtures"
ADDRESSES = {"__SHOP__": "http://shop", "__FORUM__": "http://forum/"}


class MemoryViewer:
    """Shows fixed HTML by address; ``scripts`` are what pieces of JavaScript find, by a part of their text."""

    def __init__(self, url="http://shop/", pages=None, scripts=None):
        self.url = url
        self.pages = pages or {}
        self.scripts = scripts or {}
        self.ran = []
        self.visited = []

    def content(self):
        return self.pages.get(self.url, "<html></html>")

    def goto(self, url):
        if url not in self.pages:
            raise InfraError("page_error", f"cannot load {url}")
        self.visited.append(url)
        self.url = url

    def evaluate(self, js):
        self.ran.append(js)
        found = next((value for part, value in self.scripts.items() if part in js), None)
        if isinstance(found, Exception):
            raise found
        return found


class Recording:
    """A judge that says what it was told to, and keeps what it was asked."""

    def __init__(self, *verdicts):
        self.verdicts = list(verdicts)
        self.asked = []

    def fuzzy_match(self, pred, references, question):
        self.asked.append(("fuzzy", pred, list(references), question))
        return self.verdicts.pop(0)

    def ua_match(self, pred, reference, question):
        self.asked.append(("ua", pred, reference, question))
        return self.verdicts.pop(0)


def task(helpers=HELPERS, lite=False, **evaluation):
    kinds = {"reference_answers": "string_match", "reference_url": "url_match", "program_html": "program_html"}
    evaluation.setdefault("eval_types", [kind for key, kind in kinds.items() if key in evaluation])
    row = {"task_id": 7, "sites": ["shop"], "start_url": "__SHOP__", "intent": "Do it", "eval": evaluation}
    row |= {"old_task_id": 70} if lite else {}
    return parse(row, "f", helpers)[0]


def answers(answer, judge=None, note="", lite=False, **checks):
    row = task(lite=lite, reference_answers=checks, string_note=note)
    return evaluate(row, answer, MemoryViewer(), judge)


def page(
    viewer, url="last", locator="", judge=None, addresses=ADDRESSES, helpers=HELPERS, prep=None, lite=False, **checks
):
    program = {"url": url, "locator": locator, "required_contents": checks}
    if prep is not None:
        program["prep_actions"] = prep
    return evaluate(task(helpers, lite, program_html=[program]), None, viewer, judge, addresses, helpers)


# Answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("checks", "answer", "score"),
    [
        ({"exact_match": "12.50"}, " '12.50' ", 1), ({"exact_match": "12.50"}, "12.5", 0),
        ({"exact_match": "Red"}, "RED", 1),
        ({"exact_match": "Red"}, "red kite", 0), ({"exact_match": ""}, "", 1), ({"exact_match": "a |OR| b"}, "a", 0),
        ({"must_include": ["red", "blue"]}, "Blue and red", 1), ({"must_include": ["red", "blue"]}, "red", 0),
        ({"must_include": "red"}, "a red kite", 1), ({"must_include": ["3"]}, "13", 0),
        ({"must_include": ["3"]}, "3!", 1),
        ({"must_include": ["3", "1"]}, "13", 1),  # the rule of words is for a single reference
        ({"must_include": ["13"]}, "There are 130", 1),  # of one letter
        ({"must_include": ["65 |OR| 3"]}, "63", 0), ({"must_include": ["65 |OR| 3"]}, "it is 3", 1),
        ({"must_include": ["65 |OR| 3"]}, "165", 1), ({"must_include": ["a |OR| b", "c"]}, "b c", 1),
        ({"must_include": ["a |OR| b", "c"]}, "a b", 0),
        ({"must_exclude": ["blue"]}, "red", 1), ({"must_exclude": ["blue"]}, "red, blue", 0),
        ({"must_exclude": ["blue", "red"]}, "red", 0), ({"must_exclude": ["1"]}, "10", 1),
        ({"one_of": ["red", "crimson"]}, "It is Crimson", 1), ({"one_of": ["red", "crimson"]}, "blue", 0),
        ({"required_values": [">= 3", "< 10"]}, "5", 1), ({"required_values": [">= 3", "< 10"]}, "10", 0),
        ({"required_values": ["< 3 |OR| == 12"]}, "12", 1), ({"required_values": ["< 3 |OR| == 12"]}, "five", 0),
        ({"one_of": ["red"], "must_exclude": ["blue"]}, "red", 1),
        ({"one_of": ["red"], "must_exclude": ["blue"]}, "red blue", 0),
        ({"exact_match": None, "must_include": ["a"]}, "a", 1),
        ({"fuzzy_match": ["Ada", "Alan"]}, "Alan and Ada", 1), ({"fuzzy_match": ["Ada", "Alan"]}, "Ada", 0),
        ({"fuzzy_match": "Ada"}, "ADA", 1), ({"fuzzy_match": "Ada"}, "not Ada", 0),
        ({"fuzzy_match": ["N/A"]}, "n/a", 1),
        ({"fuzzy_match": "N/A"}, "N/A", 1), ({"fuzzy_match": "N/A"}, "n/a.", 0), ({"fuzzy_match": "N/A"}, "", 0),
    ],
)  # fmt: skip
def test_answers(checks, answer, score):
    assert answers(answer, **checks).score == score


@pytest.mark.parametrize(
    "checks",
    [
        {"exact_match": ""}, {"must_include": ["a"]}, {"must_exclude": ["a"]}, {"one_of": ["a"]},
        {"fuzzy_match": ["a"]}, {"fuzzy_match": "N/A"}, {"required_values": ["< 3"]},
    ],
)  # fmt: skip
def test_no_answer_satisfies_nothing_and_asks_no_judge(checks):
    judge = Recording()
    verdict = answers(None, judge, **checks)
    assert verdict.score == 0.0
    assert "nothing to look at" in verdict.parts[0].evidence
    assert judge.asked == []


def test_a_list_of_answers_is_met_by_any_one_of_them():
    (example,) = load(FIXTURES / "example.json")
    assert evaluate(example, "hopper", MemoryViewer()).score == 1.0
    assert evaluate(example, "Grace", MemoryViewer()).score == 0.0


@pytest.mark.parametrize(
    ("checks", "answer", "score"),
    [
        ({"must_include": ["13"]}, "There are 130", 0), ({"must_include": ["13"]}, "There are 13.", 1),
        ({"must_include": ["3", "1"]}, "13", 0), ({"must_include": ["65 |OR| 3"]}, "165", 0),
        ({"must_include": ["red kite"]}, "tired kites", 1), ({"must_include": ["a11yproject.com", "design"]},
         "a11yproject.com, design", 1), ({"must_include": ["39.64"]}, "It is $39.64.", 1),
        ({"fuzzy_match": ["Ada", "Alan"]}, "Alan and Ada", 1), ({"fuzzy_match": ["N/A"]}, "N/A", 1),
    ],
)  # fmt: skip
def test_answers_by_the_rules_of_webarena_lite(checks, answer, score):
    assert answers(answer, lite=True, **checks).score == score


def test_the_references_are_put_to_the_judge_one_by_one_or_in_webarena_lite_as_one():
    judge = Recording(0.5, 1.0)
    verdict = answers("Both of them", judge, fuzzy_match=["Ada", "Alan"])
    assert [(part.name, part.value) for part in verdict.parts] == [("string_match.fuzzy_match", 0.5)]
    assert answers("Both of them", judge, lite=True, fuzzy_match=["Ada", "Alan"]).score == 1.0
    assert judge.asked == [
        ("fuzzy", "Both of them", ["Ada", "Alan"], "Do it"),
        ("fuzzy", "Both of them", ["Ada, Alan"], "Do it"),
    ]


def test_what_cannot_be_done_is_said_to_the_letter_or_judged_by_its_reason():
    judge = Recording(1.0)
    assert answers(" 'n/a' ", judge, note="No fax", fuzzy_match="N/A").score == 1.0
    assert judge.asked == []
    assert answers("There is no fax", judge, note="No fax", fuzzy_match="N/A").score == 1.0
    assert judge.asked == [("ua", "There is no fax", "No fax", "Do it")]
    assert answers("no fax", ExactJudge(), note="No fax", fuzzy_match="N/A").score == 1.0
    assert answers("no phone", ExactJudge(), note="No fax", fuzzy_match="N/A").score == 0.0


@pytest.mark.parametrize("verdict", [-0.1, 1.5, float("nan")])
def test_a_verdict_that_is_none_is_a_failure_of_the_judge(verdict):
    with pytest.raises(InfraError, match="judge: a verdict of"):
        answers("x", Recording(verdict), fuzzy_match=["y"])


def test_a_judge_that_fails_is_no_score():
    class Broken(ExactJudge):
        def fuzzy_match(self, pred, references, question):
            raise InfraError("judge", "gone")

    with pytest.raises(InfraError, match="judge: gone"):
        answers("x", Broken(), fuzzy_match=["x"])


# Addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gold", "url", "note", "score"),
    [
        ("__SHOP__/a", "http://shop/a?x=1", None, 1), ("__SHOP__/a", "http://shop/a?x=1", "EXACT", 0),
        ("__SHOP__/a", "http://shop/a/", "EXACT", 1), ("__SHOP__/a", "http://forum/a", None, 0),
        ("__SHOP__/a |OR| __FORUM__/b", "http://forum/b", None, 1),
        ("__SHOP__/a |OR| __FORUM__/b", "http://forum/b", "EXACT", 1),
        ("__SHOP__/a?x=1", "http://shop/a", "GOLD in PRED", 0), ("__SHOP__", "http://shop/", "EXACT", 1),
    ],
)  # fmt: skip
def test_where_the_policy_ended(gold, url, note, score):
    row = task(reference_url=gold, **({} if note is None else {"url_note": note}))
    assert evaluate(row, None, MemoryViewer(url), addresses=ADDRESSES).score == score


@pytest.mark.parametrize(
    ("gold", "url", "note", "score"),
    [
        ("__SHOP__/a?x=1", "http://shop/a?x=1&y=2", "GOLD in PRED", 1),
        ("__SHOP__/a?x=1", "http://shop/a?y=2&x=1", "GOLD in PRED", 0),
        ("__SHOP__/a", "http://shop/a?x=1", None, 0), ("__SHOP__/a", "http://shop/a/", None, 1),
    ],
)  # fmt: skip
def test_where_the_policy_ended_by_the_rules_of_webarena_lite(gold, url, note, score):
    row = task(lite=True, reference_url=gold, **({} if note is None else {"url_note": note}))
    assert evaluate(row, None, MemoryViewer(url), addresses=ADDRESSES).score == score


def test_where_the_policy_ended_is_known_before_the_page_is_navigated():
    row = task(
        eval_types=["program_html", "url_match"],
        reference_url="__SHOP__/end",
        program_html=[{"url": "__SHOP__/cart", "locator": "", "required_contents": {"must_include": ["lamp"]}}],
    )
    viewer = MemoryViewer("http://shop/end", {"http://shop/cart": "<p>Lamp</p>"})
    verdict = evaluate(row, None, viewer, addresses=ADDRESSES)
    assert [(part.name, part.value) for part in verdict.parts] == [
        ("program_html.0.must_include.0", 1.0),
        ("url_match", 1.0),
    ]
    assert viewer.url == "http://shop/cart"


def test_an_address_that_is_not_given_is_named():
    with pytest.raises(
        BadInput, match=r"^task 7: eval.reference_url: no address is given for __WIKI__; given are __FO"
    ):
        evaluate(task(reference_url="__WIKI__/a"), None, MemoryViewer(), addresses=ADDRESSES)
    with pytest.raises(BadInput, match=r"^task 7: eval.program_html.0.url: no address is given for __WIKI__"):
        page(MemoryViewer(), "__WIKI__/a", must_include=["x"])


# Pages ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "checks", "score"),
    [
        ("<p>Blue lamp</p>", {"must_include": ["blue LAMP"]}, 1),
        ("<p>Blue lamp</p>", {"must_include": ["lamp", "oar"]}, 0),
        ("<p>Blue lamp</p>", {"must_include": ["oar |OR| lamp"]}, 1), ("<p>Blue lamp</p>", {"must_include": "lamp"}, 1),
        ("13", {"must_include": ["3"]}, 1),  # no rule of words on pages, but in WebArena-Lite: see below
        ("a &amp; b", {"must_include": ["a & b"]}, 1), ("a &amp; b", {"must_include": ["a &amp; b"]}, 1),
        ("x&#x200B;y", {"must_include": ["&#x200B;"]}, 1), ("xy", {"must_include": ["&#x200B;"]}, 0),
        (" 'Red' ", {"exact_match": "red"}, 1), ("red kite", {"exact_match": "red"}, 0),
        ("&lt;b&gt;", {"exact_match": "<b>"}, 1),
        ("new", {"must_exclude": ["old"]}, 1), ("old", {"must_exclude": ["old"]}, 0),
        ("golden", {"must_exclude": ["old"]}, 1),
        ("new old", {"must_include": ["new"], "must_exclude": ["old"]}, 0),
        ("new", {"must_include": ["new"], "must_exclude": ["old"]}, 1),
        ("12", {"required_values": [">= 12"]}, 1), ("1,200", {"required_values": ["> 12", "< 1300"]}, 1),
        ("$12", {"required_values": ["> 1"]}, 0), ("Refund: 180", {"fuzzy_match": ["refund", "180"]}, 1),
        ("refund", {"fuzzy_match": ["refund", "180"]}, 0), ("180, refund", {"fuzzy_match": ["refund", "180"]}, 1),
        ("refund, 180, more", {"fuzzy_match": ["refund", "180"]}, 0),
        ("go to http://forum/f/1", {"must_include": ["__FORUM__/f/1"]}, 1), ("", {"exact_match": ""}, 1),
    ],
)  # fmt: skip
def test_what_a_page_has_to_show(html, checks, score):
    assert page(MemoryViewer("http://shop/", {"http://shop/": html}), **checks).score == score


def test_what_a_page_has_to_show_by_the_rules_of_webarena_lite():
    viewer = MemoryViewer("http://shop/", {"http://shop/": "<p>13 tired kites</p>"})
    assert page(viewer, lite=True, must_include=["3"]).score == 0.0
    assert page(viewer, lite=True, must_include=["13 |OR| 3", "red kite"]).score == 1.0


def test_a_task_without_an_answer_key_needs_no_answer_and_the_judge_sees_the_task():
    judge = Recording(1.0)
    viewer = MemoryViewer("http://shop/", {"http://shop/": "a &amp; b"})
    assert page(viewer, judge=judge, fuzzy_match=["__SHOP__ &lt;3"]).score == 1.0
    assert judge.asked == [("fuzzy", "a & b", ["http://shop <3"], "Do it")]


def test_a_page_that_says_it_cannot_be_done_is_a_page_like_any_other():
    judge = Recording(0.0)
    viewer = MemoryViewer("http://shop/", {"http://shop/": "N/A"})
    assert page(viewer, judge=judge, fuzzy_match="N/A").score == 0.0
    assert judge.asked == [("fuzzy", "N/A", ["N/A"], "Do it")]


def test_last_is_wherever_the_page_is_by_then():
    programs = [
        {"url": "last", "locator": "", "required_contents": {"must_include": ["end"]}},
        {"url": "__SHOP__/order", "locator": "", "required_contents": {"must_include": ["lamp"]}},
        {"url": "last", "locator": "", "required_contents": {"must_include": ["two"]}},
    ]
    viewer = MemoryViewer("http://shop/end", {"http://shop/end": "the end", "http://shop/order": "lamp, two"})
    assert evaluate(task(program_html=programs), None, viewer, addresses=ADDRESSES).score == 1.0
    assert viewer.visited == ["http://shop/order"]


@pytest.mark.parametrize(
    ("found", "checks", "score"),
    [
        ({"found": "Blue"}, {"exact_match": "blue"}, 1), ({"found": 12}, {"required_values": [">= 12"]}, 1),
        ({"found": 59.5}, {"required_values": ["<= 60"]}, 1), ({"found": True}, {"exact_match": "true"}, 1),
        ({"found": ["red", "blue"]}, {"must_include": ["red", "blue"]}, 1), ({"found": ""}, {"exact_match": ""}, 1),
        ({"found": None}, {"exact_match": ""}, 0), ({"found": None}, {"exact_match": "none"}, 0),
        ({"found": None}, {"must_exclude": ["x"]}, 0), ({"thrown": "TypeError: x"}, {"must_include": ["type"]}, 0),
        ({"thrown": "TypeError: x"}, {"exact_match": ""}, 1), ({"thrown": "TypeError: x"}, {"must_exclude": ["x"]}, 1),
    ],
)  # fmt: skip
def test_what_a_locator_finds(found, checks, score):
    viewer = MemoryViewer(scripts={"document.querySelector('b').value": found})
    assert page(viewer, locator="document.querySelector('b').value", **checks).score == score
    viewer = MemoryViewer(scripts={"[...document.links].length": found})
    assert page(viewer, locator="[...document.links].length", **checks).score == score


@pytest.mark.parametrize("found", [{"found": value} for value in (None, "", 0, False, [])] + [{"thrown": "Error"}])
def test_a_lambda_that_gives_nothing_satisfies_nothing(found):
    viewer = MemoryViewer(scripts={"() => document.title": found})
    for checks in ({"must_exclude": ["x"]}, {"exact_match": ""}, {"required_values": ["< 3"]}):
        assert page(viewer, locator="lambda:() => document.title", **checks).score == 0.0
    assert "lambda" not in viewer.ran[0]


def test_code_that_is_none_finds_nothing_and_a_browser_that_fails_is_no_score():
    broken = InfraError("page_error", "SyntaxError: Unexpected token")
    assert page(MemoryViewer(scripts={"document.": broken}), locator="document.)(", must_include=["x"]).score == 0.0
    for error in (
        InfraError("page_error", "Execution context was destroyed"),
        InfraError("browser_died", "SyntaxError"),
    ):
        with pytest.raises(InfraError, match=error.message):
            page(MemoryViewer(scripts={"document.": error}), locator="document.title", must_include=["x"])
    with pytest.raises(InfraError, match="page_error: cannot load"):
        page(MemoryViewer(), "__SHOP__/gone", must_include=["x"])


def test_preparations_run_first_in_order_as_far_as_they_get():
    scripts = {"one()": {"found": 1}, "two()": {"thrown": "Error"}, "document.title": {"found": "Title"}}
    viewer = MemoryViewer(scripts=scripts)
    assert page(viewer, locator="document.title", prep=["one()", "two()", "three()"], exact_match="title").score == 1.0
    assert [next(part for part in ("one", "two", "three", "title") if part in js) for js in viewer.ran] == [
        "one",
        "two",
        "title",
    ]


# Helpers ----------------------------------------------------------------------------------------------------------


def test_a_post_is_found_from_anywhere_within_it():
    pages = {"http://forum/f/boats/12/": "<h1>Oars</h1>"}
    viewer = MemoryViewer("http://forum/f/boats/12/which-oars/-/comment/3?x=1#c", pages)
    assert page(viewer, "func:reddit_get_post_url('__last_url__')", must_include=["oars"]).score == 1.0
    assert viewer.visited == ["http://forum/f/boats/12/"]


@pytest.mark.parametrize("url", ["http://forum/f/boats", "http://forum/wiki/boats/12/x", "http://forum/"])
def test_what_is_no_post_is_looked_at_itself(url):
    viewer = MemoryViewer(url, {url: "oars"})
    assert page(viewer, "func:reddit_get_post_url(__last_url__)", must_include=["oars"]).score == 1.0
    assert viewer.visited == [url]


@pytest.mark.parametrize("url", ["about:blank", "chrome-error://chromewebdata/", "file:///etc/passwd"])
def test_a_policy_that_ended_outside_the_web_is_not_followed(url):
    viewer = MemoryViewer(url, {url: "oars"})
    assert page(viewer, "func:reddit_get_post_url('__last_url__')", must_include=["oars"]).score == 0.0
    assert viewer.visited == []


def test_a_helper_gets_the_page_the_addresses_and_what_stands_in_the_file():
    seen = []

    def of_site(*arguments, addresses):
        seen.append((arguments, addresses))
        return "http://shop/order/5"

    helpers = {**HELPERS, "of_site": of_site}
    viewer = MemoryViewer("http://shop/end", {"http://shop/order/5": "Lamp"})
    assert page(
        viewer, "func:of_site(__page__, '__SHOP__/x', '__last_url__#a', 3)", helpers=helpers, must_include=["lamp"]
    ).score
    assert seen == [((viewer, "http://shop/x", "http://shop/end#a", 3), ADDRESSES)]
    program = {"url": "func:of_site()", "locator": "", "required_contents": {"exact_match": ""}}
    row = task(helpers, program_html=[program])
    with pytest.raises(BadInput, match=r"^task 7: eval.program_html.0.url: no helper 'of_site' is given$"):
        evaluate(row, None, viewer)


@pytest.mark.parametrize(("gives", "score"), [(5, 1), ("5", 1), ("", 0), (None, 0), ("6", 0)])
def test_what_a_helper_finds_on_a_page(gives, score):
    helpers = {**HELPERS, "of_site": lambda page, *, addresses: gives}
    assert (
        page(MemoryViewer(), locator="func:of_site(__page__)", helpers=helpers, required_values=["== 5"]).score == score
    )


def test_a_helper_without_an_address_leaves_nothing_to_look_at():
    helpers = {**HELPERS, "of_site": lambda *, addresses: ""}
    assert page(MemoryViewer(), "func:of_site()", helpers=helpers, must_exclude=["x"]).score == 0.0


# The whole --------------------------------------------------------------------------------------------------------


def test_parts_say_what_was_looked_for_and_where():
    row = task(
        reference_answers={"must_include": ["red", "blue"], "one_of": ["a", "b"]},
        reference_url="__SHOP__/a",
        program_html=[{"url": "last", "locator": "", "required_contents": {"must_include": ["x |OR| y"]}}],
    )
    viewer = MemoryViewer("http://shop/b", {"http://shop/b": "y\n" * 500})
    verdict = evaluate(row, "red\nline, a", viewer, addresses=ADDRESSES)
    assert [(part.name, part.value) for part in verdict.parts] == [
        ("string_match.must_include.0", 1.0),
        ("string_match.must_include.1", 0.0),
        ("string_match.one_of", 1.0),
        ("url_match", 0.0),
        ("program_html.0.must_include.0", 1.0),
    ]
    assert verdict.score == 0.0
    assert verdict.parts[0].evidence == "must_include 'red' of 'red line, a'"
    assert verdict.parts[3].evidence == "'http://shop/a' GOLD in PRED 'http://shop/b'"
    assert all("\n" not in part.evidence and len(part.evidence) < 300 for part in verdict.parts)


def test_the_score_is_the_product_and_one_part_of_zero_makes_it_zero():
    rng = random.Random(0)
    zeros = 0
    for _ in range(300):
        judged = rng.choice([0.0, 0.5, 1.0, 1.0])
        words = [rng.choice(["red", "oar"]) for _ in range(rng.randint(1, 3))]
        row = task(
            reference_answers={"fuzzy_match": ["r"], "must_include": words},
            reference_url="__SHOP__/" + rng.choice("aab"),
        )
        verdict = evaluate(row, "red", MemoryViewer("http://shop/a"), Recording(judged), ADDRESSES)
        product = 1.0
        for part in verdict.parts:
            product *= part.value
        assert verdict.score == product
        assert len(verdict.parts) == len(words) + 2
        if any(part.value == 0 for part in verdict.parts):
            zeros += 1
            assert verdict.score == 0.0
        else:
            assert verdict.score > 0.0
    assert 0 < zeros < 300


def test_every_task_of_the_fixtures_can_be_scored():
    addresses = {f"__{name}__": f"http://{name.lower()}" for name in
                 ("SHOPPING", "SHOPPING_ADMIN", "REDDIT", "GITLAB", "MAP", "CLASSIFIEDS")}  # fmt: skip

    class Anything(MemoryViewer):
        def goto(self, url):
            self.url = url

        def evaluate(self, js):
            return {"found": "nothing of it"} if "thrown" in js else "nothing of it"

    helpers = {name: (lambda *rest, addresses: "http://shopping/1") if name.startswith("shopping") else helper
               for name, helper in HELPERS.items()}  # fmt: skip
    for file in sorted(FIXTURES.glob("*.json")):
        for row in load(file):
            verdict = evaluate(row, "nothing of it", Anything(), None, addresses, helpers)
            assert verdict.score == 0.0, row
            assert verdict.parts, row
            json.dumps([(part.name, part.value, part.evidence) for part in verdict.parts])


def test_nothing_in_the_package_evaluates_or_executes_text():
    files = sorted(Path(webarena.__file__).parent.rglob("*.py"))
    assert len(files) >= 5
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):  # not even passed on
                assert node.id not in ("eval", "exec", "compile", "__import__"), f"{file}:{node.lineno}"
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
                assert not names & {"importlib", "builtins", "pickle", "code"}, f"{file}:{node.lineno}"


def test_what_the_package_offers():
    assert all(hasattr(webarena, name) for name in webarena.__all__)
    public = {name for name, value in vars(webarena).items() if getattr(value, "__module__", "").startswith("turngym.")}
    assert public <= set(webarena.__all__)
