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


LAYER = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3"
OWN = [f"arn:aws:lambda:eu-west-1:111111111111:layer:own-{number}:1" for number in range(5)]

# One function for each check that may fail for some of the functions only: its settings, and what the message says.
WRONG = {
    "odd-region": ({"region": "Ireland"}, 'region "Ireland" is not the name of a region'),
    "odd-architecture": ({"architecture": "amd64"}, 'architecture "amd64" is neither'),
    "odd-package": ({"package_type": "zip"}, 'package_type "zip" is neither'),
    "odd-layer": ({"layer_arn": LAYER.removesuffix(":3")}, "layer_arn is not the ARN of a layer version"),
    "odd-layers": ({"layers": ["mine:7"]}, "layers has entries that are not ARNs of layer versions, mine:7"),
    "no-layer": ({"no_layer": True}, "layer_arn is not set"),
    "image": ({"package_type": "Image", "layers": OWN[:1]}, "Lambda adds no layers to container images"),
    "six-layers": ({"layers": OWN}, "would have 6 layers"),
    "far": ({"region": "us-east-1"}, "the layer is in eu-west-1"),
    "arm": ({"architecture": "arm64"}, "the layer is for x86_64"),
    "odd-names": ({"variables": {"1X": "hunter2", "TABLE": "orders"}}, "names that Lambda refuses, 1X:"),
    "nowhere": ({"fallback": {}}, "neither primary nor fallback"),
    "no-bucket": ({"fallback": {"firehose_stream": "x", "s3_prefix": "y"}}, "sets S3 options but no s3_bucket"),
    "no-stream": ({"fallback": {"s3_bucket": "xyz", "order": ["firehose"]}}, "there is no firehose_stream"),
    "token": ({"token": "hunter2"}, "but no primary"),
    "headers": ({"headers": {"X-A": "hunter2"}}, "but no primary"),
    "twice": ({"token": "hunter2", "headers": {"Authorization": "hunter2"}}, "set the same header"),
    "twice-datadog": (
        {"primary": {"url": "datadoghq.eu", "format": "datadog"}, "token": "hunter2", "headers": {"DD-API-KEY": "hunter2"}},
        "the header dd-api-key in primary_headers set the same header",
    ),
    "twice-honeycomb": (
        {"primary": {"backend": "honeycomb"}, "token": "hunter2", "headers": {"X-Honeycomb-Team": "hunter2"}},
        "the header x-honeycomb-team in primary_headers set the same header",
    ),
    "twice-axiom": (
        {
            "primary": {"backend": "axiom", "backend_options": {"dataset": "lambda"}},
            "token": "hunter2",
            "headers": {"X-Axiom-Dataset": "hunter2"},
        },
        "the backend axiom sets the header x-axiom-dataset: remove it from primary_headers",
    ),
    "no-token": ({"primary": {"backend": "honeycomb"}}, "the backend needs a token: give it in primary_token"),
    "token-comma": ({"primary": {"backend": "honeycomb"}, "token": "hunter2,host=x"}, "contains a comma"),
    "two-tokens": (
        {"primary": {"url": "https://a.example"}, "token": "hunter2", "token_parameter": "/team/token"},
        "the token of the primary is named in several ways",
    ),
    "kms-without-key": (
        {"primary": {"url": "https://a.example"}, "token_kms": "AQIC"},
        "primary_token_kms is set without primary_token_kms_key_id",
    ),
    "no-backend": (
        {"primary": {"url": "https://a.example", "backend_options": {"region": "eu"}}},
        "backend_options are set, but no backend",
    ),
    "odd-option": ({"primary": {"url": "https://a.example", "format": "otlp", "options": {"index": "x"}}}, "has only the options emf, encoding"),
    "no-options": ({"primary": {"url": "https://a.example", "options": {"index": "x"}}}, "the format ndjson has no options"),
    "odd-value": (
        {"primary": {"url": "https://a.example", "format": "otlp", "options": {"encoding": "xml"}}},
        "the option encoding of the format otlp is not valid",
    ),
    "large": ({"variables": {"X1": "x" * 4096}}, "bytes as JSON, and Lambda allows 4096"),
    "tag-form": ({"tags": {"a,b": "x"}}, 'correct "a,b"'),
    "tag-taken": ({"tags": {"faas.name": "x"}}, "remove faas.name"),
    "tag-quoted": ({"tags": {"team": "'x'"}}, 'correct "team"'),
    "tag-joined": ({"tags": {"team": "x; stage=y"}}, 'more than one pair in it, in "team"'),
    "alias": ({"fallback": {"s3_bucket": "xyz", "s3_kms_key_id": "alias/mine"}}, "is an alias"),
}


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A caller with `for_each`."""
    return initialised(copied(tmp_path_factory.mktemp("many")), "modules/attachment/tests/many")


@pytest.mark.parametrize("name", WRONG)
def test_a_check_that_fails_names_the_function(many, name):
    settings, message = WRONG[name]
    many.environment["TF_VAR_functions"] = json.dumps({"well": {}, name: settings})
    output = " ".join(many.run("plan", "-no-color", "-input=false", expect=1).replace("│", " ").split())
    errors = re.findall(r"Error: .*?(?=Error: |$)", output)
    assert all(f"the function {name}" in error for error in errors), output
    assert any(message in error for error in errors), output
    assert "the function well" not in output and "hunter2" not in output


def test_a_backend_is_refused_in_the_words_of_the_installer(many):
    cases = json.loads((SOURCE / "modules/attachment/tests/backends/cases.json").read_text())["refused"]
    functions = {
        f"case-{number}": {"primary": {"backend": case["backend"], "backend_options": case["options"]}, "token": "hunter2"}
        for number, case in enumerate(cases)
    }
    many.environment["TF_VAR_functions"] = json.dumps(functions)
    output = " ".join(many.run("plan", "-no-color", "-input=false", expect=1).replace("│", " ").split())
    assert "hunter2" not in output
    for number, case in enumerate(cases):
        told = re.findall(rf"For the function case-{number}, .*?(?=Error: |$)", output)
        for words in case["words"]:
            assert words in " ".join(told), f"{case}: {told}"


def number_of_runs(folder: str) -> int:
    files = (SOURCE / folder / "tests").glob("*.tftest.hcl")
    return sum(len(re.findall(r"^run ", file.read_text(), re.MULTILINE)) for file in files)
