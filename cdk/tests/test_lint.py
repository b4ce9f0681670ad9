"""What others' tools say of the templates."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import EXAMPLES, LIBRARY, run, zipped

# What is excepted, and why.
CHECKOV_EXCEPTIONS = {
    "CKV_AWS_18": "a bucket for the logs of a bucket of logs is for whoever needs one: serverAccessLogs",
    "CKV_AWS_21": "records have ids of their own and are not overwritten; versions are an option",
    "CKV_AWS_27": "SQS encrypts the queues with a key of its own, which checkov does not see; one of yours is an option: queueKey",
    "CKV_AWS_91": "access logs are for whoever has a bucket for them: loadBalancer.logAccessLogs",
    "CKV_AWS_158": "the stream's log group holds why a delivery failed and no record",
    "CKV_AWS_115": "how many of the example's function run at once is not Backstop's to say",
    "CKV_AWS_116": "the example's function is called by nobody that needs a dead-letter queue",
    "CKV_AWS_117": "the example's function needs no network of its own",
    "CKV_AWS_173": "the example's variables are under Lambda's own key",
}


@pytest.fixture(scope="module")
def templates(tmp_path_factory) -> list[Path]:
    """Of every example in TypeScript; the others come to the same."""
    out = tmp_path_factory.mktemp("lint")
    dist = zipped(out / "dist")
    context = json.dumps({"dist": str(dist), "package": str(dist / "extension-arm64.zip")})
    for name in ("typescript", "quickstart", "platform", "gateway", "controller", "replay"):
        command = ["node", LIBRARY / "tests/run-typescript.js", f"{name}/app.ts"]
        run(command, EXAMPLES, CDK_OUTDIR=str(out / name), CDK_CONTEXT_JSON=context)
    found = sorted(out.glob("*/*.template.json"))
    assert len(found) == 6
    return found


def test_cfn_lint_finds_nothing(templates):
    # W3005 is about a dependency that is said twice: CDK itself says so of every function and its role.
    command = [Path(sys.executable).parent / "cfn-lint", "--regions", "eu-west-1", "--ignore-checks", "W3005"]
    run([*command, "--", *templates], LIBRARY)


def test_checkov_finds_nothing_but_what_is_excepted(templates):
    checkov = os.environ.get("BACKSTOP_CHECKOV")
    if not checkov:
        pytest.skip("checkov cannot be installed")
    command = [checkov, "--framework", "cloudformation", "--compact", "--quiet", "--skip-download"]
    for each in templates:
        command += ["--file", str(each)]
    done = subprocess.run([*command, "--skip-check", ",".join(CHECKOV_EXCEPTIONS)], text=True, capture_output=True, check=False)
    counts = re.search(r"Passed checks: (\d+), Failed checks: (\d+)", done.stdout)
    assert counts, done.stdout + done.stderr
    assert int(counts[2]) == 0, done.stdout
    assert int(counts[1]) > 10
