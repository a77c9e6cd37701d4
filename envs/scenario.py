"""Scenarios: a recipe read from YAML, checked key by key. Data only; what runs it lies in agents and trainers.

A recipe may come in variants: ``variants`` is a mapping of names to keys that differ, nested as in the recipe itself,
and ``variant`` (in the file, or ``--set variant=NAME``) chooses one::

    warm_start: {episodes: 500}
    variants:
      zero: {warm_start: null}

What is chosen takes the place of what the recipe says; ``--set`` goes over both.
"""

from __future__ import annotations

import copy
import difflib
import inspect
import re
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from turngym.envs.registry import find, load
from turngym.envs.types import BadInput, Split

Kwargs = dict[str, Any]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


PLACES = ("instruction", "page", "turn")
"""What the texts of ``policy.context`` may name in braces."""
PLACE = re.compile(r"\{(\w+)\}")


ALL = ("all",)
"""``environment.tasks`` where it says ``all``."""


def _name(value: Any) -> Any:
    return str(value) if type(value) is int else value  # task files number their tasks


class EnvironmentBlock(BaseModel):
    """``environment``: an id, and any keyword that the environment's constructor takes."""

    model_config = ConfigDict(extra="allow", frozen=True)
    id: str
    tasks: tuple[str, ...] = ()
    """Several tasks in place of ``task``, or ``all`` that the environment lists: each group attempts one, and all get
    equal shares of whatever is done."""

    @field_validator("tasks", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if value == "all":
            return ALL
        if not isinstance(value, list | tuple):
            raise PydanticCustomError("tasks", "expected a list of names, or all")
        return [_name(one) for one in value]

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:
        return {**data, "task": _name(data["task"])} if isinstance(data, dict) and "task" in data else data

    def task_names(self, split: Split = "train") -> tuple[str, ...]:
        """Return the tasks of a split to choose from; one that is empty where the environment draws one itself."""
        if self.tasks == ALL:
            return tuple(find(self.id).task_names(**self.kwargs, split=split))
        return self.tasks or (str(self.kwargs.get("task") or ""),)

    @property
    def kwargs(self) -> Kwargs:
        """Keywords for ``gymnasium.make``."""
        return dict(self.model_extra or {})


class ContextBlock(_Block):
    """``policy.context``: what of the past a turn still sees, and how observations are written.

    Actions always stay as they were sampled. An observation's text is the instruction, and behind it its page.
    """

    images: int | None = Field(default=None, ge=0)
    """Keep the images of the last k observations; None keeps all."""
    pages: int | None = Field(default=None, ge=1)
    """Keep the pages of the last k observations; of older ones ``stub`` is left. None keeps all."""
    stub: str = "(an earlier page)"
    opening: str | None = None
    """How the first observation is written: a text with {instruction}, {page} and {turn} (from 0). None: as it is,
    which is the instruction, a line break and the page."""
    later: str | None = None
    """The same for all after it."""

    @field_validator("opening", "later")
    @classmethod
    def _known_places(cls, text: str | None) -> str | None:
        for word in PLACE.findall(text or ""):
            if word not in PLACES:
                raise ValueError(f"{{{word}}} stands for nothing; there is {', '.join(f'{{{w}}}' for w in PLACES)}")
        return text


class PolicyBlock(_Block):
    """``policy``: the model and how it speaks."""

    model: str = "tiny-qwen2_5_vl"
    """``tiny-qwen2_5_vl``, ``tiny-qwen3_vl``, a local folder or a hub id."""
    dialect: str = "qwen-tools"
    prompt: str | None = None
    """System prompt: a file of ``agents/prompts``. Default: ``tools`` (lists the tools), but ``none`` for tiny models,
    which are born knowing nothing and could not read it."""
    context: ContextBlock = ContextBlock()
    temperature: float = Field(default=1.0, ge=0.0)
    max_new_tokens: int = Field(default=48, ge=1)
    """Per turn."""
    max_context: int = Field(default=4096, ge=1)
    """Ids of a context, one an image; an episode that outgrows it is cut (token_limit)."""


class WarmStartBlock(_Block):
    """``warm_start``: supervised learning on oracle episodes before RL."""

    episodes: int = Field(default=1500, ge=1)
    mistakes: float = Field(default=0.0, ge=0, lt=1)
    """Chance that a turn of the oracle is a click on any element, or where there is none a random call. Then every
    episode is imitated as it is, solved or not: a demonstrator who shows each way to go on, good and bad, and leaves to
    RL which are good."""
    steps: int = Field(default=500, ge=0)
    """At most this many; it stops earlier once ``until`` is measured."""
    batch_size: int = Field(default=32, ge=1)
    lr: float = Field(default=1e-3, gt=0)
    until: float | None = Field(default=None, ge=0, le=1)
    """Stop when sampled success on the training split reaches this."""
    overshoot: float | None = Field(default=None, ge=0, le=1)
    """Where a check finds more than this, go back to the check before and look sooner; None: never go back."""
    check_every: int = Field(default=20, ge=1)
    """Steps between checks."""
    check_below: float | None = Field(default=None, gt=0)
    """Check only from the time when the mean loss of ten steps is below this; None: from the first check on."""
    check_episodes: int = Field(default=100, ge=1)
    grounding: bool = True
    """Before a call that points at an element, the demonstration says which and where."""
    screen_reading: float = Field(default=1.0, ge=0)
    """Weight of the screen-reading target; 0 turns it off."""

    @model_validator(mode="after")
    def _in_order(self) -> WarmStartBlock:
        if self.overshoot is not None and self.until is not None and self.overshoot < self.until:
            raise ValueError(f"overshoot is {self.overshoot} and must not lie below until, which is {self.until}")
        return self


class TrainBlock(_Block):
    """``train``: reinforcement learning."""

    algorithm: Literal["grpo"] = "grpo"
    groups: int = Field(default=8, ge=1)
    group_size: int = Field(default=8, ge=1)
    steps: int = Field(default=60, ge=0)
    rubric: str | dict[str, float] = "default"
    """What an episode is worth: a rubric's name, or a Python file with one; or several, with their weights."""
    until: float | None = Field(default=None, ge=0, le=1)
    """Stop when the mean success of the last ten steps reaches this."""
    lr: float = Field(default=1e-4, gt=0)
    decay: float = Field(default=1.0, gt=0, le=1)
    """Learning rate of the last of ``steps``, relative to the first; linear between."""
    epochs: int = Field(default=2, ge=1)
    minibatch: int = Field(default=64, ge=1)
    """Rows (turns) an optimiser step."""
    forward: int | None = Field(default=None, ge=1)
    """Rows a forward pass: an optimiser step adds up their gradients, which saves memory and changes nothing else.
    None: all of a minibatch."""
    clip_low: float = Field(default=0.2, gt=0)
    clip_high: float = Field(default=0.28, gt=0)
    advantage: Literal["grpo", "dr_grpo", "rloo"] = "grpo"
    aggregation: Literal["traj-turn-token", "token-mean", "seq-token"] = "traj-turn-token"
    loss_after: str | None = Field(default=None, min_length=1)
    """Only what a turn says behind this text carries loss, such as ``<answer>``: thinking before it does not. A turn
    that does not say it, or nothing after it, carries loss whole: what is malformed can be unlearned."""
    entropy: float = Field(default=0.0, ge=0)
    """Weight of the entropy term; with ``entropy_target``, its starting value."""
    entropy_target: float | None = Field(default=None, ge=0)
    """Nats a token; a controller moves the weight to hold it."""
    kl: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    refill: float = Field(default=1.0, ge=1)
    """Sample at most this many times ``groups`` to replace groups of equal reward."""
    replay: float = Field(default=0.0, ge=0, le=1)
    """Chance that a group attempts again a start which was not always solved, rather than a new one."""
    checkpoint_every: int = Field(default=10, ge=1)


class EvaluateBlock(_Block):
    """``evaluate``: success on seeds that training never sees."""

    episodes: int = Field(default=200, ge=1)
    split: Split = "test"
    temperature: float | None = Field(default=None, ge=0)
    """None: as in ``policy``."""


class Scenario(_Block):
    """A recipe: environment, policy, training, evaluation."""

    name: str
    about: str = ""
    variant: str = ""
    """Which of the recipe's ``variants`` this is; empty: the recipe itself."""
    environment: EnvironmentBlock
    policy: PolicyBlock = PolicyBlock()
    warm_start: WarmStartBlock | None = None
    train: TrainBlock = TrainBlock()
    evaluate: EvaluateBlock = EvaluateBlock()
    seed: int = Field(default=0, ge=0)
    workers: int = Field(default=2, ge=1)
    """Environment processes."""
    slots: int = Field(default=32, ge=1)
    """Environments a process holds at once."""


def shipped() -> dict[str, Path]:
    """Return the scenarios that ship with TurnGym, by name."""
    folder = Path(str(resources.files("turngym.scenarios")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def read(name: str, overrides: list[str] | None = None) -> Scenario:
    """Read a scenario by path or shipped name and apply ``key.path=value`` overrides.

    Raises :class:`BadInput` with one line that names the key and the nearest valid one.
    """
    path = Path(name)
    if not path.suffix and name in shipped():
        path = shipped()[name]
    if not path.is_file():
        known = shipped()
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        raise BadInput(f"no scenario {name!r}: not a file, and " + (f"the nearest shipped one is {near[0]!r}" if near
                       else f"the shipped ones are {', '.join(known) or 'none'}"))  # fmt: skip
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from None
    data = _yaml(text, str(path))
    if not isinstance(data, dict):
        raise BadInput(f"{path}: a scenario is a mapping of keys, got {type(data).__name__}")
    variants = data.pop("variants", {})
    if not (isinstance(variants, dict) and all(isinstance(keys, dict) for keys in variants.values())):
        raise BadInput(f"{path}: variants: a mapping of names to the keys that differ")
    wanted = copy.deepcopy(data)
    for override in overrides or []:
        _override(wanted, override)
    if chosen := wanted.get("variant"):
        if chosen not in variants:
            raise BadInput(f"{path}: there is no variant {chosen!r}{nearest(str(chosen), list(variants))}")
        data = _merged(data, variants[chosen])
    for override in overrides or []:
        _override(data, override)
    return parse(data, str(path))


def _merged(data: dict[str, Any], keys: dict[str, Any]) -> dict[str, Any]:
    """Return ``data`` with ``keys`` in the place of its own, block by block."""
    found = copy.deepcopy(data)
    for key, value in keys.items():
        inner = found.get(key)
        found[key] = _merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return found


def parse(data: dict[str, Any], where: str) -> Scenario:
    """Check a scenario's data; ``where`` names its source in errors."""
    try:
        scenario = Scenario.model_validate(data)
    except ValidationError as error:
        raise BadInput(f"{where}: {_explain(error)}") from None
    _check_kwargs(scenario.environment, where)
    return scenario


def _yaml(text: str | bytes, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: what looks like a date and is none
        raise BadInput(f"{where}: not valid YAML: {' '.join(str(error).split())}") from None


def _override(data: dict[str, Any], text: str) -> None:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise BadInput(f"--set {text!r}: expected key=value, such as train.steps=10")
    *parents, last = key.split(".")
    for parent in parents:
        child = data.setdefault(parent, {})
        if not isinstance(child, dict):
            raise BadInput(f"--set {text!r}: {parent!r} is not a block of keys")
        data = child
    data[last] = _yaml(value, f"--set {text!r}")


def _explain(error: ValidationError) -> str:
    problem = error.errors()[0]
    path = ".".join(str(part) for part in problem["loc"])
    if problem["type"] != "extra_forbidden":
        return f"{path}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"
    model: type[BaseModel] = Scenario
    for part in problem["loc"][:-1]:
        kinds = [a for a in _arms(model.model_fields[str(part)].annotation) if issubclass(a, BaseModel)]
        model = kinds[0]
    return f"unknown key {path!r}{nearest(str(problem['loc'][-1]), list(model.model_fields))}"


def _arms(annotation: Any) -> list[type]:
    return [arm for arm in getattr(annotation, "__args__", (annotation,)) if isinstance(arm, type)]


def nearest(word: str, known: list[str]) -> str:
    """Return ``; did you mean 'x'?`` or the list of valid words."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; valid are {', '.join(known)}"


def _keywords(make: Any) -> list[str]:
    """List the keywords that a constructor takes; where it takes any, those that it may pass on to its bases too."""
    found: dict[str, None] = {}
    for level in make.__mro__ if isinstance(make, type) else (make,):
        if isinstance(make, type) and "__init__" not in vars(level):
            continue
        parameters = inspect.signature(level).parameters.values()
        found |= {p.name: None for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return list(found)


def _check_kwargs(block: EnvironmentBlock, where: str) -> None:
    entry = find(block.id)
    known = [name for name in _keywords(load(entry.entry_point)) if name not in ("render_mode", "split")]
    if "split" in block.kwargs:
        why = "training is on the train split; what is evaluated is evaluate.split"
        raise BadInput(f"{where}: environment.split cannot be set: {why}")
    for key in block.kwargs:
        if key not in known:
            raise BadInput(f"{where}: unknown key 'environment.{key}'{nearest(key, known)}")
    if block.tasks and "task" in block.kwargs:
        raise BadInput(f"{where}: environment.task and environment.tasks are both set; one of them is enough")
    key = "tasks" if block.tasks else "task"
    wanted = block.tasks or (block.kwargs.get("task"),)
    if repeated := [task for task in wanted if wanted.count(task) > 1]:
        raise BadInput(f"{where}: environment.tasks: {repeated[0]!r} is there twice")
    if wanted in (ALL, (None,)) or entry.what_is_missing() is not None:
        return
    known = entry.task_names(**block.kwargs)
    for task in wanted:
        if task not in known:
            near = difflib.get_close_matches(str(task), known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise BadInput(f"{where}: environment.{key}: there is no {task!r} in {block.id}{hint}")
