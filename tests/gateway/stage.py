"""The two tiers as processes on loopback, and requests to their doors."""

import gzip
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

from primary import S3, Primary

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CONFIGURATION = os.path.join(ROOT, "gateway", "collector")
COLLECTOR = os.environ.get("BACKSTOP_GATEWAY_COLLECTOR", "")
TOKEN = "t0ken-of-the-gateway"
BUCKET = "archive"
GIVEN = set()
OF_THE_AGGREGATOR = ("authorization",)


def free_port():
    """A port that stays free while its process is down: not one that the system gives to others meanwhile."""
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as it:
            try:
                it.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in GIVEN:
            GIVEN.add(port)
            return port


class Tier:
    """One process of a tier; its queue outlives it."""

    def __init__(self, name, files, folder, variables):
        self.name = name
        self.files = files
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder, exist_ok=True)
        self.log = os.path.join(self.folder, "log")
        self.health = free_port()
        self.metrics = free_port()
        self.variables = {
            "PATH": os.environ["PATH"],
            "GATEWAY_LISTEN": "127.0.0.1",
            "GATEWAY_HEALTH_PORT": self.health,
            "GATEWAY_METRICS_PORT": self.metrics,
            "GATEWAY_QUEUE_DIRECTORY": os.path.join(self.folder, "queue"),
            "GATEWAY_TOKEN": TOKEN,
            "GATEWAY_REGION": "eu-west-1",
            "GATEWAY_BUCKET": BUCKET,
            "GATEWAY_S3_PATH_STYLE": "true",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
            # The limits are parts of the memory of the machine, which does much else.
            "GOMEMLIMIT": "1GiB",
            **variables,
        }
        self.process = None

    def start(self):
        arguments = [COLLECTOR]
        for file in self.files:
            arguments += ["--config", file if file.startswith("env:") else os.path.join(CONFIGURATION, file)]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                arguments, env={name: str(value) for name, value in self.variables.items()},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.health}/", timeout=1).read()
                return self
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{self.name} did not start:\n{self.said()[-4000:]}")

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def kill(self):
        """kill -9"""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """As a deployment does."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM"))

    def metric(self, name, *labels):
        """The sum of a metric over the series that have these labels."""
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=5).read().decode()
        lines = (line for line in text.splitlines() if line.startswith(name + "{") or line.startswith(name + " "))
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(label in line for label in labels))


class Stage:
    """A primary, an S3, and tiers between: `with Stage(workers=2) as stage`."""

    def __init__(self, workers=1, aggregators=1, presets=(), options=(), worker=None, archive=True, **variables):
        if not os.path.exists(COLLECTOR):
            raise RuntimeError("BACKSTOP_GATEWAY_COLLECTOR names no collector: run scripts/gateway")
        self.folder = tempfile.mkdtemp(prefix="backstop-gateway-")
        self.primary = Primary()
        self.s3 = S3(os.path.join(self.folder, "s3"))
        shared = {
            "GATEWAY_S3_ENDPOINT": self.s3.url,
            "GATEWAY_PRIMARY_URL": self.primary.url,
            "GATEWAY_PRIMARY_ENCODING": "json",
            "GATEWAY_ARCHIVE_FLUSH": "1s",
            **variables,
        }
        self.aggregators = []
        for number in range(aggregators):
            ports = {name: free_port() for name in ("GATEWAY_TIER_PORT", "GATEWAY_LOOP_PORT", "GATEWAY_COUNTS_PORT")}
            files = self.files("aggregator", presets, [it for it in options if it in OF_THE_AGGREGATOR])
            self.aggregators.append(Tier(f"aggregator-{number}", files, self.folder, shared | ports))
        addresses = [f"127.0.0.1:{it.variables['GATEWAY_TIER_PORT']}" for it in self.aggregators]
        shared["GATEWAY_AGGREGATOR"] = addresses[0]
        if aggregators > 1:
            options = (*options, "aggregators")
            shared["GATEWAY_RESOLVER"] = json.dumps({"static": {"hostnames": addresses}})
        self.workers = []
        for number in range(workers):
            ports = {name: free_port() for name in ("GATEWAY_OTLP_PORT", "GATEWAY_NDJSON_PORT")}
            files = self.files("worker", presets, [it for it in options if it not in OF_THE_AGGREGATOR], archive)
            self.workers.append(Tier(f"worker-{number}", files, self.folder, shared | ports | (worker or {})))

    @staticmethod
    def files(tier, presets, options, archive=True):
        files = ["common.yaml", f"{tier}.yaml"]
        if tier == "worker" and archive:
            files.append("options/archive.yaml")
        for preset in presets:
            file = f"presets/{preset}.{tier}.yaml"
            if os.path.exists(os.path.join(CONFIGURATION, file)):
                files.append(file)
        return files + [f"options/{option}.yaml" for option in options]

    def __enter__(self):
        try:
            for tier in self.aggregators + self.workers:
                tier.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for tier in self.workers + self.aggregators:
            tier.stop()
        self.primary.close()
        self.s3.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def archive(self):
        """The folder that the CLI reads in place of s3://BUCKET/PREFIX."""
        return os.path.join(self.s3.folder, BUCKET, "gateway")

    def said(self):
        return "\n".join(f"== {tier.name}\n{tier.said()[-3000:]}" for tier in self.workers + self.aggregators)


