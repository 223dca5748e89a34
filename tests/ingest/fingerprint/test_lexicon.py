"""Language guesses and what prompts ask for, on sentences that the lists were not made of."""

# ruff: noqa: RUF001 - letters of other scripts are the point here

from __future__ import annotations

import pytest
import reference
from fingerprint_cases import KEY_BYTES, rows_of

from stillwatch.ingest.fingerprint import FingerprintKey, fingerprint
from stillwatch.ingest.fingerprint.lexicon import LANGUAGES, lexicon
from stillwatch.ingest.fingerprint.phrases import PHRASES
from stillwatch.model.views import Elicitation

KEY = FingerprintKey.from_bytes(KEY_BYTES)


def one(text: str, place: int = 1) -> dict[str, object]:
    return fingerprint(rows_of([None] * place + [text]), KEY).to_pylist()[place]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Can you tell me how the tides are caused by the moon?"),
        ("de", "Kannst du mir sagen, warum die Gezeiten vom Mond abhängen und nicht von der Sonne?"),
        ("fr", "Peux-tu me dire pourquoi les marées dépendent de la lune et pas du soleil dans ce cas ?"),
        ("es", "¿Puedes decirme por qué las mareas dependen de la luna y no del sol en este caso?"),
        ("pt", "Você pode me dizer por que as marés dependem da lua e não do sol?"),
        ("it", "Puoi dirmi perché le maree dipendono dalla luna e non dal sole in questo caso?"),
        ("nl", "Kun je mij vertellen waarom het getij van de maan komt en niet van de zon?"),
        ("zh", "你能告诉我为什么潮汐是由月亮引起的吗？"),
        ("zh", "请用 Python 写一个函数 quick_sort，并解释每一行代码的作用"),
        ("ja", "潮の満ち引きはなぜ月によって起こるのですか。"),
        ("ko", "조수가 왜 달 때문에 생기는지 알려 주세요"),
        ("ru", "Почему приливы зависят от луны, а не от солнца?"),
        ("uk", "Чому припливи залежать від місяця і не залежать від їхньої висоти?"),
        ("ar", "لماذا يحدث المد والجزر بسبب القمر وليس الشمس؟"),
        ("fa", "چرا جزر و مد به ماه بستگی دارد؟ لطفا پاسخ بگو"),
        ("he", "למה הגאות תלויה בירח ולא בשמש?"),
        ("th", "ทำไมน้ำขึ้นน้ำลงจึงเกิดจากดวงจันทร์"),
        ("hi", "ज्वार चंद्रमा के कारण क्यों होता है?"),
        ("el", "Γιατί οι παλίρροιες εξαρτώνται από τη σελήνη;"),
        ("und", "1 + 1 = 2"),
        ("und", ""),
    ],
)
def test_language(language, text):
    assert one(text)["language"] == language


@pytest.mark.parametrize(
    ("bit", "text"),
    [
        (Elicitation.REASONING, "Solve it and show your reasoning before the result: 3x = 9"),
        (Elicitation.REASONING, "小明有三个苹果。请给出详细的解题过程。"),
        (Elicitation.REASONING, "Resuelve el problema paso a paso."),
        (Elicitation.REASONING, "Löse die Aufgabe Schritt für Schritt."),
        (Elicitation.REASONING, "Résous le problème étape par étape."),
        (Elicitation.REASONING, "Реши задачу пошагово."),
        (Elicitation.REASONING, "問題を解いて、思考過程も書いてください。"),
        (Elicitation.INLINE_TAGS, "Put your thoughts in <think> first."),
        (Elicitation.INLINE_TAGS, "Write inside thinking tags what you consider."),
        (Elicitation.BACKFILL, "Here is a finished solution. Reconstruct the reasoning that someone used."),
        (Elicitation.GRADING, "ON A SCALE OF 1–10? No: on a scale of 0 to 100, how good is it?"),
        (Elicitation.GRADING, "请按照评分标准给下面的回答打分。"),
        (Elicitation.GRADING, "Bewerte die Antwort des Schülers."),
        (Elicitation.GRADING, "Оцените ответ ассистента по шкале от 1 до 10."),
        (Elicitation.GRADING, "次の回答を採点してください。"),
        (Elicitation.REWRITING, "Paraphrase the following paragraph."),
        (Elicitation.PERSONA, "You are a pirate."),
        (Elicitation.ENUMERATION, "Come up with 20 tasks."),
        (Elicitation.FORMAT, "Return valid JSON."),
        (Elicitation.FORMAT, 'Use {"name": "...", "age": 3}'),
        (Elicitation.SYNTHESIS, "These question-answer pairs become training data."),
    ],
)
def test_elicitation(bit, text):
    assert one(text)["elicitation"] & bit


def test_plain_questions_ask_for_nothing():
    assert one("What is the tallest mountain in Peru?")["elicitation"] == 0


def test_the_system_prompt_counts_but_not_for_its_role():
    bits = one("What is the tallest mountain in Peru?", place=0)["elicitation"]
    assert bits == Elicitation.REASONING | Elicitation.GRADING


@pytest.mark.parametrize("bit", list(Elicitation))
def test_every_phrase_is_found(bit):
    rows = fingerprint(rows_of([p.replace("#", "7") for p in PHRASES[bit]]), KEY).to_pylist()
    missed = [p for p, row in zip(PHRASES[bit], rows, strict=True) if not row["elicitation"] & bit]
    assert not missed


def test_phrases_fit_into_what_is_carried_over():
    assert max(len(words) for _, words in reference.PHRASE_WORDS) <= 16


def test_tables_are_sane():
    compiled = lexicon()
    assert len(LANGUAGES) == 28 + 7
    assert (compiled.edge_key != 0).sum() * 4 <= compiled.edge_key.size
