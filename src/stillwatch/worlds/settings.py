"""What clients ask for: model, sampling parameters and client software."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt

from stillwatch.worlds.shapes import Floats, Ints, pick
from stillwatch.worlds.stage import DAY, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.worlds.conversations import Rows

OLD_MODELS = ("meridian-4", "meridian-4-mini", "meridian-4-code")
NEW_MODEL = "meridian-5"
"""Released on the window's release day; costs as much as the old one, so nearly everybody tries it."""

SDKS = (
    "OpenAI/Python 2.54.0",
    "OpenAI/Python 2.31.0",
    "OpenAI/JS 6.9.1",
    "python-requests/2.32.3",
    "python-httpx/0.28.1",
    "axios/1.12.2",
    "langchain-openai/1.1.0",
    "Go-http-client/2.0",
    "curl/8.11.1",
    "node",
    "okhttp/4.12.0",
)
SDK_WEIGHTS = (20, 12, 14, 9, 7, 7, 8, 5, 4, 4, 3)
CHAT_APPS = (
    "OpenWebUI/0.6.30",
    "LibreChat/0.8.0",
    "Cherry Studio/1.6.5",
    "ChatBox/1.16.4",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/26.0 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
)
CHAT_WEIGHTS = (6, 5, 4, 4, 20, 9, 11)

TEMPERATURES = (np.nan, 0.0, 0.2, 0.3, 0.5, 0.7, 0.8, 1.0)
TEMPERATURE_WEIGHTS = (40, 14, 9, 6, 5, 14, 4, 8)
TOP_P = (np.nan, 1.0, 0.95, 0.9)
TOP_P_WEIGHTS = (70, 15, 10, 5)
MAX_TOKENS = (0, 256, 500, 512, 1000, 1024, 2000, 2048, 4000, 4096, 8192, 16384)
MAX_TOKENS_WEIGHTS = (45, 3, 3, 5, 5, 8, 4, 8, 3, 9, 5, 2)


PYTHONS = ("3.10.12", "3.11.9", "3.12.3", "3.12.7", "3.13.1", "3.9.18")
PYTHON_WEIGHTS = (14, 24, 20, 24, 12, 6)
NODES = ("v18.20.4", "v20.18.0", "v22.11.0", "v24.2.0")
MACHINES = ("Linux|x64", "MacOS|arm64", "Windows|x64", "Linux|arm64")


class Settings(msgspec.Struct, frozen=True):
    """Columns of what is asked for; NaN and 0 mean left to the default. One value a row."""

    model: npt.NDArray[np.object_]
    temperature: Floats
    top_p: Floats
    max_tokens: Ints
    n: Ints
    logprobs: npt.NDArray[np.bool_]
    stream: npt.NDArray[np.bool_]
    thinks: npt.NDArray[np.bool_]
    user_agent: npt.NDArray[np.object_]
    platform: npt.NDArray[np.object_]
    session: npt.NDArray[np.bool_]


class Habit(msgspec.Struct, frozen=True):
    """Weights from which each account of a population draws its settings.

    Attributes:
        temperature: One value for all, or None for a draw from the usual ones.
        max_tokens: The same for the token limit; 0 leaves it to the default.
        n: Samples asked for each request.
        logprobs: Whether log probabilities are asked for.
        clients: Client software, most usual first, with weights.
        weights: Weights of `clients`.
        stream: Share of accounts that stream.
        session: Share of accounts whose client names its conversations.
        moves: Share of accounts that move to the new model.
        lag_days: Mean days after the release when they do.
        models: Weights of the old models.
        tuned: Share of accounts that set sampling parameters at all.
    """

    temperature: float | None = None
    max_tokens: int | None = None
    n: int = 0
    logprobs: bool = False
    clients: Sequence[str] = SDKS
    weights: Sequence[float] = SDK_WEIGHTS
    stream: float = 0.4
    session: float = 0.4
    moves: float = 0.5
    lag_days: float = 3.0
    models: Sequence[float] = (60, 28, 12)
    tuned: float = 1.0


