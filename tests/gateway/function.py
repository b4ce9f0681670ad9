"""A Lambda execution environment around the real extension: Extensions API, Telemetry API, invocations, shutdown."""

import json
import os
import queue
import subprocess
import threading
import time
import urllib.request
import uuid

from primary import _Handler, _Server

EXTENSION = os.environ.get("BACKSTOP_EXTENSION", "")


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{int(time.time() * 1000) % 1000:03}Z"


class Function(_Server):
    """`with Function("orders", BACKSTOP_PRIMARY_URL=…) as function`; `emitted` counts what the extension was given."""

    def __init__(self, name, **variables):
        if not os.path.exists(EXTENSION):
            raise RuntimeError("BACKSTOP_EXTENSION names no extension: cargo build --workspace --bins")
        self.events = queue.Queue()
        self.waits = threading.Event()
        self.subscribed = threading.Event()
        self.name, self.emitted, self.listener = name, 0, None
        function = self

        class Handler(_Handler):
            def do_POST(self):
                self.body()
                if self.path.endswith("/extension/register"):
                    text = {"functionName": name, "functionVersion": "$LATEST", "handler": "index.handler",
                            "accountId": "123456789012"}
                    self.answer(200, json.dumps(text).encode(), headers=[("Lambda-Extension-Identifier", "one")])
                else:
                    self.answer(202, b"{}")

            def do_PUT(self):
                function.listener = json.loads(self.body())["destination"]["URI"]
                function.listener = function.listener.replace("sandbox.localdomain", "127.0.0.1")
                self.answer(200, b'"OK"')
                function.subscribed.set()

            def do_GET(self):
                function.waits.set()
                event = function.events.get()
                function.waits.clear()
                try:
                    self.answer(200, json.dumps(event).encode())
                except OSError:
                    pass

        super().__init__(Handler)
        self.variables = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.port}", "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand", "BACKSTOP_LOG_LEVEL": "info", **variables,
        }

    def __enter__(self):
        self.process = subprocess.Popen(
            [EXTENSION], env=self.variables, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True,
        )
        self.stderr = []
        self.reader = threading.Thread(target=lambda: self.stderr.extend(self.process.stderr), daemon=True)
        self.reader.start()
        if not self.subscribed.wait(30) or not self.waits.wait(30):
            raise RuntimeError("the extension did not subscribe:\n" + "".join(self.stderr))
        return self

    def emit(self, kind, record):
        self.emitted += 1
        return {"time": now(), "type": kind, "record": record}

    def send(self, events):
        request = urllib.request.Request(
            self.listener, json.dumps(events).encode(), {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10).read()

    def invoke(self, lines):
        """One invocation that logs these lines: text, or a JSON log."""
        identity = str(uuid.uuid4())
        self.waits.wait(30)
        self.events.put({
            "eventType": "INVOKE", "deadlineMs": int(time.time() * 1000) + 10_000, "requestId": identity,
            "invokedFunctionArn": f"arn:aws:lambda:eu-west-1:123456789012:function:{self.name}",
            "tracing": {"type": "X-Amzn-Trace-Id", "value": ""},
        })
        self.send([self.emit("platform.start", {"requestId": identity, "version": "$LATEST"})])
        self.send([self.emit("function", line) for line in lines])
        self.send([self.emit("platform.runtimeDone", {
            "requestId": identity, "status": "success", "metrics": {"durationMs": 3.0, "producedBytes": 20},
        })])
        if not self.waits.wait(30):
            raise RuntimeError("the extension did not come back:\n" + "".join(self.stderr))
        self.send([self.emit("platform.report", {
            "requestId": identity, "status": "success",
            "metrics": {"durationMs": 3.0, "billedDurationMs": 4, "memorySizeMB": 512, "maxMemoryUsedMB": 90},
        })])
        return identity

    def __exit__(self, *_):
        self.events.put({"eventType": "SHUTDOWN", "shutdownReason": "spindown",
                         "deadlineMs": int(time.time() * 1000) + 2_000})
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.reader.join(5)
        self.process.stderr.close()
        self.close()

    def ledger(self):
        """The extension's last account of everything."""
        lines = [json.loads(line) for line in self.stderr if '"ledger"' in line]
        if not lines:
            raise RuntimeError("no ledger:\n" + "".join(self.stderr))
        return lines[-1]["backstop"]["ledger"]
