"""What an evaluation leaves in its folder, and whom it asks how."""

import http.server
import json
import threading

import pytest

from turngym.agents.episodes.store import EpisodeStore
from turngym.envs import BadInput
from turngym.envs.scenario import parse
from turngym.trainers import evaluate as module
from turngym.trainers.evaluate import evaluate

SCENARIO = parse(
    {
        "name": "small",
        "environment": {"id": "turngym/MiniWoB-v0", "task": "click-color", "backend": "fake", "max_turns": 1},
        "evaluate": {"episodes": 3, "temperature": 0.25},
        "workers": 1,
        "slots": 1,
    },
    "test",
)


def test_episodes_and_figures_are_kept(tmp_path):
    out = tmp_path / "runs" / "one"
    found = evaluate(SCENARIO, policy="oracle", out=out)
    assert (found["run"], found["episodes"]) == (str(out), 3)
    assert json.loads((out / "summary.json").read_text()) == found
    with EpisodeStore(out) as store:
        assert [(e.id, e.phase, e.success) for e in store] == [(f"eval-00000-000{n}", "eval", True) for n in range(3)]


@pytest.mark.parametrize("name", ["run.yaml", "episodes.db", "summary.json"])
def test_a_folder_that_holds_a_run_is_not_used(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(BadInput, match="holds a run already"):
        evaluate(SCENARIO, policy="oracle", out=tmp_path)


def test_a_folder_that_cannot_be_is_found_out_first(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.delattr(module, "pool_of")
    with pytest.raises(BadInput, match="file is no folder"):
        evaluate(SCENARIO, policy="oracle", out=tmp_path / "file" / "run")


def test_an_interrupt_keeps_what_was_finished(tmp_path, monkeypatch):
    original = module.built_in

    def built_in(name, space, seed):
        policy, calls = original(name, space, seed), []

        def choose(view):
            calls.append(view)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return policy.choose(view)

        return type(policy)(name, choose)

    monkeypatch.setattr(module, "built_in", built_in)
    with pytest.raises(KeyboardInterrupt):
        evaluate(SCENARIO, policy="oracle", out=tmp_path / "run")
    with EpisodeStore(tmp_path / "run") as store:
        assert len(store) == 2
    assert not (tmp_path / "run" / "summary.json").exists()


@pytest.mark.parametrize(
    ("whom", "changes", "why"),
    [
        ({"policy": "orakle"}, {}, "unknown policy 'orakle'"),
        ({"api": "localhost:1", "model": "m"}, {}, "'localhost:1': not an address"),
        ({"api": "http://localhost:1", "model": "m"}, {"dialect": "klingon"}, "klingon"),
        ({"checkpoint": "."}, {"prompt": "toolz"}, "toolz"),
    ],
)
def test_a_mistake_is_found_before_anything_is_made(tmp_path, monkeypatch, whom, changes, why):
    monkeypatch.delattr(module, "pool_of")
    scenario = SCENARIO.model_copy(update={"policy": SCENARIO.policy.model_copy(update=changes)})
    with pytest.raises(BadInput, match=why):
        evaluate(scenario, **whom, out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_chat_api_is_asked_at_the_temperature_of_the_evaluation():
    asked = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            body = json.dumps({"choices": [{"message": {"content": "I wait."}}]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            found = evaluate(SCENARIO, api=f"http://127.0.0.1:{server.server_port}/v1", model="m", episodes=2)
        finally:
            server.shutdown()
    assert (found["episodes"], found["success_rate"]) == (2, 0.0)
    assert {(body["model"], body["temperature"]) for body in asked} == {("m", 0.25)}
