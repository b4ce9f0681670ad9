"""Examples, deployed by the CDK's command line to an emulator of AWS, read back through AWS's API, and destroyed.

What is compared is what the API answers, never an exit code alone. The emulator is ministack, which unlike others holds
layers, streams and grants that CloudFormation makes. It shows the library's and the CDK's part, and not AWS's.
"""

import http.client
import json
import os
import socket
import subprocess
import time
import urllib.request
import zipfile

import boto3
import pytest
from conftest import EXAMPLES, LIBRARY, run, zipped

ACCOUNT = "123456789012"
REGION = "eu-west-1"


@pytest.fixture
def endpoint(tmp_path):
    ministack = os.environ.get("BACKSTOP_MINISTACK")
    if not ministack:
        pytest.skip("ministack cannot be installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
    with (tmp_path / "ministack.log").open("w") as log:
        emulator = subprocess.Popen([ministack], cwd=tmp_path, env=environment, stdout=log, stderr=log)
    try:
        for _ in range(300):
            # A connection alone tells nothing: to a port without a listener one can be connected to oneself.
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=5).close()
                break
            except (OSError, http.client.HTTPException):
                time.sleep(0.1)
        else:
            pytest.fail("the emulator does not answer")
        # By name: the command line makes host names of what is before it.
        yield f"http://localhost:{port}"
    finally:
        emulator.terminate()
        emulator.wait(timeout=20)


class Deployment:
    """An example on the emulator."""

    def __init__(self, endpoint: str, example: str, folder, account: str = ACCOUNT, **context: str):
        self.endpoint = endpoint
        self.folder = folder
        # The account is named by the key's id.
        self.environment = {
            "AWS_ACCESS_KEY_ID": account,
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": endpoint,
        }
        cdk = ["node", LIBRARY / "node_modules/aws-cdk/bin/cdk"]
        app = f"node {LIBRARY}/tests/run-typescript.js {EXAMPLES}/{example}/app.ts"
        pairs = [part for name, value in context.items() for part in ("--context", f"{name}={value}")]
        self.cdk = [*cdk, "--app", app, "--output", folder / "out", *pairs]
        run([*cdk, "bootstrap", f"aws://{account}/{REGION}"], folder, **self.environment)

    def deploy(self) -> str:
        return run([*self.cdk, "deploy", "--require-approval", "never"], self.folder, **self.environment)

    def destroy(self) -> None:
        run([*self.cdk, "destroy", "--force"], self.folder, **self.environment)

    def client(self, service: str):
        account = self.environment["AWS_ACCESS_KEY_ID"]
        return boto3.client(
            service, region_name=REGION, endpoint_url=self.endpoint, aws_access_key_id=account, aws_secret_access_key="testing"
        )

    def inventory(self) -> dict[str, list]:
        """The names of what the examples make, but for what CDK makes to empty buckets."""
        return {
            "functions": [each["FunctionName"] for each in self.client("lambda").list_functions()["Functions"]],
            "mappings": [each["UUID"] for each in self.client("lambda").list_event_source_mappings()["EventSourceMappings"]],
            "queues": self.client("sqs").list_queues().get("QueueUrls", []),
            "schedules": [each["Name"] for each in self.client("scheduler").list_schedules()["Schedules"]],
            "rules": [each["Name"] for each in self.client("events").list_rules()["Rules"]],
            "machines": [each["name"] for each in self.client("stepfunctions").list_state_machines()["stateMachines"]],
            "alarms": [each["AlarmName"] for each in self.client("cloudwatch").describe_alarms()["MetricAlarms"]],
        }


def test_the_quickstart_is_deployed_read_back_and_destroyed(endpoint, tmp_path):
    quickstart = Deployment(endpoint, "quickstart", tmp_path, dist=str(zipped(tmp_path / "dist")))
    quickstart.deploy()
    client = quickstart.client

    functions = client("lambda").list_functions()["Functions"]
    assert len(functions) == 1
    (stream,) = client("firehose").list_delivery_streams()["DeliveryStreamNames"]
    (bucket,) = [each["Name"] for each in client("s3").list_buckets()["Buckets"] if each["Name"].startswith("quickstart-")]
    layer = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:backstop-extension-x86_64-0-1-0:1"
    assert [each["Arn"] for each in functions[0]["Layers"]] == [layer]
    assert client("lambda").get_layer_version_by_arn(Arn=layer)["CompatibleArchitectures"] == ["x86_64"]
    assert functions[0]["Environment"]["Variables"] == {
        "BACKSTOP_PRIMARY_URL": "https://logs.example.com/v1",
        "BACKSTOP_FIREHOSE_STREAM": f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/{stream}",
        "BACKSTOP_S3_BUCKET": bucket,
        "BACKSTOP_S3_PREFIX": "backstop",
        "BACKSTOP_S3_EXPECTED_BUCKET_OWNER": ACCOUNT,
    }
    described = client("firehose").describe_delivery_stream(DeliveryStreamName=stream)["DeliveryStreamDescription"]
    destination = described["Destinations"][0]["ExtendedS3DestinationDescription"]
    assert destination["BucketARN"] == f"arn:aws:s3:::{bucket}"
    assert destination["Prefix"].startswith(f"backstop/v1/stream={stream}/dt=")

    role = functions[0]["Role"].split("/")[-1]
    (policy,) = client("iam").list_role_policies(RoleName=role)["PolicyNames"]
    granted = client("iam").get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]["Statement"]
    assert {each["Action"]: each["Resource"] for each in granted} == {
        "firehose:PutRecordBatch": f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/{stream}",
        "s3:PutObject": f"arn:aws:s3:::{bucket}/backstop/v1/*",
    }

    quickstart.destroy()
    assert client("lambda").list_functions()["Functions"] == []
    # A function somewhere may name it.
    assert client("lambda").get_layer_version_by_arn(Arn=layer)["LayerVersionArn"] == layer
    assert client("firehose").list_delivery_streams()["DeliveryStreamNames"] == []
    assert bucket not in [each["Name"] for each in client("s3").list_buckets()["Buckets"]]


