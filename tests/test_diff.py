"""`forge-db diff`: the migration is written from what changed in the schema files, and it holds wherever it is run.

Run by `make test-supabase-cli`, which installs the engine; what needs none runs always.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from forge_db import diff, migrations
from forge_db.cli import main
from forge_db.paths import ROOT
from harness import changes
from harness.client import join
from harness.databases import Database

EDITS = {
    "02_user_management.sql": [
        ("check (selected_model in ('openai', 'gemini', 'anthropic'))", "check (selected_model <> '')"),
        ("    vibe_coding boolean", "    mood text not null default 'calm',\n    vibe_coding boolean"),
        (
            "comment on column public.user_preferences.vibe_coding",
            "comment on column public.user_preferences.mood is 'How they feel.';\n"
            "comment on column public.user_preferences.vibe_coding",
        ),
    ],
    "06_indexes_and_performance.sql": [
        (
            "create index if not exists idx_user_sessions_signed_in_at\non public.user_sessions (signed_in_at);",
            "create index if not exists idx_user_sessions_signed_in_at\non public.user_sessions (signed_in_at, id);",
        )
    ],
}
TABLE = """
create table if not exists public.notes (
    id uuid default gen_random_uuid() primary key,
    user_id uuid not null references auth.users (id) on delete cascade,
    kind text not null,
    constraint notes_kind_is_known check (kind in ('short', 'long'))
);
alter table public.notes enable row level security;
comment on table public.notes is 'Notes.';
create index if not exists idx_notes_user_id on public.notes (user_id);
revoke all on public.notes from public, anon, authenticated, service_role, app_admin;
grant select, insert (user_id, kind) on public.notes to authenticated;
drop policy if exists "Users can view own notes" on public.notes;
create policy "Users can view own notes" on public.notes for select to authenticated
using ((select auth.uid()) = user_id);
create or replace function private.tg_notes__stay() returns trigger language plpgsql
set search_path = pg_catalog, pg_temp as $$ begin return old; end $$;
revoke all on function private.tg_notes__stay() from public, anon, authenticated, service_role, app_admin;
create or replace trigger keep_notes before update on public.notes
for each row execute function private.tg_notes__stay();
create or replace function public.count_notes() returns bigint language sql stable
set search_path = pg_catalog, pg_temp as $$ select count(*) from public.notes $$;
revoke all on function public.count_notes() from public, anon, authenticated, service_role, app_admin;
grant execute on function public.count_notes() to authenticated;
create or replace view public.short_notes with (security_invoker = true) as
select id from public.notes where kind = 'short';
revoke all on public.short_notes from public, anon, authenticated, service_role, app_admin;
grant select on public.short_notes to authenticated;
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout in which nothing has been changed since the last commit."""
    shutil.copytree(ROOT / "supabase", tmp_path / "supabase")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "as it was"]):
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
        subprocess.run(["git", *identity, *command], cwd=tmp_path, check=True)
    return tmp_path


def run(project: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["diff", "--root", str(project), *arguments])


@pytest.mark.supabase_cli
@pytest.mark.one_platform
def test_it_writes_what_was_changed_and_it_holds(project: Path, scratch: Database, empty_database: Database) -> None:
    schema = project / "supabase" / "schema"
    for name, edits in EDITS.items():
        text = (schema / name).read_text(encoding="utf-8")
        for old, new in edits:
            assert old in text, old
            text = text.replace(old, new)
        (schema / name).write_text(text, encoding="utf-8")
    last = schema / "07_security_and_rls.sql"
    last.write_text(last.read_text(encoding="utf-8") + TABLE, encoding="utf-8")

    result = run(project, "notes")
    assert result.exit_code == 0, result.output
    assert "tried on an installation as it was and on a new one" in result.output
    supabase = project / "supabase"
    written = "".join(path.read_text(encoding="utf-8") for path in changes.later(supabase / "migrations"))
    assert "not valid" in written
    assert "validate constraint user_preferences_model_is_known" in written
    assert "maintain" not in written.lower()
    assert "The linter is not content" not in result.output, result.output
    for folder in ("migrations", "rollback"):
        for path in changes.later(supabase / folder):
            linter = [sys.executable, "-m", "sqlfluff", "lint", "--config", str(ROOT / ".sqlfluff"), str(path)]
            linted = subprocess.run(linter, cwd=path.anchor, capture_output=True, text=True, check=False)
            assert linted.returncode == 0, linted.stdout

    first = project / "first"
    first.mkdir()
    for path in (supabase / "migrations").glob("00?_*.sql"):
        shutil.copy(path, first)
    migrations.apply(empty_database.url(), first)
    with scratch.connect() as owner:
        join(owner, "ada@example.com")
    changes.prove(empty_database, scratch, supabase / "migrations", supabase / "rollback")

    again = run(project, "again")
    assert again.exit_code == 1
    assert "there is nothing to write" in again.stderr, again.output


@pytest.mark.slow
@pytest.mark.supabase_cli
@pytest.mark.one_platform
def test_what_cannot_be_repeated_is_said(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trial must be able to fail."""
    path = project / "supabase" / "schema" / "07_security_and_rls.sql"
    path.write_text(path.read_text(encoding="utf-8") + TABLE, encoding="utf-8")
    monkeypatch.setattr(diff, "REPEATABLE", [])
    result = run(project, "notes")
    assert result.exit_code == 1
    assert 'a second run changes something: relation "notes" already exists' in result.stdout
    assert "Mend it by hand" in result.stderr


