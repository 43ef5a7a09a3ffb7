"""Names of columns as people write them into a spreadsheet: `Resposta esperada`, `Texto da questão`, `Patient's question`.

A name says what its noun says where every other word is known to leave that as it is. `Resposta do aluno` is not the answer,
and `Resposta modelo` may be a model's: a name with any other word says nothing.
"""

import functools
import re
from typing import NamedTuple

from data_prep.words.names import ALIASES, plain, words_of


class Phrase(NamedTuple):
    """Our name, the nouns that say it, the words that may stand before the noun (English) and after it (Portuguese, Spanish)."""

    name: str
    nouns: frozenset[str]
    before: frozenset[str]
    after: frozenset[str]
    needs: frozenset[str] = frozenset()  # one of these has to be there


def _phrase(name: str, nouns: str, before: str, after: str, needs: str = "") -> Phrase:
    return Phrase(name, *(frozenset(words.split()) for words in (nouns, before, after, needs)))


RIGHTLY = "correta correto correcta correcto certa certo verdadeira verdadera oficial definitiva definitivo right correct"
PHRASES = (
    _phrase(
        "question",
        "question query queries questao pergunta pregunta enunciado duvida",
        "patient patients user users student students client clients clinical medical full test exam texto text comando corpo",
        "paciente usuario cliente aluno estudante clinica medica frequente dissertativa discursiva objetiva aberta "
        "completa completo texto text questao pergunta pregunta prova exame examen item",
    ),
    _phrase(
        "answer",
        "answer response resposta respuesta gabarito clave",
        "expected ideal reference gold standard ground truth doctor doctors physician physicians clinician expert "
        f"padrao texto {RIGHTLY}",
        "esperada esperado ideal padrao referencia curta longa breve comentada comentado medico medica doutor "
        "doutora doctor doctora equipe equipo banca profissional profesional especialista professor professora docente questao "
        f"pergunta pregunta item respuesta {RIGHTLY}",
    ),
    _phrase(  # of a test case, beside the one that a model gave
        "answer",
        "output outputs completion saida salida",
        "expected reference gold ideal",
        "esperada esperado ideal",
        "expected reference gold ideal esperada esperado",
    ),
    _phrase("output", "output outputs saida salida", "expected gold ideal", "esperada ideal", "expected gold ideal esperada"),
    _phrase("answer", "gabarito clave", "", "final"),  # of an exam; a final or full answer may be a model's
    _phrase("answer", "chave", "", "resposta respostas correcao", "resposta respostas correcao"),
    _phrase("question", "consulta mensagem mensaje", "", "paciente usuario cliente", "paciente usuario cliente"),
    _phrase(
        "answer",
        "alternativa opcao opcion option choice letra item inciso literal",
        RIGHTLY,
        f"resposta respuesta {RIGHTLY}",
        RIGHTLY,
    ),
    _phrase(
        "explanation",
        "comentario comentarios comentado comentada justificativa justificacion explicacao explicacion explanation rationale "
        "resolucao resolucion fundamentacao fundamentacion retroalimentacion",
        "answer gabarito questao resposta",
        f"professor professora docente especialista banca gabarito questao resposta respuesta pregunta alternativa opcao opcion "
        f"letra item prova detalhada detallada final geral general {RIGHTLY}",
    ),
    _phrase(
        "number",
        "numero number num no nº n nr",
        "question questao pergunta pregunta item",
        "question questao pergunta pregunta item",
    ),
)
PARTICLES = set(
    "de do da dos das del pela pelo por la el los las o a os as ao the of to for para em s".split()
)  # inside a name only


ITEM_NUMBER = re.compile(  # all that a cell says: 7, Q7, `Questão 7`
    r"\W*(?:q|quest[ãa]o|question|pregunta|pergunta|item|n[º°o]?)?\W*(\d{1,4})(?:\.0)?\W*", re.I
)
NUMBERED = re.compile(r"^\s*\d{1,2}\s*[.)-]\s+(?=\D)")  # "1. Pergunta", as forms number what they ask


def asks(text) -> bool:
    """Whether a text ends with a question mark, of any script."""
    return str(text).rstrip().endswith(("?", "？", "؟"))


@functools.lru_cache(maxsize=4096)
def meanings(name) -> tuple[str, ...]:
    """Our names for what a column is called, by the tables of names and of phrases; () for a name that says nothing."""
    bare = NUMBERED.sub("", str(name))
    if found := ALIASES.get(plain(name)) or ALIASES.get(plain(bare)):
        return tuple(found)
    return of_phrase(bare)


def of_phrase(name: str) -> tuple[str, ...]:
    """Our names for what several words say together; () where they do not."""
    words = words_of(name)
    words = [w for i, w in enumerate(words) if w not in PARTICLES or i in (0, len(words) - 1)]
    return tuple(dict.fromkeys(p.name for p in PHRASES if len(words) > 1 and _says(p, words)))


def _says(phrase: Phrase, words: list[str]) -> bool:
    first = words[0] in phrase.nouns and phrase.after.issuperset(words[1:])
    last = words[-1] in phrase.nouns and phrase.before.issuperset(words[:-1])
    return (first or last) and (not phrase.needs or not phrase.needs.isdisjoint(words))


CALLED = sorted((a for a, names in ALIASES.items() if "question" in names and (len(a) > 1 or not a.isascii())), key=len)
NOTHING_ASKED = re.compile(f"(?:{'|'.join(map(re.escape, reversed(CALLED)))})+")


def asks_nothing(text: str) -> bool:
    """Whether a question is only called one, with a number (`Questão 12:`): what it asks stands elsewhere, or was lost."""
    return len(text) <= 60 and bool(NOTHING_ASKED.fullmatch(plain(re.sub(r"[\W\d]", "", text))))
