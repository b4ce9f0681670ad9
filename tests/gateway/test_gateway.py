"""The two tiers on loopback: under the real extension, killed, full, refused, and replayed.

`scripts/gateway` builds the collector and runs this; docs/gateway.md quotes its results.
"""

import json
import os
import random
import subprocess
import tempfile
import time
from collections import Counter

from function import Function
from stage import BUCKET, TOKEN, Door, Load, Stage, body_of
from support import Gateway, archived_ids, cli, replay, wait_until

# Of certificates; it goes with the process.
FOLDER = tempfile.TemporaryDirectory(prefix="backstop-gateway-tls-")
LINES = ["plain text", "Grüße <b>&\" 東京 \u0001",
         "2026-01-31T08:15:00.000Z\t8286a188-ba32-4475-8077-530cd35c09a9\tWARN\tcareful",
         {"timestamp": "2026-01-31T08:15:00.000Z", "level": "ERROR", "message": "boom", "order": {"id": 7},
          "requestId": "8286a188-ba32-4475-8077-530cd35c09a9"}]


class UnderTheExtension(Gateway):
    """All that the real extension emits is at the primary and in the archive, by either door."""

    def through(self, form):
        with Stage(workers=2) as stage:
            path = "" if form == "otlp" else "/v1/ndjson"
            port = Door(stage.workers[0], form).url.split("/v1/")[0]
            with Function("orders", BACKSTOP_PRIMARY_URL=port + path, BACKSTOP_PRIMARY_FORMAT=form,
                          BACKSTOP_PRIMARY_TOKEN=TOKEN) as function:
                for number in range(20):
                    function.invoke([*LINES, f"INFO line {number}"])
            ledger = function.ledger()
            self.assertEqual(ledger["delivered"].get("https"), ledger["received"] + ledger["derived"], ledger)
            # The extension answers for what it derives: metrics and spans travel as such.
            self.see(stage, stage.primary.wait(lambda it: len(it.ids) >= function.emitted),
                     f"{len(stage.primary.ids)} of {function.emitted}")
            self.assertEqual(len(stage.primary.ids), function.emitted)
            self.assertTrue(all(count == 1 for count in stage.primary.ids.values()))
            time.sleep(2)
            self.assertEqual(archived_ids(stage.archive()), Counter(stage.primary.ids))
            return stage.primary.records, stage.archive(), [json.loads(line) for line in cli(
                "archive", "cat", stage.archive()).splitlines()]

    def test_all_records_by_the_otlp_door(self):
        records, _, lines = self.through("otlp")
        boom = next(it for it in records if it["body"] == "boom")
        self.assertEqual((boom["severity"], boom["attributes"]["order"]), ("ERROR", {"id": 7}))
        self.assertEqual(boom["resource"]["faas.name"], "orders")
        types = Counter(line["type"] for line in lines)
        self.assertEqual(types["function"], 100)
        self.assertEqual(types["platform.report"], 20)
        self.assertEqual(sum(line["record"] == LINES[1] for line in lines), 20)
        self.assertTrue(all("request_id" in line for line in lines if line["type"] == "function"))
        line = next(it for it in lines if "boom" in str(it["record"]))
        self.assertEqual(line["record"]["level"], "ERROR")
        self.assertEqual(line["record"]["order"], {"id": 7})
        self.assertEqual(line["resource"]["faas.name"], "orders")

    def test_all_records_by_the_ndjson_door(self):
        records, _, lines = self.through("ndjson")
        boom = next(it for it in records if it["body"] == "boom")
        self.assertEqual((boom["severity"], boom["number"], boom["attributes"]["order"]), ("ERROR", 17, {"id": 7}))
        careful = next(it for it in records if str(it["body"]).endswith("careful"))
        self.assertEqual((careful["severity"], careful["number"]), ("WARN", 13))
        self.assertEqual(boom["resource"]["faas.name"], "orders")
        # As the extension wrote it, byte for byte of each record.
        line = next(it for it in lines if "boom" in str(it["record"]))
        self.assertEqual(line["record"], LINES[3])

    def test_a_refusing_gateway_is_diverted_from_and_nothing_is_lost(self):
        with Stage() as stage:
            url = Door(stage.workers[0], "otlp").url.split("/v1/")[0]
            with Function("orders", BACKSTOP_PRIMARY_URL=url, BACKSTOP_PRIMARY_FORMAT="otlp",
                          BACKSTOP_PRIMARY_TOKEN=TOKEN, BACKSTOP_SIGNALS="logs", BACKSTOP_FLUSH_STRATEGY="end",
                          BACKSTOP_S3_BUCKET=BUCKET,
                          BACKSTOP_S3_PREFIX="fallback", AWS_ENDPOINT_URL_S3=stage.s3.url) as function:
                for number in range(60):
                    if number == 20:
                        stage.workers[0].kill()
                    if number == 40:
                        stage.workers[0].start()
                    function.invoke([f"INFO line {number} {it}" for it in range(5)])
                    time.sleep(0.15)
            time.sleep(1)
            diverted = {line["id"] for line in stage.s3.lines(os.path.join(BUCKET, "fallback"))}
            self.assertTrue(diverted, "".join(function.stderr))
            stage.primary.wait(lambda it: len(it.ids.keys() | diverted) >= function.emitted, 30)
            self.assertEqual(len(stage.primary.ids.keys() | diverted), function.emitted, function.ledger())


