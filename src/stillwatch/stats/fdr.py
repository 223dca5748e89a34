"""Control of false discoveries and of family-wise error, from p-values and from e-values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def benjamini_hochberg(p: ArrayLike, level: float) -> NDArray[np.bool_]:
    """Which hypotheses the step-up procedure rejects (Benjamini & Hochberg 1995).

    Holds the false-discovery rate under independence and positive regression dependence.

    Args:
        p: P-values, shape (G,).
        level: False-discovery rate inside (0, 1).

    Returns:
        True where rejected, shape (G,).

    Raises:
        ValueError: A p-value is outside [0, 1], or the level is outside (0, 1).

    Example:
        >>> benjamini_hochberg([0.01, 0.04, 0.5], level=0.05)
        array([ True, False, False])
    """
    values, most = _checked_p(p), _with_rounding(level)
    small = values <= 2.0 * level  # no other is ever rejected, nor does it help another to be
    rejected = np.zeros(values.size, np.bool_)
    with np.errstate(divide="ignore"):
        rejected[small] = np.exp(_log_step_up(np.log(values[small]), values.size)) <= most
    return rejected


def benjamini_hochberg_levels(p: ArrayLike) -> NDArray[np.float64]:
    """Smallest level at which `benjamini_hochberg` rejects each hypothesis.

    Args:
        p: P-values, shape (G,).

    Returns:
        Levels up to 1, shape (G,).

    Raises:
        ValueError: A p-value is outside [0, 1].

    Example:
        >>> benjamini_hochberg_levels([0.01, 0.04, 0.5]).round(6)
        array([0.03, 0.06, 0.5 ])
    """
    values = _checked_p(p)
    with np.errstate(divide="ignore"):
        return np.exp(_log_step_up(np.log(values), values.size))


def null_share(p: ArrayLike, beyond: float = 0.5) -> float:
    """Share of true nulls among hypotheses, (1 + #{p > beyond}) / (G (1 - beyond)), at most 1.

    P-values times this share, given to `benjamini_hochberg`, still hold the level where they are independent
    and gain power where most hypotheses are false (Storey, Taylor and Siegmund 2004, doi
    10.1111/j.1467-9868.2004.00439.x). Of discrete p-values it is too large rather than too small.

    Args:
        p: P-values, shape (G,).
        beyond: P-values above it are taken to be nulls', inside (0, 1).

    Raises:
        ValueError: A p-value is outside [0, 1], or `beyond` is outside (0, 1).

    Example:
        >>> null_share([0.001, 0.002, 0.01, 0.03, 0.04, 0.2, 0.3, 0.9])
        0.5
    """
    values = _checked_p(p)
    if not 0.0 < beyond < 1.0:
        raise ValueError("beyond must be inside (0, 1)")
    return min(1.0, (1 + int((values > beyond).sum())) / (max(values.size, 1) * (1.0 - beyond)))


def e_bh(log_e: ArrayLike, level: float, total: int | None = None) -> NDArray[np.bool_]:
    """Which hypotheses e-BH rejects: the k largest with e >= G / (level k).

    From Wang & Ramdas (2022, JRSS-B 84(3)). Holds the false-discovery rate under any dependence between the
    e-values.

    Args:
        log_e: Log e-values, shape (G,).
        level: False-discovery rate inside (0, 1).
        total: Number of hypotheses G when more were tested than are given; the others have e-values of at
            most 1 and cannot be rejected.

    Returns:
        True where rejected, one each of the given.

    Raises:
        ValueError: A value is not a number, the level is outside (0, 1), or `total` is too small.

    Example:
        >>> e_bh(np.log([100.0, 5.0, 0.1]), level=0.05)
        array([ True, False, False])
    """
    values = np.asarray(log_e, dtype=np.float64)
    if values.ndim != 1 or np.any(np.isnan(values)):
        raise ValueError("log e-values must be a flat array of numbers")
    if total is not None and total < values.size:
        raise ValueError("the total cannot be smaller than the number of e-values given")
    return np.exp(_log_step_up(-values, total or values.size)) <= _with_rounding(level)


def e_bh_levels(log_e: ArrayLike) -> NDArray[np.float64]:
    """Smallest level at which `e_bh` rejects each hypothesis.

    Args:
        log_e: Log e-values, shape (G,).

    Returns:
        Levels up to 1, shape (G,); 1 also stands for never. Evidence beyond a double's range gives level 0.

    Raises:
        ValueError: A value is not a number.

    Example:
        >>> e_bh_levels(np.log([100.0, 5.0, 0.1])).round(6)
        array([0.03, 0.3 , 1.  ])
    """
    values = np.asarray(log_e, dtype=np.float64)
    if values.ndim != 1 or np.any(np.isnan(values)):
        raise ValueError("log e-values must be a flat array of numbers")
    return np.exp(_log_step_up(-values, values.size))


def holm_log_levels(log_p: ArrayLike, tried: int | None = None) -> NDArray[np.float64]:
    """Log of the smallest family-wise level at which Holm's procedure rejects each hypothesis.

    Source: Holm 1979, Scandinavian Journal of Statistics 6, 65-70. Valid under any dependence between
    the hypotheses. In logarithms, because p-values of strong evidence underflow.

    Args:
        log_p: Natural logarithms of p-values, shape (k,).
        tried: Number of hypotheses in all when more were tried than are given; the others count as larger.

    Returns:
        Natural logarithms, at most 0, shape (k,).

    Raises:
        ValueError: A value is not a logarithm of a probability, or `tried` is too small.

    Example:
        >>> np.exp(holm_log_levels(np.log([0.01, 0.04, 0.03]))).round(6)
        array([0.03, 0.06, 0.06])
    """
    values = np.asarray(log_p, dtype=np.float64)
    if values.ndim != 1 or not np.all(values <= 0.0):
        raise ValueError("give a flat array of logarithms of p-values, each at most 0")
    total = values.size if tried is None else tried
    if total < values.size:
        raise ValueError("the number of hypotheses tried cannot be smaller than the number of p-values given")
    order = np.argsort(values, kind="stable")
    scaled = values[order] + np.log(total - np.arange(values.size, dtype=np.float64))
    result = np.empty(values.size)
    result[order] = np.minimum(np.maximum.accumulate(scaled), 0.0)
    return result


def _log_step_up(log_p: NDArray[np.float64], total: int) -> NDArray[np.float64]:
    """Log of min over j >= rank of `total` p_(j) / j, at most 0."""
    count = log_p.size
    order = np.argsort(log_p, kind="stable")
    scaled = log_p[order] + np.log(total / np.arange(1.0, count + 1.0))
    adjusted = np.empty(count)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 0.0)
    return adjusted


def _checked_p(p: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1 or not np.all((values >= 0.0) & (values <= 1.0)):
        raise ValueError("p-values must be a flat array inside [0, 1]")
    return values


def _with_rounding(level: float) -> float:
    """The level with room for rounding: conformal values lie on a grid and often meet a threshold exactly."""
    if not 0.0 < level < 1.0:
        raise ValueError("the level must lie inside (0, 1)")
    return level * (1.0 + 1e-12)
