"""Votes through annotate.py's page, the power cut while people vote: whatever the page said is kept, is kept.

    python tests/faults/votes.py --trials 50

A vote is confirmed by the page's answer to it (303). Power cuts are those of power.py.
"""

import argparse
import http.client
import random
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from power import Disk, built, preload
from stages import ROOT
from warm import import_all, kill_session, started

QUESTIONS = 40
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Voter:
    """One who votes on the questions in turn, and again, for as long as the page is there."""

    name: str
    host: str
    path: str
    confirmed: dict[int, int] = field(default_factory=dict)  # place -> the choice that the page took last
    under_way: tuple[int, int] = (0, 0)
    number: int = 0

    def vote(self, dice: random.Random) -> None:
        while True:
            place, choice = self.number % QUESTIONS + 1, dice.choice((1, 2))
            self.under_way = place, choice
            try:
                connection = http.client.HTTPConnection(self.host, timeout=60)
                connection.request("POST", f"{self.path}/vote", f"place={place}&choice={choice}", FORM)
                status = connection.getresponse().status
                connection.close()
            except (OSError, http.client.HTTPException):
                return
            assert status == 303, status
            self.confirmed[place], self.number = choice, self.number + 1

    def lost(self, votes: dict[int, int]) -> list[int]:
        """Places whose vote in the file is neither the confirmed one nor the one that was under way."""
        return [p for p, c in self.confirmed.items() if votes.get(p) != c and (p, votes.get(p)) != self.under_way]


def serve(work: Path, warm: bool):
    """annotate.py on two files of answers; the process and its voters' links."""
    for name in ("a", "b"):
        rows = "".join(f'{{"id": "q{i}", "prompt": "Which {i}?", "answer": "{name} says {i}."}}\n' for i in range(QUESTIONS))
        (work / f"{name}.jsonl").write_text(rows)
    answers = ["--answers", str(work / "a.jsonl"), str(work / "b.jsonl"), "--overlap", "1"]
    words = ["scripts/annotate.py", *answers, "--raters", "Ana", "Bia", "--port", "0", "--output_dir", str(work / "votes")]
    process = started([sys.executable, *words], work / "printed.txt", warm)
    while "ready" not in (work / "printed.txt").read_text():
        assert process.poll() is None, (work / "printed.txt").read_text()
        time.sleep(0.05)
    return process, re.findall(r"(\w+): http://([^/]+)(/r/\S+)", (work / "printed.txt").read_text())


def choices_of(folder: Path) -> dict[str, dict[int, int]]:
    """Rater -> place -> the place of the answer that was preferred, from votes.sqlite."""
    from annotation.store import Store

    store, found = Store(folder), {}
    with store.connect() as connection:
        names = dict(connection.execute("SELECT id, name FROM rater"))
        places = {(r, i): p for r, i, p in connection.execute("SELECT rater, item, place FROM assignment")}
    for vote in store.votes():
        preferred = vote.value["preferred"]
        found.setdefault(names[vote.rater], {})[places[vote.rater, vote.item]] = vote.shown.index(preferred) + 1
    return found


def trial(work: Path, disk: Disk, dice: random.Random, votes: int, warm: bool) -> str:
    """The verdict of one power cut after so many votes, or somewhat more."""
    with disk.watching():
        process, links = serve(work, warm)
    voters = [Voter(*link) for link in links]
    threads = [threading.Thread(target=v.vote, args=(random.Random(dice.random()),)) for v in voters]
    for thread in threads:
        thread.start()
    while sum(v.number for v in voters) < votes and all(t.is_alive() for t in threads):
        time.sleep(dice.uniform(0, 0.02))
    ended = not all(t.is_alive() for t in threads)
    kill_session(process.pid)
    process.wait()
    for thread in threads:
        thread.join()
    lost = disk.lose(work / "votes", dice)
    process, again = serve(work, warm)
    found = choices_of(work / "votes")
    process.send_signal(signal.SIGINT)
    code = process.wait()
    gone = {v.name: places for v in voters if (places := v.lost(found.get(v.name, {})))}
    what = f"{sum(v.number for v in voters)} votes, lost of: {', '.join(lost) or 'nothing'}"
    if ended:
        return f"FAILED {what}: the page ended, or refused a vote"
    if gone or [link[2] for link in again] != [link[2] for link in links]:
        return f"FAILED {what}: confirmed votes or links are gone: {gone}"
    return f"{'same' if code in (0, 130) else f'FAILED exit {code}'}: {what}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if not (library := built(ROOT / "runs" / "faults")):
        sys.exit("there is no cc here")
    preload(library)
    import_all(models=False)
    failed = 0
    for number in range(args.trials):
        work, dice = Path(tempfile.mkdtemp(prefix="votes-")), random.Random(f"{args.seed}-{number}")
        said = trial(work, Disk(library, work / "synced"), dice, dice.randrange(1, 120), True)
        failed += said.startswith("FAILED")
        print(number + 1, said, flush=True)
        shutil.rmtree(work)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
