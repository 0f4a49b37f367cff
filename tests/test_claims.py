"""Tokens that say too little, too much or nonsense: whoever sends one sees what is public, or is clearly refused.

Every table and every function of the API, from the catalogue, is tried with every token as every role. Among all rows
that there are, of every kind and for everyone (tests/world/furniture.py), each must see exactly those that the contract
shows to somebody with this identity, which for most tokens is nobody.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from forge_db.access.catalogue import Relation
from harness.databases import Database
from harness.refusal import Guard
from harness.request import Request
from world import model, restraint
from world.arguments import calls
from world.furniture import valid_row
from world.observer import Outcome
from world.play import check_answer, expected, said
from world.rows import Caller, World
from world.stage import Stage, staged
from world.statements import Call, Delete, Insert, Statement, Update
from world.status import http_status
from world.steps import known_values

pytestmark = [pytest.mark.access, pytest.mark.one_platform]


@dataclass(frozen=True)
class Token:
    """Claims as they stand, :me, :other and :stranger being ids; and the settings that PostgREST once made of them.

    names         the account that it is about, if any
    is_nonsense   it may be refused as such, which is as good as to take it for nobody's
    """

    claims: str
    names: str | None = None
    is_nonsense: bool = False
    legacy: Mapping[str, str] = field(default_factory=dict)


def claims(**others: Any) -> str:
    """What Supabase Auth says of somebody, with these claims besides or instead."""
    return json.dumps(
        {"sub": ":me", "aud": "authenticated", "role": ":role", "aal": "aal1", "is_anonymous": False, **others}
    )


NOBODY = {
    "nothing": "",
    "an empty object": "{}",
    "a role alone": '{"role": ":role"}',
    "another role alone": '{"role": "service_role"}',
    "no sub": '{"role": ":role", "aud": "authenticated", "email": "alice@example.com"}',
    "sub null": claims(sub=None),
    "a list": "[1]",
    "a list of claims": f"[{claims()}]",
    "an empty list": "[]",
    "a number": "1",
    "a text": '":me"',
    "true": "true",
    "null": "null",
    "sub in the wrong place": '{"user": {"sub": ":me"}, "user_metadata": {"sub": ":me"}, "role": ":role"}',
    "sub in other letters": '{"Sub": ":me", "SUB": ":me", "role": ":role"}',
    "user_id for sub": '{"user_id": ":me", "id": ":me", "role": ":role"}',
}
STRANGERS = {
    "an unknown user": claims(sub=":stranger"),
    "an unknown administrator": claims(sub=":stranger", user_metadata={"role": "app_admin", "is_admin": True}),
}
BROKEN = {
    "sub empty": claims(sub=""),
    "sub no uuid": claims(sub="abc"),
    "sub SQL": claims(sub="' or true --"),
    "sub a number": claims(sub=1),
    "sub a list": claims(sub=[":me"]),
    "sub an object": claims(sub={"id": ":me"}),
    "sub two ids": claims(sub=":me,:other"),
    "not JSON": "sub=:me",
    "JSON cut off": '{"sub": ":me"',
    "JSON with single quotes": "{'sub': ':me'}",
    "white space": " ",
}
SOMEBODY = {
    "aal1": claims(aal="aal1"),
    "aal2": claims(aal="aal2", amr=[{"method": "totp", "timestamp": 1}]),
    "anonymous": claims(is_anonymous=True),
    "sub in capitals": claims(sub=":ME"),
    "admin in user_metadata": claims(
        user_metadata={"role": "app_admin", "is_admin": True, "admin": "true", "sub": ":other"}
    ),
    "admin in app_metadata": claims(
        app_metadata={"role": "app_admin", "roles": ["app_admin", "service_role"], "is_admin": True}
    ),
    "admin by another name": claims(
        is_admin=True, is_super_admin=True, user_role="admin", app_role="app_admin", roles=["admin"]
    ),
    "for another audience": claims(aud=["service_role", "app_admin"]),
    "of another issuer, expired": claims(iss="https://example.com", exp=0),
}
# Whatever the claim says, PostgREST has taken the role.
OTHER_ROLES = ("anon", "authenticated", "app_admin", "service_role", "supabase_admin", "postgres", "", None)
LEGACY = {
    "the old sub": Token("", ":me", legacy={"sub": ":me"}),
    "the old sub, which wins": Token(claims(sub=":other"), ":me", legacy={"sub": ":me"}),
    "the old sub, empty": Token(claims(), ":me", legacy={"sub": ""}),
    "the old sub, no uuid": Token("", is_nonsense=True, legacy={"sub": "abc"}),
    "the old sub, unknown": Token(claims(), ":stranger", legacy={"sub": ":stranger"}),
    "the old role": Token(claims(), ":me", legacy={"role": "service_role"}),
    "the old role alone": Token("", legacy={"role": "app_admin"}),
}
TOKENS: dict[str, Token] = {
    **{name: Token(text) for name, text in NOBODY.items()},
    **{name: Token(text, ":stranger") for name, text in STRANGERS.items()},
    **{name: Token(text, is_nonsense=True) for name, text in BROKEN.items()},
    **{name: Token(text, ":me") for name, text in SOMEBODY.items()},
    **{f"role {role}": Token(claims(role=role), ":me") for role in OTHER_ROLES},
    **LEGACY,
}
NOBODYS = {name: token for name, token in TOKENS.items() if token.names != ":me"}
every_token = pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
nobodys_token = pytest.mark.parametrize("token", NOBODYS.values(), ids=NOBODYS)
ROLES = ("anon", "authenticated", "app_admin")


@dataclass(frozen=True)
class Sender(Request):
    """Somebody who sends a token as it stands."""

    legacy: Mapping[str, str] = field(default_factory=dict)

    def settings(self, connection: psycopg.Connection) -> dict[str, str]:
        return super().settings(connection) | {
            f"request.jwt.claim.{name}": value for name, value in self.legacy.items()
        }


@pytest.fixture(scope="module")
def stage(connection: psycopg.Connection) -> Iterator[Stage]:
    with staged(connection) as stage:
        yield stage


def send(stage: Stage, token: Token, role: str) -> Caller:
    """Let the sender be who has this token: Carol as staff, else Alice. Returns who that is by the contract."""
    me, other = ("carol", "dan") if role == "app_admin" else ("alice", "bob")
    ids = {":me": str(stage.people[me].id), ":other": str(stage.people[other].id), ":stranger": str(UUID(int=7))}
    words = {**ids, ":ME": ids[":me"].upper(), ":role": role}

    def filled(text: str) -> str:
        for word, value in words.items():
            text = text.replace(word, value)
        return text

    legacy = {name: filled(value) for name, value in token.legacy.items()}
    stage.observer.introduce("sender", Sender("authenticator", role, filled(token.claims), legacy=legacy))
    return Caller(role, ids[token.names] if token.names else None)


def is_refused_as_such(token: Token, outcome: Outcome) -> bool:
    """Whether it is the token that was refused: in words that are no failure of the server."""
    return token.is_nonsense and outcome.refusal == "22P02"


@every_token
def test_a_token_shows_what_the_contract_shows_to_whom_it_names(stage: Stage, token: Token) -> None:
    for role in (*ROLES, "service_role"):
        caller, world = send(stage, token, role), stage.beginning.world
        with stage.observer.trying("sender") as attempt:
            for relation in world.catalogue.relations.values():
                if relation.is_table:
                    found = attempt(f"select {relation.key[0]}::text from {relation.name}", [])
                    check_read(world, caller, token, relation.name, found)
                else:
                    found = attempt(f"select * from {relation.name}", [])
                    assert not restraint.given_away(world, caller, said(found)), f"{role}: {relation.name}"


def check_read(world: World, caller: Caller, token: Token, table: str, found: Outcome) -> None:
    if is_refused_as_such(token, found):
        return
    if not model.is_granted(world, caller, "select", table):
        assert found.refusal in model.GRANTS, f"{caller.role} reads {table}: {found}"
        return
    assert not found.refusal, f"{caller.role} reads {table}: {found}"
    shown = {key.id for key in world.sees(caller) if key.table == table}
    assert {row[0] for row in found.rows} == shown, f"{caller.role} reads {table}"


@every_token
def test_a_token_changes_what_the_contract_lets_change_whom_it_names(stage: Stage, token: Token) -> None:
    for role in ROLES:
        caller, world = send(stage, token, role), stage.beginning.world
        with stage.observer.trying("sender") as attempt:
            for deed in (deed for relation in world.catalogue.tables for deed in writes(world, caller, relation)):
                found, effect = attempt(*deed.sql()), expected(world, caller, deed, stage.defaults)
                assert effect is not None
                if not is_refused_as_such(token, found):
                    assert found.refusal in (effect.refusals or {""}), f"{role}: {deed}: {found} instead of {effect}"
                    assert found.refusal or found.count == effect.count, f"{role}: {deed}: {found} instead of {effect}"


def writes(world: World, caller: Caller, relation: Relation) -> Iterator[Statement]:
    """Add a row in a user's name, change every row, delete every row."""
    if "user_id" in relation.columns:
        yield Insert(relation.name, valid_row(relation) | {"user_id": world.people[0]})
        yield Insert(relation.name, valid_row(relation) | {"user_id": None})
    terms = world.contract.tables.get(relation.name)
    granted = world.contract.granted(terms, caller.role, "update") if terms else set()
    values = {name: value for name in relation.columns for value in known_values(world, relation, name)}
    for name in [name for name in values if granted is None or name in granted][:1]:
        yield Update(relation.name, {name: values[name]})
    yield Delete(relation.name)


