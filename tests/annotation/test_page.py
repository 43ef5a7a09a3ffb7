"""The page in a real browser: two raters at once, keys alone, reloads, a killed server, a hostile answer, blindness."""

import re
import shutil
import sqlite3
import urllib.error
import urllib.request

import pytest
from annotation.store import Store
from vote_pages import Served, free_port, write_answers

pytest.importorskip("playwright", reason="pip install -r requirements-dev.txt")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; apt-get install chromium")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def answers(tmp_path):
    return write_answers(tmp_path)


@pytest.fixture
def serve(tmp_path):
    """Function: flags -> Served, with votes in tmp_path/votes; killed at the end."""
    running = []

    def start(*command) -> Served:
        running.append(Served(list(command), tmp_path / "votes"))
        return running[-1]

    yield start
    for served in running:
        served.kill()


def open_page(browser, link: str, **context):
    """A page of a browser of its own; what it logs as an error is kept in `page.errors`."""
    page = browser.new_context(**context).new_page()
    page.set_default_timeout(300_000)  # a busy machine takes its time
    page.errors = []
    page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(link)
    return page


def press(page, key: str) -> None:
    """Press a key that sends a vote, and wait for the next page."""
    with page.expect_navigation():
        page.keyboard.press(key)


def progress(page) -> str:
    return page.locator(".progress span").inner_text()


def votes(folder) -> list:
    return Store(folder).votes()


def test_two_raters_at_once_by_keyboard_alone(browser, serve, answers, tmp_path):
    """A whole round: each sees an order of their own, all four choices and a skip are kept, both end with thanks."""
    served = serve("--answers", *answers, "--raters", "Ana", "Bruno", "--overlap", 1, "--port", 0)
    ana, bruno = (open_page(browser, served.links[name]) for name in ("Ana", "Bruno"))
    orders = {name: [] for name in ("Ana", "Bruno")}
    for number, key in enumerate(("1", "2", "3", "4", "s", "1")):
        for name, page in (("Ana", ana), ("Bruno", bruno)):
            assert progress(page) == f"{number} of 6"
            orders[name].append(page.locator(".question .text").inner_text())
            press(page, key)
    assert progress(ana) == progress(bruno) == "6 of 6" and "Thank you" in ana.content()
    assert sorted(orders["Ana"]) == sorted(orders["Bruno"]) and orders["Ana"] != orders["Bruno"]
    found = votes(tmp_path / "votes")
    assert len(found) == 12
    kinds = [tuple(v.value) + tuple(x for x in v.value.values() if isinstance(x, str)) for v in found if v.rater == 1]
    assert sorted(kinds) == sorted([("preferred",)] * 3 + [("tie", "good"), ("tie", "bad"), ("skipped",)])
    assert not ana.errors and not bruno.errors


def test_what_is_pressed_is_what_is_kept(browser, serve, answers, tmp_path):
    """The answer that stood where the rater pointed is the one preferred; going back shows it, and mending replaces it."""
    served = serve("--answers", *answers, "--port", 0)
    page = open_page(browser, served.links["rater"])
    second = page.locator(".answer .text").nth(1).inner_text()
    press(page, "2")
    [vote] = votes(tmp_path / "votes")
    assert Store(tmp_path / "votes").answers()[vote.value["preferred"]].text[:20] == second[:20]
    press(page, "ArrowLeft")
    assert "changing an earlier vote" in page.content() and page.locator("[aria-pressed=true]").inner_text().endswith(
        "B is better"
    )
    press(page, "3")
    [vote] = votes(tmp_path / "votes")
    assert vote.value == {"tie": "good"} and vote.mended == 1 and progress(page) == "1 of 6"


def test_a_reload_in_the_middle_changes_nothing(browser, serve, answers):
    served = serve("--answers", *answers, "--port", 0)
    page = open_page(browser, served.links["rater"])
    press(page, "1")
    before = page.locator("main").inner_text()
    page.reload()
    assert page.locator("main").inner_text() == before
    again = open_page(browser, served.links["rater"])  # another device
    assert again.locator("main").inner_text() == before


