"""Cleaning: HTML by lxml where it is HTML, nothing else touched; lists keep their nesting."""

import html

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.cleaning.clean import NAMES, RULES, clean_text
from data_prep.values.html_text import CONTROLS, html_to_text


@pytest.mark.parametrize(
    "before, after",
    [
        ("<table><tr><td>Na</td><td>140</td></tr><tr><td>K</td><td>4,1</td></tr></table>", "Na | 140\nK | 4,1"),
        ("10<sup>9</sup>/L", "10^9/L"),
        ("10<sup>-3</sup> mol", "10^-3 mol"),
        ("kg/m<sup>2</sup>", "kg/m^2"),
        ("Na<sup>+</sup> and the 1<sup>st</sup> day", "Na+ and the 1st day"),
        ("CO<sub>2</sub>", "CO2"),
        ("a<b and c>d", "a<b and c>d"),
        ("if p<b, i>j", "if p<b, i>j"),
        ("see <b> here", "see <b> here"),
        ("IMC <i e >p", "IMC <i e >p"),
        ("pH<7,35 e pCO2>45", "pH<7,35 e pCO2>45"),
        ("<p>FC < 60 e > 40 & estável</p>", "FC < 60 e > 40 & estável"),
        ("<p>x &lt; y &amp; z&nbsp;w</p>", "x < y & z\xa0w"),
        ("x &lt;b&gt; y", "x <b> y"),
        ("R&D; AT&T &copy 2020", "R&D; AT&T &copy 2020"),
        ("<ul><li>a<ul><li>b</li><li>c</li></ul></li><li>d</li></ul>", "- a\n  - b\n  - c\n- d"),
        ("<ol start='3'><li>a</li><li>b</li></ol>", "3. a\n4. b"),
        ("<p>one</p><p>two<br>three</p>", "one\ntwo\nthree"),
        ("<script>alert(1)</script>Take <a href='http://x'>rest</a>.", "Take rest."),
        ('<div class="x">a</div><!-- c -->b', "a\nb"),
        ("<P>Upper</P>", "Upper"),
        ("<think>so</think> yes", "<think>so</think> yes"),
        ("fever <38.5", "fever <38.5"),
        ("<td>", ""),
        ("5\x1e mg</b> a day", "5 mg a day"),  # lxml ended in an error
        ("x\ufffe<p>a\0b</p>", "x\nab"),
        ("<p>a\ud800b</p>", "a\ufffdb"),  # lxml lost what follows it
        ("<b>" * 300 + "5 mg</b> &lt; 6", "5 mg  < 6"),  # lxml gave nothing at all
        ('<ol start="²"><li>a<li>b</ol>', "1. a\n2. b"),
        ("<ol><li>a<ol><li>b</ol><li>c</ol><!-- x --> d<!-- e", "1. a\n  1. b\n2. c\n d<!-- e"),
        ('<p>see <a href=\\"https://x.org/?a=1\\">this</a></p>', "see this"),
        ("<ul>\n  <li>a</li>\n  <li>b\n    <ol>\n      <li>c</li>\n    </ol>\n  </li>\n</ul>", "- a\n- b\n  1. c"),
    ],
)
def test_html(before, after):
    assert html_to_text(before) == after


@pytest.mark.parametrize(
    "before, after",
    [
        ("- a\n    - b\n    - c\n- d", "- a\n  - b\n  - c\n- d"),
        ("1. a\n   - b\n      - c\n2. d", "1. a\n  - b\n    - c\n2. d"),
        ("    - a\n    - b", "- a\n- b"),
        ("Symptoms:  - fever  - cough", "Symptoms:\n- fever\n- cough"),
        ("text\n   indented prose\n\n\n\nend ", "text\nindented prose\n\nend"),
        ("• a\n\t• b", "- a\n  - b"),
        ("-5 mmol\n - 3", "-5 mmol\n- 3"),
    ],
)
def test_whitespace_keeps_how_deep_an_item_stands(before, after):
    assert clean_text(before, ["whitespace"]) == after


def test_covid_faq_answers_keep_their_words(shared_data):
    """Real answers in HTML: every word that lxml's own reader finds is there, no tag is left."""
    import csv
    import re

    import lxml.html

    [path] = (shared_data / "covid_qa").glob("*.csv")
    rows = [r["answer_html"] for r in csv.DictReader(path.open(encoding="utf-8")) if r.get("answer_html")]
    assert len(rows) > 100
    for text in rows:
        ours = html_to_text(text)
        tree = lxml.html.fromstring(f"<div>{text}</div>")
        for node in tree.xpath("//script|//style"):
            node.drop_tree()
        assert (
            sorted(re.findall(r"\w", ours)) == sorted(re.findall(r"\w", tree.text_content())) or "<ol" in text or "<img" in text
        )
        assert not re.search(r"</?(?:p|li|ul|a|br|div|span)\b[^>]*>", ours)


@pytest.fixture
def shared_data():
    from conftest import ROOT

    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("../shared/data is not here")
    return folder


WORDS = (
    "a b < > & <b> </b> <p> </p> <li> <ul> </ul> <br/> 10 <sup> </sup> &lt; &amp; p<0.05 x<y>z - ção <td> </td> <!-- -->".split()
)
TEXT = st.lists(st.sampled_from([*WORDS, "\n", " ", "  ", "\u00a0", "\r\n"]), max_size=15).map("".join) | st.text(max_size=40)


def check(text):
    once = clean_text(text, list(NAMES))
    assert isinstance(once, str)
    # Whatever a text is, written as HTML and read back it is itself.
    plain = CONTROLS.sub("", text).replace("\r", "")
    kept = html_to_text(f"<p>{html.escape(plain, quote=False)}</p>")
    assert "".join(kept.split()) == "".join(html.unescape(html.escape(plain, quote=False)).split())
    ascii_letters = [c for c in text if c.isalpha()]
    if "<" not in text and "&" not in text:
        assert html_to_text(text) == text
        after = [c for c in clean_text(text, ["whitespace"]) if c.isalpha()]
        assert after == [c for c in ascii_letters if c in after] or "\u200c" in text


@settings(max_examples=300, deadline=None, derandomize=True)
@given(TEXT)
def test_cleaning_loses_nothing_that_is_no_markup(text):
    check(text)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, derandomize=True)
@given(TEXT)
def test_cleaning_loses_nothing_that_is_no_markup_thousands(text):
    check(text)


def test_rules_have_an_order():
    assert list(RULES) == ["mojibake", "nfc", "html", "whitespace", "boilerplate"]
