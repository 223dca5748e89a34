"""An OpenAI-compatible endpoint as the suspect: paced, retried, within its budget."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stillwatch.lineage.suspect import Budget, Query, Reply, Spent
from stillwatch.lineage.suspect_wire import models_of, reply_of, request_of
from stillwatch.model.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import httpx

_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_REFUSED = {
    401: ("did not accept the key", "put a valid one into the environment variable that --key-env names"),
    403: ("forbids the request", "ask whoever runs it"),
    404: ("has no such model or path", "give the address up to /v1 and the name of the model with --model"),
}
_LONGEST_WAIT = 120.0
_STATUS = "the server answered with status"
_TELLING = 8
"""Requests of one batch from which on it tells something that all were refused."""


@dataclass(frozen=True)
class Pace:
    """How fast and how patiently an endpoint is asked.

    Attributes:
        concurrency: Requests under way at the same time.
        per_second: Requests started each second.
        retries: Further tries of one request.
        first_wait: Seconds before the second try; doubled each time, unless the server says how long.
        timeout: Seconds that one try may take.
        failures: Requests in a row that get no answer after which the endpoint counts as not there.
    """

    concurrency: int = 4
    per_second: float = 4.0
    retries: int = 5
    first_wait: float = 1.0
    timeout: float = 120.0
    failures: int = 5


@dataclass
class HttpSuspect:
    """Asks an endpoint.

    Attributes:
        url: Address up to and with `/v1`.
        model: Name of the model at the server.
        key: Bearer token or nothing; shown nowhere.
        template: See `suspect_wire.request_of`.
        pace: How fast it is asked.
        sleep: Waits a number of seconds.
        clock: Seconds that only rise.
    """

    url: str
    model: str
    key: str = field(default="", repr=False)
    template: str = "{prompt}\n"
    pace: Pace = field(default_factory=Pace)
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    next_start: float = field(default=0.0, init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the address.

        Raises:
            InputError: It is no address, or the key would travel in the clear.
        """
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise InputError("--suspect", "is not an address of an API", "give one such as https://host/v1")
        if self.key and parts.scheme == "http" and not _is_loopback(parts.hostname):
            raise InputError("--suspect", "would send the key unencrypted", "use https")
        self.url = self.url.rstrip("/")

    @property
    def label(self) -> str:
        """Model and address, without credentials."""
        return f"{self.model} at {self.url}"

    def ask(self, queries: Sequence[Query], budget: Budget, spent: Spent) -> Sequence[Reply]:
        """Ask all `queries` while the budget lasts; see `suspect.Suspect`.

        Raises:
            InputError: The server refuses us or does not answer; what it answered before is not lost, since
                the session keeps replies batch by batch.
            MissingExtra: httpx is not installed.
        """
        httpx = _httpx()
        return asyncio.run(_Round(self, httpx, budget, spent).ask(queries))


def only_model(suspect: HttpSuspect) -> str:
    """Return the name of the one model that the server of `suspect` lists; asked once, without a retry.

    Raises:
        InputError: It lists none or several, or does not tell.
        MissingExtra: httpx is not installed.
    """
    httpx, remedy = _httpx(), "name the model with --model"
    headers = {"authorization": f"Bearer {suspect.key}"} if suspect.key else {}
    try:
        with httpx.Client(headers=headers, timeout=suspect.pace.timeout, trust_env=False) as client:
            response = client.get(f"{suspect.url}/models")
    except httpx.TransportError:
        raise InputError(suspect.url, "did not answer when asked for its models", remedy) from None
    names = models_of(response.content) if response.status_code == 200 else None
    if names is None:
        raise InputError(suspect.url, "does not tell its models", remedy)
    if len(names) != 1:
        raise InputError(suspect.url, f"has {len(names)} models", remedy)
    return names[0]