class Door:
    """Where a function's records go in."""

    def __init__(self, worker, form, token=TOKEN, ca=None, kind=None):
        self.form = form
        self.kind = kind or ("application/json" if form == "otlp" else "application/x-ndjson")
        scheme = "https" if ca else "http"
        port = worker.variables["GATEWAY_OTLP_PORT" if form == "otlp" else "GATEWAY_NDJSON_PORT"]
        path = "/v1/logs" if form == "otlp" else "/v1/ndjson"
        self.url = f"{scheme}://127.0.0.1:{port}{path}"
        self.token = token
        self.context = ssl.create_default_context(cafile=ca) if ca else None

    def post(self, body, timeout=30):
        """The status, or 0 if there was no answer."""
        request = urllib.request.Request(self.url, body, {
            "Authorization": f"Bearer {self.token}", "Content-Type": self.kind, "Content-Encoding": "gzip",
        })
        try:
            with urllib.request.urlopen(request, timeout=timeout, context=self.context) as answer:
                answer.read()
                return answer.status
        except urllib.error.HTTPError as error:
            error.read()
            return error.code
        except OSError:
            return 0


def body_of(form, records, function):
    """A request as the extension makes it: records are (id, text) or (id, text, level)."""
    if form == "ndjson":
        lines = []
        for identity, text, *level in records:
            record = {"level": level[0], "message": text} if level else text
            lines.append(json.dumps({
                "id": identity, "time": "2026-01-31T08:15:00.000Z", "type": "function", "record": record,
                "request_id": identity, "resource": {"faas.name": function, "cloud.region": "eu-west-1"},
            }))
        return gzip.compress(("\n".join(lines) + "\n").encode(), 1)
    numbers = {"DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17}

    def pair(name, value):
        return {"key": name, "value": {"stringValue": value}}

    logs = [{
        "timeUnixNano": "1769847300000000000", "observedTimeUnixNano": "1769847300000000000",
        "body": {"stringValue": text},
        **({"severityText": level[0], "severityNumber": numbers[level[0]]} if level else {}),
        "attributes": [
            pair("log.record.uid", identity), pair("type", "function"), pair("faas.invocation_id", identity),
        ],
    } for identity, text, *level in records]
    resource = {"attributes": [
        pair("faas.name", function), pair("cloud.region", "eu-west-1"), pair("service.name", function),
    ]}
    request = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": logs}]}]}
    return gzip.compress(json.dumps(request).encode(), 1)


class Load(threading.Thread):
    """Posts numbered records, and remembers which were acknowledged."""

    def __init__(self, doors, prefix, requests, text=None, per=50, pause=0.0, functions=5):
        super().__init__(daemon=True)
        self.doors, self.prefix, self.requests, self.per = doors, prefix, requests, per
        self.text = text or (lambda number: f"INFO record {number}")
        self.pause, self.functions = pause, functions
        self.acknowledged, self.statuses = [], []

    def run(self):
        for request in range(self.requests):
            self.post(request)
            time.sleep(self.pause)

    def post(self, request):
        first = request * self.per
        records = [(f"{self.prefix}-{it}", self.text(it)) for it in range(first, first + self.per)]
        door = self.doors[request % len(self.doors)]
        status = door.post(body_of(door.form, records, f"function-{request % self.functions}"))
        self.statuses.append(status)
        if 200 <= status < 300:
            self.acknowledged += [identity for identity, _ in records]