CHAT = Habit(clients=CHAT_APPS, weights=CHAT_WEIGHTS, stream=0.9, session=0.8, tuned=0.25)


def settle(stage: Stage, habit: Habit, accounts: int, rows: Rows, one: bool = False) -> Settings:
    """Draw the settings of each account of a population and spread them over its rows.

    Args:
        stage: Window and streams of the population.
        habit: What to draw from.
        accounts: Number of accounts.
        rows: Their exchanges.
        one: Whether all accounts run the same program, hence share one draw.
    """
    rng = stage.rng("settings")
    draws = 1 if one else accounts
    tuned = rng.random(draws) < habit.tuned
    temperature = np.array(TEMPERATURES)[pick(TEMPERATURE_WEIGHTS, draws, rng)]
    top_p = np.where(tuned, np.array(TOP_P)[pick(TOP_P_WEIGHTS, draws, rng)], np.nan)
    limit = np.where(tuned, np.array(MAX_TOKENS)[pick(MAX_TOKENS_WEIGHTS, draws, rng)], 0)
    temperature = np.where(tuned, temperature, np.nan)
    if habit.temperature is not None:
        temperature = np.full(draws, habit.temperature)
    if habit.max_tokens is not None:
        limit = np.full(draws, habit.max_tokens)
    client = np.array(habit.clients, dtype=object)[pick(habit.weights, draws, rng)]
    stream, session = rng.random(draws) < habit.stream, rng.random(draws) < habit.session
    who = np.zeros_like(rows.account) if one else rows.account
    count = len(rows)
    model, thinks = _models(stage, habit, draws, rows, who, rng)
    return Settings(
        model=model,
        temperature=temperature[who],
        top_p=top_p[who],
        max_tokens=limit[who].astype(np.int64),
        n=np.full(count, habit.n, dtype=np.int64),
        logprobs=np.full(count, habit.logprobs),
        stream=stream[who],
        thinks=thinks,
        user_agent=client[who],
        platform=platforms(client, rng)[who],
        session=session[who],
    )


def _models(
    stage: Stage, habit: Habit, draws: int, rows: Rows, who: Ints, rng: np.random.Generator
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.bool_]]:
    window = stage.window
    lag = (rng.standard_exponential(draws) * habit.lag_days * DAY).astype(np.int64)
    moves = rng.random(draws) < habit.moves
    switch = np.where(moves, window.at(window.release_day) + lag, window.end + DAY)
    old = np.array(OLD_MODELS, dtype=object)[pick(habit.models, draws, rng)]
    opened = rows.by_opener(rows.ts)
    new = opened >= switch[who]
    thinks = new & (rng.random(draws) < 0.5)[who]
    return np.where(new, NEW_MODEL, old[who]), thinks


def platforms(clients: npt.NDArray[np.object_], rng: np.random.Generator) -> npt.NDArray[np.object_]:
    """Draw what the official clients tell in their `x-stainless-` headers; other clients tell nothing.

    Args:
        clients: User agent of each account.
        rng: Source of randomness.

    Returns:
        `language|version|system|architecture|runtime|runtime version` or None.
    """
    machine = np.array(MACHINES, dtype=object)[pick((62, 20, 12, 6), len(clients), rng)]
    python = np.array(PYTHONS, dtype=object)[pick(PYTHON_WEIGHTS, len(clients), rng)]
    node = np.array(NODES, dtype=object)[pick((10, 35, 45, 10), len(clients), rng)]
    told = [
        f"python|{client.split()[1]}|{where}|CPython|{py}"
        if client.startswith("OpenAI/Python")
        else f"js|{client.split()[1]}|{where}|node|{js}"
        if client.startswith("OpenAI/JS")
        else None
        for client, where, py, js in zip(clients, machine, python, node, strict=True)
    ]
    return np.array(told, dtype=object)
