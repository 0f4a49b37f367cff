"""rlsautotest: reads the policies, makes up users and rows, tries each command as each of them, and writes pgTAP tests.

What it writes down is what it saw, so its suite is green on any schema. Therefore each thing that the suite lets
somebody do is a finding, to be accepted by name: one that is new is a hole, one that is gone shuts somebody out.
"""

import re
from collections import defaultdict
from pathlib import Path

from forge_db.errors import ForgeError
from harness.databases import SUPERUSER
from second_opinions.findings import Finding
from second_opinions.toolbox import PACKAGES, Subject, program, run

# It knows no rule of ours that a row must keep, and so could plant none. Nor does it know how an account becomes staff.
UNRULED = Path(__file__).with_name("rlsautotest.sql").read_text(encoding="utf-8")
# As `postgres` has it. With auth on the path, as for the superuser, policies say uid(), and it knows only auth.uid().
AS_POSTGRES = {"PGOPTIONS": "-c search_path=public,extensions"}
OWNER = "postgres"

GUARD = "010-rls-enabled.test.sql"
COVERAGE = re.compile(r"^ *(public\.\S+): coverage=(\d+)/(\d+) -> (\S+)$", re.MULTILINE)
FILE = re.compile(r"^(\S+\.sql) \.+ ?$")
PLAN = re.compile(r"^1\.\.(\d+)$")
ASSERTION = re.compile(r"^(ok|not ok) \d+ - (.*)$")
ALLOWED = re.compile(r"^([A-Z]+): (.+?)(?: \(branch \d+\))? (?:sees|affected) [1-9]\d* row\(s\)$")
REFUSED = re.compile(r"^[A-Z]+: .+ (?:denied \(42501\)|denied as expected|affects 0 rows|sees 0 row\(s\))$")
OF_COLUMNS = re.compile(r"^CLS: \w+ [A-Z]+ on \S+ is column-scoped to ")
TESTABLE = "class.relnamespace = 'public'::regnamespace and class.relkind = 'r' and class.relrowsecurity"
COMMANDS = ("select", "insert", "update", "delete")


def suite(subject: Subject) -> list[Finding]:
    """Write the suite, run it, and read what it allows."""
    _prepare(subject)
    tables = _emit(subject)
    findings = [
        Finding("untested", table, f"{tried} of {known} branches of its policies were tried")
        for table, (tried, known, _) in tables.items()
        if tried != known
    ]
    titles = _prove(subject)
    findings += [Finding("failed", title) for held, title in titles[GUARD] if not held]
    for table, (*_, file) in tables.items():
        findings += _read(table, titles[file])
    return findings


def _prepare(subject: Subject) -> None:
    subject.extend("pgtap")
    with subject.database.connect(SUPERUSER) as connection:
        connection.execute(UNRULED.encode())


def _emit(subject: Subject) -> dict[str, tuple[int, int, str]]:
    """For each table: how many branches of its policies were tried, how many there are, and the file of its tests."""
    said = run(
        subject,
        program("rlsautotest", "rlsautotest"),
        f"--db-url={subject.database.url(SUPERUSER)}",
        "--schema=public",
        f"--emit={subject.folder}",
        environment=AS_POSTGRES,
    )
    tables = {table: (int(tried), int(known), file) for table, tried, known, file in COVERAGE.findall(said.stdout)}
    # It leaves out partitioned tables. Of one without row level security its guard has something to say.
    if missed := subject.tables(TESTABLE) - set(tables):
        raise ForgeError(f"rlsautotest wrote no test of {', '.join(sorted(missed))}: {said.stdout[-500:]}")
    return tables


def _prove(subject: Subject) -> dict[str, list[tuple[bool, str]]]:
    """Run the suite: the assertions of each file, and whether they held."""
    folder = subject.folder / "tests" / "database" / "rls"
    files = sorted(path.name for path in folder.glob("*.sql"))
    try:
        done = run(
            subject._replace(folder=folder),
            "pg_prove",
            "--verbose",
            f"--psql-bin={subject.database.server.binaries.tool('psql')}",
            f"--dbname={subject.database.url(SUPERUSER)}",
            *files,
            environment=AS_POSTGRES,
        )
    except ForgeError as error:
        raise ForgeError(error.message, f"Run: apt install {PACKAGES}") from error

    titles: dict[str, list[tuple[bool, str]]] = {}
    plans: dict[str, int] = {}
    file = ""
    for line in done.stdout.splitlines():
        if found := FILE.match(line):
            file = found[1]
            titles[file] = []
        elif found := PLAN.match(line):
            plans[file] = int(found[1])
        elif found := ASSERTION.match(line):
            titles[file].append((found[1] == "ok", found[2]))
    for file in files:
        if not plans.get(file) or len(titles[file]) != plans[file]:
            raise ForgeError(f"the tests in {file} did not run to their end: {done.stderr[-1000:]}")
    return titles


def _read(table: str, titles: list[tuple[bool, str]]) -> list[Finding]:
    """What anybody but the owner may do, and what did not hold or cannot be read."""
    may: defaultdict[str, set[str]] = defaultdict(set)
    findings = []
    for held, title in titles:
        if not held:
            findings.append(Finding("failed", f"{table}: {title}"))
        elif found := ALLOWED.match(title):
            may[found[2]].add(found[1].lower())
        elif not REFUSED.match(title) and not OF_COLUMNS.match(title):
            raise ForgeError(f"rlsautotest asserts what this module cannot read: {title}")
    may.pop(OWNER, None)
    return findings + [
        Finding("may", f"{table}: {who}: {', '.join(it for it in COMMANDS if it in commands)}")
        for who, commands in may.items()
    ]
