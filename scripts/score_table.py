"""Scores of several evaluations in one table, beside figures that others have published; every row says how it was asked.

    python scripts/score_table.py runs/x/study_base runs/x/eval_base --output_dir runs/x/printed \\
        --published recipes/dr_bode/printed.yaml

Input   folders of evaluate.py (metrics.json); --published: YAML, a list of {folder or benchmark, accuracy (per cent), n,
        source, model}.
Output  output_dir/scores.md, scores.json (the same for programs), and the table in the terminal.

A published figure stands beside a score, it is not tested against it: the rows, the prompt and the reading of the answers
may differ, and its own interval (Wilson, from its n, where that is known) says what it could show by itself.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from common.arguments import parse_args
from common.entry import run_main
from reporting import score_table


@dataclass
class Args:
    POSITIONAL: ClassVar[str] = "folders"
    folders: list[str] = field(default_factory=list)
    """folders of evaluate.py, in the order of the table"""
    output_dir: str = "runs/scores"
    """where scores.md and scores.json go"""
    published: str | None = None
    """YAML of figures from elsewhere"""
    title: str = "Scores"
    """heading of the table"""

    def problems(self) -> list[str]:
        found = [] if self.folders else ["folders: name at least one folder of evaluate.py"]
        found += [
            f"folders: {f}/metrics.json is not there; scripts/evaluate.py writes it"
            for f in self.folders
            if not Path(f, "metrics.json").is_file()
        ]
        if self.published and not Path(self.published).is_file():
            found.append(f"published: there is no file {self.published}")
        return found


def notes_of(rows: list[score_table.Row], published: list[score_table.Published]) -> list[str]:
    """What a reader of the table should know: scores of other rows, and figures that stand beside none."""
    sets, names = {}, {row.name for row in rows}
    for row in rows:
        sets.setdefault((row.data_sha256, row.rows_sha256), []).append(row.name)
    said = "; ".join(", ".join(folders) for folders in sets.values())
    notes = [f"Not all of the same rows, so not all scores compare. Of the same rows are: {said}."] if len(sets) > 1 else []
    alone = [f"folder {p.folder}" if p.folder else f"benchmark {p.benchmark}" for p in published if p.folder not in names]
    return [*notes, *([f"Published, but beside no score of this table: {', '.join(dict.fromkeys(alone))}."] if alone else [])]


def main() -> None:
    args = parse_args(Args, __doc__)
    published = score_table.read_published(args.published) if args.published else []
    rows = [score_table.row_of(Path(folder), Path(folder).name, published) for folder in args.folders]
    score_table.write(args.title, rows, Path(args.output_dir), notes_of(rows, published))


if __name__ == "__main__":
    run_main(main)