class Killed(Gateway):
    """kill -9 at random while the primary is down: what was acknowledged arrives."""

    def test_nothing_acknowledged_is_missing(self):
        seed = int(os.environ.get("BACKSTOP_GATEWAY_SEED", "7"))
        chance = random.Random(seed)
        with Stage(workers=2, GATEWAY_PRIMARY_PATIENCE="5m") as stage:
            doors = [Door(worker, form) for worker in stage.workers for form in ("otlp", "ndjson")]
            loads = [Load(doors[it::2], f"k{it}", 150, pause=0.05) for it in range(2)]
            stage.primary.status = 503
            for load in loads:
                load.start()
            for _ in range(6):
                time.sleep(chance.uniform(0.3, 1.5))
                tier = chance.choice(stage.workers + stage.aggregators)
                tier.kill()
                time.sleep(chance.uniform(0, 0.5))
                tier.start()
            for load in loads:
                load.join()
            stage.primary.status = 200
            acknowledged = [it for load in loads for it in load.acknowledged]
            self.assertGreater(len(acknowledged), 5000, [Counter(load.statuses) for load in loads])
            self.delivered(stage, acknowledged, 120)
            twice = sum(count - 1 for count in stage.primary.ids.values())
            print(f"\nkilled (seed {seed}): {len(acknowledged)} acknowledged, 0 missing, {twice} twice")
            time.sleep(3)
            missing = set(acknowledged) - archived_ids(stage.archive()).keys()
            self.see(stage, not missing, f"{len(missing)} are not in the archive")

    def test_what_the_primary_refuses_for_good_is_in_s3_and_replays(self):
        with Stage(GATEWAY_PRIMARY_PATIENCE="5s") as stage:
            for status in (500, 401, 400, 503):
                stage.primary.status = status
                load = Load([Door(stage.workers[0], "otlp")], f"u{status}", 4)
                load.run()
                self.assertEqual(len(load.acknowledged), 200)
            folder = os.path.join(stage.archive(), "undelivered")
            end = time.monotonic() + 60
            while time.monotonic() < end and len(stage.s3.lines(folder)) < 800:
                time.sleep(0.3)
            self.see(stage, len({it["id"] for it in stage.s3.lines(folder)}) == 800, len(stage.s3.lines(folder)))
            # No alarm on the aggregator: nothing was dropped or refused but by the primary.
            failed = [line for line in stage.aggregators[0].said().splitlines() if "Exporting failed" in line]
            self.assertFalse([line for line in failed if "otlp_http/primary" not in line and "Will retry" not in line])
            stage.primary.status = 200
            time.sleep(6)
            replay(folder, stage)
            self.delivered(stage, [f"u{status}-{it}" for status in (500, 401, 400, 503) for it in range(200)])


