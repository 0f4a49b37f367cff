"""An HTTP server that speaks for users as PostgREST does, as far as supabase-js in our documents goes.

What it does not know it refuses, so that no test believes what was never tried. Roles, claims, transactions and the
database are real; statements are those that PostgREST writes.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import psycopg

from harness.client import Client
from harness.postgrest import TYPES

OPERATORS = {"eq": "=", "lt": "<", "gt": ">", "lte": "<=", "gte": ">=", "neq": "<>"}
STATUS = {"42501": 403, "28000": 403, "PT403": 403, "PT404": 404, "23505": 409, "23503": 409}
NAME = re.compile(r"\w+")


class Answer(NamedTuple):
    status: int
    body: Any


class UnknownError(Exception):
    """Something in a request that is not understood here."""


class Query:
    """A statement in the making: its text, and the values that it takes."""

    def __init__(self, parameters: list[tuple[str, str]]) -> None:
        self.given = dict(parameters)
        self.values: list[Any] = []
        filters = [it for it in parameters if it[0] not in ("select", "order", "limit", "offset", "columns")]
        terms = [self._group(text, name) if name in ("or", "and") else self._term(name, text) for name, text in filters]
        self.where = f" where {' and '.join(terms)}" if terms else ""

    def _term(self, column: str, text: str) -> str:
        operator, _, value = text.partition(".")
        if operator not in OPERATORS:
            raise UnknownError(f"{column}={text}")
        self.values.append(value)
        return f"{named(column)} {OPERATORS[operator]} %s"

    def _group(self, text: str, joint: str) -> str:
        """(a.lt.1,and(a.eq.1,b.lt.2))"""
        terms = []
        for part in split(text.strip()[1:-1]):
            inner = re.match(r"(and|or)(\(.*\))$", part)
            column, _, rest = part.partition(".")
            terms.append(self._group(inner[2], inner[1]) if inner else self._term(column, rest))
        return f"({f' {joint} '.join(terms)})"

    @property
    def columns(self) -> str:
        listed = self.given.get("select", "*")
        return "*" if listed == "*" else ", ".join(named(column) for column in listed.split(","))

    @property
    def tail(self) -> str:
        order = ", ".join(
            f"{named(column)} {direction or 'asc'}"
            for column, _, direction in (
                it.partition(".") for it in filter(None, self.given.get("order", "").split(","))
            )
        )
        limit = f" limit {int(self.given['limit'])}" if "limit" in self.given else ""
        return (f" order by {order}" if order else "") + limit


def split(text: str) -> list[str]:
    """What commas part, but for those in brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def named(column: str) -> str:
    if not NAME.fullmatch(column):
        raise UnknownError(column)
    return f'"{column}"'


def serve(client: Client, method: str, url: str, headers: Message, body: bytes) -> Answer:
    """One request in its transaction."""
    path, query = urlsplit(url).path.removeprefix("/rest/v1/"), parse_qsl(urlsplit(url).query)
    payload = json.loads(body) if body else None
    prefer = headers.get("Prefer", "")
    try:
        with client.transaction() as connection:
            if path.startswith("rpc/"):
                return called(connection, path.removeprefix("rpc/"), payload or {})
            wanted = Query(query)
            statement = written(connection, method, path, wanted, payload, returns="return=representation" in prefer)
            found = connection.execute(statement.encode(), wanted.values).fetchall()
    except psycopg.Error as error:
        said = error.diag
        problem = {"code": error.sqlstate, "message": said.message_primary, "hint": said.message_hint}
        return Answer(STATUS.get(error.sqlstate or "", 400), {**problem, "details": said.message_detail})
    rows = [row["item"] for row in found]
    if method != "GET" and "return=representation" not in prefer:
        return Answer(201 if method == "POST" else 204, None)
    if "vnd.pgrst.object" in headers.get("Accept", ""):
        if len(rows) != 1:
            problem = {"code": "PGRST116", "message": "Cannot coerce the result to a single JSON object"}
            return Answer(406, {**problem, "details": f"The result contains {len(rows)} rows", "hint": None})
        return Answer(200, rows[0])
    return Answer(200, rows)


def written(
    connection: psycopg.Connection[Any], method: str, table: str, wanted: Query, payload: Any, *, returns: bool
) -> str:
    """The statement, whose rows have one column `item`."""
    name = f"public.{named(table)}"
    types = {row["attname"]: row["format_type"] for row in connection.execute(TYPES, [table]).fetchall()}
    returning = wanted.columns if returns else "1"
    if method == "GET":
        inner = f"select {wanted.columns} from {name}{wanted.where}{wanted.tail}"
    elif method == "DELETE":
        inner = f"delete from {name}{wanted.where} returning {returning}"
    elif method in ("POST", "PATCH") and isinstance(payload, dict):
        columns = ", ".join(named(key) for key in payload)
        typed = ", ".join(f"{named(key)} {types.get(key, 'text')}" for key in payload)
        source = f"json_to_record(%s::json) as body ({typed})"
        if method == "POST":
            inner = f"insert into {name} ({columns}) select {columns} from {source} returning {returning}"
        else:
            changes = ", ".join(f"{named(key)} = body.{named(key)}" for key in payload)
            inner = f"update {name} set {changes} from {source}{wanted.where} returning {returning}"
            inner = re.sub(r'(where | and )(")', rf"\1{name}.\2", inner)
            if returns:
                raise UnknownError("an update that returns rows")
        wanted.values.insert(0, json.dumps(payload))
    else:
        raise UnknownError(f"{method} {payload}")
    read = "read only" if method == "GET" else "read write"
    connection.execute(f"set local transaction {read}".encode() if read == "read only" else b"select 1")
    return f"with source as ({inner}) select to_jsonb(source) as item from source"


def called(connection: psycopg.Connection[Any], function: str, arguments: Mapping[str, Any]) -> Answer:
    """A function by the names of its arguments: its scalar, its row or its rows."""
    (declared,) = connection.execute(
        "select proretset, prorettype::regtype::text as type, provolatile from pg_proc "
        "where pronamespace = 'public'::regnamespace and proname = %s", [function]
    ).fetchall()  # fmt: skip
    if declared["provolatile"] != "v":
        connection.execute("set local transaction read only")
    given = ", ".join(f"{named(name)} => %s" for name in arguments)
    values = [json.dumps(it) if isinstance(it, dict | list) else it for it in arguments.values()]
    statement = f"select to_jsonb(it) as item from public.{named(function)}({given}) as it"
    rows = [row["item"] for row in connection.execute(statement.encode(), values).fetchall()]
    return Answer(200, rows if declared["proretset"] else rows[0])


@contextmanager
def server(clients: Mapping[str, Client], loses: str = "") -> Iterator[tuple[str, list[str]]]:
    """Serve until the block ends, by the key of a request: the address, and what has been asked for.

    The first answer to what it `loses` never arrives: the connection ends without one, when all has been done.
    """
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.append(f"{self.command} {urlsplit(self.path).path.removeprefix('/rest/v1/')}")
            try:
                answer = serve(clients[self.headers["apikey"]], self.command, self.path, self.headers, body)
            except UnknownError as problem:
                answer = Answer(501, {"code": "TEST", "message": f"not understood: {problem}"})
            if asked[-1] == loses and asked.count(loses) == 1:
                return
            text = b"" if answer.body is None else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    for method in ("GET", "POST", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.respond)
    http = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=http.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}", asked
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
