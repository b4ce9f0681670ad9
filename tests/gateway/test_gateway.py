"""The two tiers on loopback: under the real extension, killed, full, refused, with presets, and replayed.

`scripts/gateway` builds the collector and runs this; docs/gateway.md quotes its results.
"""

import itertools
import json
import os
import random
import subprocess
import threading
import time
import unittest
from collections import Counter

from function import Function
from stage import BUCKET, COLLECTOR, CONFIGURATION, TOKEN, Door, Load, Stage, body_of

CLI = os.environ.get("BACKSTOP_CLI", "")
LINES = ["plain text", "Grüße <b>&\" 東京 \u0001", "2026-01-31T08:15:00.000Z\t8286a188-ba32-4475-8077-530cd35c09a9\tWARN\tcareful",
         {"timestamp": "2026-01-31T08:15:00.000Z", "level": "ERROR", "message": "boom", "order": {"id": 7},
          "requestId": "8286a188-ba32-4475-8077-530cd35c09a9"}]


def cli(*arguments):
    """The real CLI's answer in JSON."""
    done = subprocess.run([CLI, *arguments], capture_output=True, text=True, check=False, env={
        **os.environ, "NO_COLOR": "1", "XDG_STATE_HOME": os.path.join(os.environ.get("TMPDIR", "/tmp"), "gateway-state")})
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