class Results(Gateway):
    """Folds and counts are the same on any number of workers and aggregators."""

    def run_of(self, workers, aggregators):
        with Stage(workers, aggregators, presets=("insights", "cost"), GATEWAY_FOLD_INTERVAL="12s",
                   GATEWAY_SAMPLE_PERCENT="100") as stage:
            doors = [Door(worker, form) for worker in stage.workers for form in ("otlp", "ndjson")]
            load = Load(doors, "r", 60, lambda number: f"INFO order {number % 7} of tenant t{number % 10}", functions=6)
            load.run()
            self.assertEqual(len(load.acknowledged), 3000, Counter(load.statuses))
            self.see(stage, stage.primary.wait(lambda it: sum(n for _, n in it.texts.values()) >= 3000), "folds")
            counted = stage.primary.wait(lambda it: total(it, "backstop.gateway.records") >= 3000)
            self.see(stage, counted, stage.primary.series)
            return dict(stage.primary.texts), dict(stage.primary.series)

    def test_one_two_and_one_two_and_two_are_equal(self):
        one = self.run_of(1, 1)
        texts, series = one
        self.assertEqual(sum(n for _, n in texts.values()), 3000)
        self.assertEqual(len(texts), sum(records for records, _ in texts.values()), "a text came twice")
        patterns = {key: n for key, n in series.items() if key[0] == "backstop.gateway.patterns"}
        self.assertEqual(sum(patterns.values()), 3000)
        self.assertEqual({key[3] for key in patterns}, {"INFO order <n> of tenant t<n>"})
        for workers, aggregators in ((2, 1), (2, 2)):
            with self.subTest(workers=workers, aggregators=aggregators):
                self.assertEqual(self.run_of(workers, aggregators), one)


def total(primary, name):
    return sum(count for key, count in primary.series.items() if key[0] == name)


