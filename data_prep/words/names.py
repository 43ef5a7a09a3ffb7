"""What raw files call their columns. A table to extend; the code that uses it lies in shapes, what cells say in said.py.

Names are compared without case, accents, spaces and the signs _ - . / (`plain`).
"""

import functools
import re
import unicodedata

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@functools.lru_cache(maxsize=65536)
def unaccented(text: str) -> str:
    """A text without its accents; Korean and Japanese letters, which are written of parts as well, stay whole."""
    if text.isascii():
        return text
    bare = re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFC", bare)


def plain(name) -> str:
    """A column's name without case, accents, spaces and signs."""
    return _plain(str(name))


@functools.lru_cache(maxsize=65536)  # a file's few names are compared thousands of times
def _plain(name: str) -> str:
    return unaccented(re.sub(r"[\s_\-./?:()*\[\]]", "", name).casefold())


def bare_name(name) -> str:
    """A column's name without case, accents, spaces, _ and -: what two spellings of one name share."""
    return unaccented(re.sub(r"[\s_-]", "", str(name)).casefold())


# What a column is called that gives the right answer, or marks one as right, wrong or good, beside English, Portuguese and Spanish.
CORRECT = (
    "corretta corretto esatta esatto korrekt richtig juste correcte exacte poprawna prawidłowa doğru benar juist rätt riktig rigtig oikein "
    "správně helyes corect corectă правильно верно صحيح 正确 正確 是否正确 是否正確 对错 正誤 정답여부"
)
WRONG_OR_GOOD = "sbagliata errata falsch fausse yanlış salah błędna неправильно bewertung valutazione punteggio punktzahl puntaje ocena puan nilai"
NAMES = {  # our name -> how raw files call it, the likeliest first
    "question": "question query prompttext pergunta perguntas preguntas questao questão enunciado stem qtext questiontext sent1 harmfulmedicalrequest patientquestion "
    "medicalquestion userquestion consulta consulta_texto pregunta frage domanda vraag pytanie 问题 题目 题干 题目内容 问题内容 问 問題 題目 題幹 設問 질문 문제 soru pertanyaan câuhỏi вопрос السؤال سؤال प्रश्न questions openendedverifiablequestion questionstem itemtext itemstem itemstemtext problem problemtext perguntatexto textoquestao textodaquestao textopergunta textodapergunta textopregunta enunciadodaquestao enunciadoquestao enunciadodapergunta questiontitle questionwithoptions statement reactivo dúvida dúvidas quest "
    "întrebare întrebări întrebarea ερώτηση fråga spørsmål spørgsmål kysymys otázka kérdés питання запитання въпрос pitanje vprašanje soal soalan "
    "คำถาม שאלה سوال پرسش q",
    "question_title": "questiontitle",
    "options": "options choices propositions şıklar alternativas opcoes opções alternatives opciones answerchoices answeroptions candidates opzioni optionen 选项 選項 選択肢 선택지 보기 seçenekler pilihan варианты answers respostas respuestas réponses risposte chooses "
    "răspunsuri variante variantederăspuns απαντήσεις επιλογές antworten antwortmöglichkeiten antwoorden keuzes svarsalternativ alternativer svarmuligheder "
    "vaihtoehdot možnosti odpovědi odpowiedzi válaszok варіанти отговори odgovori opsi opsijawaban lựachọn phươngán ตัวเลือก אפשרויות گزینهها الخيارات "
    "خيارات اختيارات विकल्प o",
    "answer": "answer freeformanswer saferesponse response resposta longanswer answerkey correctanswer correctoption answeridx gold "
    "cop gabarito ra respuesta correctchoice correctansweridx answerindex answerletter correctletter correctindex correct "
    "correctanswerletter correctoptionid correctanswerid correctanswers correctoptions rightanswer keyletter key groundtruth groundtrueanswer groundtruthanswer goldanswer referenceanswer reference target "
    "correctindices correctindexes correctoptionindices respostacorreta alternativacorreta letracorreta gabaritooficial gabaritodefinitivo gabaritofinal antwort reply doctoranswer answerseq answertext respostatexto responsetext answers "
    "respuestacorrecta opcioncorrecta opcióncorrecta alternativacorrecta letracorrecta clave réponse reponse bonneréponse richtigeantwort rispostacorretta rispostecorrette risposta soluzione correctkey réponsecorrecte réponsescorrectes bonnesréponses 答案 正确答案 答 正確答案 正解 正答 答え 정답 답변 cevap gab resp doğrucevap jawaban jawabanbenar đápán câutrảlời ответ الإجابة الجواب جواب उत्तर istrue "
    "corect răspunscorect răspuns variantacorectă σωστήαπάντηση απάντηση rättsvar riktigsvar korrektsvar svar oikeavastaus vastaus správnáodpověď odpověď "
    "helyesválasz válasz правильнавідповідь відповідь правильныйответ верныйответ poprawnaodpowiedź prawidłowaodpowiedź odpowiedź točanodgovor odgovor "
    "kuncijawaban kunci klucz juisteantwoord antwoord คำตอบ เฉลย תשובה پاسخ الإجابةالصحيحة सहीउत्तर rispostaesatta korrekteantwort a",
    "context": "context contexts passage contexto supportingcontext support article vignette casoclinico clinicalcase case caso scenario cenario "
    "casestem casetext casevignette casedescription caseintro clinicalvignette clinicalscenario clinicalcontext textodoscaso textocaso "
    "paragraph textobase background content",
    "label": "label finaldecision majoritylabel category categoria class classe clase rotulo rótulo classificacao classificação clasificación "
    "vouf verdadeirooufalso verdaderoofalso trueorfalse truefalse",
    "text": "text sentence texto content conteudo conteúdo body document abstract fulltext",
    "conversations": "conversations conversation conversa",
    "messages": "messages mensagens turns chat contents utterances",
    "dialogue": "dialogue dialog dialogo diálogo transcript",
    "instruction": "instruction instrucao instrução",
    "input": "input entrada",
    "output": "output saida saída response resposta respuesta",
    "history": "history historico histórico historial conversationhistory dialoguehistory chathistory",
    "prompt": "prompt",
    "chosen": "chosen escolhida preferred preferredoutput chosenresponse responsechosen",
    "rejected": "rejected rejeitada dispreferred nonpreferredoutput rejectedresponse responserejected",
    "completion": "completion completions responses respostabruta rawresponse modelanswer modelresponse modeloutput answermodel",
    "score": f"correta correct score reward rating grade nota iscorrect mark quality helpful helpfulness accepted {CORRECT}",
    "explanation": "explanation explain exp answerexplanation answerrationale explanationquestion explicacao explicação explicación explication rationale solution comentario comentário comentarios comentários comentariodoprofessor justificativa justificación resolucao resolução resolución fundamentacao fundamentação fundamentación retroalimentación retroalimentação 解析 解説 詳解 해설 açıklama penjelasan "
    "explicație explicaţie εξήγηση erklärung begründung spiegazione begruendung erklaerung uitleg förklaring forklaring selitys vysvětlení magyarázat wyjaśnienie пояснення "
    "пояснение объяснение objašnjenje pembahasan giảithích คำอธิบาย הסבר توضیح شرح व्याख्या",
    "thought": "complexcot think cot reasoning reasoningcontent thinking thought thoughts chainofthought raciocinio raciocínio",
    "topic": "topic subjectname medicalspecialty specialty especialidade subject topico tópico disciplina sectionheader qtype "
    "titulo título title origem area área theme tema themes temas maintopic domaine domínio questiontype category categoria assunto assuntos asunto materia matéria asignatura grandearea grandeárea subárea eixotematico eixotemático componentecurricular areadeconhecimento áreadeconhecimento áreadoconhecimento 科目 考科 分類 分类 분류",
    "language": "language lang idioma lingua língua",
    "system": "system systemprompt",
    "status": "status situacao situação",
    "annulled": "annulled anulada anulado questaoanulada isannulled isanulada nullified voided cancelada",
    "question_end": "sent2 leadin",
    "statements": "statements aussagen afirmativas afirmações afirmaciones assertivas assertions affermazioni ifadeler",
    "image": "containsimg hasimage hasassociatedimages isimagebased imageurl imagepath image images imagem imagens temimagem imagen imágenes img imgs "
    "figura figuras figure figures 圖片 图片 画像 이미지",
    "text_only": "textonly",
    "image_text": "imgdescription imagedescription descricaoimagem imagecaption caption",
    "exam": "exam prova exame banca concurso certame examname examid editionid edition edicao edição bancaexaminadora bancaorganizadora instituicao instituição 考次",
    "number": "number numero número questionnumber numeroquestao itemnumber númeroquestão nº n° nr questao question pergunta pregunta item 題號 题号 番号",
    "year": "year ano examyear anoprova provaano anodaprova anodoexame anodoconcurso 年份 年度",
    "difficulty": "difficulty dificuldade difficultyparameter parametrob paramb irtb",
    "split": "split particao partição partition fold datasplit subset",
    "chosen_score": "scorechosen chosenscore chosenrating ratingchosen",
    "rejected_score": "scorerejected rejectedscore rejectedrating ratingrejected",
}
PROVENANCE = ("exam", "number", "year", "difficulty")  # where an item comes from and how hard it is: carried to scoring rows
MADE_BY = ("synthetic", "generator")  # that a model wrote a row, and which: carried to every row that is made of it
# rightAlternativeId, correct_option_index and the like
NAMES["answer"] += "".join(
    f" {right}{what}{how}"
    for right in ("right", "correct")
    for what in ("alternative", "answer", "option", "choice")
    for how in ("", "id", "index", "idx", "key", "letter", "number")
)
ALIASES: dict[str, list[str]] = {}
for _name, _aliases in NAMES.items():
    for _alias in dict.fromkeys(map(plain, _aliases.split())):
        ALIASES.setdefault(_alias, []).append(_name)
