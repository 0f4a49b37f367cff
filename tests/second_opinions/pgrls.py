"""pgrls: some seventy rules on policies, grants and functions, and proofs with the solver Z3."""

import json
from typing import Any

from forge_db.errors import ForgeError
from second_opinions.findings import Finding
from second_opinions.toolbox import SCHEMAS, Subject, answer, program

# What the other modes look for is a way around the policies. Without one they have no table to speak of.
TABLE_MODES = ("anon", "cross-tenant", "write")
PROVEN = "isolated"
MODES = (*TABLE_MODES, "escalation", "reachability")

# It gives its solver one second by the clock, and on a busy machine says "unverified" of what it could prove.
PATIENTLY = """
import sys, z3
from pgrls.cli import main
set_option = z3.Solver.set
z3.Solver.set = lambda solver, name, value: set_option(solver, name, 60_000 if name == "timeout" else value)
sys.exit(main())
"""

# Who a policy speaks to and with whose rights a trigger runs decide whether a finding matters.
LABELS = """
    select
        format('%s.%s.%s', schemaname, tablename, policyname),
        format('%s to %s', lower(cmd), array_to_string(roles, ', '))
    from pg_policies
    union all
    select
        format('%s.%s', tgrelid::regclass, tgname),
        case when proc.prosecdef then 'definer' else 'invoker' end
    from pg_trigger as trigger
    inner join pg_proc as proc on trigger.tgfoid = proc.oid
"""


def lint(subject: Subject) -> list[Finding]:
    labels = _labels(subject)
    found = _ask(subject, "lint", "--fail-on=info")["violations"]
    return [Finding(it["rule_id"], _labelled(labels, str(it["location"])), it["message"]) for it in found]


def verify(subject: Subject) -> list[Finding]:
    """What was not proven, in every mode: a leak, or a policy that the solver cannot decide on."""
    labels = _labels(subject)
    guarded = subject.tables("class.relrowsecurity")
    findings = []
    for mode in MODES:
        tables = _ask(subject, "verify", f"--mode={mode}", "--strict")["tables"]
        if mode in TABLE_MODES and (missed := guarded - {table["table"] for table in tables}):
            raise ForgeError(f"pgrls verify --mode={mode} did not look at {', '.join(sorted(missed))}")
        findings += [finding for table in tables for finding in _not_proven(mode, table, labels)]
    return findings


def _not_proven(mode: str, table: dict[str, Any], labels: dict[str, str]) -> list[Finding]:
    """By policy; by table where the verdict is on the table as a whole."""
    policies = [
        Finding(
            f"{mode}: {policy['verdict']}",
            _labelled(labels, f"{table['table']}.{policy['policy']}") + _witness(policy),
            policy["reason"] or "",
        )
        for policy in table["policies"]
        if policy["verdict"] != PROVEN
    ]
    if policies or table["verdict"] == PROVEN:
        return policies
    return [Finding(f"{mode}: {table['verdict']}", table["table"], table["note"] or "")]


def _witness(policy: dict[str, Any]) -> str:
    """Which rows leak: a policy that lets out more than it did before is another finding."""
    if policy["verdict"] != "leak":
        return ""
    values = [f"{column} = {json.dumps(value)}" for column, value in sorted((policy["witness"] or {}).items())]
    return f" where {' and '.join(values) or 'true'}"


def _ask(subject: Subject, *arguments: str) -> Any:
    return answer(
        subject,
        program("pgrls", "python"),
        "-c",
        PATIENTLY,
        *arguments,
        f"--database-url={subject.database.url()}",
        f"--schemas={','.join(SCHEMAS)}",
        "--format=json",
    )


def _labels(subject: Subject) -> dict[str, str]:
    return dict(subject.ask(LABELS))


def _labelled(labels: dict[str, str], location: str) -> str:
    return f"{location} ({labels[location]})" if location in labels else location
