"""Every module and example is valid, and does in plans against mocks what its `tests/*.tftest.hcl` say."""

import json
import re

import pytest
from conftest import FOLDERS, SOURCE, copied, initialised


@pytest.mark.parametrize("folder", FOLDERS)
def test_it_is_valid_and_its_own_tests_pass(tmp_path, folder):
    here = initialised(copied(tmp_path), folder)
    here.run("validate", "-no-color")
    output = here.run("test", "-no-color")
    # Exit code 0 is also that of no test at all.
    passed = re.search(r"Success! (\d+) passed, 0 failed", output)
    assert passed and int(passed[1]) == number_of_runs(folder), output


def test_too_many_secrets_are_refused_with_their_size_and_without_their_values(tmp_path):
    here = initialised(copied(tmp_path), "modules/attachment/tests/secret-environment")
    secret = "hunter2" * 600
    here.environment["TF_VAR_own"] = json.dumps({"SECRET": secret})
    output = here.run("plan", "-no-color", "-input=false", expect=1)
    size = re.search(r"would have (\d+) bytes", output)
    assert size and int(size[1]) > len(secret), output
    assert "hunter2" not in output


def number_of_runs(folder: str) -> int:
    files = (SOURCE / folder / "tests").glob("*.tftest.hcl")
    return sum(len(re.findall(r"^run ", file.read_text(), re.MULTILINE)) for file in files)
