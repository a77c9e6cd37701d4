"""Task files: every shape that is published is read as it stands; every fault is one line that says where."""

import copy
import json
import pickle
from pathlib import Path

import pytest

from turngym.envs import BadInput
from turngym.envs.browser.webarena import HELPERS, Call, Check, fill, load, parse, start_urls
from turngym.envs.browser.webarena.helpers import Marker

FIXTURES = Path(__file__).parent / "fixtures"

TEXT = {
    "sites": ["shopping"],
    "task_id": 7,
    "start_url": "__SHOPPING__",
    "intent": "What does it cost?",
    "eval": {"eval_types": ["string_match"], "reference_answers": {"exact_match": "5"}},
}
PLACE = {**TEXT, "eval": {"eval_types": ["url_match"], "reference_url": "__SHOPPING__/a"}}
PAGE = {
    **TEXT,
    "eval": {
        "eval_types": ["program_html"],
        "program_html": [{"url": "last", "locator": "", "required_contents": {"must_include": ["x"]}}],
    },
}
GONE = object()


def changed(row, path, value):
    """Return the row with the value at a dotted path replaced, or taken out."""
    row = copy.deepcopy(row)
    *parents, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place = row
    for step in parents:
        place = place[step]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return row


def by_id(name):
    return {task.task_id: task for task in load(FIXTURES / f"{name}.json")}


def test_every_published_shape_is_read():
    assert len(by_id("webarena")) == 19
    assert len(by_id("lite")) == 6
    assert len(by_id("visual")) == 7
    (task,) = load(FIXTURES / "example.json")  # a single object, not a list
    assert task.task_id == 3


def test_what_a_task_holds_is_what_the_file_says():
    task = by_id("webarena")[13]
    assert (task.sites, task.start_url, task.intent) == (("gitlab",), "__GITLAB__", "Invite Ada as developer")
    assert (task.require_login, task.storage_state) == (True, "./.auth/shopping_state.json")
    assert (task.geolocation, task.intent_template_id, task.require_reset) == (None, 113, False)
    assert task.eval.eval_types == ("program_html",)
    (check,) = task.eval.program_html
    assert check.url == "__GITLAB__/tools/-/project_members"
    assert check.locator == Call("gitlab_get_project_memeber_role", (Marker.PAGE, "ada"))
    assert check.contents == (Check("must_include", ("Developer",)),)


def test_a_note_is_read_and_a_rule_has_a_default():
    tasks = by_id("webarena")
    assert tasks[4].eval.answers == (Check("unachievable", ("N/A",)),)
    assert tasks[4].eval.string_note == "The shop has no fax number"
    assert tasks[6].eval.url_note == "GOLD in PRED"
    assert by_id("visual")[0].eval.url_note == "EXACT"
    without = changed(PLACE, "eval.url_note", None)
    (lite,) = parse({**without, "old_task_id": 3}, "f")
    assert (lite.lite, lite.eval.url_note) == (True, "EXACT")
    assert parse(PLACE, "f")[0].eval.url_note == "GOLD in PRED"
    assert parse(changed(PLACE, "eval.url_note", None), "f")[0].eval.url_note == "GOLD in PRED"


def test_known_faults_of_published_files_are_tolerated():
    assert by_id("lite")[1].eval.program_html[0].contents == (Check("must_include", ("Blue lamp",)),)
    assert by_id("lite")[4].eval.answers == (Check("fuzzy_match", ("N/A",)),)  # the other kind is null
    (example,) = load(FIXTURES / "example.json")
    assert example.eval.answers == (Check("exact_match", ("Grace Hopper", "Hopper")),)
    assert example.eval.program_html == ()  # no evaluator looks at it


def test_whose_rules_hold_is_told_by_keys_of_the_later_benchmarks():
    assert not any(task.lite for task in by_id("webarena").values())
    assert all(task.lite for task in [*by_id("lite").values(), *by_id("visual").values()])


