"""The same app in each language comes to the same template, with the package that users of the language install."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from conftest import EXAMPLES, attempt, packaged, run, template

# The oldest CDK that the library's package.json promises to work with: what TypeScript is tested with is newer.
OLDEST_CDK = "2.263.0"


def test_the_template_is_one_of_a_function_with_backstop(in_typescript):
    functions = [each for each in in_typescript["Resources"].values() if each["Type"] == "AWS::Lambda::Function"]
    assert len(functions) == 1
    assert functions[0]["Properties"]["Layers"] == ["arn:aws:lambda:eu-west-1:111122223333:layer:backstop-extension-x86_64-0-1-0:1"]
    assert "BACKSTOP_PRIMARY_TOKEN" in functions[0]["Properties"]["Environment"]["Variables"]


def test_python_with_the_oldest_cdk(in_typescript, store, tmp_path):
    (wheel,) = packaged("python", tmp_path).glob("*.whl")
    environment = store / f"python-{OLDEST_CDK}"
    pip = [environment / "bin/pip", "install", "--quiet", "--disable-pip-version-check"]
    if not (environment / "complete").exists():
        shutil.rmtree(environment, ignore_errors=True)
        run([sys.executable, "-m", "venv", environment], tmp_path)
        if not attempt([*pip, f"aws-cdk-lib=={OLDEST_CDK}"], tmp_path):
            pytest.skip("CDK for Python cannot be installed")
        (environment / "complete").touch()
    run([*pip, "--force-reinstall", "--no-deps", wheel], tmp_path)
    run([environment / "bin/python", "python/app.py"], EXAMPLES, CDK_OUTDIR=str(tmp_path / "out"))
    assert template(tmp_path / "out", "Shop") == in_typescript


def test_java(in_typescript, tmp_path):
    if not shutil.which("mvn") or not shutil.which("javac"):
        pytest.skip("there is no Maven and no Java")
    repository = packaged("java", tmp_path)
    example = shutil.copytree(EXAMPLES / "java", tmp_path / "example")
    # Beside the registry, the package that was just made: a repository in a directory is what jsii makes.
    installed = Path(os.path.expanduser("~/.m2/repository/dev/backstop-telemetry"))
    try:
        shutil.copytree(repository / "dev/backstop-telemetry", installed, dirs_exist_ok=True)
        shutil.copy(EXAMPLES / "layers.json", example / "layers.json")
        run(["mvn", "--batch-mode", "--quiet", "compile", "exec:java"], example, CDK_OUTDIR=str(tmp_path / "out"))
    finally:
        shutil.rmtree(installed, ignore_errors=True)
    assert template(tmp_path / "out", "Shop") == in_typescript


def test_dotnet_is_generated(tmp_path):
    package = packaged("dotnet", tmp_path) / "BackstopTelemetry.Cdk"
    assert "<PackageId>BackstopTelemetry.Cdk</PackageId>" in (package / "BackstopTelemetry.Cdk.csproj").read_text()
    assert "public static void Attach(" in (package / "BackstopTelemetry/Cdk/Backstop.cs").read_text()


def test_go_with_the_oldest_cdk(in_typescript, tmp_path):
    module = packaged("go", tmp_path) / "backstopcdk"
    if not shutil.which("go"):
        pytest.skip("there is no Go")
    example = shutil.copytree(EXAMPLES / "go", tmp_path / "example")
    shutil.copy(EXAMPLES / "layers.json", example / "layers.json")
    with (example / "go.mod").open("a") as file:
        file.write(f"replace github.com/backstop-telemetry/backstop-cdk-go/backstopcdk => {module}\n")
    # jsii asks for the CDK that it has compiled with, where an older one is promised.
    direct = [line for line in (module / "go.mod").read_text().splitlines() if "// indirect" not in line]
    oldest = {"awscdk/v2": OLDEST_CDK, "constructs/v10": "10.5.0", "jsii-runtime-go": "1.138.0"}
    for name, version in oldest.items():
        direct = [re.sub(rf"({name}) v.*", rf"\1 v{version}", line) for line in direct]
    (module / "go.mod").write_text("\n".join(direct))
    for_modules = {"GOFLAGS": "-mod=mod"}
    if not attempt(["go", "mod", "tidy"], example, **for_modules):
        pytest.skip("CDK for Go cannot be downloaded")
    run(["go", "run", "."], example, CDK_OUTDIR=str(tmp_path / "out"), **for_modules)
    assert template(tmp_path / "out", "Shop") == in_typescript
