"""What the tests share: a copy of the modules to work in, and the command line tools.

`scripts/terraform` finds the tools and says where they are; a test whose tool is not there is skipped, and says so.
Nothing is written in the checkout, and nothing is asked of any host but this one.
"""

import io
import json
import os
import shutil
import subprocess
import time
import zipfile
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1]

# Each folder with a configuration. What needs another tool or provider than the rest is told by its name.
MODULES = sorted(path.parent for path in SOURCE.glob("modules/*/main.tf"))
EXAMPLES = sorted(path.parent for path in SOURCE.glob("examples/**/main.tf") if "tests" not in path.parts)
FOLDERS = [str(path.relative_to(SOURCE)) for path in MODULES + EXAMPLES]
PROVIDER_V6 = {"modules/layer-multi-region", "examples/many-regions/provider-v6"}
OPENTOFU = {"examples/many-regions/opentofu"}


# The emulator is one host for all services: buckets are part of the path.
OVERRIDE = """
provider "aws" {
  s3_use_path_style = true
}
"""

def tool(variable: str) -> str:
    """The path that a variable of the environment has; without it the test is skipped."""
    path = os.environ.get(variable)
    if not path:
        pytest.skip(f"{variable} is not set: scripts/terraform could not find or build it")
    return path


def is_opentofu() -> bool:
    return Path(os.environ.get("BACKSTOP_TERRAFORM", "")).name == "tofu"


class Terraform:
    """Terraform, or OpenTofu, in one folder of the copy."""

    def __init__(self, folder: Path, configuration: str, environment: dict[str, str] | None = None):
        self.folder = folder
        self.environment = {
            **os.environ,
            "TF_CLI_CONFIG_FILE": configuration,
            # Neither an account of the person who runs this nor the network is ever reached.
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_EC2_METADATA_DISABLED": "true",
            **(environment or {}),
        }

    def run(self, *arguments: str, expect: int = 0) -> str:
        """Runs a command and returns what it printed; the test fails unless the exit code is the expected one."""
        done = subprocess.run(
            [tool("BACKSTOP_TERRAFORM"), *arguments],
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert done.returncode == expect, f"{' '.join(arguments)} in {self.folder} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout


def copied(target: Path) -> Path:
    """A copy of the modules and examples: Terraform writes beside what it reads; and of the permissions that they compare with."""
    permissions = Path("crates/archive/permissions.json")
    (target / permissions).parent.mkdir(parents=True)
    shutil.copy(SOURCE.parent / permissions, target / permissions)
    return shutil.copytree(SOURCE, target / "terraform", ignore=shutil.ignore_patterns("__pycache__"))


def initialised(copy: Path, folder: str, environment: dict[str, str] | None = None) -> Terraform:
    """Terraform in a folder of a copy."""
    if folder in OPENTOFU and not is_opentofu():
        pytest.skip("for_each on a provider is OpenTofu's: scripts/terraform --tofu")
    variable = "BACKSTOP_TERRAFORM_CONFIG_V6" if folder in PROVIDER_V6 else "BACKSTOP_TERRAFORM_CONFIG"
    here = Terraform(copy / folder, tool(variable), environment)
    here.run("init", "-no-color", "-input=false")
    return here


class Applied:
    """A folder whose AWS is the emulator; how long each command took goes into the report."""

    def __init__(self, terraform: Terraform, report):
        self.terraform = terraform
        self.report = report

    def timed(self, *arguments: str, expect: int = 0, **variables) -> str:
        start = time.monotonic()
        environment = self.terraform.environment
        self.terraform.environment = environment | as_environment(variables)
        try:
            return self.terraform.run(*arguments, expect=expect)
        finally:
            self.terraform.environment = environment
            self.report("time", f"{self.terraform.folder.name}: {arguments[0]} {time.monotonic() - start:.1f} s")

    def apply(self, expect: int = 0, **variables) -> str:
        return self.timed("apply", "-auto-approve", "-input=false", "-no-color", expect=expect, **variables)

    def destroy(self, **variables) -> None:
        self.timed("destroy", "-auto-approve", "-input=false", "-no-color", **variables)

    def has_no_changes(self, **variables) -> None:
        output = self.timed("plan", "-detailed-exitcode", "-input=false", "-no-color", **variables)
        assert "No changes." in output

    def state(self) -> dict[str, dict]:
        """What the state says of each resource, by address."""
        state = json.loads(self.terraform.run("show", "-json"))
        return {resource["address"]: resource["values"] for resource in resources(state["values"]["root_module"])}


def resources(module: dict):
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from resources(child)


def as_environment(variables: dict) -> dict[str, str]:
    return {f"TF_VAR_{name}": value if isinstance(value, str) else json.dumps(value) for name, value in variables.items()}


def a_zip(path: Path, name: str, content: str) -> str:
    """A small zip with a program, the same bytes each time; returns its path."""
    packed = io.BytesIO()
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o755 << 16
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(entry, content)
    path.write_bytes(packed.getvalue())
    return str(path)


def pytest_terminal_summary(terminalreporter):
    """How long each command against the emulator took."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    times = [value for report in reports for name, value in report.user_properties if name == "time" and report.when == "call"]
    for line in times:
        terminalreporter.write_line(line)
