"""Where things are in the project."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "supabase" / "schema"
MIGRATIONS = ROOT / "supabase" / "migrations"
ROLLBACK = ROOT / "supabase" / "rollback"
UPGRADE = ROOT / "supabase" / "upgrade"
TEMPLATES = ROOT / "sql" / "templates"
PLATFORM = ROOT / "sql" / "platform"
STATE = ROOT / ".forge"
