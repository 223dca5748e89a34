"""What is publicly known about models in the public answer sets (AlpacaEval, Arena-Hard, MT-Bench).

Facts only: names, makers, bases, sizes, months of release, where a label stands. Labels were frozen before
anything was scored. "card" stands for the model's own card or paper as commonly cited, not checked again;
where sources disagree the role is `unknown` and the model is never used as a reference. None of the sets is
shipped: put them into a folder and name it.
"""

from __future__ import annotations

from datetime import date

from stillwatch.lineage.references import ModelCard, ReferenceSet, Role

_DAVINCI, _CHATGPT, _GPT4 = "openai/text_davinci_003", "openai/gpt-3.5-turbo", "openai/gpt-4"

_TEACHERS = (  # name, vendor
    ("text_davinci_003", "openai"),
    ("gpt-3.5-turbo-0301", "openai"),
    ("gpt-3.5-turbo", "openai"),
    ("gpt4_0314", "openai"),
    ("gpt-4", "openai"),
    ("claude-v1", "anthropic"),
    ("claude-instant-v1", "anthropic"),
    ("claude-2", "anthropic"),
    ("palm-2-chat-bison-001", "google"),
    ("Meta-Llama-3-70B-Instruct", "meta"),
    ("llama-3-70b-instruct", "meta"),
)

_VENDORS = (  # name, vendor, base, size in billions, released
    ("Meta-Llama-3-8B-Instruct", "meta", "llama-3", 8.0, (2024, 4)),
    ("llama-3-8b-instruct", "meta", "llama-3", 8.0, (2024, 4)),
    ("gemma-7b-it", "google", "gemma", 8.5, (2024, 2)),
)

_STUDENTS = (  # name, base, size, released, teachers, where it stands
    ("alpaca-7b", "llama-1", 6.7, (2023, 3), (_DAVINCI,), "Alpaca datasheet"),
    ("alpaca-13b", "llama-1", 13.0, (2023, 3), (_DAVINCI,), "Alpaca datasheet"),
    ("alpaca-7b-neft", "llama-1", 6.7, (2023, 10), (_DAVINCI,), "card"),
    ("vicuna-7b", "llama-1", 6.7, (2023, 6), (_CHATGPT, _GPT4), "card: ShareGPT"),
    ("vicuna-13b", "llama-1", 13.0, (2023, 6), (_CHATGPT, _GPT4), "card: ShareGPT"),
    ("vicuna-33b", "llama-1", 32.5, (2023, 6), (_CHATGPT, _GPT4), "card: ShareGPT"),
    ("vicuna-7b-v1.3", "llama-1", 6.7, (2023, 6), (_CHATGPT, _GPT4), "card: ShareGPT"),
    ("vicuna-13b-v1.3", "llama-1", 13.0, (2023, 6), (_CHATGPT, _GPT4), "card: ShareGPT"),
    ("vicuna-33b-v1.3", "llama-1", 32.5, (2023, 6), (_CHATGPT, _GPT4), "card: ShareGPT"),
    ("koala-13b", "llama-1", 13.0, (2023, 4), (_CHATGPT,), "card"),
    ("baize-v2-7b", "llama-1", 6.7, (2023, 5), (_CHATGPT,), "card"),
    ("baize-v2-13b", "llama-1", 13.0, (2023, 5), (_CHATGPT,), "card"),
    ("wizardlm-13b", "llama-1", 13.0, (2023, 6), (_CHATGPT,), "Claude2-Alpaca README"),
    ("wizardlm-30b", "llama-1", 32.5, (2023, 6), (_CHATGPT,), "Claude2-Alpaca README"),
    ("nous-hermes-13b", "llama-1", 13.0, (2023, 6), (_GPT4,), "card"),
    ("gpt4all-13b-snoozy", "llama-1", 13.0, (2023, 4), (_CHATGPT,), "card"),
    ("tulu-30b", "llama-1", 32.5, (2023, 6), (_CHATGPT, _GPT4), "card: mixed, partly people"),
    ("fastchat-t5-3b", "t5", 3.0, (2023, 4), (_CHATGPT,), "card: ShareGPT"),
    ("mpt-7b-chat", "mpt", 6.7, (2023, 5), (_CHATGPT,), "card"),
    ("mpt-30b-chat", "mpt", 30.0, (2023, 6), (_CHATGPT,), "card"),
    ("OpenHermes-2.5-Mistral-7B", "mistral", 7.2, (2023, 10), (_GPT4,), "card"),
    ("zephyr-7b-beta", "mistral", 7.2, (2023, 10), ("openai",), "sources name GPT-4 or ChatGPT"),
    ("Llama-3-8B-ShareGPT-112K", "llama-3", 8.0, (2024, 6), (_CHATGPT, _GPT4), "arXiv 2406.08464"),
    ("Llama-3-8B-Ultrachat-200K", "llama-3", 8.0, (2024, 6), (_CHATGPT,), "arXiv 2406.08464"),
    ("Llama-3-8B-WizardLM-196K", "llama-3", 8.0, (2024, 6), (_CHATGPT,), "arXiv 2406.08464"),
    ("Llama-3-8B-OpenHermes-243K", "llama-3", 8.0, (2024, 6), (_GPT4,), "arXiv 2406.08464"),
    ("Llama-3-8B-WildChat", "llama-3", 8.0, (2024, 6), (_CHATGPT, _GPT4), "arXiv 2406.08464"),
    ("Llama-3-8B-Tulu-330K", "llama-3", 8.0, (2024, 6), (_CHATGPT, _GPT4), "arXiv 2406.08464: mixed"),
    ("Llama-3-Base-8B-SFT", "llama-3", 8.0, (2024, 5), (_CHATGPT,), "card: UltraChat"),
    ("dolphin-2.9-llama3-8b", "llama-3", 8.0, (2024, 4), ("openai",), "card"),
    ("openchat-3.6-8b-20240522", "llama-3", 8.0, (2024, 5), ("openai",), "card"),
    ("Llama-3-8B-Magpie-Align-SFT-v0.2", "llama-3", 8.0, (2024, 6), ("meta",), "arXiv 2406.08464"),
    ("Llama-3-8B-Magpie-Align-v0.2", "llama-3", 8.0, (2024, 6), ("meta",), "arXiv 2406.08464"),
)

