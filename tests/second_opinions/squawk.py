"""squawk: what in a migration takes a lock for long, breaks clients, or uses a type that will be regretted."""

from pathlib import Path

from second_opinions.findings import Finding
from second_opinions.toolbox import Subject, answer, program


def lint(subject: Subject) -> list[Finding]:
    files = sorted(subject.migrations.glob("*.sql"))
    found = answer(
        subject,
        program("squawk", "squawk"),
        "--reporter=json",
        "--pg-version=15",
        "--assume-in-transaction",  # `supabase db push` and `forge-db apply` run a file in one
        *files,
    )
    lines = {str(file): file.read_text(encoding="utf-8").splitlines() for file in files}
    return [
        # The line and not its number, which moves with every edit above it.
        Finding(
            it["rule_name"],
            f"{Path(it['file']).name}: {lines[it['file']][it['line']].strip().strip(',')}",
            it["message"],
        )
        for it in found
    ]
