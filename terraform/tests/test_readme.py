"""Every snippet of the READMEs does what it is there for, with Backstop and with `enabled = false`.

A snippet is used as it stands. Around it comes only what it refers to, in place of `# …` what it leaves out, and the
modules of this copy in place of a released version. A snippet that has no case here is an error.
"""

import re
import shutil
import textwrap

import pytest
from conftest import SOURCE, copied, initialised
from test_apply import LAMBDA_ROLE, OVERRIDE, Applied, a_zip, aws  # noqa: F401 - a fixture

REPOSITORY = SOURCE.parent
LAYER = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:1"
OWN_LAYER = "arn:aws:lambda:eu-west-1:123456789012:layer:mine:7"


def snippets() -> dict[tuple[str, int], str]:
    """By file and number."""
    files = [REPOSITORY / "README.md", *sorted(SOURCE.glob("**/README.md"))]
    found = {}
    for file in files:
        for number, text in enumerate(re.findall(r"^```hcl\n(.*?)^```$", file.read_text(), re.MULTILINE | re.DOTALL)):
            found[str(file.relative_to(REPOSITORY)), number] = text
    return found


SNIPPETS = snippets()

# What attaches: the snippets, and what a user has around them already.
ROLE = 'resource "aws_iam_role" "orders" {\n  name = "NAME"\n' + LAMBDA_ROLE + "\n}\n"
FUNCTION = 'function_name = "NAME"\n  role = aws_iam_role.orders.arn\n  filename = var.zip\n  handler = "index.handler"\n  runtime = "nodejs22.x"'
ATTACHING = {
    "overview": ([("README.md", 0)], ""),
    "resource": ([("terraform/README.md", 0), ("terraform/README.md", 1)], ROLE),
    "module": ([("terraform/README.md", 0), ("terraform/README.md", 2)], ""),
    "attachment": (
        [("terraform/modules/attachment/README.md", 0), ("terraform/modules/attachment/README.md", 1)],
        ROLE + "locals {\n  layers = []\n  environment = {}\n}\n",
    ),
    "function": ([("terraform/modules/function/README.md", 0)], ""),
}
STANDING = {
    "archive": ([("terraform/modules/archive/README.md", 0)], 'resource "aws_sns_topic" "ops" {\n  name = "ops"\n}\n'),
    "layer": ([("terraform/modules/layer/README.md", 0)], ""),
    "monitoring": ([("terraform/modules/monitoring/README.md", 0)], 'resource "aws_sns_topic" "ops" {\n  name = "alarms"\n}\n'),
}
LOOKUP = ("terraform/modules/layer-lookup/README.md", 0)
MULTI_REGION = ("terraform/modules/layer-multi-region/README.md", 0)
# Planned alone: the emulator does not keep all that their queues have.
ALONE = {
    ("terraform/modules/controller/README.md", 0): (
        "controller-arm64.zip",
        'resource "aws_sns_topic" "ops" {\n  name = "ops"\n}\n',
    ),
    ("terraform/modules/replay/README.md", 0): (
        "replay-function-arm64.zip",
        '''
            resource "aws_sns_topic" "ops" {
              name = "ops"
            }
            resource "aws_secretsmanager_secret" "token" {
              name = "token"
            }
            module "archive" {
              source = "../given"
              value = { fallback = { s3_bucket = "backstop-123456789012-eu-west-1" } }
            }
        ''',
    ),
}

# What a snippet refers to and does not show.
SURROUNDINGS = """
variable "enabled" {}
variable "fallback" {}
variable "zip" {}
module "layer" {
  source = "../given"
  value  = { arn = "%s" }
}
module "archive" {
  source = "../given"
  value  = { fallback = var.fallback }
}
""" % LAYER
GIVEN = """
variable "value" {}
output "arn" {
  value = try(var.value.arn, null)
}
output "fallback" {
  value = try(var.value.fallback, null)
}
"""


