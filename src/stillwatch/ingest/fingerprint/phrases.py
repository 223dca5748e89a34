"""What prompts say that ask a model to give itself away, and words that tell languages apart.

Phrases are matched as runs of normalised words: case, accents, punctuation and spacing do not matter, `#`
stands for any number, Chinese, Japanese and Thai are matched character by character. They are features of
groups, never verdicts, so they may well occur in honest prompts.
"""

from __future__ import annotations

from stillwatch.model.views import Elicitation

_REASONING = """
step by step | think step by step | chain of thought | chain of thoughts | train of thought
show your work | show your working | show all work | show all steps | show your steps | show each step
show your reasoning | show the reasoning | explain your reasoning | explain your thinking
explain your thought process | describe your reasoning | your thought process | your internal reasoning
your inner monologue | your internal monologue | reason through | reason carefully | reasoning steps
reasoning process | reasoning trace | reasoning traces | reasoning path | detailed reasoning
intermediate steps | write out your reasoning | provide your reasoning | give your reasoning
include your reasoning | before answering think | think before you answer | think before answering
think out loud | think aloud | think carefully | think deeply | think through | walk me through your
walk through each step | let us think | let s think | let s work this out | let s reason
explain each step | explain every step | explain how you arrived | how you arrived at | justify each step
solve it step | full derivation | verify each step | consider alternative approaches
reflect on your answer | self reflection | 一步一步 | 逐步 | 一步步 | 思维链 | 思考过程 | 推理过程
推理步骤 | 解题过程 | 解题步骤 | 详细步骤 | 写出过程 | 分步 | 请先思考 | 仔细思考 | 展示你的推理
说明你的推理 | 你的思路 | 内心独白 | paso a paso | cadena de pensamiento | explica tu razonamiento
muestra tu razonamiento | razona paso | proceso de razonamiento | proceso de pensamiento
muestra todos los pasos | piensa antes de responder | schritt für schritt | gedankenkette
erkläre deine überlegungen | deine überlegungen | zeige deinen rechenweg | begründe jeden schritt
erläutere deinen gedankengang | denke laut | denk laut | dein gedankengang | lösungsweg | étape par étape
pas à pas | chaîne de pensée | explique ton raisonnement | expliquez votre raisonnement
montre ton raisonnement | montrez votre raisonnement | détaille ton raisonnement | processus de réflexion
шаг за шагом | пошагово | цепочка рассуждений | цепочку рассуждений | ход рассуждений | объясни ход
покажи ход мыслей | ход мыслей | ход решения | рассуждай | подробное решение | объясни свои рассуждения
ステップバイステップ | 一歩ずつ | 段階的に考え | 順を追って | 思考過程 | 思考の過程 | 推論過程
推論の過程 | 考え方を説明 | 途中式 | 단계별로 | 단계적으로 | 차근차근 | 사고 과정 | 추론 과정 | 풀이 과정
passo a passo | cadeia de pensamento | explique seu raciocínio | ragiona passo
spiega il tuo ragionamento | stap voor stap | خطوة بخطوة | चरण दर चरण
"""

_INLINE_TAGS = """
think think | think and think | thinking thinking | thinking and thinking | reasoning reasoning
reasoning and reasoning | scratchpad scratchpad | scratchpad and scratchpad | thought thought
thought and thought | thoughts thoughts | in think tags | within think tags | inside think tags
in thinking tags | within thinking tags | inside thinking tags | in reasoning tags | within reasoning tags
inside reasoning tags | in scratchpad tags | think tags | thinking tags | reasoning tags | scratchpad tags
enclosed within think | begin of thought | end of thought | begin of solution | think answer | think xml
reasoning xml | 标签内思考 | 思考标签 | 思考タグ | think 标签 | think 标签中 | think タグ | think теги
dans des balises think | in think tags einschließen
"""

_BACKFILL = """
reasoning behind this answer | reasoning behind the answer | reasoning behind the following answer
reasoning that leads to this answer | reasoning that leads to the answer
reasoning that leads to the correct answer | reasoning that led to | explain why the answer is
explain why this answer is correct | explain why the correct answer is | the correct answer is given
given the answer | given the correct answer | given the final answer | given the question and answer
given the question and the answer | given a question and its answer | given the problem and its solution
reconstruct the reasoning | reconstruct the thought process | reverse engineer the reasoning
write the reasoning | generate the reasoning | generate a rationale | write a rationale
provide a rationale | rationale for the answer | rationale that justifies | derive the given answer
arrive at the given answer | thought process that would lead
imagine and articulate the internal reasoning | how would one arrive at
without revealing that you know the answer | do not mention that you were given the answer
as if you did not know the answer | 根据答案 | 已知答案 | 给定答案 | 给出答案的推理 | 反推 | 补全推理
还原推理 | 为什么答案是 | 倒推 | dada la respuesta | razonamiento detrás de la respuesta
begründung für die antwort | zu dieser antwort führt | raisonnement derrière cette réponse
raisonnement qui mène à cette réponse | рассуждения приводящие к ответу | обоснование ответа | зная ответ
答えに至る | 答えから | 正解が与えられ
"""

