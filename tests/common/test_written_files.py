"""Files are written whole, under a name that no other process uses."""

import json
import os

import pytest
from common.files import read_rows, whole_lines, write_json, write_text


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "run.json"
    write_json(path, {"drug": "amoxicilina 500 mg, 8/8 h"})
    assert json.loads(path.read_text(encoding="utf-8")) == {"drug": "amoxicilina 500 mg, 8/8 h"}
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "half \ud800")  # a lone surrogate: fails in the middle
    assert "amoxicilina" in path.read_text(encoding="utf-8"), "the old file stands"
    assert [p.name for p in path.parent.iterdir()] == ["run.json"], "nothing is left beside it"


def test_a_temporary_file_of_another_is_left_alone(tmp_path):
    others = tmp_path / ".run.json.tmp"
    others.write_text("another program's")
    write_text(tmp_path / "run.json", "x")
    assert others.read_text() == "another program's"


def test_a_long_name_fits(tmp_path):
    path = tmp_path / ("a" * 240 + ".json")
    write_text(path, "{}\n")
    assert path.read_text() == "{}\n" and len(os.listdir(tmp_path)) == 1


def test_all_bad_lines_come_in_one_error(tmp_path):
    from common.errors import UserError

    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n[]\n{"a": \n', encoding="utf-8")
    with pytest.raises(UserError) as error:
        read_rows(path)
    assert [p.split(": ")[0] for p in error.value.problems] == [f"{path}:2", f"{path}:3"]


def test_lines_of_a_killed_run_are_cut_at_line_ends_alone(tmp_path):
    """U+2028, U+0085 and U+2029 in a text end no line; a last line that a kill cut, even inside a letter, is left out."""
    rows, path = [{"text": "a\u2028b\u0085c\u2029d"}, {"text": "é"}], tmp_path / "partial.jsonl"
    whole = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    path.write_bytes(whole + '{"text": "é'.encode()[:-1])
    assert [json.loads(line) for line in whole_lines(path)] == rows and whole_lines(tmp_path / "none") == []
