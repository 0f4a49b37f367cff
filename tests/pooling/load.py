"""Many clients at once, each with requests of one user after another; and whatever of one came up in another's."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg

from pooling.ends import ENDS
from pooling.senders import Sender

CLIENTS = 50
WRITING = 0.3
CUT_OFF = 0.02


@dataclass
class Load:
    """What happened. A crossing is an answer with another one's identity or rows in it."""

    url: str
    senders: list[Sender]
    is_local: bool = True
    crossings: list[str] = field(default_factory=list)
    served: Counter[str | None] = field(default_factory=Counter)
    backends: dict[int, set[str | None]] = field(default_factory=dict)
    written: Counter[tuple[str | None, str]] = field(default_factory=Counter)

    def run(self, requests: int) -> None:
        asyncio.run(self._everybody(requests))

    async def _everybody(self, requests: int) -> None:
        numbers = iter(range(requests))
        async with asyncio.TaskGroup() as clients:
            for _ in range(CLIENTS):
                clients.create_task(self._client(numbers))

    async def _client(self, numbers: Iterator[int]) -> None:
        connection = await self._connect()
        for number in numbers:
            # Chosen by the request's number, so that the same requests come in every run, in whatever order.
            chance = random.Random(number)
            await self._ask(connection, sender := chance.choice(self.senders))
            words = f"request {number}" if sender.id and chance.random() < WRITING else ""
            if words:
                await connection.execute(sender.adding(words))
            if chance.random() < CUT_OFF:
                await connection.close()
                connection = await self._connect()
                continue
            end = ENDS[chance.choice([*ENDS])]
            with suppress(*filter(None, [end.error])):
                await connection.execute(end.statement)
            await connection.execute(end.then)
            if words and end.keeps:
                self.written[sender.id, words] += 1
        await connection.close()

    async def _connect(self) -> psycopg.AsyncConnection:
        return await psycopg.AsyncConnection.connect(self.url, autocommit=True, prepare_threshold=None)

    async def _ask(self, connection: psycopg.AsyncConnection, sender: Sender) -> None:
        await connection.execute(f"begin; {sender.opening(is_local=self.is_local)}")
        answer = await (await connection.execute(sender.question)).fetchone()
        assert answer is not None
        self.served[sender.id] += 1
        self.backends.setdefault(answer[2], set()).add(sender.id)
        if objection := sender.objection(answer):
            self.crossings.append(objection)