TOGETHER = (  # a question and its answer where both are there: cards, translations, rows of a tuning service
    ("front", "back"),
    ("body", "idealanswer"),
    ("src", "tgt"),
    ("inputs", "targets"),
    ("inputtext", "outputtext"),
    ("inputtext", "targettext"),
    ("sourcetext", "targettext"),
    ("ques", "ans"),
    ("problem", "solution"),
    ("frente", "verso"),
    ("term", "definition"),
    ("term", "meaning"),
    ("termo", "significado"),
    ("palavra", "significado"),
    ("sigla", "significado"),
    ("termo", "definicao"),
    ("termino", "definicion"),
    ("anverso", "reverso"),
    ("duvida", "orientacao"),
    ("pergunta", "orientacao"),
    ("pregunta", "orientacion"),
)
TERMS = set("term termo termino terme terim termin word palavra palabra mot kelime vocabulo".split())  # what a glossary explains
MEANINGS = set("meaning definition significado definicao definicion signification anlam anlami bedeutung significato".split())
SAID = set("content text message msg utterance turn said texto mensagem conteudo mensaje contenido".split())  # whoever says it
ASKED_BY = SAID | set("query question prompt input pergunta pregunta consulta".split())
TOLD_BY = SAID | set("response answer reply output resposta respuesta".split())
ROUNDS = set(
    "round turn turnno turnnumber turnid turnindex turno rodada ronda 轮数 轮次 回合".split()
)  # which exchange of a conversation a row is
CLASSES = set(  # names of what a text is sorted into, where a file holds a text and this alone
    "intent intents intencao disease diseases doenca diagnosis diagnostico prognosis sentiment emotion icd icd10 icdcode icd10code cid cid10 cidprincipal cie cie10 "
    "risco risk nivelrisco nivelderisco risklevel situacao urgencia urgency triagem triage gravidade severity prioridade priority".split()
)
SENT_TO = set(  # who sees a patient with such symptoms
    "specialty medicalspecialty speciality specialite especialidade especialidademedica especialidad fachgebiet department departamento "
    "setor servico servicio".split()
)
SYMPTOMS = set(
    "symptoms symptom symptomlist symptomslist sintomas sintoma symptomes sintomi chiefcomplaint presentingcomplaint reasonforvisit queixa "
    "queixaprincipal motivoconsulta motivodeconsulta motivodaconsulta motifdeconsultation".split()
)
SENTENCES = set("frase frases phrase phrases sentenca oracao".split())  # beside a class alone
OF_A_LETTER = {"q", "o", "a"}  # names only where there is a q: an option can be called a