def test_a_killed_server_loses_no_confirmed_vote(browser, serve, answers, tmp_path):
    """The page says that nothing was saved, keeps the choice, and goes on when the same command was started again."""
    port = free_port()
    served = serve("--answers", *answers, "--port", port)
    page = open_page(browser, served.links["rater"])
    press(page, "1")
    press(page, "2")
    served.kill()
    page.keyboard.press("3")
    page.locator("#notice:not([hidden])").wait_for()
    assert "Not saved" in page.locator("#notice").inner_text()
    assert len(votes(tmp_path / "votes")) == 2
    again = serve("--answers", *answers, "--port", port)
    assert again.links == served.links, "the links hold after a restart"
    press(page, "3")
    assert progress(page) == "3 of 6" and [v.value for v in votes(tmp_path / "votes")].count({"tie": "good"}) == 1


def test_a_ranking_with_ties_by_keyboard(browser, serve, answers, tmp_path):
    served = serve("--answers", *answers, "--mode", "rank", "--language", "pt", "--port", 0)
    page = open_page(browser, served.links["rater"])
    assert "Ordene as respostas" in page.content()
    page.keyboard.press("Enter")  # nothing chosen yet: the browser itself refuses
    page.keyboard.press("2")
    page.keyboard.press("1")
    press(page, "Enter")
    [vote] = votes(tmp_path / "votes")
    assert [vote.value["ranks"][str(i)] for i in vote.shown] == [2, 1]
    page.keyboard.press("2")
    page.keyboard.press("2")
    press(page, "Enter")
    assert sorted(votes(tmp_path / "votes")[-1].value["ranks"].values()) == [1, 1] or any(
        list(v.value["ranks"].values()) == [1, 1] for v in votes(tmp_path / "votes")
    )
    assert not page.errors


def test_a_rubric_with_a_remark(browser, serve, answers, tmp_path):
    """Digits go from line to line; a digit typed in the remark stays there."""
    served = serve("--answers", *answers, "--mode", "rubric", "--port", 0)
    page = open_page(browser, served.links["rater"])
    for digit in "534":
        page.keyboard.press(digit)
    page.locator("textarea").fill("dose wrong: 5 mg, <b>not</b> 50")
    page.locator("textarea").press("1")
    with page.expect_navigation():
        page.get_by_role("button", name="Save").click()
    [vote] = votes(tmp_path / "votes")
    assert (
        vote.value == {"scores": {"helpful": 5, "honest": 3, "harmless": 4}, "remark": vote.value["remark"]}
        and "<b>not</b> 50" in vote.value["remark"]
    )
    press(page, "ArrowLeft")
    assert page.locator("textarea").input_value() == vote.value["remark"]


def test_a_hostile_answer_stays_text(browser, serve, answers):
    """Markup, 100 kB and characters that turn text around: shown as text, cut with a word about it, and nothing runs."""
    served = serve("--answers", *answers, "--port", 0)
    page = open_page(browser, served.links["rater"])
    for _ in range(6):
        if "<script>" in page.locator("main").inner_text():
            break
        press(page, "1")
    text = page.locator("main").inner_text()
    assert "<script>document.title" in text and "⟨U+202E⟩cba⟨U+202C⟩" in text and "שלום" in text
    assert page.title() == "Which answer is better?" and page.locator("main img, main script").count() == 0
    assert "characters are shown" in text and len(page.content()) < 60_000
    assert not page.errors
    press(page, "1")