_GRADING = """
rubric | scoring criteria | grading criteria | evaluation criteria | on a scale of # to #
on a scale from # to # | scale of # to # | score from # to # | score between # and # | rating from # to #
rate the following | rate this response | rate the response | rate the quality | rate each response
score the following | score the response | score each response | assign a score | give a score
give it a score | overall score | final score | a score of # | grade the following | grade the response
grade the answer | grade this | act as a judge | impartial judge | as a judge | you are a judge
you are a grader | you are an evaluator | you are a strict grader | fair evaluator | evaluate the quality
evaluate the response | evaluate the following response | evaluate the answer | evaluate the student
which response is better | which answer is better | which of the two responses | compare the two responses
assistant a and assistant b | response a and response b | response a or response b | preferred response
preference between | reward model | is the answer correct | whether the answer is correct
whether the response is | judge whether | verdict | output your verdict | points out of #
out of # points | likert | 评分 | 打分 | 评分标准 | 评判标准 | 评估以下 | 评价以下 | 请评价 | 公正的裁判
作为裁判 | 作为评委 | 哪个回答更好 | 判断答案是否正确 | 得分 | en una escala de # a #
evalúa la respuesta | califica la respuesta | criterios de evaluación | asigna una puntuación | puntúa
auf einer skala von # bis # | bewerte die antwort | bewerte die folgende | bewertungskriterien
bewertungsraster | punktzahl | sur une échelle de # à # | évalue la réponse | évaluez la réponse
note la réponse | notez la réponse | critères de notation | grille d évaluation | critères d évaluation
attribue une note | attribuez une note | по шкале от # до # | оцени ответ | оцените ответ
оцени следующий | критерии оценки | поставь оценку | выставь балл | какой ответ лучше | 採点 | 評価基準
評価してください | 点数をつけ | スコアを | 採点基準 | どちらの回答 | ルーブリック | 채점 | 평가 기준
점수를 | 평가해 주세요 | 루브릭 | em uma escala de # a # | su una scala da # a # | valuta la risposta
avalie a resposta
"""

_REWRITING = """
rewrite the following | rewrite this | rewrite the text | rewrite the given | rewrite it
rephrase the following | rephrase this | paraphrase the following | paraphrase this | reword the following
clean up the following | clean up this | improve the following text | polish the following
edit the following | correct the grammar | fix the grammar | proofread | make it more concise
make this more | simplify the following | more complex version | prompt rewriter | rewrite a given prompt
in a neutral tone | remove sensitive | without changing the meaning | in your own words | 改写 | 重写
润色 | 换一种说法 | 改述 | 去除敏感 | 语气中立 | reescribe | parafrasea | schreibe um | schreib um
formuliere um | umformulieren | überarbeite den | réécris | réécrivez | reformule | reformulez | перепиши
перефразируй | переформулируй | отредактируй | 書き換えて | 言い換えて | 校正して | 書き直して | 다시 써
바꿔 써
"""

_PERSONA = """
you are a | you are an | you are the | you are now | act as | i want you to act | pretend to be
pretend you are | pretend that you | take on the role | play the role | assume the role | your role is
roleplay as | role play as | imagine you are | from now on you | you will act as | as an expert
as a professional | in the voice of | 你是一 | 你现在是 | 请扮演 | 扮演 | 充当 | 作为一名 | 作为一位
假设你是 | 假装你是 | eres un | eres una | actúa como | du bist ein | du bist eine | verhalte dich wie
agiere als | spiele die rolle | stell dir vor du bist | tu es un | tu es une | vous êtes un
vous êtes une | agis comme | agissez en tant | joue le rôle | imagine que tu es | ты опытный | ты эксперт
ты являешься | представь что ты | действуй как | выступи в роли | вы эксперт | あなたは | として振る舞
になりきって | 役割を演じ | 당신은 | 너는 | 역할을 | você é um | você é uma | atue como | sei un | sei una
agisci come | je bent een
"""

_ENUMERATION = """
list of # | list # | give me # | generate # | write # | provide # | create # | come up with #
come up with a set | produce # | suggest # | a set of # | at least # | # examples | # questions
# different | # diverse | # variations | # tasks | # instructions | # items | # pairs | several different
many different | as many as possible | multiple variations | different variations | diverse set | list all
enumerate | exhaustive list | comprehensive list | complete list | 列出 | 举出 | 生成 # | 给出 # | 写 #
# 个例子 | # 个不同 | # 个问题 | 尽可能多 | 多样化 | lista de # | genera # | dame # | escribe # | enumera
liste # | nenne # | erstelle # | generiere # | gib mir # | zähle | donne moi # | donnez moi # | génère #
générez # | énumère | liste de # | перечисли | напиши # | приведи # | создай # | список из #
сгенерируй # | # 個の | # つの | 列挙して | リストアップ | 挙げて | # 개의 | 나열
"""