# Words that make a column one that must not go unused: it looks like an answer, an option, a mark, a label or a role.
TELLING = re.compile(
    r"^(?:answers?|answered|ans|resp|responses?|respostas?|respuestas?|repl(?:y|ies)|outputs?|completions?|solutions?|gold|gabaritos?|"
    r"truth|correct[aeo]?s?|corret[ao]s?|corrett[ei]|korrekte[rs]?|richtige[rs]?|poprawn[ey]|cert[ao]s?|incorrect[ao]?s?|incorret[ao]s?|errad[ao]s?|equivocad[ao]s?|errone[ao]s?|right|wrong|keys?|label(?:s|led)?|rotulos?|class|classe|target|options?|choices?|"
    r"alternativas?|alternatives?|opcao|opcoes|distractors?|scores?|marks?|ratings?|grades?|notas?|quality|verdict|judg(?:e)?ments?|votes?|preferred|"
    r"preference|winner|votos?|(?:up|down)votes?|likes?|curtidas?|estrelas?|estrellas?|stars|erro|clases?|chosen|rejected|accepted|helpful|helpfulness|harmful|harmless|unsafe|safety|toxic|hallucinat\w*|flag|flagged|"
    r"roles?|speakers?|messages?|conversations?|dialogues?|dialogs?|turns|instructions?|feedback|approved|valid|good|bad|decision|"
    r"avaliac(?:ao|oes)|evaluacion|qualidade|calidad|aprovad[ao]|aprobad[ao]|adequad[ao]|pontuacao|puntuacion|acertou|"
    r"aceit[ao]s?|aceptad[ao]s?|rejeitad[ao]s?|rechazad[ao]s?|reprovad[ao]s?|valid[ao]s?|invalid[ao]?s?|inadequad[ao]|(?:in)?adecuad[ao]|"
    r"(?:in)?apropiad[ao]|(?:in)?apropriad[ao]|(?:in)?segur[ao]|nociv[ao]|danos[ao]|toxic[ao]|perigos[ao]|peligros[ao]|confiavel|confiable|util|"
    r"useful|relevante?|(?:ir)?relevant|relevan(?:ce|cy|cia|ci?ja|z)|correctness|faithful(?:ness)?|grounded(?:ness)?|factual(?:ity)?|vered(?:ito|icto)|acerto|acierto|acertad[ao]|calificacion|julgamentos?|juizo|juicio|bom|boa|ruim|buen[ao]|mal[ao]|"
    r"melhor|pior|mejor|peor|diagnos[ei]s|diagnosen|diagnostic[oa]s?|summar(?:y|ies)|resumos?|tools|annulled|anulad[ao]|nullified|voided|cop|ra|prediction|pred(?:icted)?|esperado|expected|"
    rf"{'|'.join(unaccented(f'{CORRECT} {WRONG_OR_GOOD}').split())})$",
    re.I,
)
# Words after which a column is about such a thing, and is none itself.
ABOUT = re.compile(
    r"^(?:ids?|urls?|links?|types?|dates?|times?|sources?|models?|tokens?|lengths?|len|counts?|num|number|langs?|authors?|starts?|"
    r"ends?|years?|anos?|location|country|region|audience|levels?|file|files|path|paths|name|names|at|by|version|hash|uuid|index0|pdf|mode|tipo|fonte|data|autor|no)$",
    re.I,
)
TONGUES = set("language languages lang langs idioma idiomas lingua".split())
EXPLAINS = set(
    "explanation explanations explicacion explicacao explication rationale justificativa justificacion comentario comentarios "
    "resolucao resolucion fundamentacao fundamentacion retroalimentacao retroalimentacion".split()
)
IDS = re.compile(
    r"^(?:key|id|idx|index|qid|pid|aid|uid|uuid|pmid|doi|url|link|number|numero|número|no|row|rowid|unnamed\d*|column\d+)$"
)

