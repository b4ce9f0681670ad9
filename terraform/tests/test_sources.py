"""What must hold of the sources themselves: form, documentation, and a validation for whatever can be wrong."""

import shutil
import subprocess

import hcl2
import pytest
from conftest import FOLDERS, OPENTOFU, SOURCE, Terraform, tool


def blocks(folder: str, kind: str) -> dict[str, dict]:
    """The blocks of a kind in a folder's files, by name."""
    found = {}
    for file in sorted((SOURCE / folder).glob("*.tf")):
        for block in hcl2.loads(file.read_text()).get(kind, []):
            for name, body in block.items():
                found[name.strip('"')] = body
    return found


def test_everything_is_formatted():
    here = Terraform(SOURCE, tool("BACKSTOP_TERRAFORM_CONFIG"))
    here.run("fmt", "-check", "-diff", "-recursive")


# What may differ from function to function is checked where a message can name the function: each of these has a case
# in test_plans.py, by its message.
OWN = {"layer_arn", "layers", "environment_variables"}
BY_PRECONDITION = {"modules/attachment": {*OWN, "region", "architecture", "package_type"}, "modules/function": OWN}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_variable_that_can_be_wrong_has_a_validation(folder):
    variables = blocks(folder, "variable")
    assert variables, "a folder without variables needs no test like this: take it out"
    for name, variable in variables.items():
        if "bool" in str(variable["type"]) and "object" not in str(variable["type"]):
            continue
        if name in BY_PRECONDITION.get(folder, ()):
            continue
        for validation in variable.get("validation", [{}]):
            assert validation.get("condition") and validation.get("error_message"), f"{folder}: {name} has no validation"


@pytest.mark.parametrize(
    ("folder", "model", "different", "shared"),
    [
        ("modules/function", "modules/attachment", {"name", "architecture"}, 16),
        ("modules/layer-multi-region", "modules/layer", {"package"}, 5),
    ],
)
def test_what_two_modules_ask_for_is_the_same_in_both(folder, model, different, shared):
    """So that the cases that one of them refuses need not be tried for the other."""
    ours, theirs = blocks(folder, "variable"), blocks(model, "variable")
    names = (ours.keys() & theirs.keys()) - different
    assert len(names) == shared, names
    for name in names:
        assert ours[name] == theirs[name], f"{name} differs between {folder} and {model}"


# tflint does not know what only OpenTofu has.
@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if folder not in OPENTOFU])
def test_the_rules_of_the_field_hold(folder):
    """Documented, typed and used variables and outputs, names, layout, pinned providers."""
    command = [tool("BACKSTOP_TFLINT"), f"--config={SOURCE / '.tflint.hcl'}", f"--chdir={SOURCE / folder}"]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_readme_is_what_would_be_generated(folder, tmp_path):
    here = tmp_path / "folder"
    shutil.copytree(SOURCE / folder, here, ignore=shutil.ignore_patterns("tests"))
    command = [tool("BACKSTOP_TERRAFORM_DOCS"), "--config", str(SOURCE / ".terraform-docs.yml"), str(here)]
    subprocess.run(command, check=True, capture_output=True)
    assert (here / "README.md").read_text() == (SOURCE / folder / "README.md").read_text(), "run scripts/terraform --docs"
