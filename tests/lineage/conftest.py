"""A small served-versus-twin world: sealed epochs of random sentences, and suspects that learned from them or not."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from stillwatch.lineage.session_plan import Plan
from stillwatch.lineage.session_twins import TwinChannel, eligible, plan_twins
from stillwatch.lineage.suspect import Reply
from stillwatch.lineage.twins import TwinDesign, TwinSeed, make_item
from stillwatch.lineage.twins_store import append_items, open_epoch, read_epoch, seal_epoch

OPENED = datetime(2026, 1, 1, tzinfo=UTC)
SEALED = OPENED + timedelta(days=30)
TESTED = OPENED + timedelta(days=300)
WORDS = [f"w{number}" for number in range(300)]


def sentence(rng, length=30):
    return " ".join(rng.choice(WORDS, size=length))


class Stand:
    """Answers every query as a model would that learned a share of the served answers by heart."""

    def __init__(self, served, share, seed=0):
        rng = np.random.default_rng(seed)
        self.label = "stand-in"
        self.learned = {prompt: text for prompt, text in served.items() if rng.random() < share}
        self.asked = []

    def ask(self, queries, budget, spent):
        replies = []
        for query in queries:
            if not spent.within(budget):
                break
            spent.requests += 1
            spent.tokens += 10
            self.asked.append(query.id)
            replies.append(self.reply(query))
        return replies

    def reply(self, query):
        rng = np.random.default_rng(abs(hash((query.id, query.kind))) % 2**32)
        if query.kind == "log_prob":
            known = self.learned.get(query.prompt) == query.answer
            return Reply(query.id, log_prob=float(-100 + rng.normal() + 2.0 * known), tokens=10)
        if query.kind == "rank":
            for prompt, text in self.learned.items():
                if prompt in query.prompt:
                    return Reply(
                        query.id,
                        text="A" if query.prompt.index(text) < query.prompt.rindex("Answer B") else "B",
                    )
            return Reply(query.id, text="A")
        text = self.learned.get(query.prompt, "")
        return Reply(query.id, text=" ".join([*text.split()[:12], sentence(rng)]), tokens=10)


class TwinWorld:
    """Sealed epochs in a directory, and what was served for each prompt."""

    def __init__(self, folder, items=80, twins=1, epochs=1, keep_text=True):
        self.folder, self.served, self.prompts = folder, {}, {}
        rng = np.random.default_rng(7)
        for number in range(epochs):
            place = folder / "twins" / f"e{number}"
            secret = bytes([number]) * 32
            seed, design = TwinSeed(secret), TwinDesign(rate=1.0, twins=twins, gram=3, keep_text=keep_text)
            open_epoch(place, f"e{number}", design, secret, OPENED)
            made = []
            for index in range(items):
                request, prompt = f"e{number}-r{index}", f"say number {number} {index} aloud"
                answers = [sentence(rng) for _ in range(twins + 1)]
                self.served[prompt] = answers[seed.served(request, twins + 1)]
                self.prompts[request] = prompt
                made.append(
                    make_item(
                        seed,
                        design,
                        request_id=request,
                        account_id=f"account-{index % 4}",
                        answers=answers,
                        served_at=OPENED + timedelta(days=1, minutes=index),
                        temperature=1.0,
                        prompt=prompt,
                    )
                )
            append_items(place, made, SEALED)
            seal_epoch(place, SEALED)
        self.epochs = [read_epoch(folder / "twins" / f"e{number}") for number in range(epochs)]

    def suspect(self, share, seed=0):
        return Stand(self.served, share, seed)


class Clock:
    """Time that moves a second with each look."""

    def __init__(self, start=TESTED):
        self.now = start

    def __call__(self):
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(scope="session")
def twin_world(tmp_path_factory):
    pytest.importorskip("rfc8785", reason="needs the extra stillwatch[lineage]")
    return TwinWorld(tmp_path_factory.mktemp("twins"))


@pytest.fixture
def make_twin_world(tmp_path):
    pytest.importorskip("rfc8785", reason="needs the extra stillwatch[lineage]")
    return lambda **options: TwinWorld(tmp_path / "made", **options)


@pytest.fixture
def registered(tmp_path):
    """Build the plan and the channel of tier 1b for a world."""

    def build(world, method="sample", items=60, **options):
        places, reasons = eligible(world.epochs, method, world.prompts)
        twins = plan_twins(world.epochs, places, reasons, method=method, items=items)
        plan = Plan(
            registered_at=TESTED,
            suspect="stand-in",
            weights={"1b": 1.0},
            prompts_digest="0" * 64,
            twins=twins,
            **options,
        )
        return plan, TwinChannel(plan, world.epochs, places[:items], world.prompts)

    return build