# Words of a column that holds pictures or where they lie; with a word of the others it says something of them.
PICTURES = set(
    "image images imagem imagens imagen imagenes img imgs figura figuras figure figures picture pictures photo photos foto fotos immagine immagini bild bilder".split()
)
PICTURES |= {"圖片", "图片", "图像", "画像", "그림", "이미지"}
DESCRIBES = set(
    "description descriptions desc descricao caption captions alt text texto legend legenda count num number width height size type id".split()
)
SOURCES = set("source sources fonte origem domain dataset collection journal section chapter author page publisher".split())

OPTION_PREFIXES = (
    "op opt option options choice choices alternativa alternativas alternative alternatives alt opcao opcaoo opção item ending "
    "answer answers ans resposta respuesta resp risposta reponse antwort opcion opzione proposicao proposicion inciso literal letra optiontext textodaalternativa textoalternativa textodaopcao textoopcao textodelaopcion proposition opsi pilihan jawaban odpowiedz secenek sik optie antwoord alternativ varianta đapan phuongan 選項 选项 選択肢 선택지 보기"
).split()
OPTION_TEXTS = (
    "text",
    "value",
    "content",
    "texto",
    "atext",
    "body",
    "description",
    "answer",
    "option",
    "choice",
    "name",
    "alternativa",
    "resposta",
    "respuesta",
    "texte",
    "testo",
    "tresc",  # treść
    "libelle",
    "antwort",
    "risposta",
    "reponse",
    "odpowiedz",
    "jawaban",
    "cevap",
    "variant",
    "variante",
)
OPTION_LETTERS = ("letter", "letra", "label", "key", "id", "option", "aid", "index", "idx", "identifier", "choice")
OPTION_MARKS = (
    "iscorrect",
    "correct",
    "correta",
    "correto",
    "iscorreta",
    "correcta",
    "correcto",
    "escorrecta",
    "escorrecto",
    "isright",
    "right",
    "isanswer",
    "certa",
    "certo",
    "istrue",
    *map(plain, CORRECT.split()),
)

