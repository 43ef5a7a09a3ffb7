"""Which language a text is in, of a stated set; "und" where it cannot be told (ISO 639-2's word for undetermined)."""

import functools
import re

LANGUAGES = tuple(
    "en pt es fr de it nl zh ja ko ru ar hi pl tr vi ro sv da no fi cs hu el he fa ur uk th id bn mr ta te gu pa kn ml".split()
)
SURE, ENOUGH = 0.9, 0.5  # confidence of a row's own language; of one in doubt
LETTERS = 25  # a text of fewer says nothing of its own
PASSAGE = 400  # characters looked at: more tell nothing new, and cost


# Words that nearly every sentence of a language holds: most rows are told by them, in a tenth of the classifier's time.
COMMON = {
    "en": frozenset("the of and is in to a with which for on was patient are".split()),
    "pt": frozenset("o a de e em do da com que um uma para não é os no na".split()),
    "es": frozenset("el la de y en del con que un una para no es los las".split()),
}


@functools.cache
def _identifier():
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    found = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    found.set_languages(LANGUAGES)
    return found


KANA = re.compile("[\u3041-\u30ff]")


def _told(text: str) -> tuple[str, float]:
    """(language, confidence). Japanese is told by its own letters: full of Chinese ones, it is taken for Chinese."""
    if len(KANA.findall(text)) >= max(3, 0.02 * len(text)):
        return "ja", 1.0
    return _identifier().classify(text)


LATIN = frozenset("en pt es fr de it nl pl tr vi ro sv da no fi cs hu id".split())
OTHER_LETTER = re.compile(r"[^\W\d_\u0000-\u024f\u1e00-\u1eff\u0370-\u03ff]")  # of no Latin alphabet, nor a Greek sign


def _weight(text: str) -> int:
    """How much a text says of its language: a Chinese or Korean letter is a syllable, or a word."""
    return len(text.encode(errors="replace"))


def _in_another_script(text: str, file_language: str) -> bool:
    """Whether most letters of a row are of no alphabet that its file's language is written in."""
    others = len(OTHER_LETTER.findall(text))
    return file_language in LATIN and others >= 4 and 2 * others > sum(c.isalpha() for c in text)


def language_of(texts: list[str]) -> str:
    """Language of a file, from the longest texts of a sample."""
    text = " ".join(t[:1000] for t in sorted(texts, key=_weight)[-20:])[:5000]
    if sum(c.isalpha() for c in text) < LETTERS:
        return "und"
    language, sure = _told(text)
    return language if sure >= ENOUGH else "und"


def language_of_row(text: str, file_language: str) -> str:
    """Language of a row. One too short to tell is in its file's language; one in doubt too, unless another is likelier."""
    text = text[:PASSAGE]
    if _in_another_script(text, file_language):
        return _told(text)[0]
    if file_language in COMMON:
        words = text.casefold().split()
        hits = {name: sum(map(common.__contains__, words)) for name, common in COMMON.items()}
        if hits[file_language] >= 4 and all(hits[file_language] >= 2 * n for name, n in hits.items() if name != file_language):
            return file_language
    if sum(c.isalpha() for c in text) < LETTERS:
        return file_language
    language, sure = _told(text)
    if language == file_language or sure >= SURE:
        return language
    if file_language != "und" and dict(_identifier().rank(text)).get(file_language, 0) >= 0.05:
        return file_language
    return "und" if sure < ENOUGH else language
