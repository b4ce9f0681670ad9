"""The packages are made and installed as the README says, each without the tools of the other languages."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from conftest import LIBRARY, attempt, run

README = (LIBRARY / "README.md").read_text()
# What each language may use; a shell's own tools beside it.
TOOLS = {"js": {"node", "npm", "npx"}, "python": {"node", "npm", "npx", "python3"}, "go": {"node", "npm", "npx"}, "dotnet": {"node", "npm", "npx"}}
SHELL = {"bash", "sh", "env", "dirname", "mv", "cp", "rm", "mkdir", "cat", "tar", "gzip", "uname", "find", "sed", "grep", "ls", "ln", "chmod", "git"}


@pytest.fixture
def only(tmp_path):
    """A PATH with a language's own tools and nothing else."""

    def with_tools(language: str) -> str:
        folder = tmp_path / f"bin-{language}"
        folder.mkdir()
        for name in TOOLS[language] | SHELL:
            # Of Python not what chooses among several, which needs more than itself.
            own = Path(sys.base_prefix, "bin", name)
            found = own if name == "python3" and own.exists() else shutil.which(name)
            if found:
                # Not a link: some find what belongs to them beside themselves.
                (folder / name).write_text(f'#!/bin/sh\nexec {found} "$@"\n')
                (folder / name).chmod(0o755)
        return str(folder)

    return with_tools


@pytest.mark.parametrize("language", TOOLS)
def test_a_package_needs_the_tools_of_its_own_language_only(language, only, tmp_path):
    run([LIBRARY / "scripts/package", tmp_path / "out", language], LIBRARY, PATH=only(language))
    assert any((tmp_path / "out" / language).iterdir())


def test_a_package_without_its_tools_fails_and_others_are_made(only, tmp_path):
    done = subprocess.run(
        [LIBRARY / "scripts/package", tmp_path / "out", "java", "js"], env={**os.environ, "PATH": only("js")}, text=True, capture_output=True, check=False
    )
    assert done.returncode == 1
    assert "The package for java needs Maven and a JDK" in done.stderr
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["js"]


def test_a_package_has_the_gateways_configuration_as_the_repository_has_it(tmp_path):
    run([LIBRARY / "scripts/package", tmp_path, "js"], LIBRARY)
    (package,) = (tmp_path / "js").glob("*.tgz")
    collector = LIBRARY.parent / "gateway/collector"
    expected = {path.relative_to(collector).as_posix(): path.read_bytes() for path in collector.rglob("*.yaml") if path.parent.name != "build"}
    with tarfile.open(package) as archive:
        files = [member for member in archive.getmembers() if member.name.startswith("package/gateway/")]
        packed = {member.name.removeprefix("package/gateway/"): archive.extractfile(member).read() for member in files}
    assert len(packed) > 8 and packed == expected


def commands() -> list[list[str]]:
    """What the README types."""
    (block,) = re.findall(r"^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [line.removeprefix("$ ").split() for line in block.splitlines()]


def test_what_the_readme_types_installs_the_library_in_an_app(tmp_path):
    make, npm, pip = commands()
    assert make[:2] == ["scripts/cdk", "--package"]
    run([LIBRARY / "scripts/package", tmp_path / make[2], *make[3:]], LIBRARY)
    # An app as users have it, with the CDK that the library is tested with.
    lock = json.loads((LIBRARY / "package-lock.json").read_text())["packages"]
    versions = {name: lock[f"node_modules/{name}"]["version"] for name in ("aws-cdk-lib", "constructs")}
    (tmp_path / "package.json").write_text(json.dumps({"name": "app", "private": True, "dependencies": versions}))
    quiet = {"npm_config_audit": "false", "npm_config_fund": "false", "npm_config_prefer_offline": "true"}
    if not attempt(["npm", "install"], tmp_path, **quiet):
        pytest.skip("CDK cannot be installed")
    run(npm, tmp_path, **quiet)
    text = run(["node", "-p", "Object.keys(require('backstop-cdk')).join()"], tmp_path)
    assert {"Backstop", "BackstopArchive", "BackstopLayer"} <= set(text.strip().split(","))
    assert pip[:2] == ["pip", "install"] and (tmp_path / Path(pip[2])).is_file()
