"""Settings of a detection run; defaults are those that the benchmarks are run with."""

from __future__ import annotations

from typing import Annotated

import msgspec

Level = Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)]
Share = Annotated[float, msgspec.Meta(gt=0.0, le=1.0)]
Work = Annotated[int, msgspec.Meta(ge=10_000, le=2**40)]
Count = Annotated[int, msgspec.Meta(ge=1, le=2**20)]
Sample = Annotated[int, msgspec.Meta(ge=2, le=2**20)]
Seed = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class DetectConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of `detect`.

    Attributes:
        fdr: Level of the false-discovery rate among groups called coordinated (e-BH).
        member_fdr: Level of the false-discovery rate among the accounts named in one group (e-BH).
        verdict_error: A campaign is reported only when the other explanations together keep less than this.
        least_accounts: Groups with fewer accounts are not looked at.
        least_key_accounts: Keys used by fewer accounts link nobody.
        bottom_b: Accounts kept for each key (consistent bottom-B sampling), so a key costs at most B(B-1)/2
            pairs.
        most_pairs: Bound on enumerated pairs; B is lowered until it holds.
        pair_level: Level of the Poisson test of one pair of accounts.
        resolution: CPM resolution, the density that a community must have inside.
        bipartite_resolutions: CPM resolutions in the graph of accounts and keys; the larger the pool of
            templates, the smaller the one that finds its users.
        screen_incidences: Key incidences looked at when rare keys are searched; beyond it exchanges are
            sampled.
        ledger_pairs: Pairs of a key and an account that are counted at a time; a larger log is read in
            rounds.
        class_exchanges: Exchanges from which keys of one template are recognised as one.
        refinements: Rounds in which the keys of a group are chosen anew from its confirmed members; each
            value is the share of a key's accounts that must be members.
        most_candidates: Candidate groups that are tested, largest first.
        behaviour_accounts: Accounts of a group whose exchanges are read for the behaviour statistics.
        placebo_accounts: Accounts drawn for the placebo pool.
        placebos: Placebo groups for each size class.
        seed: Seed of all sampling; the same seed and data give the same result.
    """

    fdr: Level = 0.01
    member_fdr: Level = 0.01
    verdict_error: Level = 0.05
    least_accounts: Sample = 8
    least_key_accounts: Sample = 3
    bottom_b: Sample = 48
    most_pairs: Work = 60_000_000
    pair_level: Level = 1e-6
    resolution: Share = 0.05
    bipartite_resolutions: Annotated[tuple[Share, ...], msgspec.Meta(min_length=1)] = (0.01, 0.001)
    screen_incidences: Work = 40_000_000
    ledger_pairs: Work = 120_000_000
    class_exchanges: Work = 1_000_000
    refinements: tuple[Share, ...] = (0.7,)
    most_candidates: Count = 1_000
    behaviour_accounts: Sample = 160
    placebo_accounts: Sample = 12_000
    placebos: Sample = 4_000
    seed: Seed = 20_261_121