@every_token
def test_a_function_answers_a_token_what_it_answers_whom_it_names(stage: Stage, token: Token) -> None:
    for role in ROLES:
        caller, world = send(stage, token, role), stage.beginning.world
        with stage.observer.trying("sender") as attempt:
            for deed in every_call(world, caller):
                found, effect = attempt(*deed.sql()), expected(world, caller, deed, stage.defaults)
                assert is_clear(found), f"{role}: {deed}: {found}"
                told = restraint.given_away(world, caller, said(found), deed)
                assert not told, f"{role}: {deed} tells {told}"
                if effect and not is_refused_as_such(token, found):
                    assert found.refusal in (effect.refusals or {""}), f"{role}: {deed}: {found} instead of {effect}"
                    check_answer(effect, found)


@nobodys_token
def test_a_function_changes_nothing_for_nobody(stage: Stage, token: Token) -> None:
    for role in ROLES:
        caller, world = send(stage, token, role), stage.beginning.world
        with stage.db.undone():
            for deed in every_call(world, caller):
                stage.observer.say("sender", *deed.sql())
            assert stage.observer.look(stage.beginning) is stage.beginning, role


def every_call(world: World, caller: Caller) -> list[Call]:
    return [deed for function in world.catalogue.functions.values() for deed in calls(world, caller, function)]


def is_clear(outcome: Outcome) -> bool:
    """Whether it is an answer, or a refusal that is no failure of the server."""
    return outcome.refusal in ["", *Guard] or http_status(outcome.refusal) < 500


def test_a_connection_that_never_had_a_token_shows_nothing(scratch: Database) -> None:
    """In a new session the setting is missing, which is not the same as empty."""
    with scratch.connect("authenticator") as session:
        for role in ROLES:
            session.execute("select set_config('role', %s, true)", [role])
            assert session.execute("select auth.uid()").fetchone() == (None,)
            for table in ("feedback", "user_profiles", "audit_log"):
                with suppress(errors.InsufficientPrivilege), session.transaction():
                    assert session.execute(f"select * from public.{table}").fetchall() == []