def test_other_keys_are_kept():
    (example,) = load(FIXTURES / "example.json")
    assert example.extra["oracle"] == [{"name": "answer", "arguments": {"text": "Grace Hopper"}}]
    assert example.extra["reference_action_sequence"]["action_set_tag"] == "playwright"
    assert by_id("lite")[0].extra == {"old_task_id": 40}
    assert by_id("webarena")[0].eval.extra == {"reference_answer_raw_annotation": "as seen"}
    assert by_id("visual")[0].extra["viewport_size"] == {"width": 1280}


def test_tasks_are_frozen_and_travel():
    task = by_id("webarena")[13]
    with pytest.raises(AttributeError):
        task.intent = "another"
    assert pickle.loads(pickle.dumps(task)) == task


def test_placeholders_are_filled_at_run_time_only():
    task = by_id("webarena")[17]
    assert task.start_url == "__SHOPPING__/one.html |AND| __SHOPPING__/cheaper.html"
    addresses = {"__SHOPPING__": "http://127.0.0.1:5/", "__SHOPPING_ADMIN__": "http://127.0.0.1:6/admin"}
    assert start_urls(task, addresses) == ("http://127.0.0.1:5/one.html", "http://127.0.0.1:5/cheaper.html")
    assert start_urls(by_id("webarena")[14], addresses) == ("http://127.0.0.1:6/admin",)
    assert start_urls(by_id("lite")[3], {}) == ("http://localhost:7770",)


def test_an_address_that_is_not_given_is_named():
    with pytest.raises(
        BadInput, match=r"^task 17: start_url: no address is given for __SHOPPING__; given are __MAP__$"
    ):
        start_urls(by_id("webarena")[17], {"__MAP__": "http://h"})
    assert fill("__MAP__ and __SHOP__ and __init__", {"__MAP__": "http://h/"}) == "http://h and __SHOP__ and __init__"


def func(where, expression):
    return (PAGE, f"eval.program_html.0.{where}", f"func:{expression}")