class _Round:
    """One batch of queries over one set of connections."""

    def __init__(self, suspect: HttpSuspect, httpx: Any, budget: Budget, spent: Spent) -> None:
        self._suspect, self._pace, self._httpx = suspect, suspect.pace, httpx
        self._budget, self._spent = budget, spent
        self._in_a_row = 0
        self._replies: list[Reply] = []
        self._refusal: InputError | None = None

    async def ask(self, queries: Sequence[Query]) -> list[Reply]:
        waiting = list(reversed(queries))
        headers = {"authorization": f"Bearer {self._suspect.key}"} if self._suspect.key else {}
        async with self._httpx.AsyncClient(
            headers=headers, timeout=self._pace.timeout, trust_env=False
        ) as client:
            workers = min(self._pace.concurrency, len(waiting))
            await asyncio.gather(*(self._work(client, waiting) for _ in range(workers)))
        refusal = self._refusal or self._useless(len(queries))
        if refusal is not None and not any(not reply.failed for reply in self._replies):
            raise refusal
        return self._replies

    def _useless(self, queries: int) -> InputError | None:
        """What is wrong when a whole batch came to nothing: such replies are not kept."""
        if not queries or not self._spent.within(self._budget):
            return None
        if not self._replies:
            return InputError(self._suspect.label, "did not answer", "run the same command again later")
        refused = [reply.failed for reply in self._replies if reply.failed.startswith(_STATUS)]
        if len(refused) < max(_TELLING, len(self._replies)):
            return None
        return InputError(
            self._suspect.label, "refuses every request", f"check --model and the options ({refused[0]})"
        )

    async def _work(self, client: httpx.AsyncClient, waiting: list[Query]) -> None:
        while waiting and self._refusal is None:
            reply = await self._try(client, waiting.pop())
            if reply is not None:
                self._replies.append(reply)

    async def _try(self, client: httpx.AsyncClient, query: Query) -> Reply | None:
        path, body = request_of(query, self._suspect.model, self._suspect.template)
        for attempt in range(self._pace.retries + 1):
            if not self._spent.within(self._budget) or self._refusal is not None:
                return None
            self._spent.requests += 1
            await self._turn()
            try:
                response = await client.post(self._suspect.url + path, json=body)
            except self._httpx.TransportError:
                response = None
            if response is not None and response.status_code not in _RETRIED:
                return self._answered(query, response)
            if attempt < self._pace.retries:
                await self._suspect.sleep(self._wait(attempt, response))
        self._failed()
        return None

    def _answered(self, query: Query, response: httpx.Response) -> Reply | None:
        status = response.status_code
        if status in _REFUSED:
            what, remedy = _REFUSED[status]
            self._refusal = InputError(self._suspect.label, what, remedy)
            return None
        self._in_a_row = 0
        if status != 200:
            return Reply(query.id, failed=f"{_STATUS} {status}")
        reply = reply_of(query, response.content, self._suspect.template)
        self._spent.tokens += reply.tokens
        return reply

    def _failed(self) -> None:
        self._in_a_row += 1
        if self._in_a_row >= self._pace.failures:
            self._refusal = InputError(
                self._suspect.label,
                f"did not answer {self._in_a_row} requests in a row",
                "run the same command again later: what it answered is kept",
            )

    def _wait(self, attempt: int, response: httpx.Response | None) -> float:
        """Seconds to wait: what the server asks for, else doubling; never more than two minutes."""
        try:
            asked = float(response.headers["retry-after"]) if response is not None else 0.0
        except (KeyError, ValueError):
            asked = 0.0
        return min(_LONGEST_WAIT, max(asked, self._pace.first_wait * 2.0**attempt))

    async def _turn(self) -> None:
        """Wait until the next request may start."""
        now = self._suspect.clock()
        start = max(now, self._suspect.next_start)
        self._suspect.next_start = start + 1.0 / self._pace.per_second
        if start > now:
            await self._suspect.sleep(start - now)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _httpx() -> Any:
    try:
        import httpx  # noqa: PLC0415 - an optional part
    except ImportError:
        raise MissingExtra("asking an endpoint", "lineage") from None
    return httpx
