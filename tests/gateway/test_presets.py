"""Each preset removes what its header says and nothing else, and every combination of files is valid."""

import itertools
import json
import os
import subprocess
import time
import urllib.request
from collections import Counter

from function import Function
from stage import BUCKET, COLLECTOR, CONFIGURATION, TOKEN, Door, Stage, body_of
from support import Gateway, cli, wait_until


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
        self.assertIn("key <aws-key> used", [it["body"] for it in records])
        self.assertIn("login password=<secret> ok", archived)

    def test_security_finds_a_secret_by_its_name_however_it_is_written(self):
        forms = ['DB_PASSWORD=@ x', 'login password="@ @" ok', "{'password': '@ x', 'a': 1}", "{ clientSecret: '@' }",
                 "Authorization: Basic @== now", "aws_secret_access_key = @", "secretAccessKey: @", "x-api-key: @",
                 'payload {"refresh_token": "@\\"@", "b": 1}', "GET /?token=@&x=1", "passphrase: @", "{'pin_password': @}",
                 'said "api_key": "@ @"', json.dumps({"inner": json.dumps({"secret": "@", "n": 1})})]
        texts = [it.replace("@", "hunter2horse") for it in forms]
        records = [(str(it), text) for it, text in enumerate(texts)]
        found, archived, said = self.texts(("security",), records, wanted=len(texts))
        self.assertEqual(len(found), 2 * len(texts), said)
        for place in (archived, json.dumps(found)):
            self.assertEqual([line for line in place.splitlines() if "hunter2horse" in line], [])
        lines = [json.loads(line) for line in archived.splitlines()]
        self.assertTrue(all(it["resource"]["faas.name"] == "f" for it in lines))
        self.assertEqual(Counter(it["body"] for it in found)["DB_PASSWORD=<secret> x"], 2)
        self.assertEqual(Counter(it["body"] for it in found)["Authorization: <secret> now"], 2)

    def test_security_redacts_fields_at_any_depth_and_lines_stay_json(self):
        log = {"level": "INFO", "message": "m", "PassWord": "a b", "user": {"api_key": 1234567, "mails": ["j@x.org"]},
               "card": 4111111111111111, "count": 7, "nested": json.dumps({"secret": "s3cr3t", "n": 99})}
        with Stage(presets=("security",)) as stage, Function(
                "orders", BACKSTOP_PRIMARY_URL=Door(stage.workers[0], "otlp").url, BACKSTOP_PRIMARY_FORMAT="otlp",
                BACKSTOP_PRIMARY_TOKEN=TOKEN) as one, Function(
                    "orders", BACKSTOP_PRIMARY_URL=Door(stage.workers[0], "ndjson").url, BACKSTOP_PRIMARY_TOKEN=TOKEN) as two:
            for function in (one, two):
                function.invoke([log])
            self.see(stage, stage.primary.wait(lambda it: sum(r["body"] == "m" for r in it.records) == 2, 30), "records")
            self.assertTrue(wait_until(lambda: cli("archive", "cat", stage.archive()).count('"m"') == 2))
            archived = [json.loads(line) for line in cli("archive", "cat", stage.archive()).splitlines()]
            found = [it["record"] for it in archived if it["record"].get("message") == "m"]
            found += [it["attributes"] for it in stage.primary.records if it["body"] == "m"]
            self.assertEqual(len(found), 4)
            for it in found:
                self.assertEqual((it["PassWord"], it["user"], it["card"], it["count"]),
                                 ("<secret>", {"api_key": 0, "mails": ["<mail>"]}, 0, 7))
                self.assertEqual(json.loads(it["nested"]), {"secret": "<secret>", "n": 99})

    def test_security_keeps_other_text(self):
        texts = ["order 12345678 at 2026-01-31T08:15:00.000Z", "tokens used: 17", "the secret of success",
                 "invalid token: expected x", "primary key: 7", "Unexpected token < in JSON at position 0",
                 "enter password:"]
        records, _, _ = self.texts(("security",), [(str(it), text) for it, text in enumerate(texts)], wanted=len(texts))
        self.assertEqual(Counter(it["body"] for it in records), Counter(texts * 2))

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

    def test_insights_shows_the_series_that_the_rules_read(self):
        with Stage(presets=("insights",)) as stage:
            records = [(f"i-{it}", f"order {it} failed", "ERROR") for it in range(6)]
            self.assertEqual(Door(stage.workers[0], "otlp").post(body_of("otlp", records, "orders")), 200)
            port = stage.aggregators[0].variables["GATEWAY_COUNTS_PORT"]

            def series(name):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                    return [line for line in answer.read().decode().splitlines() if line.startswith(name + "{")]
            found = wait_until(lambda: series("backstop_gateway_patterns_total"), 20)
            self.see(stage, found, "no series")
            for name, labels in (
                    ("backstop_gateway_records_total", ('faas_name="orders"', 'level="ERROR"')),
                    ("backstop_gateway_patterns_total",
                     ('faas_name="orders"', 'level="ERROR"', 'backstop_pattern="order <n> failed"'))):
                line = next(iter(series(name)))
                self.assertTrue(line.endswith(" 6"), line)
                self.assertTrue(all(label in line for label in labels), line)


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
                options = ("tls", "aggregators") if tier == "worker" else ("authorization",)
                files = Stage.files(tier, preset, options, archive)
                arguments = [COLLECTOR, "validate"]
                for file in files:
                    arguments += ["--config", os.path.join(CONFIGURATION, file)]
                done = subprocess.run(arguments, env=variables, capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 0, f"{files}\n{done.stderr}")


    def test_the_configuration_may_come_from_variables(self):
        """As on ECS, where the image has no shell to write a file."""
        with Stage() as stage:
            for tier in (stage.workers[0], stage.aggregators[0]):
                tier.stop()
                for number, file in enumerate(tier.files):
                    with open(os.path.join(CONFIGURATION, file), encoding="utf-8") as text:
                        tier.variables[f"CONFIGURATION_{number}"] = text.read()
                tier.files = [f"env:CONFIGURATION_{number}" for number in range(len(tier.files))]
                tier.start()
            self.assertEqual(Door(stage.workers[0], "otlp").post(body_of("otlp", [("e-1", "INFO x")], "f")), 200)
            self.delivered(stage, ["e-1"])
