"""Hub ids of a recipe: asked for before anything trains, pinned to a commit, and where one is not to be had, what to do.

A gated or missing data set stops the run in its first second, not in its fifth hour. The commit that was found stands in
manifest.json and is used again by every later run of the folder; `--update_hub` asks anew.
"""

import functools
import os
from dataclasses import dataclass
from pathlib import Path

from chain.recipe import Recipe, is_elsewhere, is_hub_id
from common.errors import UserError
from common.models import check_model_name

TIMEOUT = 15  # seconds for one question to the hub


@dataclass
class Answer:
    """What is known of a hub id."""

    revision: str | None
    """the commit; None: not to be had"""
    said: str
    """in words, for the user"""


def bare(name: str) -> str:
    """hf:owner/name@revision:split -> owner/name."""
    return name.removeprefix("hf:").partition(":")[0].partition("@")[0]


def pinned(name: str, revision: str | None) -> str:
    """hf:owner/name:split -> hf:owner/name@revision:split."""
    if revision is None or not name.startswith("hf:") or "@" in name:
        return name
    return "hf:" + bare(name) + "@" + revision + name.removeprefix("hf:")[len(bare(name)) :]


def cached_revision(name: str, kind: str) -> str | None:
    """The commit of a copy in the local cache."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE, f"{kind}s--{name.replace('/', '--')}")
    try:
        found = (folder / "refs" / "main").read_text().strip()
    except OSError:
        return None
    return found if (folder / "snapshots" / found).is_dir() else None


@functools.cache
def ask(name: str, kind: str) -> Answer:
    """What the hub says of `owner/name`, a "dataset" or a "model": its newest commit, or why it does not give it.

    A copy in the local cache stands in where the hub cannot be reached.
    """
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    copy = cached_revision(name, kind)
    where = f"{constants.ENDPOINT}/{'datasets/' if kind == 'dataset' else ''}{name}"
    if constants.HF_HUB_OFFLINE or os.environ.get("HF_HUB_OFFLINE") == "1":
        return Answer(copy, "is taken from the cache" if copy else "is not in the cache, and HF_HUB_OFFLINE is set")
    try:
        api = HfApi()
        found = api.repo_info(name, repo_type=kind, timeout=TIMEOUT)
        if found.gated:
            api.auth_check(name, repo_type=kind)
        return Answer(found.sha, f"at {found.sha[:8]}")
    except GatedRepoError:
        return Answer(None, f"is gated: accept its terms at {where} and run `hf auth login`")
    except RepositoryNotFoundError:
        return Answer(None, "is not there, or is private: check the name; for a private one run `hf auth login`")
    except HfHubHTTPError as error:
        return Answer(
            copy, f"the hub answers {error.response.status_code}" + (", the local cache's copy is taken" if copy else "")
        )
    except Exception as error:  # whatever the network's failure is, the answer is the same
        return Answer(
            copy,
            "the hub cannot be reached, the local cache's copy is taken"
            if copy
            else f"the hub cannot be reached ({type(error).__name__}), and there is no copy here",
        )


@dataclass
class Chooser:
    """Takes one of several names of a data set, the first that can be had, and remembers what was tried.

    `known` are the choices and `revisions` the commits of an earlier run of the folder: they stay.
    """

    known: dict[str, str]
    revisions: dict[str, str]
    chosen: dict[str, str]
    said: list[str]
    problems: list[str]

    def __call__(self, variable: str, names: list[str]) -> str:
        if self.known.get(variable) in names:
            self.chosen[variable] = self.known[variable]
            return self.known[variable]
        tried = []
        for name in names:
            if not name.startswith("hf:"):
                if Path(name).exists():
                    return self.take(variable, name, tried)
                tried.append(f"{name} is not here")
                continue
            answer = ask(bare(name), "dataset")
            if answer.revision:
                self.revisions[bare(name)] = answer.revision
                return self.take(variable, name, tried)
            tried.append(f"{name} {answer.said}")
        self.problems.append(no_data(variable, tried))
        return names[0]

    def take(self, variable: str, name: str, tried: list[str]) -> str:
        self.chosen[variable] = name
        self.said.append(f"{variable}: {name}" + (f" ({'; '.join(tried)})" if tried else ""))
        return name


def no_data(variable: str, tried: list[str]) -> str:
    return (
        f"{variable}: no data: {'; '.join(tried)}. A copy on this machine goes in its place: "
        f"--variables '{{{variable}: my/folder}}' (a folder, a file or another hf:owner/name)"
    )


def check(recipe: Recipe, revisions: dict[str, str], made: set[str]) -> tuple[list[str], list[str]]:
    """Ask for every hub id that is not pinned yet; returns what to say and the problems. Fills in `revisions`.

    `made`: outputs of the recipe's own stages, which are no hub ids.
    """
    said, problems = [], []
    for variable, value in recipe.variables.items():
        if variable.endswith("model") and value and value not in made and not is_hub_id(value):
            problems += check_model_name(value, variable)
        kind = "dataset" if value.startswith("hf:") else "model" if variable.endswith("model") and is_hub_id(value) else ""
        name = bare(value)
        if not kind or name in revisions or value in made or Path(value).exists():
            continue
        answer = ask(name, kind)
        if answer.revision:
            revisions[name] = answer.revision
            said.append(f"{variable}: {name} {answer.said}")
        elif kind == "dataset":
            problems.append(no_data(variable, [f"{value} {answer.said}"]))
        else:
            problems.append(f"{variable}: {name} {answer.said}; or name a folder: --variables '{{{variable}: my/model}}'")
    return said, problems


def pin(recipe: Recipe, revisions: dict[str, str]) -> None:
    """Put the commits into the commands: hf:owner/name becomes hf:owner/name@commit."""
    for stage in recipe.stages:
        for words in (stage.command, stage.inputs):
            words[:] = [pinned(w, revisions.get(bare(w))) if w.startswith("hf:") and is_elsewhere(w) else w for w in words]


def stop_if(problems: list[str]) -> None:
    if problems:
        raise UserError([*problems, "nothing was run"])
