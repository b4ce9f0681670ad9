"""What the gateway writes to: an OTLP backend that counts, and an S3 that keeps objects as files."""

import gzip
import json
import os
import threading
import time
import urllib.parse
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status, body=b"", kind="application/json", headers=()):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, *_):
        """A client that was killed has reset its connection."""


class _Server:
    def __init__(self, handler):
        self.httpd = _Quiet(("127.0.0.1", 0), handler)
        self.httpd.daemon_threads = True
        self.port = self.httpd.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.httpd.serve_forever, daemon=True).start()

    def close(self):
        self.httpd.shutdown()
        self.httpd.server_close()


def value_of(any_value):
    """A value of OTLP/JSON as Python has it."""
    if "arrayValue" in any_value:
        return [value_of(it) for it in any_value["arrayValue"].get("values", [])]
    if "kvlistValue" in any_value:
        return attributes(any_value["kvlistValue"].get("values", []))
    for name, convert in (("intValue", int), ("doubleValue", float)):
        if name in any_value:
            return convert(any_value[name])
    return any_value.get("stringValue", any_value.get("boolValue"))


def attributes(pairs):
    return {pair["key"]: value_of(pair["value"]) for pair in pairs}


class Primary(_Server):
    """Counts records by id, by what they say, and points of metrics by series. `status` is what it answers."""

    def __init__(self):
        self.lock = threading.Lock()
        self.status = 200
        self.discards = False
        self.answers = Counter()
        self.authorizations = set()
        self.forget()
        primary = self

        class Handler(_Handler):
            def do_POST(self):
                body = self.body()
                primary.answers[primary.status] += 1
                primary.authorizations.add(self.headers.get("Authorization"))
                if primary.status != 200:
                    self.answer(primary.status, b"{}")
                    return
                if not primary.discards:
                    if self.headers.get("Content-Encoding") == "gzip":
                        body = gzip.decompress(body)
                    primary.take(self.path, json.loads(body))
                self.answer(200, b"{}")

        super().__init__(Handler)

    def forget(self):
        with self.lock:
            self.ids = Counter()
            self.texts = {}
            self.series = Counter()
            self.records = []
            self.spans = 0

    def take(self, path, request):
        with self.lock:
            for group in request.get("resourceLogs", []):
                resource = attributes(group["resource"].get("attributes", []))
                for scope in group["scopeLogs"]:
                    for record in scope["logRecords"]:
                        self.take_log(resource, record)
            for group in request.get("resourceMetrics", []):
                resource = attributes(group["resource"].get("attributes", []))
                for scope in group["scopeMetrics"]:
                    for metric in scope["metrics"]:
                        self.take_metric(resource, metric)
            for group in request.get("resourceSpans", []):
                self.spans += sum(len(scope["spans"]) for scope in group["scopeSpans"])

    def take_log(self, resource, record):
        own = attributes(record.get("attributes", []))
        body = value_of(record.get("body", {}))
        self.ids[own.get("log.record.uid")] += 1
        key = (resource.get("faas.name"), body)
        records, sum_of_counts = self.texts.get(key, (0, 0))
        self.texts[key] = (records + 1, sum_of_counts + own.get("log_count", 1))
        if len(self.records) < 20000:
            self.records.append({
                "resource": resource, "attributes": own, "body": body,
                "severity": record.get("severityText", ""), "number": record.get("severityNumber", 0),
                "trace": record.get("traceId", ""), "time": record.get("timeUnixNano"),
            })

    def take_metric(self, resource, metric):
        for point in metric.get("sum", {}).get("dataPoints", []):
            own = attributes(point.get("attributes", []))
            key = (metric["name"], resource.get("faas.name"), own.get("level"), own.get("backstop.pattern"))
            self.series[key] += int(point.get("asInt", 0)) or point.get("asDouble", 0)

    def wait(self, condition, seconds=60):
        """Waits until a condition on this holds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with self.lock:
                if condition(self):
                    return True
            time.sleep(0.1)
        return False

    def wait_for_ids(self, ids, seconds=60):
        """The ids that have not come."""
        wanted = set(ids)
        self.wait(lambda it: wanted <= it.ids.keys(), seconds)
        return wanted - self.ids.keys()


class S3(_Server):
    """Takes PUT, and keeps the object of a key as a file below `folder`."""

    def __init__(self, folder):
        self.folder = folder
        self.status = 200
        s3 = self

        class Handler(_Handler):
            def do_PUT(self):
                body = self.body()
                if s3.status != 200:
                    self.answer(s3.status, b"<Error><Code>InternalError</Code></Error>", "application/xml")
                    return
                if "aws-chunked" in self.headers.get("Content-Encoding", ""):
                    body = _unchunked(body)
                key = urllib.parse.unquote(self.path.split("?")[0]).lstrip("/")
                path = os.path.join(s3.folder, key)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path + ".part", "wb") as file:
                    file.write(body)
                os.rename(path + ".part", path)
                self.answer(200, headers=[("ETag", '"etag"')])

        super().__init__(Handler)

    def lines(self, prefix):
        """Every line of the objects below a prefix of the bucket."""
        lines = []
        for folder, _, names in os.walk(os.path.join(self.folder, prefix)):
            for name in sorted(names):
                if not name.endswith(".part"):
                    with gzip.open(os.path.join(folder, name), "rt") as file:
                        lines += [json.loads(line) for line in file]
        return lines


def _unchunked(body):
    plain = b""
    while body:
        head, body = body.split(b"\r\n", 1)
        size = int(head.split(b";")[0], 16)
        if size == 0:
            break
        plain += body[:size]
        body = body[size + 2:]
    return plain
