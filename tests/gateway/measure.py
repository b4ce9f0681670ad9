"""CPU seconds of each tier per 100,000 records, by door and preset, as the table of docs/gateway.md.

Seconds of CPU, not of the clock: they hold on a machine that does much else.
"""

import os
import sys
import threading
import time

from stage import Door, Stage, body_of

RECORDS = int(os.environ.get("BACKSTOP_GATEWAY_RECORDS", "100000"))
PER = 500
CASES = [("otlp", ()), ("ndjson", ()), ("otlp", ("security",)), ("otlp", ("cost",)), ("otlp", ("insights",)),
         ("ndjson", ("security",)), ("ndjson", ("cost",)), ("ndjson", ("insights",))]


def text(number):
    """A line of Node's, of about 200 bytes: a time, a request id, a level and a message of one of 1,000 kinds."""
    request = f"8286a188-ba32-4475-8077-{number // 20:012x}"
    message = f"handled order {number % 1000} of tenant t{number % 100:03} in region eu with status ok"
    return f"2026-01-31T08:15:00.{number % 1000:03}Z\t{request}\tINFO\t{message} " + "x" * 60


def measure(form, presets):
    with Stage(presets=presets, GATEWAY_FOLD_INTERVAL="10s", GATEWAY_ARCHIVE_FLUSH="10s") as stage:
        stage.primary.discards = True
        worker, aggregator = stage.workers[0], stage.aggregators[0]
        bodies = []
        for first in range(0, RECORDS, PER):
            records = [(f"m-{it}", text(it), *(("INFO",) if form == "otlp" else ()))
                       for it in range(first, first + PER)]
            bodies.append(body_of(form, records, f"function-{first // PER % 20}"))
        door = Door(worker, form)
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
            if not waiting and worker.metric("otelcol_exporter_sent_log_records", "awss3/archive") >= RECORDS:
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
    print("| door | preset | worker, CPU s | aggregator, CPU s | peak memory, MiB | records/s taken |")
    print("|---|---|---:|---:|---:|---:|")
    for form, presets in CASES:
        worker, aggregator, one, two, rate = measure(form, presets)
        name = presets[0] if presets else "pass-through"
        print(f"| {form} | {name} | {worker:.2f} | {aggregator:.2f} | {one} + {two} | {rate:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
