"""The stages of a recipe that trains with several seeds: one copy a further seed of what trains and of what scores that."""

from dataclasses import replace
from pathlib import Path

from chain.stages import Stage
from common.errors import UserError

FIRST_SEED = 3407  # the scripts' own default
LAST = ("compare.py", "report.py", "score_table.py")  # what looks at all scores comes after every seed


def seed_list(seeds: int | list[int], path: Path) -> list[int]:
    """The training seeds: the first is the scripts' own. Raises UserError for what is no number above 0 or list of numbers."""
    found = list(range(FIRST_SEED, FIRST_SEED + seeds)) if isinstance(seeds, int) else seeds
    if not found or not isinstance(found, list) or not all(type(s) is int for s in found) or len(set(found)) < len(found):
        raise UserError(f"{path}: seeds: {seeds!r} must be a number above 0, or a list of different whole numbers")
    return found


def with_seeds(stages: list[Stage], seeds: list[int], out: Path) -> list[Stage]:
    """The stages, and for every further seed those that train and those that score what was trained, under {out}/seeds/SEED.

    Preparing, the base's scores and the export stand once. The copies come before what looks at all scores.
    """
    first = [seeded(s, seeds[0]) if s.trains and seeds != [FIRST_SEED] else s for s in stages]
    copies = [copy for seed in seeds[1:] for copy in copies_for(stages, seed, out)]
    if not copies:
        return first
    at = next((i for i, s in enumerate(first) if Path(s.script).name in LAST), len(first))
    made = {p for copy in copies for p in copy.outputs}
    outputs = [p for s in stages for p in s.outputs if is_below(p, out)]
    further = {p: [q for seed in seeds[1:] if (q := of_seed(p, seed, out)) in made] for p in outputs}
    return [*first[:at], *copies, *(joined(s, further) for s in first[at:])]


def joined(stage: Stage, further: dict[str, list[str]]) -> Stage:
    """A stage that looks at all scores: compare.py takes the folders of several seeds with commas between, as one model."""
    if Path(stage.script).name != "compare.py":
        return stage
    more = [q for word in stage.command for q in further.get(word, [])]
    return replace(stage, command=[",".join([w, *further.get(w, [])]) for w in stage.command], inputs=[*stage.inputs, *more])


def seeded(stage: Stage, seed: int) -> Stage:
    return replace(stage, command=[*stage.command, "--seed", str(seed)])


def copies_for(stages: list[Stage], seed: int, out: Path) -> list[Stage]:
    """The stages of one further seed, their names as NAME_seedSEED."""
    moved: dict[str, str] = {}
    copies = []
    for stage in stages:
        needs = any(old in {word, str(Path(word).parent)} for old in moved for word in (*stage.command, *stage.inputs))
        if not (stage.trains or (needs and Path(stage.script).name == "evaluate.py")):
            continue
        moved |= {p: of_seed(p, seed, out) for p in stage.outputs if is_below(p, out)}
        copy = Stage(
            f"{stage.name}_seed{seed}",
            [relocated(word, moved) for word in stage.command],
            [relocated(word, moved) for word in stage.inputs],
            [relocated(word, moved) for word in stage.outputs],
        )
        copies.append(seeded(copy, seed) if stage.trains else copy)
    return copies


def of_seed(path: str, seed: int, out: Path) -> str:
    """Where a further seed writes what the first writes to this path below {out}."""
    return str(out / "seeds" / str(seed) / Path(path).relative_to(out))


def is_below(path: str, out: Path) -> bool:
    return out in Path(path).parents


def relocated(word: str, moved: dict[str, str]) -> str:
    """A word of a command with its folder exchanged, where it is one that moved or lies in one."""
    for old, new in moved.items():
        if word == old or word.startswith(f"{old}/"):
            return new + word[len(old) :]
    return word
