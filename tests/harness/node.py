"""TypeScript, compiled and run with what package.json pins."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from forge_db.paths import ROOT

TSC = ROOT / "node_modules" / ".bin" / "tsc"
OPTIONS = {
    "strict": True,
    "noUncheckedIndexedAccess": True,
    "skipLibCheck": True,  # of the packages: ours are checked, being no .d.ts
    "target": "es2022",
    "module": "esnext",
    "moduleResolution": "bundler",
    "preserveSymlinks": True,
    "outDir": "out",
    "types": [],
    "lib": ["es2022", "dom", "dom.iterable"],
}


def compiled(folder: Path, files: Mapping[str, str]) -> str:
    """Compile files in a folder that has our packages and types; what the compiler says, nothing if all is well."""
    if not TSC.exists():
        pytest.fail("no TypeScript: run `make test-supabase-cli`, which installs it", pytrace=False)
    for name, target in {"node_modules": ROOT / "node_modules", "supabase": ROOT / "supabase"}.items():
        (folder / name).symlink_to(target)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": OPTIONS, "files": list(files)}))
    done = subprocess.run([TSC, "--project", "."], cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    return done.stdout + done.stderr