def as_here(snippet: str, name: str) -> str:
    """With the modules of this copy, which are two folders up."""
    snippet = re.sub(r"git::https://[^\"]*//terraform/(modules/[a-z-]+)\?ref=v[0-9.]+", r"../../\1", snippet)
    aws_module = 'source = "../../tests/fixtures/terraform-aws-modules-lambda"'
    snippet = snippet.replace('source = "terraform-aws-modules/lambda/aws"\n  # …', f'{aws_module}\n  function_name = "{name}"\n  filename = var.zip')
    snippet = snippet.replace("# …", FUNCTION.replace("NAME", name))
    # The one line that takes Backstop out.
    snippet = re.sub(r'(source = "../../modules/(attachment|function)"\n)', r"\1  enabled = var.enabled\n", snippet)
    return snippet.replace('"function.zip"', "var.zip")


def test_every_snippet_has_a_case():
    used = [key for keys, _ in [*ATTACHING.values(), *STANDING.values()] for key in keys]
    assert {*used, *ALONE, LOOKUP, MULTI_REGION} == SNIPPETS.keys()


@pytest.fixture
def readme(aws, tmp_path, record_property):
    """All of them in one configuration, each in a folder of its own."""
    copy = copied(tmp_path)
    here = copy / "readme"
    (here / "given").mkdir(parents=True)
    (here / "given/main.tf").write_text(GIVEN)
    function_zip = a_zip(tmp_path / "function.zip", "index.mjs", "export const handler = async () => {};\n")
    shutil.copy(function_zip, here / "extension-arm64.zip")
    root = OVERRIDE + 'variable "enabled" {}\n'
    for name, (keys, surroundings) in {**ATTACHING, **STANDING}.items():
        text = "\n".join(as_here(SNIPPETS[key], name) for key in keys) + surroundings.replace("NAME", name)
        (here / name).mkdir()
        attaches = name in ATTACHING
        text += SURROUNDINGS if attaches else 'output "fallback" {\n  value = try(module.archive.fallback, null)\n}\n' if name == "archive" else ""
        (here / name / "main.tf").write_text(text)
        arguments = f'\n  enabled = var.enabled\n  fallback = module.archive.fallback\n  zip = "{function_zip}"' if attaches else ""
        root += f'module "{name}" {{\n  source = "./{name}"{arguments}\n}}\n'
    (here / "main.tf").write_text(root)
    lambda_ = aws.client("lambda")
    for name, versions in (("backstop-extension-x86_64-0-1-0", 1), ("mine", 7)):
        for _ in range(versions):
            with open(function_zip, "rb") as file:
                lambda_.publish_layer_version(LayerName=name, Content={"ZipFile": file.read()})
    environment = {"AWS_ENDPOINT_URL": aws.endpoint, "AWS_REGION": "eu-west-1"}
    return Applied(initialised(copy, "readme", environment), record_property)


def test_the_snippets_are_applied_with_backstop_and_without(readme, aws):
    names = ("resource", "module", "attachment", "orders")

    def found() -> dict[str, dict]:
        return {name: aws.function(name) for name in names}

    readme.apply(enabled=False)
    readme.has_no_changes(enabled=False)
    without = found()
    assert "BACKSTOP" not in str(without).upper().replace("LAYER:BACKSTOP", "")
    assert {name: [each["Arn"] for each in function.get("Layers", [])] for name, function in without.items()} == {
        "resource": [OWN_LAYER], "module": [OWN_LAYER], "attachment": [], "orders": []
    }
    assert {name: function.get("Environment", {}).get("Variables", {}) for name, function in without.items()} == {
        "resource": {"TABLE": "orders"}, "module": {"TABLE": "orders"}, "attachment": {}, "orders": {}
    }

    readme.apply(enabled=True)
    readme.has_no_changes(enabled=True)
    for name, function in found().items():
        own = [OWN_LAYER] if name in ("resource", "module") else []
        assert [each["Arn"] for each in function["Layers"]] == [*own, LAYER]
        variables = function["Environment"]["Variables"]
        assert variables["BACKSTOP_PRIMARY_URL"] == "https://logs.example.com/v1"
        assert variables["BACKSTOP_S3_BUCKET"] == "backstop-123456789012-eu-west-1"
        granted = [each for policy in function["policies"].values() for each in policy["Statement"] if each["Sid"].startswith("Backstop")]
        assert [each["Action"] for each in granted] == [["firehose:PutRecordBatch"], ["s3:PutObject"]]

    readme.apply(enabled=False)
    readme.has_no_changes(enabled=False)
    assert found() == without