def a_function(folder) -> str:
    """A stand-in for a function's zip of a release; its path."""
    path = folder / "function.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bootstrap", "#!/bin/sh\n")
    return str(path)


def test_the_replay_is_deployed_read_back_and_destroyed(endpoint, tmp_path):
    replay = Deployment(endpoint, "replay", tmp_path, package=a_function(tmp_path))
    before = replay.inventory()
    replay.deploy()
    assert "(no changes)" in replay.deploy()

    name = "backstop-replay"
    client = replay.client
    (bucket,) = [each["Name"] for each in client("s3").list_buckets()["Buckets"] if each["Name"].startswith("replay-")]
    function = client("lambda").get_function_configuration(FunctionName=name)
    variables = function["Environment"]["Variables"]
    queue, dead_letters = variables["BACKSTOP_REPLAY_QUEUE_URL"], variables["BACKSTOP_REPLAY_DEAD_LETTER_QUEUE_URL"]
    assert (variables["BACKSTOP_S3_BUCKET"], variables["BACKSTOP_PRIMARY_URL"]) == (bucket, "https://logs.example.com/v1")

    def attributes(url: str) -> dict:
        return client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]

    # The queue feeds the function, and what fails goes to the dead-letter queue.
    assert json.loads(attributes(queue)["RedrivePolicy"])["deadLetterTargetArn"] == attributes(dead_letters)["QueueArn"]
    (mapping,) = client("lambda").list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    assert mapping["EventSourceArn"] == attributes(queue)["QueueArn"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 4}

    # What starts it.
    (schedule,) = client("scheduler").list_schedules()["Schedules"]
    target = client("scheduler").get_schedule(Name=schedule["Name"])["Target"]
    assert (target["Arn"], json.loads(target["Input"])) == (function["FunctionArn"], {"mode": "probe"})
    (machine,) = client("stepfunctions").list_state_machines()["stateMachines"]
    definition = client("stepfunctions").describe_state_machine(stateMachineArn=machine["stateMachineArn"])["definition"]
    batch = json.loads(definition)["States"]["Replay"]["ItemProcessor"]["States"]["Batch"]
    assert batch["Parameters"]["FunctionName"] == function["FunctionArn"]

    replay.destroy()
    assert replay.inventory() == before


def test_the_controller_is_deployed_read_back_and_destroyed(endpoint, tmp_path):
    controller = Deployment(endpoint, "controller", tmp_path, account="111122223333")
    client = controller.client
    for bucket in ("platform-releases", "platform-config", "platform-state"):
        client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    client("s3").upload_file(a_function(tmp_path), "platform-releases", "0.1.0/controller-arm64.zip")
    before = controller.inventory()
    controller.deploy()
    assert "(no changes)" in controller.deploy()

    function = client("lambda").get_function_configuration(FunctionName="backstop-controller")
    variables = function["Environment"]["Variables"]
    assert (variables["CONTROLLER_MODE"], variables["CONTROLLER_CONFIG"]) == ("report", "s3://platform-config/backstop.toml")
    (schedule,) = client("scheduler").list_schedules()["Schedules"]
    target = client("scheduler").get_schedule(Name=schedule["Name"])["Target"]
    assert (target["Arn"], json.loads(target["Input"])) == (function["FunctionArn"], {"action": "plan"})

    # Lambda's events go to the queue, and the queue feeds the function.
    (rule,) = client("events").list_rules()["Rules"]
    (target,) = client("events").list_targets_by_rule(Rule=rule["Name"])["Targets"]
    (mapping,) = client("lambda").list_event_source_mappings(FunctionName="backstop-controller")["EventSourceMappings"]
    assert target["Arn"] == mapping["EventSourceArn"]

    controller.destroy()
    assert controller.inventory() == before
