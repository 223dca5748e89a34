"""A campaign that sprays an honest customer's templates, so that the customer looks like its author."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from stillwatch.worlds import identities
from stillwatch.worlds.addresses import hosts, roam
from stillwatch.worlds.cards import timing
from stillwatch.worlds.cards.asking import equip, settings_of, wanted_texts
from stillwatch.worlds.cards.crew import muster, records_of
from stillwatch.worlds.cards.operation import Operation, scaled
from stillwatch.worlds.conversations import Rows, machine, single
from stillwatch.worlds.honest import private_content
from stillwatch.worlds.part import SHORT_REPLY, Part, Texts, assemble
from stillwatch.worlds.settings import Habit, settle
from stillwatch.worlds.shapes import draw, lognormal_table, whole
from stillwatch.worlds.stage import DAY

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    import pyarrow as pa

    from stillwatch.worlds.stage import Stage

    Flags = npt.NDArray[np.bool_]


class Product(msgspec.Struct, frozen=True):
    """An honest software product: one system prompt and a few templates, which anybody can find out.

    Attributes:
        system: Its system prompt.
        templates: Its templates, with `[[1]]`.
    """

    system: str
    templates: tuple[str, ...]


class Framing(msgspec.Struct, frozen=True, tag="framing"):
    """A campaign that sends honest customers' prompts from its own accounts beside its own.

    Attributes:
        operation: The campaign; the rest of its traffic is spray.
        victims: Accounts of each honest customer.
        per_day: Mean exchanges of a victim's account and day.
    """

    operation: Operation
    victims: tuple[int, ...] = (12, 1)
    per_day: float = 20.0

    @property
    def id(self) -> str:
        """Name in the truth."""
        return self.operation.id

    def play(self, stage: Stage) -> Iterator[tuple[Part, pa.Table | None]]:
        """Yield the victims one by one, then the campaign."""
        products = [build_product(stage.within(f"product {number}")) for number in range(len(self.victims))]
        for number, (product, keys) in enumerate(zip(products, self.victims, strict=True)):
            yield _victim(stage.within(f"victim {number}"), product, keys, self.per_day, number), None
        yield _sprayers(stage, scaled(self.operation, stage.scale), products), None


def build_product(stage: Stage) -> Product:
    """Invent a product."""
    system = stage.write("product_system", 1)[0].as_py()
    return Product(system, tuple(stage.write("product_template", 3).to_pylist()))


def _victim(stage: Stage, product: Product, keys: int, per_day: float, number: int) -> Part:
    """The traffic of one honest customer with so many keys; the truth names it as a fleet."""
    if keys > 1:
        records = identities.organisation(stage, keys, "product")
    else:
        records = identities.businesses(stage, keys, "product")
    identities.label(records, f"framed_customer-{number}")
    rng = stage.rng("traffic")
    volume = per_day * stage.window.days
    counts = whole(draw(lognormal_table(volume, 0.4), keys, rng))
    account, moment = machine(records.active(stage), counts, rng, stage.sources.clients)
    rows = single(account, moment)
    content = private_content(stage, rows, (0, 0, 0, 0, 1, 2, 4, 8, 12, 20, 30))
    texts = Texts(
        prompt=stage.pen.fill(product.templates, rng.integers(0, len(product.templates), len(rows)), content),
        answer=stage.pen.say("answer", len(rows), stage.rng("answers")),
        systems=(product.system,),
        system=np.zeros_like(account),
    )
    settings = settle(stage, Habit(session=0.2), keys, rows, one=True)
    where = np.stack([hosts("hosting", keys, rng), hosts("hosting", keys, rng)], axis=1)
    return assemble(stage, records, rows, texts, settings, roam(account, where, rng, 0.7), SHORT_REPLY)


def _sprayers(stage: Stage, operation: Operation, products: list[Product]) -> Part:
    """The campaign's accounts: their harvest, and customers' prompts around questions of their own."""
    crew, kit = muster(stage, operation), equip(stage, operation)
    craft, window = operation.craft, stage.window
    job = timing.job_rate(window.days * 24, craft.idle_share, stage.rng("job"))
    hourly = timing.hourly_rate(craft, job, crew.zone, stage.rng("queues"))
    rate = timing.inside(hourly, crew.begin, crew.stop, window)
    rng = stage.rng("sprayed")
    counts = rng.poisson(crew.rate * (crew.stop - crew.begin) / DAY)
    rows = single(*timing.moments(counts, rate, craft, window, rng))
    wanted = rng.random(len(rows)) < craft.wanted_share
    own = wanted_texts(stage, operation, kit, rows, len(crew))
    texts = _sprayed(stage, own, rows, wanted, products)
    return assemble(
        stage,
        records_of(stage, operation, crew),
        rows,
        texts,
        settings_of(stage, operation, kit, rows, wanted, len(crew)),
        roam(rows.account, crew.exits, stage.rng("exits"), 0.6),
        strand=wanted,
    )


def _sprayed(stage: Stage, own: Texts, rows: Rows, wanted: Flags, products: list[Product]) -> Texts:
    """Replace what is not wanted by the customers' prompts, system prompts included."""
    rng = stage.rng("which product")
    which = rng.integers(0, len(products), len(rows))
    templates = [template for product in products for template in product.templates]
    place = np.cumsum([0, *(len(product.templates) for product in products)])[which]
    place += rng.integers(0, min(len(product.templates) for product in products), len(rows))
    content = private_content(stage.within("spray"), rows, (0, 0, 0, 0, 1, 2, 4, 8, 12, 20, 30))
    prompt = stage.pen.choose(wanted, own.prompt, stage.pen.fill(templates, place, content))
    return Texts(
        prompt=prompt,
        answer=own.answer,
        systems=tuple(product.system for product in products),
        system=np.where(wanted, -1, which),
    )