MALFORMED = [
    # types, missing keys
    (TEXT, "task_id", "7", r"at position 0: task_id: expected an integer, got a string '7'"),
    (TEXT, "task_id", True, r"at position 0: task_id: expected an integer, got true or false"),
    (TEXT, "task_id", GONE, r"at position 0: task_id: missing: expected an integer"),
    (TEXT, "sites", "shopping", r"7: sites: expected a list, got a string 'shopping'"),
    (TEXT, "sites", [1], r"7: sites.0: expected a string, got an integer"),
    (TEXT, "sites", GONE, r"7: sites: missing: expected a list"),
    (TEXT, "start_url", None, r"7: start_url: expected a string, got null"),
    (TEXT, "start_url", " ", r"7: start_url: expected a string that says something, got ''"),
    (TEXT, "start_url", "__A__ |AND| ", r"7: start_url: expected an address on each side of ' \|AND\| '"),
    (TEXT, "intent", ["x"], r"7: intent: expected a string, got a list"),
    (TEXT, "intent", "", r"7: intent: expected a string that says something"),
    (TEXT, "eval", GONE, r"7: eval: missing: expected an object"),
    (TEXT, "eval", [], r"7: eval: expected an object, got a list"),
    (TEXT, "require_login", 1, r"7: require_login: expected true or false, got an integer"),
    (TEXT, "require_reset", "no", r"7: require_reset: expected true or false, got a string 'no'"),
    (TEXT, "storage_state", {}, r"7: storage_state: expected a string, got an object"),
    (TEXT, "geolocation", "here", r"7: geolocation: expected an object, got a string"),
    (TEXT, "instantiation_dict", [], r"7: instantiation_dict: expected an object, got a list"),
    (TEXT, "intent_template_id", 1.5, r"7: intent_template_id: expected an integer, got float"),
    # evaluators
    (TEXT, "eval.eval_types", GONE, r"eval.eval_types: missing: expected a list"),
    (TEXT, "eval.eval_types", "string_match", r"eval.eval_types: expected a list, got a string"),
    (TEXT, "eval.eval_types", [], r"eval.eval_types: expected at least one string, got a list"),
    (TEXT, "eval.eval_types", ["string_match", 3], r"eval.eval_types.1: expected a string, got an integer"),
    (TEXT, "eval.eval_types", ["page_image_query"], r"eval_types.0: unknown eval_type 'page_image_query'; known are s"),
    # answers
    (TEXT, "eval.reference_answers", GONE, r"eval.reference_answers: expected an object such as .*, got null"),
    (TEXT, "eval.reference_answers", [], r"eval.reference_answers: expected an object such as .*, got a list"),
    (TEXT, "eval.reference_answers", "5", r"eval.reference_answers: expected an object such as .*, got a string '5'"),
    (TEXT, "eval.reference_answers", {}, r"eval.reference_answers: nothing to check: expected one of exact_match, "),
    (TEXT, "eval.reference_answers", {"must_include": None}, r"eval.reference_answers: nothing to check"),
    (TEXT, "eval.reference_answers", {"exactly": "5"}, r"reference_answers.exactly: unknown check; known are exact_m"),
    (TEXT, "eval.reference_answers", {"ua_match": "5"}, r"reference_answers.ua_match: unknown check"),
    (TEXT, "eval.reference_answers", {"exact_match": 5}, r"exact_match: expected a string, got an integer"),
    (TEXT, "eval.reference_answers", {"exact_match": ["5"]}, r"exact_match: expected a string, got a list"),
    (TEXT, "eval.reference_answers", {"must_include": []}, r"must_include: expected at least one string, got a list"),
    (TEXT, "eval.reference_answers", {"must_include": {"a": 1}}, r"must_include: expected a list of strings, got an"),
    (TEXT, "eval.reference_answers", {"must_include": ["a", 2]}, r"must_include.1: expected a string, got an integer"),
    (TEXT, "eval.reference_answers", {"must_include": [""]}, r"must_include.0: expected a string that says something"),
    (TEXT, "eval.reference_answers", {"must_include": ["''"]}, r"must_include.0: expected a string that says"),
    (TEXT, "eval.reference_answers", {"must_include": ["a |OR| "]}, r"must_include.0: expected a string that says"),
    (TEXT, "eval.reference_answers", {"one_of": [None]}, r"one_of.0: expected a string, got null"),
    (TEXT, "eval.reference_answers", {"fuzzy_match": 3}, r"fuzzy_match: expected a list of strings, got an integer"),
    (TEXT, "eval.reference_answers", {"required_values": ["5"]}, r"values.0: expected an inequality such as '>= 12'"),
    (TEXT, "eval.reference_answers", {"required_values": ["> x"]}, r"values.0: expected an inequality"),
    (TEXT, "eval.reference_answers", {"required_values": ["!= 3"]}, r"values.0: expected an inequality"),
    (TEXT, "eval.reference_answers", {"required_values": ["> 3 |OR| 4"]}, r"values.0: expected an inequality"),
    (TEXT, "eval.reference_answers", {"must_exclude": ["a |OR| b"]}, r"must_exclude.0: expected one text, got altern"),
    (TEXT, "eval.string_note", 3, r"eval.string_note: expected a string, got an integer"),
    # addresses
    (PLACE, "eval.reference_url", GONE, r"eval.reference_url: missing: expected a string"),
    (PLACE, "eval.reference_url", None, r"eval.reference_url: expected a string, got null"),
    (PLACE, "eval.reference_url", "", r"eval.reference_url: expected an address, got ''"),
    (PLACE, "eval.reference_url", "__A__ |OR| ", r"eval.reference_url: expected an address, got ''"),
    (PLACE, "eval.reference_url", "http://[::1/x", r"eval.reference_url: 'http://\[::1/x' is not an address: "),
    (PLACE, "eval.url_note", "PRED in GOLD", r"eval.url_note: unknown rule 'PRED in GOLD'; known are GOLD in PRED, EX"),
    (PLACE, "eval.url_note", 1, r"eval.url_note: expected a string, got an integer"),
    # programs
    (PAGE, "eval.program_html", GONE, r"eval.program_html: missing: expected a list"),
    (PAGE, "eval.program_html", {}, r"eval.program_html: expected a list, got an object"),
    (PAGE, "eval.program_html", [], r"eval.program_html: nothing to check: expected at least one object"),
    (PAGE, "eval.program_html.0", "last", r"eval.program_html.0: expected an object, got a string 'last'"),
    (PAGE, "eval.program_html.0.url", GONE, r"program_html.0.url: missing: expected a string"),
    (PAGE, "eval.program_html.0.url", "", r"program_html.0.url: expected 'last', an address or 'func:', got ''"),
    (PAGE, "eval.program_html.0.url", "ftp://h/x", r"0.url: expected 'last', an address or 'func:', got 'ftp://h/x'"),
    (PAGE, "eval.program_html.0.url", "javascript:1", r"0.url: expected 'last', an address or 'func:'"),
    (PAGE, "eval.program_html.0.locator", GONE, r"program_html.0.locator: missing: expected a string"),
    (PAGE, "eval.program_html.0.locator", None, r"program_html.0.locator: expected a string, got null"),
    (PAGE, "eval.program_html.0.locator", ".title", r"locator: expected '', 'document...', .* got '.title'"),
    (PAGE, "eval.program_html.0.prep_actions", 5, r"prep_actions: expected a list of strings, got an integer"),
    (PAGE, "eval.program_html.0.prep_actions", {"a": 1}, r"prep_actions: expected a list of strings, got an object"),
    (PAGE, "eval.program_html.0.prep_actions", ["x", 1], r"prep_actions.1: expected a string, got an integer"),
    (PAGE, "eval.program_html.0.required_contents", GONE, r"0.required_contents: missing: expected an object"),
    (PAGE, "eval.program_html.0.required_contents", [], r"0.required_contents: expected an object, got a list"),
    (PAGE, "eval.program_html.0.required_contents", {}, r"0.required_contents: nothing to check: expected one of"),
    (PAGE, "eval.program_html.0.required_contents", {"one_of": ["a"]}, r"required_contents.one_of: unknown check"),
    (PAGE, "eval.program_html.0.required_contents", {"must_exclude": [3]}, r"must_exclude.0: expected a string, got"),
    # helpers
    (*func("url", "launch('x')"), r"0.url: unknown helper 'launch'; known are get_query_text, "),
    (*func("url", "eval('1')"), r"0.url: unknown helper 'eval'"),
    (*func("url", "__import__('os')"), r"0.url: unknown helper '__import__'"),
    (*func("url", "reddit_get_post_url(__import__('os'))"), r"0.url: \"__import__\('os'\)\" is forbidden: an argument"),
    (*func("url", "reddit_get_post_url('a').upper()"), r"0.url: .* is forbidden: expected one call of a helper's name"),
    (*func("url", "reddit_get_post_url"), r"0.url: 'reddit_get_post_url' is forbidden: expected one call"),
    (*func("url", "(lambda: 1)()"), r"0.url: .* is forbidden: expected one call of a helper's name"),
    (*func("url", "os.system('x')"), r"0.url: .* is forbidden: expected one call of a helper's name"),
    (*func("url", "reddit_get_post_url(url='a')"), r"0.url: .* is forbidden: a helper takes no keywords"),
    (*func("url", "reddit_get_post_url(**{})"), r"0.url: .* is forbidden: a helper takes no keywords"),
    (*func("url", "reddit_get_post_url(*'a')"), r"0.url: .* is forbidden: an argument is a literal, __page__ or"),
    (*func("url", "reddit_get_post_url(f'{1}')"), r"0.url: .* is forbidden: an argument is a literal, __page__ or"),
    (*func("url", "reddit_get_post_url(['a'])"), r"0.url: .* is forbidden: an argument is a literal, __page__ or"),
    (*func("url", "reddit_get_post_url(page)"), r"0.url: 'page' is forbidden: an argument is a literal, __page__ or"),
    (*func("url", "reddit_get_post_url(b'a')"), r"0.url: .* is forbidden: an argument is a literal, __page__ or"),
    (*func("url", "reddit_get_post_url()"), r"0.url: .* does not fit the helper: missing a required argument: 'url'"),
    (*func("url", "reddit_get_post_url('a', 'b')"), r"0.url: .* does not fit the helper: too many positional"),
    (*func("url", "reddit_get_post_url('a'"), r"0.url: .* is not a call such as helper\('x'\)"),
    (*func("url", "import os"), r"0.url: 'import os' is not a call such as"),
    (*func("url", "a = 1"), r"0.url: 'a = 1' is not a call such as"),
    (*func("url", ""), r"0.url: '' is not a call such as"),
    (*func("url", "x\0"), r"0.url: .* is not a call such as"),
    (*func("url", "(" * 5000), r"0.url: .* is not a call such as"),
    (*func("locator", "gitlab_get_project_memeber_role(__page__)"), r"locator: .* does not fit the helper: missing"),
    (*func("locator", "gitlab_get_project_memeber_role(__page__, __page__.url)"), r"'__page__.url' is forbidden"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "path", "value", "why"), MALFORMED, ids=[f"{i}-{case[1]}" for i, case in enumerate(MALFORMED)]
)
def test_a_fault_is_one_line_that_names_the_file_the_task_and_the_key(row, path, value, why, tmp_path):
    file = tmp_path / "mine.json"
    file.write_text(json.dumps([changed(row, path, value)]))
    with pytest.raises(BadInput, match=why) as caught:
        load(file)
    message = str(caught.value)
    assert message.startswith(f"{file}: task ")
    assert "\n" not in message
    assert len(message) < len(str(file)) + 400


