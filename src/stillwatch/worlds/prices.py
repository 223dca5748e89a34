"""What a campaign costs its adversary: prices with ranges, and the sum for any craft.

The price follows from the parameters of an operation, not from the names of its evasions, so that an
operator's own adversary is priced in the same way. All amounts are US dollars of 2026.
"""

from __future__ import annotations

import msgspec

from stillwatch.worlds.cards.card import Mark
from stillwatch.worlds.cards.operation import (
    Cover,
    Operation,
    Schedule,
    Verification,
    Wording,
    active_days,
    expected_wanted,
)

MONTH = 30.0


class Range(msgspec.Struct, frozen=True):
    """An uncertain number: low, best guess and high.

    Sums add ends to ends and products multiply them, which is wider than independent errors would be.

    Attributes:
        low: Least plausible value.
        mid: Best guess.
        high: Largest plausible value.
    """

    low: float
    mid: float
    high: float

    def __add__(self, other: Range) -> Range:
        """Add end to end."""
        return Range(self.low + other.low, self.mid + other.mid, self.high + other.high)

    def times(self, factor: float) -> Range:
        """Multiply by a number that is not negative."""
        return Range(self.low * factor, self.mid * factor, self.high * factor)

    def by(self, other: Range) -> Range:
        """Multiply end by end; neither range may reach below zero."""
        return Range(self.low * other.low, self.mid * other.mid, self.high * other.high)


NOTHING = Range(0.0, 0.0, 0.0)


class Price(msgspec.Struct, frozen=True):
    """One price, its range and where it comes from.

    Attributes:
        amount: Dollars for one unit, or a share where `unit` says so.
        unit: What it buys.
        source: Where it was found.
        mark: How sure it is.
    """

    amount: Range
    unit: str
    source: str
    mark: Mark


_LISTS = "published price lists of frontier models, mid-2026, batch discount for the low end"
_OWN = "no public source; chosen here"


class PriceBook(msgspec.Struct, frozen=True):
    """All prices that the cost of a campaign is added up from; each can be replaced.

    Attributes:
        teacher_input: A million input tokens of the model that is distilled.
        teacher_output: A million of its output tokens.
        paraphrase: A million tokens, in and out together, of the small model that rewords prompts.
        mailbox: One mail address.
        phone: One SMS verification.
        identity: One account that passed an identity check.
        aged: What an account that is months old costs above a new one.
        payment: One payment instrument.
        shared_exit: One data-centre or VPN address for a month.
        own_exit: One home or ISP address for a month.
        resale: Share of the list price that a reseller's customers pay back.
        label_noise: Share of answers that a paraphrased prompt spoils.
        template_noise: The same where only the templates are reworded and tried out.
        wait: Value that a month of waiting takes from the data, as a share of the teacher's price.
        unused: Share of the accounts that a schedule of their own leaves idle.
        weaker: Share of the value that answers of a second model lack.
        paid_month: Keeping one account for a month, beside its tokens: minimum balances and handling.
        template: One template written and tried out.
    """

    teacher_input: Price = Price(Range(2.5, 5.0, 5.0), "million tokens", _LISTS, Mark.SECONDARY)
    teacher_output: Price = Price(Range(12.5, 25.0, 30.0), "million tokens", _LISTS, Mark.SECONDARY)
    paraphrase: Price = Price(
        Range(0.1, 0.4, 1.0), "million tokens", "published price lists of small models, 2026", Mark.SECONDARY
    )
    mailbox: Price = Price(Range(0.002, 0.005, 0.05), "address", "one trade article, 2025", Mark.WEAK)
    phone: Price = Price(
        Range(0.08, 0.26, 4.93),
        "verification",
        "Cambridge Online Trust and Safety Index, 2025: Russia, United States, Japan",
        Mark.SECONDARY,
    )
    identity: Price = Price(Range(15.0, 60.0, 200.0), "account", _OWN, Mark.ASSUMED)
    aged: Price = Price(Range(1.0, 6.0, 25.0), "account", _OWN, Mark.ASSUMED)
    payment: Price = Price(Range(0.5, 2.0, 8.0), "instrument", _OWN, Mark.ASSUMED)
    shared_exit: Price = Price(Range(0.3, 1.0, 3.0), "address and month", _OWN, Mark.ASSUMED)
    own_exit: Price = Price(
        Range(0.9, 2.5, 5.0),
        "address and month",
        "a gigabyte of residential proxy, 0.89 to 5.00 dollars (one provider, June 2026): more than an "
        "account uses in a month",
        Mark.WEAK,
    )
    resale: Price = Price(
        Range(0.5, 0.7, 0.8), "share", "one reseller's list, about 30 % below the official one", Mark.WEAK
    )
    label_noise: Price = Price(Range(0.02, 0.05, 0.15), "share", _OWN, Mark.ASSUMED)
    template_noise: Price = Price(Range(0.0, 0.01, 0.05), "share", _OWN, Mark.ASSUMED)
    wait: Price = Price(Range(0.02, 0.05, 0.15), "share and month", _OWN, Mark.ASSUMED)
    unused: Price = Price(Range(0.1, 0.3, 0.5), "share", _OWN, Mark.ASSUMED)
    weaker: Price = Price(Range(0.1, 0.3, 0.6), "share", _OWN, Mark.ASSUMED)
    paid_month: Price = Price(Range(0.2, 1.0, 5.0), "account and month", _OWN, Mark.ASSUMED)
    template: Price = Price(Range(0.02, 0.5, 5.0), "template", _OWN, Mark.ASSUMED)


