"""WebArena's task format: files read unchanged, and every evaluator of them, on any sites and any browser backend."""

from turngym.envs.browser.webarena.addresses import fill
from turngym.envs.browser.webarena.evaluators import Part, Verdict, evaluate
from turngym.envs.browser.webarena.helpers import HELPERS, Call, Helper
from turngym.envs.browser.webarena.judge import ChatJudge, ExactJudge, Judge
from turngym.envs.browser.webarena.tasks import Check, Eval, ProgramCheck, WebTask, load, parse, start_urls
from turngym.envs.browser.webarena.viewer import PageViewer, Viewer, http_status

__all__ = [
    "HELPERS",
    "Call",
    "ChatJudge",
    "Check",
    "Eval",
    "ExactJudge",
    "Helper",
    "Judge",
    "PageViewer",
    "Part",
    "ProgramCheck",
    "Verdict",
    "Viewer",
    "WebTask",
    "evaluate",
    "fill",
    "http_status",
    "load",
    "parse",
    "start_urls",
]
