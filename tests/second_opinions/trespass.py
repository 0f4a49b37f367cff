"""trespass: a prover of its own, which is told who owns the rows of a table.

It reads DDL, and silently passes over what it does not know: ALTER POLICY, DROP POLICY, every grant with a list of
columns, and all tables of a GRANT but the first. So it is given what the catalogue says in the words that it knows.
"""

from pathlib import Path
from typing import Any

from forge_db.errors import ForgeError
from second_opinions.findings import Finding
from second_opinions.toolbox import Subject, answer, program

QUERY = Path(__file__).with_name("trespass.sql").read_text(encoding="utf-8")


def check(subject: Subject) -> list[Finding]:
    rows = subject.ask(QUERY)
    ddl, intent = subject.folder / "schema.sql", subject.folder / "trespass.intent"
    ddl.write_text("\n\n".join(statements for _, statements, *_ in rows), encoding="utf-8")
    owned = {table for table, _, _, is_owned, _ in rows if is_owned}
    intent.write_text("".join(f"[{table}]\ntenant = user_id\n\n" for table in sorted(owned)), encoding="utf-8")

    report = answer(
        subject,
        program("trespass", "trespass"),
        "check",
        ddl,
        f"--intent={intent}",
        "--no-default-grants",
        "--fail-on=unknown",
        "--json",
        "--verbose",
    )
    _require_all_was_read(report, rows, owned)
    return [Finding(it["rule"], _where(it), it["title"]) for it in report["findings"] if it["verdict"] != "isolated"]


def _require_all_was_read(report: Any, rows: list[tuple[Any, ...]], owned: set[str]) -> None:
    read = (report["tables_analyzed"], report["policies_analyzed"])
    given = (len(rows), sum(policies for _, _, policies, *_ in rows))
    if read != given or not given[1]:
        raise ForgeError(f"trespass read {read} of {given} tables and policies")
    judged = {finding["table"] for finding in report["findings"]}
    reachable = {table for table, *_, is_reachable in rows if is_reachable}
    if missed := (owned & reachable) - judged:
        raise ForgeError(f"trespass has no verdict on {', '.join(sorted(missed))}")


def _where(finding: Any) -> str:
    parts = [finding["table"]]
    if finding["command"]:
        parts.append(f"{finding['command']} as {finding['role']}")
    elif finding["policy"]:
        parts.append(finding["policy"])
    where = ": ".join(parts)
    condition = (finding["witness"] or {}).get("precondition")
    return f"{where}, {condition}" if condition else where