class Cost(msgspec.Struct, frozen=True):
    """What a thousand useful exchanges of a campaign cost.

    Attributes:
        lines: Dollars for each purpose, in a fixed order.
        total: Their sum.
        useful: Useful exchanges of the whole campaign, best guess.
    """

    lines: tuple[tuple[str, Range], ...]
    total: Range
    useful: float

    @property
    def evasion(self) -> Range:
        """The total without the teacher's own price: what hiding costs."""
        rest = [amount for name, amount in self.lines if name != "teacher"]
        return _sum(rest)


def cost_per_thousand(operation: Operation, book: PriceBook | None = None) -> Cost:
    """Add up what a thousand useful exchanges of `operation` cost its adversary.

    An exchange is useful when it belongs to the campaign and asks what no other exchange asked; what spoiled
    and weaker answers take from its worth is a line of the cost.

    Args:
        operation: The campaign.
        book: Prices; the ones documented here if not given.

    Raises:
        ValueError: The campaign has no exchange of its own.
    """
    prices = book or PriceBook()
    wanted = expected_wanted(operation)
    if wanted <= 0:
        raise ValueError(f"operation {operation.id!r}: has no exchanges of its own")
    useful = wanted * (1.0 - operation.craft.repeats)
    per_thousand = 1000.0 / useful
    teacher = _teacher(operation, prices)
    lines = (
        ("teacher", teacher),
        ("repeats", teacher.times(operation.craft.repeats / (1.0 - operation.craft.repeats))),
        ("cover", _cover(operation, prices)),
        ("accounts", _accounts(operation, prices).times(per_thousand)),
        ("payment", _payment(operation, prices).times(per_thousand)),
        ("addresses", _addresses(operation, prices).times(per_thousand)),
        ("templates", _templates(operation, prices).times(per_thousand)),
        ("rewording", _rewording(operation, prices, useful)),
        ("spoiled answers", _spoiled(operation, prices, teacher)),
        ("waiting", _waiting(operation, prices, teacher)),
        ("weaker teachers", _weaker(operation, prices, teacher)),
    )
    return Cost(lines, _sum([amount for _, amount in lines]), useful)


def _sum(amounts: list[Range]) -> Range:
    total = NOTHING
    for amount in amounts:
        total = total + amount
    return total


def _teacher(operation: Operation, prices: PriceBook) -> Range:
    """A thousand exchanges at list price."""
    asked = prices.teacher_input.amount.times(operation.input_tokens / 1000.0)
    return asked + prices.teacher_output.amount.times(operation.output_tokens / 1000.0)