class Gateway(unittest.TestCase):
    def see(self, stage, condition, what):
        self.assertTrue(condition, f"{what}\n{stage.said()}")

    def delivered(self, stage, ids, seconds=60):
        missing = stage.primary.wait_for_ids(ids, seconds)
        self.see(stage, not missing, f"{len(missing)} of {len(set(ids))} are missing: {sorted(missing)[:5]}")


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
            stage.aggregators[0].start()
            self.delivered(stage, self.taken)

    def test_a_wrong_token_and_no_token_are_refused(self):
        with Stage(GATEWAY_PREVIOUS_TOKEN="yesterday") as stage:
            for form in ("otlp", "ndjson"):
                body = body_of(form, [("t-1", "INFO x")], "f")
                for token, status in (("wrong", 401), ("", 401), (TOKEN, 200), ("yesterday", 200)):
                    with self.subTest(form=form, token=token):
                        self.assertEqual(Door(stage.workers[0], form, token).post(body), status)

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
    folder = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"gateway-tls-{os.getpid()}")
    os.makedirs(folder, exist_ok=True)
    certificate, key = (os.path.join(folder, f"{name}.{it}") for it in ("crt", "key"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True)
    return {"GATEWAY_TLS_CERTIFICATE": certificate, "GATEWAY_TLS_KEY": key, "GATEWAY_TLS_RELOAD": "1s"}


class Presets(Gateway):
    """Each preset removes what its header says, and nothing else."""

    def texts(self, preset, records, seconds=20, **variables):
        """What of these is at the primary and in the archive, by door."""
        with Stage(presets=preset, **variables) as stage:
            for form in ("otlp", "ndjson"):
                body = body_of(form, [(f"{form}-{it[0]}", *it[1:]) for it in records], "f")
                self.assertEqual(Door(stage.workers[0], form).post(body), 200)
            wanted = 2 * variables.get("wanted", 0)
            stage.primary.wait(lambda it: len(it.ids) >= wanted if wanted else False, seconds)
            time.sleep(2.5)
            archived = cli("archive", "cat", stage.archive())
            return list(stage.primary.records), archived, stage.said()

    def test_security_redacts_before_the_archive(self):
        secrets = ["AKIAIOSFODNN7EXAMPLE", "hunter2horse", "4111 1111 1111 1111", "jane@example.com",
                   "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"]
        texts = [f"key {secrets[0]} used", f"login password={secrets[1]} ok", f"card {secrets[2]} charged",
                 f"mail to {secrets[3]}", f"header {secrets[4]}"]
        records, archived, said = self.texts(
            ("security",), [(str(it), text) for it, text in enumerate(texts)], wanted=5)
        self.assertEqual(len(records), 10, said)
        for secret in secrets:
            self.assertNotIn(secret, archived)
            self.assertNotIn(secret, json.dumps(records))
        self.assertEqual(len(archived.splitlines()), 10)
        self.assertIn("login password=<secret> ok", archived)
        self.assertIn("key <aws-key> used", [it["body"] for it in records])

    def test_cost_drops_debug_folds_repeats_and_samples_by_invocation(self):
        records = [("1", "DEBUG x", "DEBUG"), ("2", "same", "INFO"), ("3", "same", "INFO"), ("4", "bad", "ERROR"),
                   ("5", "bad", "ERROR"), ("6", "at 2026-01-31T08:15:00.000Z it", "INFO"),
                   ("7", "at 2026-01-31T09:16:01.123Z it", "INFO")]
        found, archived, said = self.texts(("cost",), records, wanted=4, GATEWAY_FOLD_INTERVAL="3s",
                                           GATEWAY_SAMPLE_PERCENT="100")
        by_door = Counter((it["body"].split(" 2026")[0], it["attributes"].get("log_count", 1)) for it in found)
        self.assertEqual(len(archived.splitlines()), 14, said)
        self.assertEqual(sum(n for (text, n) in by_door.elements() if text == "same"), 4, by_door)
        self.assertEqual(sum(n for (text, n) in by_door.elements() if text == "at"), 4, by_door)
        self.assertEqual(sum(1 for (text, _) in by_door.elements() if text == "bad"), 4, by_door)
        self.assertNotIn("DEBUG x", {text for text, _ in by_door})
        self.assertFalse(any("backstop.repeat" in it["attributes"] for it in found))

    def test_cost_keeps_about_the_share_and_every_error(self):
        records = [(str(it), f"line {it}", "INFO") for it in range(400)]
        records += [(f"e{it}", f"line e{it}", "ERROR") for it in range(50)]
        found, archived, said = self.texts(("cost",), records, wanted=150, GATEWAY_FOLD_INTERVAL="2s",
                                           GATEWAY_SAMPLE_PERCENT="25", seconds=8)
        self.assertEqual(len(archived.splitlines()), 900, said)
        errors = [it for it in found if it["severity"] == "ERROR"]
        self.assertEqual(len(errors), 100)
        kept = len(found) - 100
        self.assertTrue(140 <= kept <= 260, kept)


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


class Configuration(Gateway):
    """Every combination that the files allow is one that the collector takes."""

    def test_all_combinations_are_valid(self):
        presets = sorted({name.split(".")[0] for name in os.listdir(os.path.join(CONFIGURATION, "presets"))})
        variables = {
            "PATH": os.environ["PATH"], "GATEWAY_TOKEN": TOKEN, "GATEWAY_REGION": "eu-west-1", "GATEWAY_BUCKET": BUCKET,
            "GATEWAY_PRIMARY_URL": "https://otlp.example.com", "GATEWAY_QUEUE_DIRECTORY": "/tmp",
            "GATEWAY_RESOLVER": "{k8s: {service: gateway-aggregator, return_hostnames: true}}",
        }
        combinations = [(), *((it,) for it in presets), tuple(presets)]
        for preset, tier, archive in itertools.product(combinations, ("worker", "aggregator"), (True, False)):
            with self.subTest(preset=preset, tier=tier, archive=archive):
                options = ("tls", "aggregators") if tier == "worker" else ()
                files = Stage.files(tier, preset, options, archive)
                arguments = [COLLECTOR, "validate"]
                for file in files:
                    arguments += ["--config", os.path.join(CONFIGURATION, file)]
                done = subprocess.run(arguments, env=variables, capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 0, f"{files}\n{done.stderr}")


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.3)
    return False


if __name__ == "__main__":
    threading.excepthook = lambda arguments: os._exit(f"{arguments}" and 1)
    unittest.main(verbosity=2)
