"""Token lengths of training rows, what would be trained of them, and rendered rows to look at."""

import collections
import json
from pathlib import Path

from data_prep.common.errors import UserError

LOCAL = "models/tiny-qwen3"
LONGER = "rows longer than max_length"
GREEN, RED = "\033[1;4;32m{}\033[0m", "\033[1;4;31m{}\033[0m"
ANSWERS = ("chosen", "rejected", "completion")
MOST = 20_000  # rows whose tokens are counted where nothing is rejected for its length


class Lengths:
    """Counts tokens as training will see them. Without a tokenizer (and no preview asked for) it counts nothing."""

    def __init__(self, args):
        self.args, self.renderer, self.seen = args, None, 0
        self.counts, self.lengths = collections.Counter(), []
        name = args.tokenizer or (LOCAL if (args.preview or args.max_length) and Path(LOCAL).is_dir() else "")
        if not name:
            if args.preview or args.max_length:
                raise UserError(
                    f"tokenizer: preview and max_length need one; pass --tokenizer (a folder or a hub id), or make {LOCAL}: "
                    "python scripts/make_model.py --name tiny_qwen3 --output_dir models/tiny-qwen3"
                )
            return
        from transformers import AutoTokenizer

        from data_prep.chat_template import Renderer, set_template

        try:
            tokenizer = AutoTokenizer.from_pretrained(name)
        except Exception as error:
            raise UserError(f"tokenizer: {name} cannot be loaded ({' '.join(str(error).split())[:200]})") from None
        self.renderer = Renderer(set_template(tokenizer, args.template), args.enable_thinking)

    def _counts(self) -> bool:
        """Whether the next row is counted: with nothing to reject, the first MOST are enough."""
        return self.renderer is not None and (len(self.lengths) < MOST or self.args.too_long == "reject")

    def look(self, conversation: dict) -> str:
        """Count one training row; returns why it is to be rejected, or ""."""
        if not self._counts():
            return ""
        from data_prep.chat_template import TemplateError, to_messages

        try:
            whole = self.renderer.encode(to_messages(conversation))
        except TemplateError as error:
            return str(error)
        n, labels, limit = len(whole["input_ids"]), whole["labels"], self.args.max_length
        trained = [i for i, label in enumerate(labels) if label != -100]
        end = self.renderer.tokenizer.convert_tokens_to_ids(self.renderer.end)
        self.lengths.append(n)
        self.counts["rows looked at"] += 1
        self.counts["trained tokens"] += len(trained)
        self.counts["earlier answers not trained (the template shows them otherwise)"] += whole.answers_left_out
        self.counts["thoughts left out"] += whole.thoughts_left_out
        if not trained:
            self.counts["rows without a trained token"] += 1
        elif limit and trained[0] >= limit:
            self.counts["rows cut before their answer"] += 1
        if limit and n > limit:
            self.counts[LONGER] += 1
        kept = [labels[i] for i in trained if not limit or i < limit]
        if not kept or kept[-1] != end:
            self.counts["rows without end of turn"] += 1
        if limit and n > limit and self.args.too_long == "reject":
            return "longer than max_length"
        return "" if trained else "no trained token"

    def look_at_answers(self, prompt: str | list[dict], answers: list[str]) -> str:
        """Count a prompt with the longest of its answers, as the preference scripts see it; returns as `look` does."""
        if not self._counts():
            return ""
        from data_prep.chat_template import TemplateError, prompt_messages

        try:
            messages = prompt_messages(prompt)
            counts = [len(self.renderer.encode_answer(messages, answer)) for answer in answers]
            n = len(self.renderer.encode_prompt(messages)) + max(counts)
        except TemplateError as error:
            return str(error)
        self.lengths.append(n)
        self.counts["rows looked at"] += 1
        self.counts["tokens of answers"] += sum(counts)
        if self.args.max_length and n > self.args.max_length:
            self.counts[LONGER] += 1
            return "longer than max_length" if self.args.too_long == "reject" else ""
        return ""

    def summary(self) -> dict:
        if not self.lengths:
            return {}
        ordered = sorted(self.lengths)
        conversations = ("rows without a trained token", "rows cut before their answer", "rows without end of turn")
        zero = (LONGER, *(() if self.counts["tokens of answers"] else conversations))
        return {
            **{name: n for name, n in self.counts.items() if n},
            **{name: self.counts[name] for name in zero},
            **{f"p{p}": ordered[min(len(ordered) - 1, len(ordered) * p // 100)] for p in (50, 90, 99)},
            "longest": ordered[-1],
        }

    def histogram(self) -> list[tuple[int, int]]:
        """(lower edge in tokens, rows), 40 bins of equal width up to the longest row."""
        if not self.lengths:
            return []
        width = max(8, -(-max(self.lengths) // 40))
        bins = collections.Counter(n // width for n in self.lengths)
        return [(b * width, bins[b]) for b in range(max(bins) + 1)]

    def show(self, path: Path, number: int) -> None:
        """Print the first training rows as they are rendered; what is trained is green and underlined. Of pairs and feedback
        the prompt and the answers, as the preference scripts see them: what is to be unlearnt is red."""
        if self.renderer is None:
            return
        with open(path, encoding="utf-8") as file:
            for line, _ in zip(file, range(number), strict=False):
                row = json.loads(line)
                if "prompt" in row:
                    self._show_answers(row)
                elif "conversations" in row:
                    self._show_conversation(row)

    def _show_conversation(self, row: dict) -> None:
        from data_prep.chat_template import to_messages

        out = self.renderer.encode(to_messages(row), self.args.max_length or None)
        print(f"\n--- {row['id']}: {len(out['input_ids'])} tokens, {sum(v != -100 for v in out['labels'])} trained")
        runs, decode = [], self.renderer.tokenizer.decode
        for token, label in zip(out["input_ids"], out["labels"], strict=True):
            if not runs or runs[-1][0] != (label != -100):
                runs.append((label != -100, []))
            runs[-1][1].append(token)
        print("".join(GREEN.format(decode(ids)) if trained else decode(ids) for trained, ids in runs))

    def _show_answers(self, row: dict) -> None:
        from data_prep.chat_template import prompt_messages

        messages, decode = prompt_messages(row["prompt"]), self.renderer.tokenizer.decode
        answers = {name: self.renderer.encode_answer(messages, row[name]) for name in ANSWERS if name in row}
        prompt = self.renderer.encode_prompt(messages)
        told = ", ".join(f"{len(ids)} {name}" for name, ids in answers.items())
        print(
            f"\n--- {row['id']}: {len(prompt)} tokens of the prompt, {told}"
            + (f", label {row['label']}" if "label" in row else "")
        )
        print(decode(prompt))
        for name, ids in answers.items():
            good = name == "chosen" or row.get("label", False)
            print(f"{name}: " + (GREEN if good else RED).format(decode(ids)))
