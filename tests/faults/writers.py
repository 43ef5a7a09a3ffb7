"""Two servers that stand in for models: one writes what synthesize.py asks for (and checks it), one the answers of annotate.py.

python tests/faults/writers.py urls.json       # until it is ended, or whoever started it is gone
"""

import json
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "data_prep")]
PASSAGES = 8


def main() -> None:
    from planted_answers import Server, make_plan
    from scripted_server import ScriptedServer, reply

    def answer(body):
        time.sleep(0.01)
        return reply(f"Answer {body['seed'] % 10}: " + "rest and water. " * (body["seed"] % 3 + 1))

    ScriptedServer.handle_error = lambda *_: None  # a client that was killed
    writer, answers, parent = Server(make_plan(PASSAGES)), ScriptedServer(answer), os.getppid()
    told = Path(sys.argv[1])
    told.with_suffix(".tmp").write_text(json.dumps({"{writer}": writer.url, "{answers}": answers.url}))
    told.with_suffix(".tmp").rename(told)
    while os.getppid() == parent:
        time.sleep(0.5)


if __name__ == "__main__":
    main()