RIGHT = set(
    "correct gold truth groundtruth reference target key correta correto correcta gabarito clave expected esperada esperado ideal "
    "padrao oficial official definitiva definitivo referencia certa certo".split()
)  # words of what gives it
MARKS_WRONG = set(  # words of a mark whose 1 says that something is wrong
    "wrong erro incorrect incorrecta incorrecto incorreta incorreto errada errado equivocada equivocado erronea erroneo falsa falso falsch sbagliata "
    "errata fausse yanlis salah rejected harmful unsafe toxic hallucination hallucinated flagged "
    "reprovada reprovado rejeitada rejeitado rechazada rechazado inadequada inadequado inadecuada inadecuado inapropiada inapropriada insegura "
    "inseguro nociva nocivo danosa danoso toxica toxico perigosa perigoso peligrosa peligroso invalid invalida invalido ruim mala malo pior peor".split()
)
OF_A_MODEL = set(  # or of whoever was examined: an answer given, which is no key
    "pred preds prediction predictions predicted model output generated llm gpt gpt4 student students candidate candidates answered user selected "
    "generation generations submitted aluno aluna estudante estudiante candidato participante usuario marcada marcado assinalada assinalado "
    "modelo ia ai bot chatbot chatgpt gemini claude llama deepseek qwen mistral mixtral grok".split()
)
LANGUAGES = {
    "english": "en", "inglês": "en", "ingles": "en", "portuguese": "pt", "português": "pt", "portugues": "pt", "brazilian": "pt",
    "spanish": "es", "español": "es", "espanhol": "es", "french": "fr", "german": "de", "italian": "it", "chinese": "zh",
    "japanese": "ja", "arabic": "ar", "russian": "ru", "hindi": "hi", "dutch": "nl", "polish": "pl", "turkish": "tr", "korean": "ko",
    "marathi": "mr", "bengali": "bn", "tamil": "ta", "telugu": "te", "urdu": "ur", "gujarati": "gu", "punjabi": "pa", "thai": "th",
    "indonesian": "id", "swahili": "sw", "hebrew": "he", "greek": "el", "ukrainian": "uk", "czech": "cs", "hungarian": "hu",
    "deutsch": "de", "français": "fr", "italiano": "it", "polski": "pl", "vietnamese": "vi", "persian": "fa", "romanian": "ro",
}  # fmt: skip