def _cover(operation: Operation, prices: PriceBook) -> Range:
    """Cover for each thousand wanted exchanges: chats of 300 tokens each way, less what resale brings."""
    craft = operation.craft
    if craft.cover is Cover.NONE:
        return NOTHING
    chats = (1.0 - craft.wanted_share) / craft.wanted_share
    chat = prices.teacher_input.amount.times(0.3) + prices.teacher_output.amount.times(0.3)
    if craft.cover is Cover.RESALE:
        back = prices.resale.amount
        chat = chat.by(Range(1.0 - back.high, 1.0 - back.mid, 1.0 - back.low))
    return chat.times(chats / (1.0 - craft.repeats))


def _months(operation: Operation) -> float:
    """Account-months of all pools."""
    days = [active_days(pool, operation.length) for pool in operation.pools]
    spans = zip(operation.pools, days, strict=True)
    return sum(pool.accounts * max(last - first, 0.0) for pool, (first, last) in spans) / MONTH


def _spare(operation: Operation, prices: PriceBook) -> Range:
    """Factor on accounts: independent queues leave a part of them idle."""
    if operation.craft.schedule is not Schedule.INDEPENDENT:
        return Range(1.0, 1.0, 1.0)
    idle = prices.unused.amount
    return Range(1.0 / (1.0 - idle.low), 1.0 / (1.0 - idle.mid), 1.0 / (1.0 - idle.high))


def _accounts(operation: Operation, prices: PriceBook) -> Range:
    craft = operation.craft
    one = prices.mailbox.amount + prices.aged.amount.times(craft.aged_share)
    if craft.verification is not Verification.EMAIL:
        one = one + prices.phone.amount
    if craft.verification is Verification.IDENTITY:
        one = one + prices.identity.amount
    kept = prices.paid_month.amount.times(_months(operation))
    return (one.times(operation.accounts) + kept).by(_spare(operation, prices))


def _payment(operation: Operation, prices: PriceBook) -> Range:
    if operation.craft.payment_kind == "none":
        return NOTHING
    instruments = operation.accounts / operation.craft.accounts_per_payment
    return prices.payment.amount.times(instruments).by(_spare(operation, prices))


def _addresses(operation: Operation, prices: PriceBook) -> Range:
    craft = operation.craft
    price = prices.own_exit if craft.network == "home" else prices.shared_exit
    exits = _months(operation) * craft.exits_per_account / craft.accounts_per_exit
    return price.amount.times(exits).by(_spare(operation, prices))


def _templates(operation: Operation, prices: PriceBook) -> Range:
    """Templates that are written; paraphrases of them are rewording."""
    return prices.template.amount.times(operation.craft.templates)


def _rewording(operation: Operation, prices: PriceBook, useful: float) -> Range:
    """Tokens of the model that rewords: each prompt, or each template of each account once."""
    craft = operation.craft
    tokens_each = 2.0 * operation.input_tokens / 1e6
    if craft.wording is Wording.EVERY:
        return prices.paraphrase.amount.times(1000.0 * tokens_each / (1.0 - craft.repeats))
    if craft.wording is Wording.OWN:
        templates = craft.templates * operation.accounts
        return prices.paraphrase.amount.times(templates * tokens_each * 1000.0 / useful)
    return NOTHING


def _spoiled(operation: Operation, prices: PriceBook, teacher: Range) -> Range:
    noise = {
        Wording.EVERY: prices.label_noise.amount,
        Wording.OWN: prices.template_noise.amount,
    }.get(operation.craft.wording)
    if noise is None:
        return NOTHING
    lost = Range(*(share / (1.0 - share) for share in (noise.low, noise.mid, noise.high)))
    return teacher.by(lost)


def _waiting(operation: Operation, prices: PriceBook, teacher: Range) -> Range:
    """Freshness lost while a slowed campaign takes longer: the same loot needs `slowed` times the days."""
    months = (operation.length - operation.days) / MONTH
    jitter = operation.craft.jitter_hours / 24.0 / MONTH
    return teacher.by(prices.wait.amount).times(months + jitter)


def _weaker(operation: Operation, prices: PriceBook, teacher: Range) -> Range:
    """Value that answers of further models lack, for the share of the exchanges that goes to them."""
    others = 1.0 - 1.0 / operation.craft.models
    return teacher.by(prices.weaker.amount).times(others)
