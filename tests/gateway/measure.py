"""CPU seconds of each tier per 100,000 records, by door and preset, as the table of docs/gateway.md.

Seconds of CPU, not of the clock: they hold on a machine that does much else.
"""

import gzip
import os
import struct
import sys
import threading
import time

from stage import Door, Stage, body_of

RECORDS = int(os.environ.get("BACKSTOP_GATEWAY_RECORDS", "100000"))
PER = 500
PRESETS = [(), ("security",), ("cost",), ("insights",)]
CASES = [("otlp", (), False), ("ndjson", (), False)]
CASES += [(form, presets, True) for form in ("otlp", "ndjson") for presets in PRESETS]


def text(number):
    """A line of Node's, of about 200 bytes: a time, a request id, a level and a message of one of 1,000 kinds."""
    request = f"8286a188-ba32-4475-8077-{number // 20:012x}"
    message = f"handled order {number % 1000} of tenant t{number % 100:03} in region eu with status ok"
    return f"2026-01-31T08:15:00.{number % 1000:03}Z\t{request}\tINFO\t{message} " + "x" * 60


def field(number, data):
    """A field of protobuf that holds bytes."""
    size = len(data)
    head = bytearray([number << 3 | 2])
    while size >= 0x80:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes(head) + bytes([size]) + data


def pair(number, name, value):
    return field(number, field(1, name.encode()) + field(2, field(1, value.encode())))


def protobuf(records, function):
    """A request as the extension makes it by default."""
    when = struct.pack("<Q", 1769847300000000000)
    logs = b"".join(field(2, (
        b"\x09" + when + b"\x10\x09" + field(3, b"INFO") + field(5, field(1, message.encode()))
        + pair(6, "log.record.uid", identity) + pair(6, "type", "function")
        + pair(6, "faas.invocation_id", message.split("\t")[1]) + b"\x59" + when
    )) for identity, message in records)
    names = {"faas.name": function, "faas.version": "$LATEST", "faas.instance": "00000000000000ab",
             "cloud.provider": "aws", "cloud.platform": "aws_lambda", "cloud.region": "eu-west-1",
             "cloud.account.id": "123456789012", "service.name": function}
    resource = b"".join(pair(1, name, value) for name, value in names.items())
    return gzip.compress(field(1, field(1, resource) + field(2, logs)), 1)


def measure(form, presets, archive):
    with Stage(presets=presets, archive=archive, GATEWAY_FOLD_INTERVAL="10s", GATEWAY_ARCHIVE_FLUSH="10s") as stage:
        stage.primary.discards = True
        worker, aggregator = stage.workers[0], stage.aggregators[0]
        bodies = []
        for first in range(0, RECORDS, PER):
            records = [(f"m-{it}", text(it)) for it in range(first, first + PER)]
            function = f"function-{first // PER % 20}"
            is_otlp = form == "otlp"
            bodies.append(protobuf(records, function) if is_otlp else body_of(form, records, function))
        door = Door(worker, form, kind="application/x-protobuf" if form == "otlp" else None)
        before = worker.cpu_seconds(), aggregator.cpu_seconds()
        begun = time.monotonic()
        bad = []
        def post(mine):
            bad.extend(status for status in map(door.post, mine) if status != 200)
        threads = [threading.Thread(target=post, args=(bodies[it::4],)) for it in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - begun
        end = time.monotonic() + 120
        while time.monotonic() < end:
            waiting = sum(tier.metric("otelcol_exporter_queue_size") for tier in (worker, aggregator))
            archived = worker.metric("otelcol_exporter_sent_log_records", "awss3/archive")
            if not waiting and archived >= RECORDS * archive:
                break
            time.sleep(0.5)
        if presets == ("cost",):
            time.sleep(11)
        if bad:
            sys.exit(f"{len(bad)} requests were refused: {set(bad)}")
        scale = 100_000 / RECORDS
        return (
            (worker.cpu_seconds() - before[0]) * scale, (aggregator.cpu_seconds() - before[1]) * scale,
            worker.peak_mib(), aggregator.peak_mib(), RECORDS / seconds,
        )


def main():
    wanted = sys.argv[1:]
    print("| door | preset | worker, CPU s | aggregator, CPU s | peak memory, MiB | records/s taken |")
    print("|---|---|---:|---:|---:|---:|")
    for form, presets, archive in CASES:
        name = (presets[0] if presets else "pass-through") + ("" if archive else ", no archive")
        if wanted and f"{form}:{name}" not in wanted:
            continue
        worker, aggregator, one, two, rate = measure(form, presets, archive)
        print(f"| {form} | {name} | {worker:.2f} | {aggregator:.2f} | {one} + {two} | {rate:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
