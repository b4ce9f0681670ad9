"""What the tests share: the built library, its examples, and the command line tools.

`scripts/cdk` builds the library before and says where to keep what is installed; a test whose tool cannot be had is
skipped, and says so. Nothing is asked of any AWS account: what is deployed goes to an emulator on loopback.
"""

import json
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

LIBRARY = Path(__file__).resolve().parents[1]
EXAMPLES = LIBRARY / "examples"


def run(command: list, folder: Path, **environment: str) -> str:
    """What a command prints; the test fails where it does not end well."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, **environment},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout[-6000:]}"
    return done.stdout


def attempt(command: list, folder: Path, **environment: str) -> bool:
    """Whether a command ended well; for what may not be to be had here."""
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env={**os.environ, **environment}, capture_output=True, check=False
    )
    return done.returncode == 0


def template(folder: Path, stack: str) -> dict:
    return json.loads((folder / f"{stack}.template.json").read_text())


@pytest.fixture(scope="session")
def store() -> Path:
    """Where what is installed stays between runs."""
    directory = os.environ.get("BACKSTOP_CDK_STORE")
    if not directory:
        pytest.skip("BACKSTOP_CDK_STORE is not set: run scripts/cdk")
    return Path(directory)


@pytest.fixture(scope="session")
def in_typescript(tmp_path_factory) -> dict:
    """The template of the example in TypeScript, which the others are compared with."""
    out = tmp_path_factory.mktemp("typescript")
    run(["node", LIBRARY / "tests/run-typescript.js", "typescript/app.ts"], EXAMPLES, CDK_OUTDIR=str(out))
    return template(out, "Shop")


def packaged(language: str, out: Path) -> Path:
    """The library as a package of a language; of those whose compiler is not asked for, its sources."""
    run([LIBRARY / "scripts/package", out, language], LIBRARY)
    return out / language


def zipped(folder: Path) -> Path:
    """Stand-ins for the zips of a release."""
    folder.mkdir()
    for architecture in ("x86_64", "arm64"):
        with zipfile.ZipFile(folder / f"extension-{architecture}.zip", "w") as archive:
            archive.writestr("extensions/backstop-extension", f"stand-in for {architecture}")
    return folder
