"""What the tests of the gateway share: the real CLI, and how they wait."""

import json
import os
import subprocess
import tempfile
import time
import unittest
from collections import Counter

from stage import TOKEN, Door

# Of the CLI; it goes with the process.
STATE = tempfile.TemporaryDirectory(prefix="backstop-gateway-state-")
CLI = os.environ.get("BACKSTOP_CLI", "")


def cli(*arguments):
    """The real CLI's answer in JSON."""
    done = subprocess.run([CLI, *arguments], capture_output=True, text=True, check=False, env={
        **os.environ, "NO_COLOR": "1", "XDG_STATE_HOME": STATE.name})
    if done.returncode not in (0, 3):
        raise AssertionError(f"{arguments}: {done.returncode}\n{done.stderr}")
    return done.stdout


def archived_ids(folder):
    """The ids that `backstop archive cat` finds, and how often."""
    if not os.path.isdir(folder):
        return Counter()
    return Counter(json.loads(line)["id"] for line in cli("archive", "cat", folder).splitlines())


def replay(folder, stage, *options):
    """`backstop replay` of a folder into a worker's ndjson door."""
    token = os.path.join(stage.folder, "token")
    with open(token, "w", encoding="ascii") as file:
        file.write(TOKEN)
    return cli("replay", "--from", folder, "--to", Door(stage.workers[0], "ndjson").url, "--format", "ndjson",
               "--token-file", token, "--restart", "--after", "keep", *options)


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.3)
    return False


class Gateway(unittest.TestCase):
    def see(self, stage, condition, what):
        self.assertTrue(condition, f"{what}\n{stage.said()}")

    def delivered(self, stage, ids, seconds=60):
        missing = stage.primary.wait_for_ids(ids, seconds)
        self.see(stage, not missing, f"{len(missing)} of {len(set(ids))} are missing: {sorted(missing)[:5]}")