ENDINGS = frozenset("en pt es fr de it zh ja ar ru hi nl pl tr ko vi fa ro".split())  # of column names; Indonesian's would be ids


def holds_any(text: str, pieces: tuple[str, ...]) -> bool:
    return any(map(text.__contains__, pieces))  # half the time of a generator, and asked of every text


def words_of(name) -> list[str]:
    """The words of a column's name: `answerText`, `answer_text` and `Answer text` are the same."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unaccented(str(name)))
    return [w.casefold() for w in re.split(r"[\W_]+", text) if w]


def of_a_model(name) -> bool:
    """Whether a column's name says that a model, or whoever was examined, gave what it holds: `GPT5.4 Response`."""
    return any(word in OF_A_MODEL or re.sub(r"\d+$", "", word) in OF_A_MODEL for word in words_of(name))


def last_word(name) -> str:
    """The word that says what a column's name is about; "" for a name of signs (`№`, `?`)."""
    return (words_of(name) or [""])[-1]


def without_language(name) -> str:
    """A column's name without its language: `question_en` is a question, `marathi_question` too."""
    return name_and_language(name)[0]


REGION = re.compile(r"(?i)(?<=[_\- ](?:pt|en|es|zh|fr))[_\-](?:br|pt|us|gb|uk|es|mx|ar|co|cl|cn|tw|hk|fr|ca)$")  # question_pt_br


@functools.lru_cache(maxsize=4096)
def name_and_language(name) -> tuple[str, str]:
    """(a column's name without its language, the language as ISO 639-1 or "") of `question_en`, `questionEn`, `English question`."""
    name = REGION.sub("", str(name))
    hit = re.fullmatch(r"(.+?)[_\- ]([a-z]{2})", str(name), re.I) or re.fullmatch(r"(.+[a-z])([A-Z][a-z])", str(name))
    if hit and hit[2].casefold() in ENDINGS:
        return hit[1], hit[2].casefold()
    if noted := re.fullmatch(r"(.{3,}?)\s+(?:-|–|\()(.*)", str(name)):  # "Perguntas - Trad. Revisada", "Resposta (A a D)"
        return noted[1], LANGUAGES.get(noted[2].strip(" )").casefold(), "")
    words = re.split(r"[_\- ]", str(name))
    for language, rest in ((words[0], words[1:]), (words[-1], words[:-1])):
        if rest and language.casefold() in LANGUAGES:
            return "_".join(rest), LANGUAGES[language.casefold()]
    return str(name), ""


def is_picture(name) -> bool:
    """Whether a column's name says that it holds pictures of the question, or where they lie."""
    words = words_of(name)
    return bool(PICTURES & set(words)) and not DESCRIBES & set(words) and words[0] not in OPTION_PREFIXES


def is_telling(name) -> bool:
    """Whether a column's name looks like an answer, an option, a mark, a label or a role."""
    words = words_of(name)
    while words and words[-1].isdigit() and len(words) > 1:
        words = words[:-1]
    if words[:1] == ["exam"] and words[1:] in (["class"], ["grade"]):  # which exam a row is of
        return False
    if words and (words[0] in ("nbr", "num", "nb", "count") or set(words) & EXPLAINS):  # how many there are, or why one is right
        return False
    if set(words) & TONGUES:  # in what language an answer is, and how sure that is
        return False
    return bool(words) and any(TELLING.match(re.sub(r"\d+$", "", w)) for w in words) and not ABOUT.match(words[-1])
