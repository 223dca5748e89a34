"""Settings of a detection run; defaults are those that the benchmarks are run with."""

from __future__ import annotations

import msgspec


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

    fdr: float = 0.01
    member_fdr: float = 0.01
    verdict_error: float = 0.05
    least_accounts: int = 8
    least_key_accounts: int = 3
    bottom_b: int = 48
    most_pairs: int = 60_000_000
    pair_level: float = 1e-6
    resolution: float = 0.05
    bipartite_resolutions: tuple[float, ...] = (0.01, 0.001)
    screen_incidences: int = 40_000_000
    ledger_pairs: int = 120_000_000
    class_exchanges: int = 1_000_000
    refinements: tuple[float, ...] = (0.7,)
    most_candidates: int = 1_000
    behaviour_accounts: int = 160
    placebo_accounts: int = 12_000
    placebos: int = 4_000
    seed: int = 20_261_121