class Refusals(Gateway):
    """A refusal comes at once, and loses nothing."""

    def test_a_full_queue_refuses_at_once_and_delivers_what_it_took(self):
        with Stage(worker={"GATEWAY_QUEUE_BYTES": "300000"}) as stage:
            stage.aggregators[0].stop()
            for form in ("otlp", "ndjson"):
                load = Load([Door(stage.workers[0], form)], f"f{form}", 60)
                begun = time.monotonic()
                load.run()
                self.assertIn(503 if form == "otlp" else 500, load.statuses)
                self.assertLess(time.monotonic() - begun, 30, "a refusal took long")
                self.last = load
                self.taken = getattr(self, "taken", []) + load.acknowledged
            self.assertTrue(self.taken)
            refused = stage.workers[0].metric("otelcol_exporter_enqueue_failed_log_records")
            self.assertGreater(refused, 0, "no alarm could see it")
            # The words that the alarms of terraform/modules/gateway look for.
            self.assertIn("Exporting failed. Rejecting data", stage.workers[0].said())
            stage.aggregators[0].start()
            self.delivered(stage, self.taken)

    def test_a_queue_is_full_before_its_file(self):
        """In the proportion of the chart, 7 to 19, with single records, which take most room in a file."""
        limits = {"GATEWAY_FILE_BYTES": "8388608", "GATEWAY_QUEUE_BYTES": str(8388608 * 7 // 19),
                  "GATEWAY_COMPACT_ABOVE_MIB": "2", "GATEWAY_COMPACT_BELOW_MIB": "1"}
        with Stage(worker=limits) as stage:
            stage.aggregators[0].stop()
            load = Load([Door(stage.workers[0], "otlp")], "full", 1, text=lambda number: f"INFO {number} " + "x" * 400,
                        per=1)
            while load.statuses.count(503) < 50 and len(load.statuses) < 20000:
                load.post(len(load.statuses))
            self.assertEqual(load.statuses.count(503), 50)
            stage.workers[0].kill()
            stage.workers[0].start()
            self.assertNotIn("run out of available space", stage.workers[0].said())
            stage.aggregators[0].start()
            self.delivered(stage, load.acknowledged)
            again = Load([Door(stage.workers[0], "otlp")], "again", 2)
            again.run()
            self.see(stage, len(again.acknowledged) == 100, "it goes on refusing")

    def test_a_wrong_token_and_no_token_are_refused(self):
        with Stage(GATEWAY_PREVIOUS_TOKEN="yesterday") as stage:
            for form in ("otlp", "ndjson"):
                body = body_of(form, [("t-1", "INFO x")], "f")
                for token, status in (("wrong", 401), ("", 401), (TOKEN, 200), ("yesterday", 200)):
                    with self.subTest(form=form, token=token):
                        self.assertEqual(Door(stage.workers[0], form, token).post(body), status)

    def test_the_primary_gets_a_token_only_if_there_is_one(self):
        for options, expected in (((), None), (("authorization",), "Bearer s3cr3t")):
            with Stage(options=options, GATEWAY_PRIMARY_AUTHORIZATION="Bearer s3cr3t") as stage:
                Door(stage.workers[0], "otlp").post(body_of("otlp", [("a-1", "INFO x")], "f"))
                self.delivered(stage, ["a-1"])
                self.assertEqual(stage.primary.authorizations, {expected})
                self.assertNotIn("s3cr3t", stage.said())

    def test_without_a_token_of_its_own_a_worker_refuses_everybody(self):
        with Stage(GATEWAY_TOKEN="") as stage:
            for form in ("otlp", "ndjson"):
                body = body_of(form, [("t-1", "INFO x")], "f")
                for token in ("", "any", "${env:GATEWAY_TOKEN}"):
                    self.assertEqual(Door(stage.workers[0], form, token).post(body), 401)

    def test_a_certificate_is_renewed_without_a_restart(self):
        with Stage(options=("tls",), **authority("one")) as stage:
            worker = stage.workers[0]
            certificate, key = (worker.variables[it] for it in ("GATEWAY_TLS_CERTIFICATE", "GATEWAY_TLS_KEY"))
            for form in ("otlp", "ndjson"):
                body = body_of(form, [(f"c-{form}", "INFO x")], "f")
                self.assertEqual(Door(worker, form, ca=certificate).post(body), 200)
            other = authority("two")
            os.replace(other["GATEWAY_TLS_KEY"], key)
            os.replace(other["GATEWAY_TLS_CERTIFICATE"], certificate)
            for form in ("otlp", "ndjson"):
                body = body_of(form, [(f"d-{form}", "INFO x")], "f")
                end = time.monotonic() + 30
                while (status := Door(worker, form, ca=certificate).post(body)) != 200:
                    self.assertLess(time.monotonic(), end, status)
                    time.sleep(0.5)
            self.assertIsNone(worker.process.poll())
            self.delivered(stage, ["c-otlp", "c-ndjson", "d-otlp", "d-ndjson"])


def authority(name):
    """A certificate for 127.0.0.1 that is its own authority, as the variables of a worker."""
    certificate, key = (os.path.join(FOLDER.name, f"{name}.{it}") for it in ("crt", "key"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True)
    return {"GATEWAY_TLS_CERTIFICATE": certificate, "GATEWAY_TLS_KEY": key, "GATEWAY_TLS_RELOAD": "1s"}


class Replay(Gateway):
    """The raw archive repairs what a killed aggregator held."""

    def test_a_replay_of_the_archive_gives_exact_counts(self):
        with Stage(presets=("insights", "cost"), GATEWAY_FOLD_INTERVAL="8s", GATEWAY_SAMPLE_PERCENT="100") as stage:
            load = Load([Door(stage.workers[0], it) for it in ("otlp", "ndjson")], "x", 40,
                        lambda number: f"INFO order {number % 4}")
            load.run()
            self.assertEqual(len(load.acknowledged), 2000)
            # All are with the aggregator, in memory.
            self.see(stage, wait_until(lambda: stage.workers[0].metric(
                "otelcol_exporter_sent_log_records", 'otlp_grpc/aggregator') >= 2000), "not sent")
            stage.aggregators[0].kill()
            self.see(stage, wait_until(lambda: sum(archived_ids(stage.archive()).values()) >= 2000), "not archived")
            self.assertEqual(archived_ids(stage.archive()), Counter(load.acknowledged))
            stage.aggregators[0].start()
            time.sleep(10)
            lost = 2000 - sum(n for _, n in stage.primary.texts.values())
            print(f"\nkilled while folding: {lost} of 2000 lost at the primary, 0 in the archive")
            self.assertGreater(lost, 0)
            stage.primary.forget()
            copy = os.path.join(stage.folder, "copy")
            subprocess.run(["cp", "-r", stage.archive(), copy], check=True)
            replay(copy, stage)
            self.see(stage, stage.primary.wait(lambda it: sum(n for _, n in it.texts.values()) >= 2000), "no fold")
            self.assertEqual(sum(n for _, n in stage.primary.texts.values()), 2000)
            self.see(stage, stage.primary.wait(lambda it: total(it, "backstop.gateway.records") >= 2000), "no count")
            self.assertEqual(total(stage.primary, "backstop.gateway.records"), 2000)

    def test_the_cli_lists_the_archive(self):
        with Stage() as stage:
            Load([Door(stage.workers[0], it) for it in ("otlp", "ndjson")], "l", 4).run()
            self.assertTrue(wait_until(lambda: len(archived_ids(stage.archive())) == 200))
            listed = cli("archive", "ls", stage.archive())
            self.assertIn("stream=gateway", listed)
            stats = json.loads(cli("archive", "stats", stage.archive(), "--output", "json"))
            self.assertIn("200", json.dumps(stats))
            empty = cli("archive", "cat", stage.archive(), "--function", "function-0")
            self.assertEqual(len(empty.splitlines()), 50)
