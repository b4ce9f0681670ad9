"""What a gateway does at its limits: a full volume, the largest requests, a stop in an outage, a primary and an S3 that
both refuse.
"""

import gzip
import http.client
import json
import os
import subprocess
import tempfile
import time
import unittest

import yaml
from measure import field
from stage import CONFIGURATION, TOKEN, Door, Load, Stage, body_of
from support import Gateway, archived_ids, wait_until


class Volume:
    """A file system of its own of this size in MiB. Mounting needs root: in CI it must work, elsewhere it may not."""

    def __init__(self, mebibytes):
        self.folder = tempfile.mkdtemp(prefix="backstop-gateway-volume-")
        self.root = [] if os.geteuid() == 0 else ["sudo", "-n"]
        options = f"size={mebibytes}m,uid={os.geteuid()},gid={os.getegid()},mode=700"
        done = subprocess.run([*self.root, "mount", "-t", "tmpfs", "-o", options, "tmpfs", self.folder],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            os.rmdir(self.folder)
            if "CI" in os.environ:
                raise RuntimeError(done.stderr)
            raise unittest.SkipTest(f"cannot mount: {done.stderr.strip()}")

    def fill(self):
        """Something else than a queue takes all that is left."""
        with open(os.path.join(self.folder, "other"), "ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def make_room(self):
        os.remove(os.path.join(self.folder, "other"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run([*self.root, "umount", "--lazy", self.folder], check=True)
        os.rmdir(self.folder)


class FullVolume(Gateway):
    """What else is on a queue's volume fills it. The sizes of the chart prevent the rest."""

    def stage(self, volume):
        return Stage(worker={"GATEWAY_QUEUE_DIRECTORY": os.path.join(volume.folder, "queue"),
                             "GATEWAY_FILE_BYTES": "25165824", "GATEWAY_QUEUE_BYTES": "9000000",
                             "GATEWAY_ARCHIVE_QUEUE_BYTES": "9000000", "GATEWAY_COMPACT_ABOVE_MIB": "8",
                             "GATEWAY_COMPACT_BELOW_MIB": "1"})

    def fill(self, stage, volume):
        """The records that were acknowledged before and while the volume was full; neither tier nor S3 takes any."""
        stage.aggregators[0].stop()
        stage.s3.status = 503
        load = Load([Door(stage.workers[0], it) for it in ("otlp", "ndjson")], "v", 10)
        load.run()
        self.assertEqual(len(load.acknowledged), 500, load.statuses)
        volume.fill()
        first = len(load.statuses)
        while sum(it >= 500 for it in load.statuses) < 40 and len(load.statuses) < first + 400:
            load.post(len(load.statuses))
        self.see(stage, sum(it >= 500 for it in load.statuses) == 40, load.statuses)
        self.assertEqual({it for it in load.statuses if it != 200} - {500, 503}, set())
        self.assertIsNone(stage.workers[0].process.poll(), "the worker ended")
        return load

    def all_arrives(self, stage, load):
        stage.s3.status = 200
        stage.aggregators[0].start()
        self.delivered(stage, load.acknowledged)
        again = Load([Door(stage.workers[0], "otlp")], "again", 4)
        again.run()
        self.see(stage, len(again.acknowledged) == 200, f"it goes on refusing: {again.statuses}")
        self.delivered(stage, again.acknowledged)

    def test_it_refuses_while_full_and_heals_without_a_restart(self):
        with Volume(64) as volume, self.stage(volume) as stage:
            load = self.fill(stage, volume)
            volume.make_room()
            self.all_arrives(stage, load)

    def test_a_kill_while_full_loses_nothing_that_was_acknowledged(self):
        with Volume(64) as volume, self.stage(volume) as stage:
            load = self.fill(stage, volume)
            stage.workers[0].kill()
            volume.make_room()
            stage.workers[0].start()
            self.all_arrives(stage, load)


    def test_a_start_on_a_full_volume_loses_no_more_than_was_being_sent(self):
        """A queue moves what was being sent to its end: it deletes it, and then has no room to write it again."""
        with Volume(64) as volume, self.stage(volume) as stage:
            load = self.fill(stage, volume)
            worker = stage.workers[0]
            worker.kill()
            worker.start()
            # It is refused, or takes the room of what was deleted: then it has to arrive as well.
            load.post(len(load.statuses))
            self.assertTrue(load.statuses[-1] == 200 or load.statuses[-1] >= 500, load.statuses)
            worker.stop()
            volume.make_room()
            worker.start()
            stage.s3.status = 200
            stage.aggregators[0].start()
            missing = stage.primary.wait_for_ids(load.acknowledged, 20)
            lost = missing - archived_ids(stage.archive()).keys()
            print(f"\nstarted on a full volume: {len(missing)} of {len(load.acknowledged)} missing at the primary, {len(lost)} in the archive too")
            # Four requests of 50 at a time.
            self.assertLessEqual(len(missing), 200)
            again = Load([Door(worker, "otlp")], "again", 4)
            again.run()
            self.delivered(stage, again.acknowledged)


class Large(Gateway):
    def test_the_largest_request_passes_both_tiers(self):
        """Presets make it several times as large on its way to the aggregator."""
        records = [(f"l-{it}", f"ERROR record {it} of many " + "x" * 100, "ERROR") for it in range(40_000)]
        for form in ("ndjson", "otlp"):
            body = body_of(form, records, "f")
            # What the doors take.
            most = 8_388_608 if form == "ndjson" else 20_971_520
            part = records[:len(records) * most // len(gzip.decompress(body)) - 10]
            with self.subTest(form=form), Stage(presets=("cost", "insights")) as stage:
                self.assertEqual(Door(stage.workers[0], form).post(body_of(form, part, "f"), 60), 200)
                self.delivered(stage, [identity for identity, *_ in part], 120)

    def test_many_short_records_pass_both_tiers(self):
        """Presets make 11 MB of them more than 64 MiB, which gRPC would refuse for good, after the acknowledgement."""
        number = 1_200_000
        record = field(2, b"\x10\x09" + field(5, field(1, b"x")))
        body = gzip.compress(field(1, field(1, b"") + field(2, record * number)), 1)
        with Stage(presets=("cost", "insights"), archive=False) as stage:
            stage.primary.discards = True
            worker = stage.workers[0]
            self.assertEqual(Door(worker, "otlp", kind="application/x-protobuf").post(body, 120), 200)
            self.see(stage, wait_until(lambda: "Dropping data" in worker.said() or worker.metric(
                "otelcol_exporter_sent_log_records", 'otlp_grpc/aggregator') >= number, 120), "neither sent nor dropped")
            self.assertNotIn("Dropping data", worker.said())

    def test_a_long_line_is_whole(self):
        with Stage() as stage:
            texts = {f"{form}-{size}": "INFO " + "y" * size for form in ("ndjson", "otlp") for size in (70_000, 1_000_000)}
            for name, text in texts.items():
                form = name.split("-", maxsplit=1)[0]
                self.assertEqual(Door(stage.workers[0], form).post(body_of(form, [(name, text)], "f")), 200)
            self.delivered(stage, texts)
            self.assertEqual({it["attributes"]["log.record.uid"]: it["body"] for it in stage.primary.records}, texts)

    def test_nothing_in_a_request_is_no_harm(self):
        """The S3 exporter panics on a batch without records."""
        with Stage() as stage:
            worker = stage.workers[0]
            for form, body in (("ndjson", b"\n"), ("ndjson", b"\n\n\n"), ("ndjson", b""), ("otlp", b"{}"),
                               ("otlp", b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[]}]}]}')):
                self.assertIn(Door(worker, form).post(gzip.compress(body)), (200, 400), (form, body))
            Load([Door(worker, it) for it in ("otlp", "ndjson")], "e", 2).run()
            self.delivered(stage, [f"e-{it}" for it in range(100)])
            self.assertIsNone(worker.process.poll())


class Outage(Gateway):
    def test_the_primary_and_s3_refuse_and_nothing_is_dropped(self):
        with Stage(GATEWAY_PRIMARY_PATIENCE="5s") as stage:
            stage.primary.status, stage.s3.status = 401, 500
            load = Load([Door(stage.workers[0], "otlp")], "b", 6)
            load.run()
            self.assertEqual(len(load.acknowledged), 300)
            aggregator = stage.aggregators[0]
            self.see(stage, wait_until(lambda: "awss3/undelivered" in aggregator.said()), "S3 was not tried")
            self.see(stage, wait_until(lambda: "Will retry" in aggregator.said()), "the queue does not try again")
            aggregator.kill()
            aggregator.start()
            stage.s3.status = 200
            folder = os.path.join(stage.archive(), "undelivered")
            found = wait_until(lambda: {it["id"] for it in stage.s3.lines(folder)} >= set(load.acknowledged), 60)
            self.see(stage, found, f"{len(stage.s3.lines(folder))} of 300")
            self.assertNotIn("Dropping data", aggregator.said())
            # The words of the alarm `undelivered` of terraform/modules/gateway.
            self.assertTrue([line for line in aggregator.said().splitlines()
                             if "Exporting failed. Rejecting data" in line and "otlp_http/primary" in line])

    def test_a_stop_while_the_primary_is_down_keeps_what_is_folded(self):
        with Stage(presets=("cost",), GATEWAY_FOLD_INTERVAL="10m", GATEWAY_SAMPLE_PERCENT="100",
                   GATEWAY_PRIMARY_PATIENCE="10s") as stage:
            stage.primary.status = 503
            aggregator, door = stage.aggregators[0], Door(stage.workers[0], "otlp")
            # Errors are not folded: they wait for the primary, and the stop for them.
            bad = [(f"bad-{it}", f"ERROR {it}", "ERROR") for it in range(50)]
            self.assertEqual(door.post(body_of("otlp", bad, "f")), 200)
            folded = Load([door], "f", 10, lambda number: f"INFO order {number % 4}")
            folded.run()
            self.assertEqual(len(folded.acknowledged), 500)
            self.see(stage, wait_until(lambda: stage.primary.answers[503] > 0), "the primary was not tried")
            self.see(stage, wait_until(lambda: stage.workers[0].metric(
                "otelcol_exporter_sent_log_records", 'otlp_grpc/aggregator') >= 550), "not sent")
            begun = time.monotonic()
            aggregator.stop()
            # The chart gives it the patience and a minute.
            self.assertEqual(aggregator.process.returncode, 0, aggregator.said()[-3000:])
            print(f"\nstopped while the primary is down, patience 10s: {time.monotonic() - begun:.1f}s")
            stage.primary.status = 200
            aggregator.start()
            undelivered = os.path.join(stage.archive(), "undelivered")

            def arrived(primary):
                lines = stage.s3.lines(undelivered)
                in_s3 = sum(it["record"].get("log_count", 0) for it in lines if isinstance(it["record"], dict))
                errors = {it["id"] for it in lines} | primary.ids.keys()
                folds = sum(n for (_, text), (_, n) in primary.texts.items() if "order" in str(text))
                return folds + in_s3 >= 500 and errors >= {identity for identity, *_ in bad}
            self.see(stage, stage.primary.wait(arrived), f"{stage.primary.texts} {stage.s3.lines(undelivered)[:3]}")


class Doors(Gateway):
    def test_a_connection_serves_more_than_one_request(self):
        """A function pays for one TLS handshake, and not for one in each invocation."""
        with Stage() as stage:
            for form, path in (("otlp", "/v1/logs"), ("ndjson", "/v1/ndjson")):
                port = Door(stage.workers[0], form).url.rsplit(":", 1)[1].split("/")[0]
                connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
                for number in range(3):
                    body = body_of(form, [(f"{form}-{number}", "INFO x")], "f")
                    connection.request("POST", path, body, {
                        "Authorization": f"Bearer {TOKEN}", "Content-Encoding": "gzip",
                        "Content-Type": "application/json"})
                    if number == 0:
                        socket = connection.sock
                    answer = connection.getresponse()
                    answer.read()
                    self.assertEqual(answer.status, 200)
                    self.assertIs(connection.sock, socket, f"{form}: the door closed the connection")
                connection.close()

    def test_an_idle_connection_outlives_that_of_a_load_balancer(self):
        with open(os.path.join(CONFIGURATION, "worker.yaml"), encoding="utf-8") as file:
            receivers = yaml.safe_load(file)["receivers"]
        for door in (receivers["otlp"]["protocols"]["http"], receivers["webhook_event"]):
            # An ALB keeps one for 60 s; if the door closes it first, a request is lost in between.
            self.assertGreater(int(door["idle_timeout"].removesuffix("s")), 60)

    def test_a_line_that_is_no_json_stays_text_and_out_of_the_log(self):
        line = '{"id":"x-1","password":hunter2horse,"record":"hunter2horse'
        with Stage() as stage:
            door = Door(stage.workers[0], "ndjson")
            self.assertEqual(door.post(gzip.compress(line.encode() + b"\n")), 200)
            self.assertEqual(door.post(gzip.compress(json.dumps(
                {"id": "x-2", "time": "hunter2horse", "type": "function", "record": "INFO x"}).encode())), 200)
            self.see(stage, stage.primary.wait(lambda it: len(it.records) == 2), stage.primary.records)
            self.assertIn(line, [it["body"] for it in stage.primary.records])
            self.assertNotIn("hunter2", stage.said())