def planned(copy, folder: str, snippet: str, test: str) -> None:
    """A snippet as a configuration of its own, planned against a provider that is mocked."""
    here = copy / folder
    (here / "tests").mkdir(parents=True)
    (here / "main.tf").write_text(as_here(snippet, folder))
    (here / "tests/readme.tftest.hcl").write_text(textwrap.dedent(test))
    shutil.copy(copy / "tests/fixtures/package", here / "extension-arm64.zip")


def test_the_lookups_snippet_finds_what_the_manifest_has(tmp_path):
    copy = copied(tmp_path)
    arn = LAYER.replace("x86_64", "arm64")
    snippet = 'variable "backstop_layers" {}\n' + SNIPPETS[LOOKUP] + 'output "arn" {\n  value = module.layer.arn\n}\n'
    test = f"""
        run "finds" {{
          variables {{
            backstop_layers = {{ "123456789012" = {{ "eu-west-1" = {{ arm64 = {{ arn = "{arn}", version = 1, sha256 = "{"0" * 64}", release = "0.1.0" }} }} }} }}
          }}
          assert {{
            condition     = output.arn == "{arn}"
            error_message = output.arn
          }}
        }}
    """
    planned(copy, "readme/lookup", snippet, test)
    assert "1 passed, 0 failed" in initialised(copy, "readme/lookup").run("test", "-no-color")


def test_the_snippet_for_many_regions_publishes_in_each(tmp_path, monkeypatch):
    copy = copied(tmp_path)
    test = """
        mock_provider "aws" {
          mock_resource "aws_lambda_layer_version" {
            defaults = { version = "4" }
          }
        }
        run "publishes" {
          assert {
            condition     = keys(output.arns) == ["eu-west-1", "us-east-1"]
            error_message = jsonencode(output.arns)
          }
        }
    """
    planned(copy, "readme/regions", 'provider "aws" {\n  region = "eu-west-1"\n}\n' + SNIPPETS[MULTI_REGION] + 'output "arns" {\n  value = module.layer.arns\n}\n', test)
    monkeypatch.setattr("conftest.PROVIDER_V6", {"readme/regions"})
    assert "1 passed, 0 failed" in initialised(copy, "readme/regions").run("test", "-no-color")


@pytest.mark.parametrize("key", ALONE, ids=lambda key: key[0].split("/")[2])
def test_a_snippet_that_stands_alone_is_planned(key, tmp_path):
    name = key[0].split("/")[2]
    zip_name, surroundings = ALONE[key]
    copy = copied(tmp_path)
    (copy / "readme/given").mkdir(parents=True)
    (copy / "readme/given/main.tf").write_text(GIVEN)
    test = """
        mock_provider "aws" {
          mock_resource "aws_sns_topic" {
            defaults = { arn = "arn:aws:sns:eu-west-1:123456789012:ops" }
          }
          mock_resource "aws_secretsmanager_secret" {
            defaults = { arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:token-AbCdEf" }
          }
          mock_data "aws_region" {
            defaults = { id = "eu-west-1", region = "eu-west-1", name = "eu-west-1" }
          }
          mock_data "aws_caller_identity" {
            defaults = { account_id = "123456789012" }
          }
          mock_data "aws_partition" {
            defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
          }
        }
        run "plans" {
          command = plan
        }
    """
    planned(copy, f"readme/{name}", SNIPPETS[key] + textwrap.dedent(surroundings), test)
    shutil.copy(copy / "tests/fixtures/package", copy / "readme" / name / zip_name)
    assert "1 passed, 0 failed" in initialised(copy, f"readme/{name}").run("test", "-no-color")
