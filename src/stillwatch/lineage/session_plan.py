"""The pre-registration: everything that could be chosen after seeing answers, fixed before the first one."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the annotations
from pathlib import Path  # noqa: TC003
from typing import Any, Literal

import msgspec

from stillwatch.lineage.chain import digest, plain
from stillwatch.model.errors import BAD_JSON, InputError
from stillwatch.model.wholefile import write_once

FORMAT = "stillwatch-plan/1"
Method = Literal["sample", "log_prob", "rank"]


class EpochRef(msgspec.Struct, frozen=True):
    """Which sealed epoch of twins is tested."""

    epoch: str
    commitment: str
    root: str
    items: int


class TwinPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Tier 1b, served versus twin.

    Attributes:
        method: How the suspect shows what it prefers.
        epochs: Sealed epochs that the items are from.
        items: Items that are asked, at most.
        items_digest: Digest of their ids in the order of asking.
        not_eligible: Items of the epochs that cannot be asked, by reason.
        samples: Answers drawn for each item with the method `sample`.
        burn_in: First items, on which the scale of the payoffs and the control are fitted without looking at
            what was served.
        least_effect: Shift of the score of a trained-on answer, in standard deviations, that counts as effect
            of training when training is to be excluded.
        least_exposure: Share of the items in the training set from which on training is to be excluded.
    """

    method: Method
    epochs: tuple[EpochRef, ...]
    items: int
    items_digest: str
    not_eligible: dict[str, int] = {}
    samples: int = 1
    burn_in: int = 32
    least_effect: float = 0.5
    least_exposure: float = 1.0


class ContrastPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Tier 2 or 3, the accused teacher against others, beside reference models.

    Attributes:
        vendor: Who we are, as the descriptions of the models call us.
        accused: Names of our models among the answers.
        alternatives: Names of other teachers.
        references: Names of the reference models that did not learn from us.
        prompts: Prompts that the suspect is asked.
        prompts_digest: Digest of their ids.
        scorer: Name and version of the similarity.
        cards_digest: Digest of the descriptions of all models.
        answers_digest: Digest of all reference answers, so that none is left out or changed afterwards.
        matched: Whether the references match the suspect on base, size and era (tier 2) or not (tier 3).
    """

    vendor: str
    accused: tuple[str, ...]
    alternatives: tuple[str, ...]
    references: tuple[str, ...]
    prompts: int
    prompts_digest: str
    scorer: str
    cards_digest: str
    answers_digest: str
    matched: bool


class IdentityPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Tier 0, is the endpoint our own model?

    Attributes:
        accused: Name of our model among the answers.
        ours: Own answers to each prompt.
        decoys: Models that the test must tell apart before it may say "the same".
        prompts: Prompts that the suspect is asked.
        prompts_digest: Digest of their ids.
        answers_digest: Digest of our own model's answers.
        permutations: Random relabellings behind the p-value.
    """

    accused: str
    ours: int
    decoys: tuple[str, ...]
    prompts: int
    prompts_digest: str
    answers_digest: str
    permutations: int = 999


class MarkPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Tier 1a, the mark in what the suspect says.

    Attributes:
        scheme: Name and parameters of the scheme.
        commitment: Commitment to the key, published before.
        key_id: Which key it is.
        tokenizer: Digest of the tokenizer under which served texts were marked.
        contexts_digest: Digest of the served contexts that the test is filtered to.
        prompts: Prompts that the suspect is asked.
        prompts_digest: Digest of their ids.
        samples: Answers of the suspect to each prompt.
        decoys: Random keys of the panel.
    """

    scheme: dict[str, Any]
    commitment: str
    key_id: str
    tokenizer: str
    contexts_digest: str
    prompts: int
    prompts_digest: str
    samples: int
    decoys: int = 99


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One test of one suspect, as registered.

    Attributes:
        format: Version of this form.
        registered_at: When, UTC.
        suspect: What the suspect is called.
        alpha: Error of the verdict "strongly supports": the combined e-value must reach 1 / alpha.
        alpha_support: Error of the verdict "supports".
        requests: Most requests that may be sent.
        tokens: Most tokens that may be spent.
        temperature: Of all samples.
        max_tokens: Of each answer.
        template: How a prompt stands before an answer for log-probabilities.
        seed: Of permutations, decoys and orders of presentation.
        weights: Share of each tier in the combined e-value; they add up to 1.
        rule: Whether "supports" is decided by the combined e-value, or, for a plan of one weighted tier, by
            its p-value.
        prompts_digest: Digest of the texts that are sent, so that none can be exchanged.
        identity: Tier 0.
        mark: Tier 1a.
        twins: Tier 1b.
        contrast: Tier 2 or 3.
        left_out: Tiers that are not tested, and why.
    """

    format: str = FORMAT
    registered_at: datetime
    suspect: str
    alpha: float = 1e-4
    alpha_support: float = 1e-2
    requests: int = 20_000
    tokens: int = 20_000_000
    temperature: float = 1.0
    max_tokens: int = 256
    template: str = "{prompt}\n"
    seed: int = 1
    weights: dict[str, float]
    rule: Literal["e", "p"] = "e"
    prompts_digest: str
    identity: IdentityPlan | None = None
    mark: MarkPlan | None = None
    twins: TwinPlan | None = None
    contrast: ContrastPlan | None = None
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a plan that promises what it cannot keep."""
        for holds, what, remedy in (
            (
                0.0 < self.alpha <= self.alpha_support < 0.5,
                "has error levels out of order",
                "0 < alpha < 0.5",
            ),
            (
                not self.weights or abs(sum(self.weights.values()) - 1.0) < 1e-9,
                "has weights beside 1",
                "fix them",
            ),
            (self.rule == "e" or len(self.weights) == 1, "decides many tiers by p", "use the rule e"),
            (self.requests > 0 and self.tokens > 0, "has no budget", "allow some requests and tokens"),
            ("{prompt}" in self.template, "has a template without {prompt}", "say where the prompt stands"),
        ):
            if not holds:
                raise InputError("plan", what, remedy)


def plan_body(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain JSON values."""
    body: dict[str, Any] = plain(plan)
    return body


def plan_digest(plan: Plan) -> str:
    """Return the digest by which a plan is registered and its answers are kept."""
    return digest(plan_body(plan))


def write_plan(path: Path, plan: Plan) -> None:
    """Write the plan; it is never overwritten.

    Raises:
        InputError: There is one already, or the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_once(path, msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n")
    except FileExistsError:
        raise InputError(
            str(path), "is a plan already", "run the test on it or choose another --out"
        ) from None
    except OSError as error:
        raise InputError(str(path), error.strerror or "cannot be written", "choose another --out") from None


def read_plan(path: Path) -> Plan:
    """Read a plan.

    Raises:
        InputError: There is none, or it is of another version.
    """
    try:
        plan = msgspec.json.decode(path.read_bytes(), type=Plan)
    except OSError as error:
        raise InputError(
            str(path), error.strerror or "cannot be read", "make one with `lineage plan`"
        ) from None
    except BAD_JSON:
        raise InputError(str(path), "is not a plan", "make one with `lineage plan`") from None
    if plan.format != FORMAT:
        raise InputError(str(path), "is a plan of another version", f"this stillwatch reads {FORMAT}")
    return plan
