"""What a reading says of the values themselves: from which mark an answer is good, whose turns a conversation holds."""

import collections
import contextlib
import dataclasses

from data_prep.common.errors import UserError
from data_prep.shapes.known import Known
from data_prep.shapes.reading import Reading, Wish, to_paste, yaml_line
from data_prep.values.strict import Unreadable, cell, mark_of
from data_prep.values.turns import in_singles, is_turns, looks_named, role_of, speakers_of
from data_prep.words.names import plain


def with_marks(reading: Reading, sample: list[dict], wish: Wish, known: Known | None, shown: str) -> Reading:
    """From which mark an answer is good. Where marks do not go from 0 to 1 this is asked."""
    if reading.shape not in ("feedback", "graded"):
        return reading
    column = reading.fields["label" if reading.shape == "feedback" else "score"]
    good = wish.good_score if wish.good_score is not None else known.good_score if known else None
    marks = []
    for raw in sample:
        with contextlib.suppress(Unreadable):
            marks.append(mark_of(cell(raw, column)))
    if good is None and not set(marks) <= {0, 1}:
        raise UserError(
            f"{shown}: the marks of {column} go from {min(marks):g} to {max(marks):g}. From which one is an answer good? "
            f"Paste and mend:\n{to_paste(f'good_score: {max(marks):g}')}"
        )
    return dataclasses.replace(reading, good_score=1.0 if good is None else good)


TURNS = ("conversations", "messages", "dialogue", "prompt", "chosen", "rejected")


def with_roles(reading: Reading, sample: list[dict], wish: Wish, shown: str) -> Reading:
    """The speakers of the first rows and whose turns they are; an unknown one is asked about."""
    seen: collections.Counter = collections.Counter()
    written = False
    for name in TURNS:
        if column := reading.fields.get(name):
            for raw in sample:
                value = cell(raw, column)
                as_text = isinstance(value, str) and not is_turns(value)
                if as_text and name not in ("dialogue", "conversations", "messages"):
                    continue
                written |= as_text
                seen.update(dict.fromkeys(speakers_of(value), 1))  # in their order: the manifest is the same every time
    both = in_singles(set(map(plain, seen)))
    roles, unknown = {}, []
    for speaker, times in seen.most_common():
        role = role_of(speaker, wish.roles, both)
        often = times >= max(2, len(sample) // 100) or 2 * times > len(sample)  # once in a file's one dialogue
        if role is None and (not written or (looks_named(speaker) and often)):
            unknown.append(speaker)
        elif role is not None:
            roles[speaker] = role
    if unknown:
        told = ", ".join(f"{s!r} ({seen[s]} rows)" for s in unknown[:8])
        lacking = [side for side in ("human", "gpt") if side not in {role_of(s, wish.roles, both) for s in roles}]
        side = lacking[0] if len(unknown) == 1 and lacking else "YOUR_SIDE"  # pasted as it stands it is an error
        line = yaml_line("roles", dict.fromkeys(unknown[:8], side))
        sides = "human, gpt, system, third (a further speaker), drop" + (", text (no speaker at all)" if written else "")
        raise UserError(
            f"{shown}: whose turns are those of {told}? Paste with the right side of each ({sides}):\n{to_paste(line)}"
        )
    return dataclasses.replace(reading, roles=dict(list(roles.items())[:20]))
