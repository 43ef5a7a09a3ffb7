"""What cells say and who speaks: words for roles, marks, truth, missing values and splits. A table to extend."""

import re

from data_prep.words.names import ASKED_BY, SAID, TOLD_BY, plain, words_of

ROLES = {  # plain word of a speaker -> whose turn it is
    "human": "human user patient paciente usuário usuario usuária question pergunta cliente client patiente paciente(a) "
    "prompter doente seeker helpseeker 患者 病人 来访者 求助者 用户 问",
    "gpt": "gpt assistant assistente doctor médico médica medico medica dr dra doutor doutora bot chatgpt model modelo ai "
    "chatbot physician clinician answer resposta llm doctora counselor counsellor therapist psychologist supporter "
    "terapeuta psicólogo psicóloga 医生 大夫 医师 咨询师 心理咨询师 助手 答",
    "system": "system sistema developer",
    "tool": "tool function functioncall functionresponse functionresult observation toolcall toolresponse toolcalls "
    "toolresult ipython",
    "third": "guest family familiar mother father son daughter wife husband mom dad parent caregiver companion acompanhante "
    "mãe mae pai filho filha esposa esposo marido nurse enfermeiro enfermeira técnico técnica resident residente "
    "student aluno interpreter intérprete 家属 家长 妈妈 爸爸 母亲 父亲 丈夫 妻子 护士",
}
ROLE_OF = {plain(word): role for role, words in ROLES.items() for word in words.split()}
SINGLE = {**dict.fromkeys("puq", "human"), **dict.fromkeys("dmar", "gpt")}  # only beside one of the other side
PAIRS_OF_SINGLES = ({"p", "d"}, {"p", "m"}, {"q", "a"}, {"u", "a"}, {"p", "r"}, {"p", "a"})
TITLED = re.compile(r"^(?:dr|dra|doutor|doutora|doctor|prof|profa|md)\.?(?:\(a\))?\s+\S", re.I)

MARKS = {  # what a cell says of an answer -> its score
    **dict.fromkeys("true yes sim good correct 👍 positive correta correto verdadeiro".split(), 1.0),
    **dict.fromkeys("false no não nao bad incorrect 👎 negative incorreta incorreto falso".split(), 0.0),
}
MISSING = {"", "nan", "null", "<na>", "#n/a", "n/a", "none", "nat", "undefined", "[]", "{}"}  # empty lists, as tables hold them
BLANK_OPTION = {"", "nan", "null", "<na>", "#n/a"}  # "None" can be what an option says
YES, NO = {"true", "yes", "sim", "1", "s", "y"}, {"false", "no", "não", "nao", "0", "n"}
TRUTH = set(  # all that an answer says which sorts a statement as true or false, or a question as yes or no
    "true false yes no maybe sim nao não talvez verdadeiro falso verdadeira falsa verdadero verdadera cierto si sí vrai faux oui "
    "non vero richtig falsch wahr ja nein v f".split()
)
TRUE_AND_FALSE = {  # the options of a statement to be judged, by language
    "en": ("True", "False"), "pt": ("Verdadeiro", "Falso"), "es": ("Verdadero", "Falso"), "fr": ("Vrai", "Faux"),
    "it": ("Vero", "Falso"), "de": ("Richtig", "Falsch"), "pt, f": ("Verdadeira", "Falsa"), "es, f": ("Verdadera", "Falsa"),
    "pt, exams": ("Certo", "Errado"),
}  # fmt: skip
ANNULLED = re.compile(r"(?:-+|\*|x|anulad[ao]s?|annulled|nula|cancelad[ao]|void)\s*", re.I)
SPLITS = {
    "train": "train", "training": "train", "treino": "train", "treinamento": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation", "validacao": "validation",
    "test": "test", "testing": "test", "teste": "test", "eval": "test",
}  # fmt: skip


def side_named(name) -> str:
    """human, gpt or system where a name says whose text it is (`user_content`, `bot_reply`, `patient`); "" for any other name."""
    words = words_of(name)
    side = ROLE_OF.get(words[0], "") if 1 <= len(words) <= 2 else ""
    said = {"human": ASKED_BY, "gpt": TOLD_BY, "system": SAID}.get(side, set())
    return side if said and (len(words) == 1 or words[1] in said) else ""
