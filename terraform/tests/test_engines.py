"""The replay and the controller as their modules make them, on an emulator that runs functions: they do their work.

The emulator is ministack, which runs the real binaries and the schedules, mappings and state machines that Terraform made.
It does not keep all of an alarm and of a stream: those are moto's, beside it. It knows no `ItemBatcher` and no
`ResultWriter`: here the state machine gives the function one object at a time.
"""

import gzip
import http.server
import json
import os
import socket
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path

import boto3
import pytest
from conftest import OVERRIDE, Applied, a_zip, as_environment, copied, initialised, tool
from moto.server import ThreadedMotoServer

REGION = "eu-west-1"
ACCOUNT = "123456789012"
PATIENCE = 180


class Emulators:
    """Both emulators, and the clients to look into them."""

    def __init__(self, ministack: str, moto: str, home: Path):
        self.ministack = ministack
        self.home = home
        self.environment = {
            "AWS_ENDPOINT_URL": ministack,
            "AWS_ENDPOINT_URL_CLOUDWATCH": moto,
            "AWS_ENDPOINT_URL_FIREHOSE": moto,
            # ministack tells accounts by this.
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": REGION,
        }

    def client(self, service: str):
        endpoint = self.environment.get(f"AWS_ENDPOINT_URL_{service.upper()}", self.ministack)
        return boto3.client(
            service, region_name=REGION, endpoint_url=endpoint, aws_access_key_id=ACCOUNT, aws_secret_access_key="testing"
        )

    def inventory(self) -> dict[str, list]:
        """The names of everything that the two modules can make."""
        lambda_ = self.client("lambda")
        return {
            "functions": [each["FunctionName"] for each in lambda_.list_functions()["Functions"]],
            "mappings": [each["UUID"] for each in lambda_.list_event_source_mappings()["EventSourceMappings"]],
            "queues": self.client("sqs").list_queues().get("QueueUrls", []),
            "schedules": [each["Name"] for each in self.client("scheduler").list_schedules()["Schedules"]],
            "rules": [each["Name"] for each in self.client("events").list_rules()["Rules"]],
            "machines": [each["name"] for each in self.client("stepfunctions").list_state_machines()["stateMachines"]],
            "roles": [each["RoleName"] for each in self.client("iam").list_roles()["Roles"]],
            "log groups": [each["logGroupName"] for each in self.client("logs").describe_log_groups()["logGroups"]],
            "alarms": [each["AlarmName"] for each in self.client("cloudwatch").describe_alarms()["MetricAlarms"]],
        }

    def invoke(self, function: str, event: dict) -> dict:
        answer = self.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
        payload = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return payload

    def backstop(self, *arguments: str, expect: int = 0) -> str:
        """The command line, on the emulators."""
        environment = {**self.environment, "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(self.home)}
        done = subprocess.run(
            [tool("BACKSTOP_CLI"), *arguments], env=environment, text=True, capture_output=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == expect, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture
def emulators(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = tmp_path / "ministack"
    home.mkdir()
    environment = {**os.environ, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "TMPDIR": str(home)}
    with (home / "log").open("w") as log:
        process = subprocess.Popen([tool("BACKSTOP_MINISTACK")], cwd=home, env=environment, stdout=log, stderr=log)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, moto_port = moto.get_host_and_port()
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{moto_port}/moto-api/reset", method="POST")).close()
    endpoint = f"http://127.0.0.1:{port}"

    def is_up() -> bool:
        try:
            urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=5).close()
        except OSError:
            return False
        return True

    try:
        until("the emulator answers", is_up)
        yield Emulators(endpoint, f"http://{host}:{moto_port}", home)
    finally:
        process.terminate()
        process.wait(timeout=20)
        moto.stop()


def until(what: str, is_so) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


class Primary:
    """Takes lines of JSON, or answers with an error; counts each id."""

    def __init__(self):
        self.status = 200
        self.ids = Counter()
        primary = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                if primary.status == 200:
                    primary.ids.update(json.loads(line)["id"] for line in body.splitlines())
                self.send_response(primary.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def primary():
    primary = Primary()
    yield primary
    primary.server.shutdown()


@pytest.fixture
def folder(emulators, tmp_path, record_property):
    """A module, initialised, and with the emulators as its AWS."""

    def with_variables(where: str, **variables) -> Applied:
        copy = copied(tmp_path)
        (copy / where / "emulator_override.tf").write_text(OVERRIDE)
        terraform = initialised(copy, where, {**emulators.environment, **as_environment(variables)})
        return Applied(terraform, record_property)

    return with_variables


@pytest.fixture
def function_zip(emulators, tmp_path):
    """A zip that starts a function's binary, which is too large unstripped to be packed, with the emulator as its AWS."""

    def of(variable: str) -> str:
        script = f"#!/bin/sh\nAWS_ENDPOINT_URL='{emulators.ministack}' exec '{tool(variable)}'\n"
        return a_zip(tmp_path / f"{variable}.zip", "bootstrap", script)

    return of


def archived(s3, bucket: str, hour: int, objects: int) -> set[str]:
    """Objects of an hour, as the extension writes them; the ids of their records."""
    ids = set()
    for number in range(objects):
        lines = []
        for record in range(10):
            ids.add(f"{hour}-{number}-{record}")
            line = {
                "id": f"{hour}-{number}-{record}", "time": f"2026-01-31T{hour:02}:00:00.000Z",
                "type": "function", "record": "a line", "resource": {"faas.name": "fn"},
            }  # fmt: skip
            lines.append(json.dumps(line) + "\n")
        key = f"backstop/v1/account=1/region={REGION}/function=fn/dt=2026-01-31/hour={hour:02}/b{number:05}.ndjson.gz"
        s3.put_object(Bucket=bucket, Key=key, Body=gzip.compress("".join(lines).encode()))
    return ids


def test_the_replay_runs_itself_by_schedule_and_by_state_machine_and_goes_away(folder, emulators, function_zip, primary):
    s3 = emulators.client("s3")
    s3.create_bucket(Bucket="telemetry", CreateBucketConfiguration={"LocationConstraint": REGION})
    before = emulators.inventory()
    replay = folder(
        "modules/replay",
        package={"path": function_zip("BACKSTOP_REPLAY_FUNCTION")},
        archive={"s3_bucket": "telemetry"},
        primary={"url": primary.url},
        schedule={"rate": "rate(1 minute)", "settle_seconds": 0},
        alarms={"stop_at_dead_letters": 100},
        distributed_map={},
    )
    replay.apply()
    replay.has_no_changes()

    # The primary is down: nothing is begun.
    primary.status = 503
    ids = archived(s3, "telemetry", 8, 30)
    down = emulators.invoke("backstop-replay", {"mode": "probe"})
    assert (down["outcome"], down["unreplayed"]) == ("down", 30)
    assert not primary.ids

    # It is back: the schedule finds out, and the mapping feeds the function.
    primary.status = 200
    until("the schedule replays the archive", lambda: set(primary.ids) == ids)
    assert set(primary.ids.values()) == {1}
    until("all is marked", lambda: emulators.invoke("backstop-replay", {"mode": "probe"})["outcome"] == "nothing")

    # The state machine, without the schedule beside it: what is marked is passed over, and the rest comes once.
    replay.apply(schedule=None)
    more = archived(s3, "telemetry", 9, 12)
    machine = replay.state()["aws_sfn_state_machine.this[0]"]["arn"]
    begun = {"prefix": "backstop/v1/"}
    execution = emulators.client("stepfunctions").start_execution(stateMachineArn=machine, input=json.dumps(begun))["executionArn"]
    followed = json.loads(emulators.backstop("replay", "--follow", execution, "--output", "json"))
    assert (followed["status"], followed["done"], followed["left"], followed["failed"]) == ("SUCCEEDED", 42, 0, 0)
    assert set(primary.ids) == ids | more
    assert set(primary.ids.values()) == {1}

    # A primary that refuses: the execution fails, and says so.
    primary.status = 401
    archived(s3, "telemetry", 10, 3)
    execution = emulators.client("stepfunctions").start_execution(stateMachineArn=machine, input="{}")["executionArn"]
    followed = json.loads(emulators.backstop("replay", "--follow", execution, "--output", "json", expect=3))
    assert followed["status"] == "FAILED"
    assert followed["failed"] > 0

    replay.has_no_changes(schedule=None)
    replay.destroy(schedule=None)
    assert emulators.inventory() == before


WANTED = """
[select]
tags = {{ backstop = "on" }}

[layer]
arns = ["{layer}"]

[settings]
BACKSTOP_PRIMARY_URL = "https://logs.example.com/v1"
BACKSTOP_S3_BUCKET = "platform"
"""

# What a stack has that owns the attachment of a function.
RESOURCE = """
variable "owned" {
  type = string
}

resource "aws_lambda_invocation" "backstop" {
  function_name   = aws_lambda_function.this.function_name
  lifecycle_scope = "CRUD"
  input           = jsonencode({ functions = [var.owned] })
}
"""


def test_the_controller_attaches_by_plan_by_event_and_as_a_resource_and_all_of_it_is_undone(folder, emulators, function_zip, tmp_path):
    lambda_, s3 = emulators.client("lambda"), emulators.client("s3")
    s3.create_bucket(Bucket="platform", CreateBucketConfiguration={"LocationConstraint": REGION})
    code = Path(a_zip(tmp_path / "code.zip", "index.py", "")).read_bytes()
    layer = lambda_.publish_layer_version(LayerName="backstop-extension-x86_64-0-1-0", Content={"ZipFile": code})["LayerVersionArn"]
    s3.put_object(Bucket="platform", Key="backstop.toml", Body=WANTED.format(layer=layer))

    def add(name: str, **tags: str) -> str:
        return lambda_.create_function(
            FunctionName=name, Runtime="python3.13", Role=f"arn:aws:iam::{ACCOUNT}:role/worker", Handler="index.handler",
            Code={"ZipFile": code}, Tags=tags, Environment={"Variables": {"TABLE": name}},
        )["FunctionArn"]  # fmt: skip

    def seen(name: str) -> dict:
        configuration = lambda_.get_function_configuration(FunctionName=name)
        return {
            "layers": [each["Arn"] for each in configuration.get("Layers", [])],
            "variables": configuration["Environment"]["Variables"],
        }

    orders, others, owned = add("orders", backstop="on"), add("others"), add("owned")
    names = ("orders", "others", "owned")
    functions = {name: seen(name) for name in names}
    before = emulators.inventory()
    controller = folder(
        "modules/controller",
        package={"path": function_zip("BACKSTOP_CONTROLLER")},
        mode="attach",
        wanted={"s3": {"bucket": "platform", "key": "backstop.toml"}},
        state={"bucket": "platform", "prefix": "controller"},
        schedule="rate(1 hour)",
        events={"delay_seconds": 0},
        alarms={},
        owned=owned,
    )
    (controller.terraform.folder / "resource.tf").write_text(RESOURCE)
    controller.apply()
    controller.has_no_changes()
    variables = {"TABLE": "owned", "BACKSTOP_PRIMARY_URL": "https://logs.example.com/v1", "BACKSTOP_S3_BUCKET": "platform"}
    assert seen("owned") == {"layers": [layer], "variables": variables}
    assert {name: seen(name) for name in ("orders", "others")} == {name: functions[name] for name in ("orders", "others")}

    # What the schedule asks for.
    planned = emulators.invoke("backstop-controller", {"action": "plan"})
    assert planned["counts"]["attached"] == 1, planned
    assert seen("orders")["layers"] == [layer]
    assert seen("others") == functions["others"]
    again = emulators.invoke("backstop-controller", {"action": "plan"})
    assert (again["counts"]["attached"], again["counts"]["unchanged"]) == (0, 1), again

    # Lambda's own event: the rule takes it, and the mapping feeds the function. Nobody but AWS may send one, so that
    # it is put into the queue here.
    added = add("added", backstop="on")
    # What the queue's delay is for.
    lambda_.get_waiter("function_active_v2").wait(FunctionName="added", WaiterConfig={"Delay": 1})
    event = {
        "id": "1", "source": "aws.lambda", "detail-type": "Lambda Function State Change", "account": ACCOUNT, "region": REGION,
        "time": "2026-01-31T08:00:00Z", "resources": [added], "detail": {"functionArn": added},
    }  # fmt: skip
    events, sqs = emulators.client("events"), emulators.client("sqs")
    pattern = events.describe_rule(Name="backstop-controller-state")["EventPattern"]
    assert events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"]
    (target,) = events.list_targets_by_rule(Rule="backstop-controller-state")["Targets"]
    queue = sqs.get_queue_url(QueueName=target["Arn"].rsplit(":", 1)[1])["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(event))
    until("the event attaches the function", lambda: seen("added")["layers"] == [layer])

    state = "s3://platform/controller"
    shown = lambda: json.loads(emulators.backstop("controller", "status", "--state", state, "--output", "json"))
    until("the status shows it", lambda: added in [each["arn"] for each in (shown()["lastEvents"] or {}).get("functions", [])])
    runs = [each["run"] for each in json.loads(emulators.backstop("runs", "--state", state, "--output", "json"))["runs"]]
    # The newest come first; the oldest is the resource's.
    assert runs[-2] == planned["runs"][0]
    for run in runs[:-1]:
        emulators.backstop("undo", run, "--yes", "--state", state)
    assert {name: seen(name) for name in ("orders", "others")} == {name: functions[name] for name in ("orders", "others")}
    assert seen("added") == {"layers": [], "variables": {"TABLE": "added"}}

    # The stack goes, and gives back what it owned.
    assert seen("owned")["layers"] == [layer]
    controller.destroy()
    assert {name: seen(name) for name in names} == functions
    lambda_.delete_function(FunctionName="added")
    assert emulators.inventory() == before