ENGINE_SAID = {
    'CREATE TABLE "public"."a" (\n  "b" text\n)': ['CREATE TABLE IF NOT EXISTS "public"."a" (\n  "b" text\n)'],
    'ALTER TABLE "public"."a"\n  ADD COLUMN "b" text': [
        'ALTER TABLE IF EXISTS "public"."a"\n  ADD COLUMN IF NOT EXISTS "b" text'
    ],
    "CREATE UNIQUE INDEX a ON b USING btree (c)": ["CREATE UNIQUE INDEX IF NOT EXISTS a ON b USING btree (c)"],
    'CREATE POLICY "See it" ON "public"."a"\n  FOR SELECT': [
        'DROP POLICY IF EXISTS "See it" ON "public"."a"',
        'CREATE POLICY "See it" ON "public"."a"\n  FOR SELECT',
    ],
    'ALTER TABLE "public"."a"\n  ADD CONSTRAINT "c"\n    CHECK (b)': [
        'ALTER TABLE IF EXISTS "public"."a" DROP CONSTRAINT IF EXISTS "c"',
        'ALTER TABLE IF EXISTS "public"."a"\n  ADD CONSTRAINT "c"\n    CHECK (b) NOT VALID',
    ],
    'DROP MATERIALIZED VIEW "private"."a"': ['DROP MATERIALIZED VIEW IF EXISTS "private"."a"'],
    "ALTER TABLE a\n  ADD CONSTRAINT c\n    CHECK (((d)::text = ANY ((ARRAY['e'::character varying, "
    "'f'::character varying])::text[])))": [
        "ALTER TABLE IF EXISTS a\n  ADD CONSTRAINT c\n    CHECK ((d IN ('e', 'f')))",
    ],
    'ALTER POLICY "See it" ON "public"."a"\n  USING ((( SELECT auth.uid() AS uid) = b))': [
        'ALTER POLICY "See it" ON "public"."a"\n  USING (((SELECT auth.uid()) = b))'
    ],
    "DROP TRIGGER a ON public.b": ["DROP TRIGGER IF EXISTS a ON public.b"],
    'GRANT DELETE, MAINTAIN, SELECT ON TABLE "public"."a" TO "anon"': [
        'GRANT DELETE, SELECT ON TABLE "public"."a" TO "anon"'
    ],
    'REVOKE ALL ON TABLE "public"."a" FROM "postgres"': [],
    # What somebody wrote stays as it is written.
    "CREATE OR REPLACE FUNCTION a()\n  AS $$ '\n  DROP COLUMN b' $$": [
        "CREATE OR REPLACE FUNCTION a()\n  AS $$ '\n  DROP COLUMN b' $$"
    ],
    "COMMENT ON TABLE a IS '\n  ADD COLUMN b'": ["COMMENT ON TABLE a IS '\n  ADD COLUMN b'"],
    'CREATE POLICY "a""b" ON c.d FOR SELECT': [
        'DROP POLICY IF EXISTS "a""b" ON c.d',
        'CREATE POLICY "a""b" ON c.d FOR SELECT',
    ],
}


@pytest.mark.parametrize("said", ENGINE_SAID)
def test_statements_of_the_engine_are_made_repeatable(said: str) -> None:
    assert diff.repeatable(said + ";", unread=True).statements == ENGINE_SAID[said]


def test_without_the_engine_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_CLI", "/nowhere/supabase")
    result = CliRunner().invoke(main, ["diff", "anything"])
    assert result.exit_code == 1
    assert "make install-supabase-cli" in result.stderr
