"""checkov finds nothing in the examples, and in the modules through them, but what is excepted with a reason."""

import re
import subprocess

from conftest import SOURCE, tool



def test_nothing_is_found_in_the_examples():
    command = [tool("BACKSTOP_CHECKOV"), "--directory", str(SOURCE / "examples"), "--framework", "terraform"]
    command += ["--compact", "--quiet", "--skip-download", "--download-external-modules", "false"]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    passed = re.search(r"Passed checks: (\d+), Failed checks: (\d+)", done.stdout)
    assert passed, done.stdout + done.stderr
    assert done.returncode == 0 and int(passed[2]) == 0, done.stdout
    assert int(passed[1]) > 0


def test_every_exception_has_a_reason():
    skips = [
        (path, line)
        for path in SOURCE.glob("**/*.tf")
        for line in path.read_text().splitlines()
        if "checkov:skip" in line
    ]
    assert skips
    for path, line in skips:
        assert re.fullmatch(r"\s*#checkov:skip=CKV2?_AWS_\d+:.{20,}", line), f"{path}: {line}"
