"""Hard to break: stages killed at random moments, files damaged, disks full. Hours long if asked; `make faults`.

    python tests/faults/faults.py --minutes 120 --seed 1
    python tests/faults/faults.py --kinds damage --stages sft,export --minutes 10
    python tests/faults/faults.py --kinds kill --stages sft,evaluate,export --warm   # libraries imported once, a fork a trial

Each trial takes a stage and a fault by chance, and ends in a verdict:

kill    SIGKILL, SIGTERM, SIGINT or SIGHUP at a random moment, by the processor time that the stage has used, so that other
        work on the machine moves none; four of five after it began to write. No process of it may live on, what it had
        confirmed stays, and the same command started again must end with the same bytes (rows) as a run left alone.
damage  a file that the stage reads, cut short or with one bit turned. Either one clear error that names the file, without a
        traceback, or the same result, or the row left out, counted, with its reason (`told`). Where the bit stands in the content
        itself (a letter, a weight), another result is right: `changed` counts those, for nobody could tell.
power   SIGKILL at such a moment, or after the end, and whatever the stage had not synced is lost (power.py; needs cc).
        The same result, or one clear error that names a file that was lost; what had ended well stays whole.
gone    the output folder is deleted at such a moment while the stage runs, or its disk unmounted (needs root). One clear error,
        or the result all the same; started again it ends well.
disk    the output folder on a disk of a random small size (tmpfs; needs root). One clear error; with more room the same command
        ends well.

Output  one line a trial, a table at the end; runs/faults/trials.jsonl holds every trial, its seed and what was printed.
        Exit code 1 where a trial failed.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from power import built, power_trial, preload
from stages import ALL, MAKE_MODEL, ROOT, STAGES, Stage, make_inputs, run
from trial import GOOD, Span, Trial, lines_of, measured
from warm import alive_in, import_all, kill_session, started, used, wait_until

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PATIENCE = 60  # seconds that a process may take to end after its signal; generous, for machines are busy


def kill_trial(stage: Stage, inputs: Path, work: Path, alone: dict, dice: random.Random, span: Span, warm: bool = False) -> Trial:
    """Stop a stage at a random moment, see that nothing lives on, start it again, compare."""
    number, moment, out = dice.choice(SIGNALS), span.moment(dice), work / "out"
    words, printed = stage.words(inputs, out), work / "printed.txt"
    process = started(words, printed, warm)
    while process.poll() is None and used(process.pid) < moment:
        time.sleep(0.01)
    fault = f"{number.name} after {moment:.2f} s, {span.part(moment)} its work"
    process.send_signal(number)  # nothing, where it has ended
    try:
        code = process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        code = None
    said = printed.read_text(errors="replace")
    left = not wait_until(lambda: not alive_in(process.pid), 10 if code is not None else 0)
    kill_session(process.pid)
    process.wait()
    if code is None:
        return Trial("kill", stage.name, fault, "did not end", said)
    if left:
        return Trial("kill", stage.name, fault, "a child lived on", said)
    if code == 0:
        return Trial("kill", stage.name, fault, "finished" if stage.result(out) == alone else "another result, exit 0", said)
    if "Traceback" in said and "KeyboardInterrupt" not in said:
        return Trial("kill", stage.name, fault, "traceback", said)
    kept = {name: lines_of(out / name) for name in stage.keeps}
    again = started(words, printed, warm)
    code = again.wait(900)
    ended = printed.read_text(errors="replace")
    said += "\n--- again\n" + ended[-3000:]
    if any(set(lines) - set(lines_of(out / name)) for name, lines in kept.items()):
        return Trial("kill", stage.name, fault, "confirmed lines are lost", said)
    if code == 2 and "finished run" in ended and stage.result(out) == alone:
        return Trial("kill", stage.name, fault, "same")
    if code:
        return Trial("kill", stage.name, fault, f"could not go on, exit {code}", said)
    return Trial("kill", stage.name, fault, "same" if stage.result(out) == alone else "another result, exit 0", said)


def damaged(path: Path, dice: random.Random) -> str:
    """Damage a file in place; returns what was done."""
    content = bytearray(path.read_bytes())
    way = dice.choice(("cut", "flip", "flip near the start", "empty", "zeros"))
    if way == "cut":
        at = dice.randrange(len(content))
        path.write_bytes(content[:at])
        return "content turned: cut between two rows" if content[at - 1 : at] == b"\n" else f"cut at byte {at} of {len(content)}"
    if way == "empty":
        path.write_bytes(b"")
        return "emptied"
    if way == "zeros":  # what some file systems leave after a power cut
        path.write_bytes(bytes(len(content)))
        return "all zeros"
    at, bit = dice.randrange(len(content) if way == "flip" else min(len(content), 2000)), dice.randrange(8)
    content[at] ^= 1 << bit
    path.write_bytes(content)
    return f"bit {bit} of byte {at} turned"


def damage_trial(
    stage: Stage, inputs: Path, work: Path, alone: dict, dice: random.Random, span: Span, warm: bool = False
) -> Trial:
    """Damage one file that the stage reads and run it."""
    del span
    mine = work / "inputs"
    shutil.copytree(inputs, mine, copy_function=os.link)  # no copies: the damaged file is replaced, not written into
    config = mine / "sft" / "adapter_config.json"
    if config.exists():  # the adapter names its base by path
        text = config.read_text().replace(str(inputs), str(mine))
        config.unlink()
        config.write_text(text)
    name = dice.choice(stage.reads)
    path = mine / name
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    fault = f"{name}: {damaged(path, dice)}"
    ended = run(stage.words(mine, work / "out"), warm=warm)
    said = ended.stdout[-3000:] + ended.stderr[-3000:]
    if "Traceback" in ended.stderr:
        return Trial("damage", stage.name, fault, "traceback", said)
    if ended.returncode < 0 or ended.returncode > 2:
        return Trial("damage", stage.name, fault, f"exit {ended.returncode}", said)
    if ended.returncode:
        named = path.name in ended.stderr or path.parent.name in ended.stderr
        return Trial("damage", stage.name, fault, "refused" if named else "the error names no file", said)
    if stage.result(work / "out") == alone:
        return Trial("damage", stage.name, fault, "same")
    if stage.told in said:
        return Trial("damage", stage.name, fault, "told")
    return Trial("damage", stage.name, fault, "changed" if "turned" in fault else "another result, exit 0", said)


def disk_trial(stage: Stage, inputs: Path, work: Path, alone: dict, dice: random.Random, span: Span, warm: bool = False) -> Trial:
    """Run a stage into a disk that is too small, then into the same one, grown."""
    del span
    disk, size = work / "disk", dice.choice((16, 64, 256, 1024, 4096, 16384))
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", disk], check=True)
    try:
        words = stage.words(inputs, disk / "out")
        ended = run(words, warm=warm)
        fault, said = f"{size} KiB of disk", ended.stdout[-3000:] + ended.stderr[-3000:]
        if ended.returncode == 0:
            return Trial(
                "disk", stage.name, fault, "finished" if stage.result(disk / "out") == alone else "another result, exit 0", said
            )
        if "Traceback" in ended.stderr:
            return Trial("disk", stage.name, fault, "traceback", said)
        subprocess.run(["mount", "-o", "remount,size=4G", disk], check=True)
        again = run(words, warm=warm)
        said += "\n--- again\n" + again.stdout[-1500:] + again.stderr[-1500:]
        if again.returncode:
            return Trial("disk", stage.name, fault, f"could not go on, exit {again.returncode}", said)
        return Trial(
            "disk", stage.name, fault, "refused" if stage.result(disk / "out") == alone else "another result, exit 0", said
        )
    finally:
        subprocess.run(["umount", disk], check=True)


def gone_trial(stage: Stage, inputs: Path, work: Path, alone: dict, dice: random.Random, span: Span, warm: bool = False) -> Trial:
    """Take the output folder away while a stage runs, then start it again."""
    moment, unmount, disk = span.moment(dice), os.getuid() == 0 and dice.random() < 0.5, work / "disk"
    disk.mkdir()
    if unmount:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", disk], check=True)
    words, printed = stage.words(inputs, disk / "out"), work / "printed.txt"
    process = started(words, printed, warm)
    while process.poll() is None and used(process.pid) < moment:
        time.sleep(0.01)
    ended = process.poll() is not None
    fault = f"{'unmounted' if unmount else 'deleted'} after {moment:.2f} of {span.total:.2f} s"
    if unmount:
        subprocess.run(["umount", "--lazy", disk], check=True)
    else:
        shutil.rmtree(disk / "out", ignore_errors=True)
    code = process.wait(900)
    said = printed.read_text(errors="replace")
    if ended:
        return Trial("gone", stage.name, fault, "finished", said)
    if "Traceback" in said:
        return Trial("gone", stage.name, fault, "traceback", said)
    if code == 0:
        return Trial("gone", stage.name, fault, "same" if stage.result(disk / "out") == alone else "no result, exit 0", said)
    if code > 2 or code < 0 or str(disk) not in said:
        return Trial("gone", stage.name, fault, f"exit {code}, or no file is named", said)
    again = started(words, printed, warm).wait(900)
    said += "\n--- again\n" + printed.read_text(errors="replace")[-1500:]
    well = again == 0 and stage.result(disk / "out") == alone
    return Trial("gone", stage.name, fault, "refused" if well else f"could not go on, exit {again}", said)


KINDS = {"kill": kill_trial, "power": power_trial, "gone": gone_trial, "damage": damage_trial, "disk": disk_trial}


def table(trials: list[Trial]) -> str:
    """Counts by kind and stage, then every trial that failed."""
    lines = ["| fault | stage | trials | same | refused | told | changed | finished | failed |", "|" + "---|" * 9]
    for kind in KINDS:
        for stage in ALL:
            counts = Counter(t.verdict for t in trials if (t.kind, t.stage) == (kind, stage.name))
            if total := sum(counts.values()):
                cells = [kind, stage.name, total, *(counts[v] for v in GOOD), total - sum(counts[v] for v in GOOD)]
                lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines + [f"FAILED {t.kind} {t.stage}: {t.fault}: {t.verdict}" for t in trials if t.verdict not in GOOD])


def campaign(
    minutes: float, seed: int, kinds: list[str], stages: list[str], most: int, log: Path, warm: bool = False
) -> list[Trial]:
    """Trials by turns until the time is over, or `most` are done."""
    root = Path(tempfile.mkdtemp(prefix="faults-"))
    trials, end, spans = [], time.monotonic() + 60 * minutes, {}
    try:
        print("making the inputs, each stage once left alone", flush=True)
        if warm:
            import_all(models=any(s.name in stages for s in (MAKE_MODEL, *STAGES[1:])))
        alone = make_inputs(root / "inputs", stages, warm)
        chosen = [s for s in ALL if s.name in stages]
        plan = [(k, s) for s in chosen for k in kinds if (k != "disk" or os.getuid() == 0) and (k != "damage" or s.reads)]
        log.parent.mkdir(parents=True, exist_ok=True)
        number = 0
        while time.monotonic() < end and len(trials) < most:
            kind, stage = plan[number % len(plan)]
            work, dice = root / f"trial{number}", random.Random(f"{seed}-{number}")
            number += 1
            work.mkdir()
            if kind in ("kill", "power", "gone") and stage.name not in spans:
                spans[stage.name] = measured(stage, root / "inputs", work, warm)
            trial = KINDS[kind](stage, root / "inputs", work, alone[stage.name], dice, spans.get(stage.name, Span()), warm)
            trials.append(trial)
            shutil.rmtree(work)
            print(f"{number} {kind} {stage.name}: {trial.fault}: {trial.verdict}", flush=True)
            with open(log, "a", encoding="utf-8") as file:
                file.write(json.dumps({"seed": f"{seed}-{number - 1}"} | asdict(trial), ensure_ascii=False) + "\n")
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return trials


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5, help="stop after so long (the inputs take one or two)")
    parser.add_argument("--trials", type=int, default=10**9, help="or after so many trials")
    parser.add_argument("--seed", type=int, default=0, help="of stages' faults and moments")
    parser.add_argument("--kinds", default=",".join(KINDS), help=",".join(KINDS) + " (all)")
    parser.add_argument("--stages", default=",".join(s.name for s in ALL), help="names, with commas")
    parser.add_argument("--warm", action="store_true", help="import the libraries once; confirm what fails without it")
    args = parser.parse_args()
    kinds, stages = args.kinds.split(","), args.stages.split(",")
    if unknown := (set(kinds) - set(KINDS)) | (set(stages) - {s.name for s in ALL}):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # under nohup, or after a shell's `&`, both are ignored, and every
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # program started from here would ignore them too
    runs = ROOT / "runs" / "faults"
    if "power" in kinds and (library := built(runs)):
        preload(library)
    elif "power" in kinds:
        print("power: left out, as there is no cc here")
        kinds.remove("power")
    trials = campaign(args.minutes, args.seed, kinds, stages, args.trials, runs / "trials.jsonl", args.warm)
    print(table(trials))
    sys.exit(any(t.verdict not in GOOD for t in trials))


if __name__ == "__main__":
    main()