_FORMAT = """
json | jsonl | valid json | in json format | as json | json object | json array | json schema
output format | response format | strictly in the following format | in the following format
following format | exactly this format | output only | respond only with | reply only with
answer only with | return only | only output | do not output anything else | no other text
without any explanation | without explanation | nothing else | yaml | xml format | csv format
markdown table | boxed | begin your answer | end your answer | final answer in | one word | single word
single letter | 输出格式 | 以 json | 格式如下 | 按照以下格式 | 按以下格式 | 只输出 | 仅输出 | 只返回
不要输出 | 不要解释 | 严格按照 | formato json | en el siguiente formato | con el siguiente formato
solo responde | responde solo | formato de salida | im json format | im folgenden format
folgendes format | ausgabeformat | antworte nur | gib nur | nur mit | au format json | au format suivant
dans le format suivant | format de sortie | réponds uniquement | répondez uniquement | в формате json
в формате | в следующем формате | формат вывода | формат ответа | выведи только | ответь только
только ответ | json 形式 | 次の形式 | 以下の形式 | 出力形式 | のみを出力 | だけを出力 | 形式で出力
json 형식 | 다음 형식 | 출력 형식
"""

_SYNTHESIS = """
training data | training examples | training example | training set | training samples | fine tuning
finetuning | fine tune | synthetic data | synthetic dataset | dataset | data set of
question answer pairs | question and answer pairs | questions and answers | q a pairs | qa pairs
instruction response pairs | instruction following | task instructions | set of instructions
generate instructions | generate an instruction | generate a question | generate questions
come up with a question | write a question | create a question | create questions | write a problem
create a new problem | generate a problem | new prompt | brand new prompt | created prompt | given prompt
generate prompts | multi turn conversation between | conversation between a user | dialogue between a user
simulate a user | user and an ai assistant | user and assistant | seed tasks | seed examples
few shot examples | evaluation set | test cases for | distillation | student model | teacher model
训练数据 | 训练集 | 训练样本 | 数据集 | 微调 | 问答对 | 生成问题 | 生成指令 | 指令数据 | 合成数据 | 蒸馏
多轮对话 | 编写一道 | 出一道题 | datos de entrenamiento | conjunto de datos
pares de preguntas y respuestas | trainingsdaten | datensatz | frage antwort paare
données d entraînement | jeu de données | paires de questions | обучающие данные | обучающая выборка
набор данных | датасет | пары вопрос ответ | 学習データ | 訓練データ | データセット | 質問と回答のペア
학습 데이터 | 데이터셋 | 질문과 답변
"""

PHRASES: dict[Elicitation, tuple[str, ...]] = {
    bit: tuple(phrase.strip() for line in text.strip().splitlines() for phrase in line.split("|"))
    for bit, text in (
        (Elicitation.REASONING, _REASONING),
        (Elicitation.INLINE_TAGS, _INLINE_TAGS),
        (Elicitation.BACKFILL, _BACKFILL),
        (Elicitation.GRADING, _GRADING),
        (Elicitation.REWRITING, _REWRITING),
        (Elicitation.PERSONA, _PERSONA),
        (Elicitation.ENUMERATION, _ENUMERATION),
        (Elicitation.FORMAT, _FORMAT),
        (Elicitation.SYNTHESIS, _SYNTHESIS),
    )
}
"""Phrases of each elicitation bit; at most sixteen normalised words each."""

REASONING_TAGS = [
    "think",
    "thinking",
    "thought",
    "thoughts",
    "reasoning",
    "scratchpad",
    "rationale",
    "reflection",
    "cot",
    "monologue",
    "analysis",
    "deliberation",
    "reason",
    "steps",
    "explanation",
]
"""Names of angle tags that force reasoning into the answer."""

STOP_WORDS: dict[str, tuple[str, ...]] = {
    language: tuple(words.split())
    for language, words in {
        "en": "the and of to is that for with you are this what how from your be was have not can it "
        "write will would should which please about their there when each following i my we they "
        "has an at or if by give make between does do explain why create using into",
        "de": "der die das und ist nicht ein eine einen mit für auf dem den von wie ich sie wird auch "
        "werden bitte oder zu einer sind im zum zur bei nach über kann welche schreibe folgenden "
        "aus dass",
        "fr": "le les des est et une pour dans qui avec vous sur pas au aux ce cette sont votre je il "
        "elle nous mais comment quelle ou plus écris suivant être ces leur du",
        "es": "el los las del y más pero sus qué cómo está son muy también hay porque cuál al lo "
        "escribe siguiente ser según cuando donde esto eso puedes desde hasta ejemplo",
        "pt": "os uma não com são mais como você isso em ao dos das seu sua um ou muito também até está "
        "pelo pela escreva seguinte foi quais nos na da pode qual esta",
        "it": "il gli della che di per con sono è nel dal come più questo questa dei alla scrivi quale "
        "anche delle perché essere cosa ed non del degli dal",
        "nl": "het een van en is dat niet op te zijn met voor de ook aan hoe wat maar schrijf naar bij "
        "wordt uit deze dit kan welke volgende heeft worden",
    }.items()
}
"""Frequent words of seven languages in Latin script; a word of several languages counts for the first one."""
