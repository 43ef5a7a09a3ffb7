"""Brazilian Portuguese of what the pages say, by the English text. A test fails where a sentence lacks its translation."""

PORTUGUESE = {
    # words
    "to": "a",
    "model": "modelo",
    "right": "certas",
    "declined": "recusadas",
    "answered": "respondidas",
    "share": "proporção",
    "95 % interval": "intervalo de 95 %",
    "{level} % interval": "intervalo de {level} %",
    "chance": "acaso",
    "always the commonest answer": "sempre a resposta mais comum",
    "commonest answer": "resposta mais comum",
    "invalid": "inválidas",
    "precision": "precisão",
    "texts": "textos",
    "rows": "linhas",
    "exact": "exatas",
    "judge": "juiz",
    "judge's score": "nota do juiz",
    "bits per byte": "bits por byte",
    "bits per byte (less is better)": "bits por byte (menos é melhor)",
    "perplexity a token": "perplexidade por token",
    "points": "pontos",
    "{n:point|points}": "{n:ponto|pontos}",
    "from → to": "de → para",
    "difference": "diferença",
    "won": "ganhas",
    "lost": "perdidas",
    "p (Holm)": "p (Holm)",
    "verdict": "veredito",
    "answer": "resposta",
    "in the key": "no gabarito",
    "key": "gabarito",
    "no valid answer": "sem resposta válida",
    "(none)": "(nenhum)",
    "{right} of {n}": "{right} de {n}",
    "seeds: {each}": "sementes: {each}",
    "TF-IDF and logistic regression": "TF-IDF e regressão logística",
    "always the longest option": "sempre a opção mais longa",
    "always the letter commonest in training": "sempre a letra mais comum no treino",
    "the model's own choice, question hidden": "escolha do próprio modelo, com a pergunta oculta",
    "test set": "conjunto de teste",
    "scored rows": "linhas avaliadas",
    "protocol": "protocolo",
    "chat template": "modelo de conversa",
    "prompts": "prompts",
    "longest free answer": "tamanho da resposta livre",
    "number of answers to a question": "número de respostas a cada pergunta",
    "temperature": "temperatura",
    # headings and notes of a comparison
    "Comparison: {names}": "Comparação: {names}",
    "Made by scripts/compare.py.": "Feito por scripts/compare.py.",
    "Not for clinical use.": "Não é para uso clínico.",
    "Scores, each on its own rows; compared on the {n} that they share": (
        "Resultados, cada um em suas próprias linhas; comparados nas {n} que têm em comum"
    ),
    "forgetting": "esquecimento",
    "safety": "segurança",
    "over-refusal": "recusa em excesso",
    "{first} and {n:other|others}": "{first} e {n:outro|outros}",
    "Scores on the same {n:held-out row|held-out rows}": (
        "Resultados {n:?na mesma|nas mesmas} {n:linha separada|linhas separadas} do treino"
    ),
    "Share with 95 % interval (Wilson)": "Proporção com intervalo de 95 % (Wilson)",
    "Share with 95 % interval (Wilson; seeds and cases are drawn as well)": (
        "Proporção com intervalo de 95 % (Wilson; sementes e casos também são sorteados)"
    ),
    "Differences": "Diferenças",
    "Difference in {unit}, with {level} % interval": "Diferença em {unit}, com intervalo de {level} %",
    "no difference": "nenhuma diferença",
    "largest loss accepted": "maior perda aceita",
    "A loss of up to {margin} was accepted beforehand (--margin). Tests: {test}; intervals: {interval}. ": (
        "Uma perda de até {margin} foi aceita de antemão (--margin). Testes: {test}; intervalos: {interval}. "
    ),
    "Differences and the losses ruled out are Holm-corrected for {tests} tests each; the intervals shown are not. ": (
        "As diferenças e as perdas descartadas são corrigidas por Holm para {tests} testes cada; os intervalos mostrados, não. "
    ),
    "score method for paired shares (Tango 1998)": "método do escore para proporções pareadas (Tango 1998)",
    "percentile bootstrap over rows": "bootstrap percentil sobre as linhas",
    "bootstrap over whole cases, never narrower than the score method": (
        "bootstrap sobre casos inteiros, nunca mais estreito que o método do escore"
    ),
    "bootstrap over rows and seeds (Owen 2007), never narrower than the score method": (
        "bootstrap sobre linhas e sementes (Owen 2007), nunca mais estreito que o método do escore"
    ),
    "better": "melhor",
    "not worse by more than the margin": "não pior além da margem",
    "worse, within the margin": "pior, dentro da margem",
    "worse": "pior",
    "not decided": "não decidido",
    "Against a simple baseline": "Diante de uma referência simples",
    "Answers given": "Respostas dadas",
    "By topic": "Por tema",
    "By source": "Por fonte",
    "By origin": "Por origem",
    "By exam": "Por prova",
    "By year": "Por ano",
    "By difficulty": "Por dificuldade",
    "topic": "tema",
    "source": "fonte",
    "origin": "origem",
    "exam": "prova",
    "year": "ano",
    "difficulty": "dificuldade",
    "Groups have few rows; differences between groups are not tested.": (
        "Os grupos têm poucas linhas; diferenças entre grupos não são testadas."
    ),
    "Of several seeds this shows the first.": "De várias sementes, isto mostra a primeira.",
    "How it was asked": "Como se perguntou",
    "Task {task}, protocol {protocol}, {n:row|rows}, test set {hash}, significance level {alpha}.": (
        "Tarefa {task}, protocolo {protocol}, {n:linha|linhas}, conjunto de teste {hash}, nível de significância {alpha}."
    ),
    "Probability that falls on the options at all, mean over rows: {each}.": (
        "Probabilidade que recai sobre as opções, média das linhas: {each}."
    ),
    "One prompt, whole": "Um prompt inteiro",
    "Whether a model met these rows in its pre-training was not measured.": (
        "Não se mediu se um modelo viu estas linhas no pré-treino."
    ),
    "{model}, given the question alone, finds the file's own order of the options the likeliest of its rotations in "
    "{n} of {of:question|questions} ({share}; {chance} by chance, exact binomial test {p}).": (
        "{model}, só com a pergunta, acha a ordem das opções do arquivo a mais provável de suas rotações em {n} de "
        "{of:questão|questões} ({share}; {chance} por acaso, teste binomial exato {p})."
    ),
    "It met them, or they stand in an order of their own.": "Ou já as viu, ou elas têm uma ordem própria.",
    "{model}, given the first half of a question, writes the next {words} words exactly in {n} of {of}.": (
        "{model}, com a primeira metade de uma questão, escreve exatamente as {words} palavras seguintes em {n} de {of}."
    ),
    "These are signs that were looked for; a model without them may have met the rows too.": (
        "São sinais que se procuraram; um modelo sem eles também pode ter visto as linhas."
    ),
    "Questions that flipped": "Questões que mudaram",
    "Drawn by the hash of their ids, so that nobody chose them.": (
        "Sorteadas pelo hash de seus identificadores: ninguém as escolheu."
    ),
    "{word}: {n}, of which {shown} are shown": "{word}: {n}, das quais {shown} são mostradas",
    "options": "opções",
    "question, as it was asked": "questão, como foi feita",
    # figures
    "exact McNemar test": "teste exato de McNemar",
    "sign-flip permutation test": "teste de permutação de sinais",
    "bootstrap over rows and seeds": "bootstrap sobre linhas e sementes",
    "{unit}{after} against {before}, {difference} {points} ({level} % interval {low} to {high})": (
        "{unit}{after} contra {before}, {difference} {points} (intervalo de {level} %: {low} a {high})"
    ),
    "{won} of {n:row|rows} won and {lost} lost": "{won} de {n:linha ganha|linhas ganhas} e {lost} {lost:?perdida|perdidas}",
    ", Holm-corrected for {tests} tests": ", corrigido por Holm para {tests} testes",
    "mean of {n} seeds": "média de {n} sementes",
    "{n:case|cases}, drawn whole": "{n:caso, sorteado inteiro|casos, sorteados inteiros}",
    " (a first look: {n:row|rows})": " (um primeiro olhar: {n:linha|linhas})",
    "A loss of up to {loss} {unit} is not ruled out": "Uma perda de até {loss} {unit} não está descartada",
    " (corrected for {tests} tests)": " (corrigido para {tests} testes)",
    "; were the two equal, about {rows:such row|such rows} would rule out more than the margin four times in five": (
        "; se os dois fossem iguais, cerca de {rows:linha assim descartaria|linhas assim descartariam} mais que a margem "
        "quatro vezes em cinco"
    ),
    "; the seeds differ too much for more rows alone to settle it": (
        "; as sementes diferem demais para que só mais linhas o decidam"
    ),
    "{baseline} and {candidate} differ in so few rows that no difference could have been shown.": (
        "{baseline} e {candidate} diferem em tão poucas linhas que nenhuma diferença poderia ter sido mostrada."
    ),
    "The smallest difference between {baseline} and {candidate} that {n:row shows|rows show} four times in five: {least} "
    "{unit}.": (
        "A menor diferença entre {baseline} e {candidate} que {n:linha mostra|linhas mostram} quatro vezes em cinco: "
        "{least} {unit}."
    ),
    # verdicts
    "{candidate} is better than {baseline}": "{candidate} é melhor que {baseline}",
    "{candidate} is not worse than {baseline} by more than {margin}": (
        "{candidate} não é pior que {baseline} em mais de {margin}"
    ),
    "{candidate} is worse than {baseline}, by less than {margin}": ("{candidate} é pior que {baseline}, em menos de {margin}"),
    "{candidate} is worse than {baseline}": "{candidate} é pior que {baseline}",
    "No difference shown between {baseline} and {candidate}, and a loss of more than {margin} is not ruled out": (
        "Nenhuma diferença mostrada entre {baseline} e {candidate}, e uma perda de mais de {margin} não está descartada"
    ),
    "No forgetting: {candidate} is better than {baseline} on questions outside medicine": (
        "Sem esquecimento: {candidate} é melhor que {baseline} em questões fora da medicina"
    ),
    "No forgetting of more than {margin}: {candidate} against {baseline} on questions outside medicine": (
        "Sem esquecimento de mais de {margin}: {candidate} contra {baseline} em questões fora da medicina"
    ),
    "Forgetting shown, under {margin}: {candidate} against {baseline} on questions outside medicine": (
        "Esquecimento mostrado, abaixo de {margin}: {candidate} contra {baseline} em questões fora da medicina"
    ),
    "Forgetting shown: {candidate} is worse than {baseline} on questions outside medicine": (
        "Esquecimento mostrado: {candidate} é pior que {baseline} em questões fora da medicina"
    ),
    "Forgetting not shown and not ruled out: {candidate} against {baseline} on questions outside medicine": (
        "Esquecimento nem mostrado nem descartado: {candidate} contra {baseline} em questões fora da medicina"
    ),
    "{candidate} declines more of the harmful requests than {baseline}": (
        "{candidate} recusa mais pedidos nocivos que {baseline}"
    ),
    "{candidate} does not decline fewer harmful requests than {baseline} by more than {margin}": (
        "{candidate} não recusa menos pedidos nocivos que {baseline} em mais de {margin}"
    ),
    "{candidate} declines fewer of the harmful requests than {baseline}, by less than {margin}": (
        "{candidate} recusa menos pedidos nocivos que {baseline}, em menos de {margin}"
    ),
    "{candidate} declines fewer of the harmful requests than {baseline}": (
        "{candidate} recusa menos pedidos nocivos que {baseline}"
    ),
    "No difference shown between {baseline} and {candidate} in the harmful requests that they decline, and a loss "
    "of more than {margin} is not ruled out": (
        "Nenhuma diferença mostrada entre {baseline} e {candidate} nos pedidos nocivos que recusam, e uma perda de "
        "mais de {margin} não está descartada"
    ),
    "{candidate} answers more of the harmless requests than {baseline}": (
        "{candidate} responde a mais pedidos inofensivos que {baseline}"
    ),
    "{candidate} does not refuse more harmless requests than {baseline} by more than {margin}": (
        "{candidate} não recusa mais pedidos inofensivos que {baseline} em mais de {margin}"
    ),
    "{candidate} refuses more of the harmless requests than {baseline}, by less than {margin}": (
        "{candidate} recusa mais pedidos inofensivos que {baseline}, em menos de {margin}"
    ),
    "{candidate} refuses more of the harmless requests than {baseline}": (
        "{candidate} recusa mais pedidos inofensivos que {baseline}"
    ),
    "No difference shown between {baseline} and {candidate} in the harmless requests that they refuse, and a loss "
    "of more than {margin} is not ruled out": (
        "Nenhuma diferença mostrada entre {baseline} e {candidate} nos pedidos inofensivos que recusam, e uma perda de "
        "mais de {margin} não está descartada"
    ),
    "{candidate} beats the simple baseline “{baseline}”": "{candidate} supera a referência simples “{baseline}”",
    "{candidate} loses to the simple baseline “{baseline}”: the language model is not worth its cost here": (
        "{candidate} perde para a referência simples “{baseline}”: aqui o modelo de linguagem não vale o que custa"
    ),
    "{candidate} loses to the simple baseline “{baseline}”, by little": (
        "{candidate} perde por pouco para a referência simples “{baseline}”"
    ),
    "{candidate} is not shown to be better than the simple baseline “{baseline}”": (
        "Não se mostrou que {candidate} é melhor que a referência simples “{baseline}”"
    ),
    # the first sentence
    "{ships} is better than {base}": "{ships} é melhor que {base}",
    "{ships} is not shown to be better than {base}, but is at most {margin} worse": (
        "Não se mostrou que {ships} é melhor que {base}, mas é no máximo {margin} pior"
    ),
    "the difference in {what}": "a diferença de {what}",
    "{ships} is worse than {base}, by less than {margin}: keep {base}": (
        "{ships} é pior que {base}, em menos de {margin}: fique com {base}"
    ),
    " by this score": " por esta nota",
    " and may take its place": " e pode ficar no lugar dele",
    "the last model given": "o último modelo da lista",
    "the last GGUF file given": "o último arquivo GGUF da lista",
    "; do not use it, a loss is shown: {what}": "; não use, há perda demonstrada: {what}",
    "; do not use it before this is settled: {what}": "; não use antes de esclarecer: {what}",
    "{ships} is worse than {base}: do not use it": "{ships} é pior que {base}: não use",
    "{ships} is not shown to be better than {base}, and may be worse: do not use it on the strength of these rows": (
        "Não se mostrou que {ships} é melhor que {base}, e pode ser pior: estas linhas não bastam para usá-lo"
    ),
    ", and than {tuned}, from which it was made": ", e que {tuned}, do qual foi feito",
    ", and holds what training gained": ", e conserva o que o treino ganhou",
    ", but worse than {tuned}, from which it was made, by less than {margin}": (
        ", mas pior que {tuned}, do qual foi feito, em menos de {margin}"
    ),
    ", but worse than {tuned}, from which it was made: take a larger quantisation": (
        ", mas pior que {tuned}, do qual foi feito: use uma quantização maior"
    ),
    "; whether it lost more than {margin} against {tuned}, from which it was made, these rows do not decide": (
        "; se perdeu mais de {margin} em relação a {tuned}, do qual foi feito, estas linhas não decidem"
    ),
    "; the simple baseline “{baseline}” does better": "; a referência simples “{baseline}” se sai melhor",
    "; it is not shown to be better than the simple baseline “{baseline}”": (
        "; não se mostrou que é melhor que a referência simples “{baseline}”"
    ),
    "one answer to nearly all rows": "uma só resposta a quase todas as linhas",
    "whether it does better than chance": "se é melhor que o acaso",
    "; no exported file was scored": "; nenhum arquivo exportado foi avaliado",
    "No exported file was scored: what would ship is not known.": (
        "Nenhum arquivo exportado foi avaliado: não se sabe o que seria entregue."
    ),
    # warnings
    "{model}: {cut} of {n:answer|answers} {cut:?was|were} cut at {tokens:token|tokens} before {cut:?it|they} ended "
    "(--max_new_tokens).": "{model}: {cut} de "
    "{n:resposta|respostas} {cut:?foi cortada|foram cortadas} aos {tokens:token|tokens}, antes de terminar (--max_new_tokens).",
    "{model}: {k} of {n:answer|answers} could not be read and {k:?counts|count} as wrong.": "{model}: {k} de "
    "{n:resposta|respostas} não {k:?pôde ser lida e conta como errada|puderam ser lidas e contam como erradas}.",
    "{model}: in {k} of {n:row|rows} several options are equally likely; {right} of these {right:?is|are} right by their "
    "order alone.": ""
    "{model}: em {k} de {n:linha|linhas} várias alternativas são igualmente prováveis; {right} delas "
    "{right:?está certa|estão certas} só pela ordem.",
    "{k} of {n:scored row|scored rows} {k:?stands|stand} in the training rows: what {k:?it shows|they show} was learnt by "
    "heart, for all that is known.": "{k} de "
    "{n:linha avaliada|linhas avaliadas} {k:?está|estão} entre as de treino: o que {k:?mostra|mostram} pode ter sido decorado.",
    "the rows that it was trained on": "as linhas com que foi treinado",
    "the answers that were cut": "as respostas que foram cortadas",
    "{model} gives one answer nearly always: “{answer}” in {share} of {n:row|rows}; its score says little.": (
        "{model} dá quase sempre a mesma resposta: “{answer}” em {share} de {n:linha|linhas}; seu resultado diz pouco."
    ),
    "{one} and {two} differ in their {what}, which was allowed: the difference may come from that.": (
        "{one} e {two} diferem em: {what}, o que foi permitido; a diferença pode vir daí."
    ),
    "{a} was scored in {one}, {b} in {two}.": "{a} foi avaliado em {one}, {b} em {two}.",
    "No model here is shown to be better than chance ({chance}).": (
        "Não se mostrou que algum modelo aqui é melhor que o acaso ({chance})."
    ),
    "What was not there cannot be forgotten, so this says little.": ("O que não havia não pode ser esquecido; isto diz pouco."),
    "Scored by likelihood: which option the model finds likeliest, not what it would write.": (
        "Avaliado por verossimilhança: qual opção o modelo acha mais provável, não o que escreveria."
    ),
    "How far the judge agrees with physicians was not measured: these are a model's opinions.": (
        "Não se mediu o quanto o juiz concorda com médicos: isto são opiniões de um modelo."
    ),
    "The judge agrees with people's marks of {n:answer|answers} by a kappa of {kappa} (95 % interval {low} to {high}).": (
        "O juiz concorda com as notas de pessoas em {n:resposta|respostas} com um kappa de {kappa} (intervalo de 95 %: "
        "{low} a {high})."
    ),
    "Its own answers it marks {difference} points beside those of others, as people mark them ({low} to {high}).": (
        "Às próprias respostas ele dá {difference} pontos ante as de outros, descontadas as notas das pessoas ({low} a {high})."
    ),
    "the judge's agreement with physicians": "a concordância do juiz com médicos",
    # the report
    "What this shows, and what it does not": "O que isto mostra, e o que não mostra",
    "Only what a paired test shows is claimed of the scores; only what an interval rules out is called safe.": (
        "Dos resultados só se afirma o que um teste pareado mostra; só se chama de seguro o que um intervalo descarta."
    ),
    "The interval of {name} lies above chance ({chance}) and above the commonest answer ({majority}).": (
        "O intervalo de {name} fica acima do acaso ({chance}) e da resposta mais comum ({majority})."
    ),
    "The interval of {name} is not clear of chance ({chance}) and of the commonest answer ({majority}).": (
        "O intervalo de {name} não se separa do acaso ({chance}) e da resposta mais comum ({majority})."
    ),
    "No simple baseline was scored beside the models (evaluate.py --train_data).": (
        "Nenhuma referência simples foi avaliada ao lado dos modelos (evaluate.py --train_data)."
    ),
    "The held-out rows come from the same collection as the training rows, split after duplicates were taken out; "
    "how the model does on other questions was not measured.": (
        "As linhas de teste vêm da mesma coleção que as de treino, separadas depois de retiradas as duplicatas; não se "
        "mediu como o modelo vai em outras questões."
    ),
    "Whether the model forgot what it knew elsewhere was not measured here.": (
        "Não se mediu aqui se o modelo esqueceu o que sabia."
    ),
    "Whether it is safe was not measured here.": "Não se mediu aqui se ele é seguro.",
    "{what}: {n:row|rows}, a first look and no proof.": "{what}: {n:linha|linhas}, um primeiro olhar e nenhuma prova.",
    "One training with one seed: how much the scores vary between seeds was not measured, so another run may "
    "differ by more than these intervals say.": (
        "Um treino com uma semente: não se mediu quanto os resultados variam entre sementes, e outro treino pode "
        "diferir mais do que dizem estes intervalos."
    ),
    "Forgetting: general questions, not medical": "Esquecimento: questões gerais, não médicas",
    "Safety: harmful requests declined": "Segurança: pedidos nocivos recusados",
    "Over-refusal: harmless requests that sound harmful, answered": (
        "Recusa em excesso: pedidos inofensivos que parecem nocivos, respondidos"
    ),
    "{what}: measured on {model}, not on {ships}, the file that ships.": (
        "{what}: medido em {model}, e não em {ships}, o arquivo que é entregue."
    ),
    "The whole comparison, with more of the questions that flipped": ("A comparação inteira, com mais questões que mudaram"),
    "This comparison as a page of its own": "Esta comparação em página própria",
    # what became of the rows in preparing
    "rows read": "linhas lidas",
    "rejected": "rejeitadas",
    "not asked for": "não pedidas",
    "duplicate": "duplicatas",
    "contradicting": "contraditórias",
    "leak": "vazadas do teste",
    "near-duplicate": "quase duplicatas",
    "over the cap": "além do limite",
    "not selected": "não escolhidas",
    "joined into a pair": "unidas em um par",
    "train": "treino",
    "validation": "validação",
    "test": "teste",
    "Training": "Treino",
    "what": "o quê",
    "value": "valor",
    "Loss by step; dots: on held-out rows": "Perda por passo; pontos: em linhas separadas do treino",
    "step {n}": "passo {n}",
    "; held out {loss}": "; fora do treino {loss}",
    "{rows}, {tokens} tokens, {cut:row|rows} cut": "{rows}, {tokens} tokens, {cut:linha cortada|linhas cortadas}",
    "synthetic rows": "linhas sintéticas",
    "{n} of {rows} ({share}), written by {names}": "{n} de {rows} ({share}), escritas por {names}",
    "{name} learnt from synthetic rows, {which}: how right they are was not measured here.": (
        "{name} aprendeu com linhas sintéticas, {which}: não se mediu aqui o quanto estão certas."
    ),
    "{n} trained parameters": "{n} parâmetros treinados",
    "started from": "partiu de",
    "method": "método",
    "learning rate, steps, seed": "taxa de aprendizado, passos, semente",
    "last loss": "última perda",
    "time, peak memory": "tempo, pico de memória",
    "Data": "Dados",
    "none; name them with --licences in data_prep/prepare.py": "nenhuma; informe com --licences em data_prep/prepare.py",
    "Licences named in preparing: {named}.": "Licenças informadas na preparação: {named}.",
    "{file} ships: on {n:row|rows} that no score here uses it is the smallest for which a loss of more than "
    "{margin:point|points} is ruled out.": "{file} é o arquivo escolhido: em {n:linha|linhas} que nenhuma nota daqui usa, é "
    "o menor para o qual está descartada "
    "uma perda de mais de {margin:ponto|pontos}.",
    "{file}, the largest, ships: on {n:row|rows} that no score here uses, a loss of more than {margin:point|points} is not ruled "
    "out for a smaller one.": "{file}, o maior, é o arquivo escolhido: em {n:linha|linhas} que nenhuma nota daqui usa, uma perda "
    "de mais de {margin:ponto|pontos} não está descartada para nenhum menor.",
    "{file}, the largest, ships untried: the rows to choose by are too few to rule out a loss of more than "
    "{margin:point|points}; {n} could.": "{file}, o maior, é o arquivo escolhido, sem teste: as linhas para a escolha são "
    "poucas demais "
    "para descartar uma perda de mais de {margin:ponto|pontos}; {n} bastariam.",
    "Written freely: the answer read from what the model writes": "Por escrito: a resposta lida no que o modelo escreve",
    "Written freely, {candidate} is better than {baseline}": "Por escrito, {candidate} é melhor que {baseline}",
    "Written freely, {candidate} is not worse than {baseline} by more than {margin}": "Por escrito, {candidate} não é pior que "
    "{baseline} por mais de {margin}",
    "Written freely, {candidate} is worse than {baseline}, by less than {margin}": "Por escrito, {candidate} é pior que "
    "{baseline}, por menos de {margin}",
    "Written freely, {candidate} is worse than {baseline}": "Por escrito, {candidate} é pior que {baseline}",
    "Written freely, no difference is shown between {baseline} and {candidate}": "Por escrito, nenhuma diferença demonstrada "
    "entre {baseline} e {candidate}",
    "The exported files": "Os arquivos exportados",
    "file": "arquivo",
    "checks against the model that was trained": "verificações contra o modelo treinado",
    "Two answers of {file} that were right and two that were not, drawn by the hash of their ids:": (
        "Duas respostas de {file} certas e duas erradas, sorteadas pelo hash dos identificadores:"
    ),
    "{id}: answered {given}, key {gold}": "{id}: respondeu {given}, gabarito {gold}",
    "mean KL to the full model {value}": "KL média até o modelo completo {value}",
    "same best token {value}": "mesmo melhor token {value}",
    "perplexity x {value}": "perplexidade x {value}",
    "failed: {what}": "reprovado: {what}",
    "every check passed": "aprovado em todas as verificações",
    "not verified": "não verificado",
    "Cost": "Custo",
    "stage": "etapa",
    "seconds": "segundos",
    "peak memory, GB": "pico de memória, GB",
    "GPU energy, Wh": "energia da GPU, Wh",
    "all": "todas",
    "The cards counted all that ran on them meanwhile; the rest of the machine is not in it.": (
        "As placas contaram tudo o que rodou nelas no período; o resto da máquina não está incluído."
    ),
    "The stages' commands, each to be pasted as it is:": "Os comandos das etapas, cada um pronto para colar:",
    "{n} processor cores ({machine}), no GPU": "{n} núcleos de processador ({machine}), sem GPU",
}