def test_nothing_that_reaches_the_browser_names_a_model(serve, answers, tmp_path):
    """All bytes of all pages, headers too: no system's name, no file's, no family's; only letters and places name answers."""
    served = serve("--answers", *answers, "--port", 0)
    link, sent = served.links["rater"], b""
    for place in range(1, 7):
        with urllib.request.urlopen(f"{link}?place={place}") as answer:
            sent += bytes(str(answer.headers), "utf-8") + answer.read()
    for name in ("style.css", "keys.js"):
        sent += urllib.request.urlopen(f"{link.partition('/r/')[0]}/static/{name}").read()
    assert len(re.findall(rb"Answer [AB]<", sent)) == 12
    for name in (b"smollm", b"tuned", b"dpo", b"plain-", b"qwen", b"alibaba", b".jsonl", b"votes.sqlite"):
        assert name not in sent.lower(), name
    ids = {str(i) for i in Store(tmp_path / "votes").answers()}
    assert len(ids) == 12 and not re.search(rb"data-(?!key|mode|failed)", sent)


def ask(link: str, data: bytes | None = None, **headers) -> int:
    try:
        return urllib.request.urlopen(urllib.request.Request(link, data, headers)).status
    except urllib.error.HTTPError as error:
        return error.code


def test_no_vote_without_a_token_from_another_page_or_host(serve, answers, tmp_path):
    served = serve("--answers", *answers, "--port", 0)
    link = served.links["rater"]
    root = link.partition("/r/")[0]
    vote = b"place=1&choice=1"
    assert [ask(f"{root}/r/wrong"), ask(f"{root}/r/wrong/vote", vote), ask(root), ask(f"{root}/static/store.py")] == [404] * 4
    assert ask(f"{root}/static/..%2fvotes.sqlite") == 404
    assert ask(f"{link}/vote", vote, Origin="http://evil.example") == 403 and ask(f"{link}/vote", vote, Origin="null") == 403
    assert ask(link, Host="evil.example") == 400
    assert ask(f"{link}/vote", vote + b"&remark=" + b"x" * 70_000) == 413
    for bad in (
        b"",
        b"place=1",
        b"place=1&choice=3",
        b"place=999&choice=1",
        b"place=-1&choice=1",
        b"place=1&choice=%ff\xff",
        b"\xff",
    ):
        assert ask(f"{link}/vote", bad) == 400
    assert votes(tmp_path / "votes") == []
    assert ask(f"{link}/vote", vote, Origin=root) == 200 and len(votes(tmp_path / "votes")) == 1
    policy = urllib.request.urlopen(link).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy


@pytest.mark.parametrize("language, question", [("pt", "Qual resposta é melhor?"), ("en", "Which answer is better?")])
def test_on_a_phone(browser, serve, answers, language, question):
    """390 px: nothing wider than the screen, buttons large enough for a thumb, in both languages; switching is remembered."""
    served = serve("--answers", *answers, "--language", "en" if language == "pt" else "pt", "--port", 0)
    page = open_page(browser, served.links["rater"], viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    with page.expect_navigation():
        page.locator(f".language button[value={language}]").tap()
    page.reload()
    assert page.locator("h1").inner_text() == question
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    boxes = [button.bounding_box() for button in page.locator(".buttons button").all()]
    assert all(box["height"] >= 44 and box["width"] >= 44 for box in boxes)
    with page.expect_navigation():
        page.locator(".buttons button").first.tap()
    assert page.locator("progress").get_attribute("value") == "1"


def test_the_page_works_without_script(browser, serve, answers, tmp_path):
    served = serve("--answers", *answers, "--port", 0)
    page = open_page(browser, served.links["rater"], java_script_enabled=False)
    with page.expect_navigation():
        page.get_by_role("button", name="A is better").click()
    assert len(votes(tmp_path / "votes")) == 1


def test_the_votes_file_is_in_wal_mode_and_private(serve, answers, tmp_path):
    serve("--answers", *answers, "--port", 0)
    with sqlite3.connect(tmp_path / "votes" / "votes.sqlite") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    for name in ("votes.sqlite", "links.txt"):
        assert (tmp_path / "votes" / name).stat().st_mode & 0o077 == 0
    tokens = (tmp_path / "votes" / "links.txt").read_text().split("/r/")[1].strip()
    assert tokens.encode() not in (tmp_path / "votes" / "votes.sqlite").read_bytes()