def test_the_position_is_told_where_a_task_has_no_number():
    with pytest.raises(BadInput, match=r"^f: task at position 1: expected an object, got a list$"):
        parse([TEXT, []], "f")
    with pytest.raises(BadInput, match=r"^f: task at position 0: expected an object, got null$"):
        parse(None, "f")
    with pytest.raises(BadInput, match=r"^f: task 7: task_id: there are two tasks of this number \(position 1\)$"):
        parse([TEXT, PAGE], "f")
    with pytest.raises(BadInput, match=r"^f: expected tasks, got an empty list$"):
        parse([], "f")


@pytest.mark.parametrize(
    "data", [b"", b"[", b"{'a': 1}", b"\xff\xfe\x00", b"[1,]", b"[" * 100_000], ids=lambda data: repr(data[:9])
)
def test_a_file_that_is_not_json(data, tmp_path):
    (tmp_path / "f.json").write_bytes(data)
    with pytest.raises(BadInput, match=r"f\.json: not valid JSON: [^\n]*$"):
        load(tmp_path / "f.json")


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(BadInput, match=r"none\.json: cannot be read: No such file"):
        load(tmp_path / "none.json")
    with pytest.raises(BadInput, match=r": cannot be read: Is a directory"):
        load(tmp_path)


def test_a_byte_order_mark_is_no_fault(tmp_path):
    (tmp_path / "f.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(TEXT).encode())
    assert load(tmp_path / "f.json")[0].task_id == 7


def test_a_site_adds_helpers_of_its_own():
    row = changed(PAGE, "eval.program_html.0.url", "func:latest_page('x', 3, True, None, '__last_url__', __last_url__)")
    with pytest.raises(BadInput, match="unknown helper 'latest_page'"):
        parse(row, "f")
    (task,) = parse(row, "f", {**HELPERS, "latest_page": lambda *rest, addresses: "http://h"})
    call = task.eval.program_html[0].url
    assert call.arguments == ("x", 3, True, None, Marker.LAST_URL, Marker.LAST_URL)
    assert str(call) == "func:latest_page('x', 3, True, None, __last_url__, __last_url__)"


def test_a_selector_with_an_odd_backslash_is_no_warning():
    row = changed(PAGE, "eval.program_html.0.locator", r"func:get_query_text(__page__, '.a\.c')")
    assert parse(row, "f")[0].eval.program_html[0].locator.arguments[1] == r".a\.c"