_PEOPLE = (  # name, base, size, released, family, where it stands
    ("guanaco-7b", "llama-1", 6.7, (2023, 5), "guanaco", "card: OASST1"),
    ("guanaco-13b", "llama-1", 13.0, (2023, 5), "guanaco", "card: OASST1"),
    ("guanaco-33b", "llama-1", 32.5, (2023, 5), "guanaco", "card: OASST1"),
    ("guanaco-65b", "llama-1", 65.0, (2023, 5), "guanaco", "card: OASST1"),
    ("humpback-llama-65b", "llama-1", 65.0, (2023, 8), "humpback", "card"),
    ("dolly-v2-12b", "pythia", 12.0, (2023, 4), "", "card: written by staff"),
    ("oasst-sft-pythia-12b", "pythia", 12.0, (2023, 4), "oasst-pythia", "card: OASST1"),
    ("oasst-sft-4-pythia-12b", "pythia", 12.0, (2023, 4), "oasst-pythia", "card: OASST1"),
    ("h2ogpt-oasst-open-llama-13b", "open-llama", 13.0, (2023, 6), "", "card: OASST1"),
    ("mpt-30b-instruct", "mpt", 30.0, (2023, 6), "", "card"),
    ("llama3-8b-lima", "llama-3", 8.0, (2024, 6), "", "LIMA: written by people"),
    ("Llama-3-8B-tulu-human", "llama-3", 8.0, (2024, 6), "", "card: people's part of Tulu"),
)

_BASES = (  # name, base, size, released
    ("llama-13b", "llama-1", 13.0, (2023, 2)),
    ("Meta-Llama-3-8B", "llama-3", 8.0, (2024, 4)),
    ("opt-125m", "opt", 0.125, (2022, 5)),
)

_DISPUTED = (  # name, base, size, released, why
    ("oasst-sft-llama-33b", "llama-1", 32.5, (2023, 4), "OASST-SFT releases can contain ShareGPT"),
    ("oasst-sft-7-llama-30b", "llama-1", 32.5, (2023, 4), "mixes in ShareGPT and code_alpaca"),
)


def public_models() -> ReferenceSet:
    """Cards of all models whose lineage is publicly known, and of those where it is disputed."""
    teachers = (ModelCard(name, Role.TEACHER, vendor=vendor) for name, vendor in _TEACHERS)
    vendors = (
        ModelCard(name, Role.VENDOR, vendor=vendor, base=base, size_b=size, released=_month(month))
        for name, vendor, base, size, month in _VENDORS
    )
    students = (
        ModelCard(
            name, Role.STUDENT, base=base, size_b=size, released=_month(month), teachers=of, citation=at
        )
        for name, base, size, month, of, at in _STUDENTS
    )
    people = (
        ModelCard(name, Role.HUMAN, base=base, size_b=size, released=_month(month), family=kin, citation=at)
        for name, base, size, month, kin, at in _PEOPLE
    )
    bases = (
        ModelCard(name, Role.BASE, base=base, size_b=size, released=_month(month))
        for name, base, size, month in _BASES
    )
    disputed = (
        ModelCard(name, Role.UNKNOWN, base=base, size_b=size, released=_month(month), citation=why)
        for name, base, size, month, why in _DISPUTED
    )
    return ReferenceSet((*teachers, *vendors, *students, *people, *bases, *disputed))


def _month(year_month: tuple[int, int]) -> date:
    return date(*year_month, 1)
