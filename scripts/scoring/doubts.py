"""What makes a phrase that names an option none that chooses it: a condition, a doubt, what is only told of it."""

import re

# "So maybe the answer is C, but I'm not sure": a thought on the way, where more follows.
HEDGED = re.compile(r"\b(?:maybe|perhaps|possibly|talvez|quizás?|tal vez)\b", re.I)
# "So, option C says that": told of, not chosen.
TOLD_OF = re.compile(
    r"\s+(?:is saying|says|said|states|mentions|talks|refers|describes|suggests|claims|proposes|implies|"
    r"diz|afirma|fala|menciona|sugere|propõe|descreve|dice|habla|sugiere|propone)\b",
    re.I,
)
# "If he were stable, the answer would be A", "outside pregnancy it would be E": both must be there.
SUPPOSED = re.compile(
    r"\b(?:if|were|had|se|si|caso|fosse|fuera|tivesse|tuviera|suppose|supondo|otherwise|in (?:an)?other|outside|"
    r"in the absence|fora d[aeo]|em outr[ao]s?|en otr[ao]s?|na ausência|en ausencia)\b[^.;!?\n]*$",
    re.I,
)
WOULD = re.compile(r"\b(?:would|could|might|seria|poderia|sería|podría)\b", re.I)
# "B would be right if he were stable". A Portuguese "se" before a verb is mostly no condition ("a que se encaixa").
WOULD_IF = re.compile(
    r"[\)\]\"'”’]*\s*(?:would|could|might|seria|poderia|sería|podría)\b[^.;!?\n]{0,120}?\b(?:if|unless|caso|"
    r"s[ei] (?:[ao]s?|el|la|los|las|ele|ela|não|no|já|fosse|fuera|houvesse|hubiera|tivesse|estivesse)\b|quando|cuando|when)\b",
    re.I,
)
# "Se a resposta fosse A, haveria febre": the answer itself is only supposed.
UNREAL = re.compile(
    r"\b(?:if|se|si|caso)\b[^.;:,!?\n]*\b(?:answer|option|choice|resposta|respuesta|alternativa|opção|opción|letra)\b"
    r"[^.;:,!?\n]*\b(?:fosse|fuera|fuese|were|was|for|is|seja)\b[^.;:,!?\n]*$",
    re.I,
)
# "If he is stable, the answer is A; if not, B": a condition before the letter and another one after it.
CONDITION = re.compile(
    r"(?:^|[.;:,!?\n(—]\s*|\b(?:e|mas|já|and|but|y|pero)\s+)(?:if|s[ei]|caso|quando|cuando|when|otherwise|caso contrário)\s", re.I
)
AHEAD = 160


def supposed(cue: str, sentence: str, rest: str, before: str = "") -> bool:
    """Whether a phrase is only supposed. `sentence`: what stands before it there; `rest`: what follows its letter; `before`: the
    text before it, where the other of two conditions may stand."""
    if (WOULD.search(cue) and SUPPOSED.search(sentence)) or WOULD_IF.match(rest):
        return True
    if UNREAL.search(sentence) or UNREAL.search(sentence + cue):
        return True
    if HEDGED.search(sentence) and re.search(r"[.!?]\s+\S[^.!?\n]*\S", rest):
        return True
    conditions = len(CONDITION.findall(sentence))
    return conditions > 1 or bool(
        conditions and (CONDITION.search(rest[:AHEAD]) or len(CONDITION.findall(before[-2 * AHEAD :])) > 1)
    )
