"""Patterns of the phrases that name an option by its letter: "the answer is B", "letra C", "a opção D é a mais indicada"."""

import re

# A letter in brackets ("[ B ]") or quotes or without, but not the beginning of "d'água", "B-cell".
LETTER = r"[\(\[\"'“‘<{【]*(?:(?<=[\[(]) )?([A-Ja-j])(?:(?=입니다|이다|번|です|である)|(?!\w|['’]\w|-\w))[\)\]\"'”’>}】]*"
# What may stand between a phrase and its letter. At most 40:
# without end, a text that repeats "answer" took time by the square of its length.
FILLER = (
    r"(?:\s++|[:=–—>→➜⇒】」-]++|with (?:\w+ )?(?:confidence|certainty)"
    r"|\b(?:is|are|would be|should be|must be|seems to be|é|seria|será|sera|foi|the|as|(?:a|e|o)(?=[^\n\S]+\S)|"
    r"option|choice|letter|answer|alternativa|opção|opcao|letra|correct|correta|correto|certa|certo|best|most likely|final|"
    r"indicated|indicada|adequada|appropriate|melhor|number|item|therefore|portanto|por|meio|da|of|be|to|my|só|apenas|somente|only|pode|ser|"
    r"es|la|el|sería|opción|opcion|correcta|correcto)\b){0,40}"
)
# "We can rule out answer D", "look at answer C": a noun and a letter within a sentence name no more than "option D" does.
MENTION = re.compile(rf"(?:answers?|resposta|respuesta)\s+{LETTER}", re.I)
# "Answer choice (A) ...", where such an item has a line.
ITEM_OF = re.compile(rf"(?:answer|resposta|respuesta)\s+(?:(?:choice|option|alternativa|opção|opción|letra)\s+)?{LETTER}", re.I)
MENTIONED = re.compile(r"(?<!\bI)(?<!\bwould)(?<!\bwill)(?<!'d)(?<!'ll)(?<!\bmy)(?<!\bminha)(?<=\w)[^\w\n]+$", re.I)
# The three kinds of phrases, the strongest first.
FINAL = r"\b(?:final[ _]answer|resposta final|respuesta final|final choice|escolha final|conclusão final)\b"
STRONG = (
    r"(?:(?<!不)(?:答案|选择|选|正解|答え|정답)(?:应该|应当|应)?(?:是|为|は|은|는)?|\b(?:answer|answers|ans\b\.?|resp\b\.?|resposta|respuesta|gabarito|solution|conclus(?:ion|ão)|"
    r"escolho|escolheria|marco|marcaria|assinalo|assinale|elijo|escojo|selecciono|sino|mas sim|e sim|but rather|"
    r"quis dizer|quise decir|i meant|choose|select|pick|go with|minha (?:escolha|opção)|my choice|mi elección|"
    r"(?:correct|right|best|most appropriate|most likely) (?:answer|option|choice|alternative|one|letter)|"
    r"(?:alternativa|opção|opcao|opción|letra|resposta|respuesta|afirmativa|melhor alternativa|melhor opção|mejor opción) "
    r"(?:mais |más )?(?:correc?ta|certa|adequada|adecuada|provável|probable|apropriada|apropiada|indicada)|correta|correto|"
    r"correcta|correcto|certa|"
    r"restando|resta|queda(?=\s+(?:la|(?-i:[A-J]))\b)|me quedo con|sobra|sobrando|restou|ficamos com|fico com|leaving|leaves|"
    r"we are left with|only remaining(?: option)?|"
    r"(?:therefore|thus|hence|so|portanto|logo|então|assim|por (?:lo )?tanto|así que)(?:,? (?:it is|it's|é|es)?|(?=:))))"
)
LEFT = re.compile(
    r"(?:restando|resta|queda|sobra|sobrando|restou|ficamos com|leaving|leaves|we are left with|only remaining)", re.I
)
WEAK = r"(?:选项|\b(?:alternativa|opção|opcao|opción|opcion|option|choice|alternative|letra|letter|item)\b)"
CUES = [re.compile(rf"(?:{kind}){FILLER}{LETTER}", re.I) for kind in (FINAL, STRONG, WEAK)]
# How an option that is chosen is praised ("the most consistent"); "the most dangerous" chooses none.
FITTING = (
    r"(?:ade[cq]uad[ao]|apropriad[ao]|apropiad[ao]|indicad[ao]|prová?vel|probable|consistente|compatível|compatible|alinhad[ao]|"
    r"coerente|coherente|plausível|plausible|recomendad[ao]|consistent|appropriate|likely|suitable|reasonable|accurate|recommended)"
)
# The letter is no article before another one ("a opção c", "a C").
NO_ARTICLE = r"(?!\s+(?:(?:alternativa|opção|opcao|opción|letra|item|resposta|respuesta|option|choice|answer)|(?-i:[A-HJ]))\b)"
IS = r"(?:is|seems(?: to be)?|appears to be|é|es|está|parece(?: ser)?)"
# "B is the correct answer", "a alternativa C, de todas, está correta", but not "A correct answer is", "is correct in that".
CALLED_RIGHT = re.compile(
    rf"(?:^|[.\n:;,]\s*|\b(?:option|alternativa|opção|opción|letra|item|a|la|the|but|mas|pero)\s+){LETTER}"
    rf"{NO_ARTICLE}\s*"
    r"(?:(?:(?!\b(?-i:[A-HJ])\b)[^.\n]){0,60}?\s)??"
    r"(?:(?:is|would be|é|está|esta|es|seria|sería)\s+(?:the |a |o |la |el )?(?!(?:uma?|una?|an|another|outra|otra) )(?:\w+ )?"
    r"(?:correct|right|best|correc?ta|certa|answer|resposta|respuesta|alternativa)\b(?! (?:em|ao|in|that|que)\b)"
    r"(?<!best(?= (?:\w+ed|seen|done|given|heard|left|made|known|shown)\b))|"
    r"(?:fits best|best fits)\b)",
    re.I,
)
# "a opção D, carcinoma, é a mais compatível", "item b é o recomendado", "a D é a que melhor explica". What stands between letter
# and verb has to be the option's own text or an aside: in "C: as the father is the likely offender" the letter is not praised.
CALLED_FITTING = re.compile(
    rf"(?:^|[.\n:;,]\s*|\b(?:option|alternativa|opção|opción|letra|item|a|o|la|the)\s+){LETTER}{NO_ARTICLE}"
    rf"(?P<between>(?:(?!\b(?-i:[A-HJ])\b)[^\n;]){{0,120}}?)\s(?:(?:{IS}|seria|sería|would be)\s+(?:a|o|la|el|the)\s+"
    rf"(?:(?:melhor|mejor)(?=[^\w\n]*$|\s+(?:opção|opción|alternativa|resposta|respuesta|escolha|conduta)[^\w\n]*$|[.\n])|(?:mais|más|most)\s+{FITTING}|(?:recomendad|indicad|adequad|adecuad|apropriad)[ao]|recommended|"
    r"(?:(?:alternativa|opção|opción|resposta|respuesta|option|answer|one)\s+)?(?:que|that|which)\s+(?:melhor|mais|mejor|más|best))\b)",
    re.I,
)
ASIDE = re.compile(r"\s*(?::|\([^()\n]*\)|,[^,\n]*,|[—–-][^—–\n]*[—–-]|[\"“][^\"”\n]*[\"”])?\s*")
# What sets a letter off at the end of "the best step for him is B": a mark, the end, a reason.
SET_OFF = (
    r"(?=[^\n\w]{0,3}(?:[).,:;\]\"'”’(]|$|\n|\s[-–—]\s|\s(?:pois|porque|because|since|as|já que|visto que|uma vez que|dado)\b))"
)
# "A melhor conduta a ser realizada é a opção B", "a resposta correta para esta questão é a B": no other letter in between.
BEST_IS = (
    rf"\b(?:melhor|mejor|best|corret[ao]|correc?t[ao]?|cert[ao]|right|(?:mais|más|most)\s+{FITTING}|"
    r"(?:indicad|adequad|adecuad|apropriad|recomendad)[ao])\b(?:(?!\b(?-i:[A-HJ])\b)[^.;!?\n]){0,90}?\s"
    r"(?:é|seria|is|would be|es|sería)\s+(?:(?:a|o|la|el|the)\s+)?"
)
SUPERLATIVE = re.compile(
    rf"{BEST_IS}(?:(?:d[ao]|descrit[ao] n[ao])\s+)?(?:(?:letra|alternativa|opção|opción|option|choice|letter)\s+)?"
    rf"{LETTER}{SET_OFF}",
    re.I,
)
# "Só a D explica ..."
ONLY = re.compile(
    r"\b(?:só|somente|apenas|only|sólo|solo)\s+(?:(?:a|la|the)\s+)?(?:(?:alternativa|opção|opción|option|letra)\s+)?((?-i:[A-J]))"
    rf"(?=\s+(?:(?:é|está|es|is)\s+(?:(?:a|la|the)\s+)?(?:corr|cert|right|{FITTING})|fits\b|explain|explica|atende|corresponde|"
    r"satisf|matches|contempla|remains|resta\b))",
    re.I,
)
# "Resposta rápida: A."
LABELLED = re.compile(
    r"(?m)^\W*(?:answer|resposta|respuesta|gabarito|alternativa|opção|opción|escolha)\s+(?:[^\W\d_]{2,}\s+){0,2}?[^\W\d_]{2,}\s*"
    rf"[:→➜=]\s*{LETTER}{SET_OFF}",
    re.I,
)
# "The likeliest cause is raised prolactin (choice B)", "hence the answer is 'aspirin' (option A)".
BEST_IN_BRACKETS = re.compile(
    rf"(?:{BEST_IS}|\b(?:the|a|la)\s+(?:answer|resposta|respuesta)\s+(?:é|is|es)\s)"
    r"(?:(?!\b(?-i:[A-HJ])\b)[^.;!?\n]){0,140}?"
    r"\((?:option|choice|answer|alternativa|opção|opcao|opción|opcion|letra|item)\s+[\"'“‘]?([A-J])[\"'”’]?\s*[),:]",
    re.I,
)
# A line that is a noun, a colon and a letter: "CHOICE: B", "Letra: C", "Réponse : D". A table: such a line says the same in any
# language, and a sentence of theirs is read by none of these words.
LINE_NOUN = (
    r"choice|option|letter|selection|alternativa|opção|opcao|opción|opcion|letra|escolha|elección|"
    r"(?:(?:la|bonne)\s)?réponse(?:\s(?:correcte|finale))?|choix|lettre|(?:la\s)?risposta(?:\s(?:corretta|finale))?|scelta|opzione|lettera|"
    r"(?:(?:richtige|korrekte)\s)?antwort|seçenek|şık|(?:doğru\s)?(?:cevap|yanıt)|(?:(?:prawidłowa|poprawna)\s)?odpowiedź|"
    r"đáp án(?:\sđúng)?|(?:правильный\s)?ответ|الإجابة(?:\sالصحيحة)?|(?:सही\s)?उत्तर"
)
NAMED_LINE = re.compile(
    rf"(?m)(?:^[^\w\n]*|(?<=[.!?]\s)(?=[^\n]{{0,40}}\Z))(?:{LINE_NOUN})\s*[:=→➜]\s*{LETTER}(?=[^\S\n]*(?:\n|$|[).:]))", re.I
)  # or the last words of a text
# "Espere, na verdade é a B."
ACTUALLY_IS = re.compile(
    r"\b(?:na verdade|na realidade|en realidad|actually|in fact),?\s+(?:it\s+)?(?:é|es|is)\s+"
    rf"(?:(?:a|o|la|el)\s+)?{LETTER}{SET_OFF}",
    re.I,
)
RIGHT = (CALLED_RIGHT, CALLED_FITTING, SUPERLATIVE, ONLY, LABELLED, BEST_IN_BRACKETS, NAMED_LINE, ACTUALLY_IS)
# "not", "rather than B", "as rehydration by mouth (B) would be too slow": what must not stand between praise and letter.
CONTRAST = re.compile(
    r"\b(?:than|instead|unlike|except|exceto|excepto|em vez|en lugar|ao contrário|do que|but|mas|pero|whereas|while|enquanto|"
    r"mientras|because|since|although|though|porque|pois|embora|aunque)\b|,\s(?:as|já que|ya que|e|and|y)\b",
    re.I,
)
NOT = re.compile(r"\b(?:not|isn't|never|não|nao|nunca|nem|tampoco)\b", re.I)
# "a hipótese é a B) asma", where the option's own text follows.
COPULA = re.compile(
    r"\b(?:(?:is|é|es|seria|sería|would be)\s*:?|(?:was|foi|fue)\s*:)\s*"
    rf"(?:(?:a|o|la|el|the|option|opção|opción|letra)(?:\s+|\s*:\s*))?(?:>\s*)?{LETTER}(?=[).:])",
    re.I,
)
# The one letter at a sentence's end in Chinese ("诊断是D：霍乱"), or on a line of its own below "the best next step is:".
ENDS = [
    re.compile(r"(?<!不)(?<!排除的)(?:是|为)\s*([A-J])(?:选项|项)?(?=\s*(?:[。.,，:;；<\n]|$))"),
    re.compile(
        r"\b(?:is|are|é|es|be|seria|sería)(?:\s+(?:a|o|la|el))?\s*:[^\S\n]*\n[\s>]*[\(\[]?([A-J])[\)\].]?[^\S\n]*(?:\n|$)"
    ),
]
# "Final answer: Warfarin", the option's text in the letter's place.
TEXT_CUES = [
    re.compile(rf"{FINAL}\s*:", re.I),
    re.compile(r"\b(?<!final[ _])(?:answer|resposta(?: (?:correta|certa))?|respuesta(?: correcta)?|gabarito)\s*:", re.I),
]
# "O diagnóstico mais provável é a anemia perniciosa (opção c).", "so the answer is pernicious anaemia".
BEST_IS_TEXT = re.compile(
    rf"{BEST_IS}|\b(?:the|a|la)\s+(?:answer|resposta|respuesta)\s+(?:é|is|es)\s*:?\s+[\"“]?(?:(?:a|o|la|el|the|an)\s+)?", re.I
)
# After that text the line ends, the sentence, or the next heading begins ("EXPLANATION:").
TEXT_ENDS = re.compile(
    r"[^\w\n]*(?:\n|$)|[\s\"”'’)]*[.;,]|\s*\((?:(?:alternativa|opção|opción|option|letra|item)\s+)?[A-Ja-j]\)|\s+[A-Z_]{4,}:"
)
VERDICT = re.compile(r"(?:corre|cert)\w+\W*\n", re.I)  # "... correta.", at whose line's end another option begins
