"""The chart's alarms over series that are made up, in Prometheus' own engine: each fires when it should, and not else."""

import os
import subprocess
import tempfile
import unittest

from test_chart import find, objects

POD = 'namespace="logs", pod="gateway-worker-0"'
FAILED = "otelcol_exporter_send_failed"
AGGREGATOR = 'exporter="otlp_grpc/aggregator"'
PATTERN = 'backstop_gateway_patterns_total{faas_name="f", level="ERROR", backstop_pattern="no <n>"}'
CLAIM = 'namespace="logs", persistentvolumeclaim="queue-gateway-worker-0"'

# The alarm, the interval, the series, the minute, and whether it fires. `_` is no value, `7x30` the same for long.
CASES = [
    # A counter comes into being with its first count.
    ("Dropped", "30s", [f"{FAILED}_log_records{{{POD}, {AGGREGATOR}}} _x10 7x30"], 6, True),
    ("Dropped", "30s", [f"{FAILED}_metric_points{{{POD}, {AGGREGATOR}}} 2x20 5x20"], 11, True),
    ("Dropped", "30s", [f"{FAILED}_spans{{{POD}, {AGGREGATOR}}} 2x20 5x20"], 11, True),
    ("Dropped", "30s", [f"{FAILED}_log_records{{{POD}, {AGGREGATOR}}} 7x100"], 40, False),
    ("Dropped", "30s", [f'{FAILED}_log_records{{{POD}, exporter="otlp_http/primary"}} 0+7x100'], 40, False),
    ("Dropped", "30s", [f'{FAILED}_spans{{{POD}, exporter="awss3/undelivered-signals"}} 0+7x100'], 40, False),
    # Another release, and another namespace.
    ("Dropped", "30s", [f'{FAILED}_log_records{{namespace="logs", pod="gateway-eu-worker-0", {AGGREGATOR}}} 0+7x100'],
     40, False),
    ("Dropped", "30s", [f'{FAILED}_log_records{{namespace="eu", pod="gateway-worker-0", {AGGREGATOR}}} 0+7x100'],
     40, False),
    ("Refused", "30s", [f"otelcol_exporter_enqueue_failed_spans{{{POD}, {AGGREGATOR}}} _x10 7x30"], 6, True),
    ("Refused", "30s", [f'otelcol_receiver_refused_log_records{{{POD}, receiver="otlp"}} 0x10 7x30'], 6, True),
    ("Refused", "30s", [f'otelcol_receiver_refused_log_records{{{POD}, receiver="otlp"}} 7x100'], 40, False),
    *[("Queue", "30s", [f'otelcol_exporter_queue_{name}{{{POD}, {AGGREGATOR}, data_type="logs"}} {value}x20'
                        for name, value in (("size", size), ("capacity", 1000))], 5, size > 500) for size in (400, 600)],
    ("Undelivered", "30s", [f'otelcol_exporter_sent_log_records{{{POD}, exporter="awss3/undelivered"}} _x10 9x30'],
     6, True),
    ("Undelivered", "30s",
     [f'otelcol_exporter_sent_metric_points{{{POD}, exporter="awss3/undelivered-signals"}} 1x10 9x30'], 6, True),
    ("Undelivered", "30s", [f'otelcol_exporter_sent_log_records{{{POD}, exporter="awss3/archive"}} 0+9x30'], 6, False),
    *[("Volume", "30s", [f"kubelet_volume_stats_{name}_bytes{{{CLAIM}}} {value}x20"
                         for name, value in (("available", left), ("capacity", 100))], 5, left < 10) for left in (5, 50)],
    *[("Down", "30s", [f"up{{{POD}}} {up}x20"], 5, up == 0) for up in (0, 1)],
    # A day of 60 a minute, and then ten times as many, or none.
    ("UnusualCount", "1m", ['backstop_gateway_records_total{faas_name="f", level="INFO"} 0+60x1440 86400+600x30'],
     1465, True),
    ("UnusualCount", "1m", ['backstop_gateway_records_total{faas_name="f", level="INFO"} 0+60x1500'], 1465, False),
    ("NewErrorPattern", "1m", [f"{PATTERN} _x1500 20x5"], 1501, True),
    ("NewErrorPattern", "1m", [f"{PATTERN} _x1500 3x5"], 1501, False),
    # It was there some hours ago; its series had ended.
    ("NewErrorPattern", "1m", [f"{PATTERN} _x1200 9x5 _x294 20x5"], 1501, False),
    ("NewErrorPattern", "1m", [f"{PATTERN} 20+20x1500"], 1400, False),
]


class Rules(unittest.TestCase):
    def test_each_alarm_fires_when_it_should_and_not_else(self):
        rules = find(objects("everything"), "PrometheusRule", "gateway")["spec"]["groups"][0]["rules"]
        rules = {rule["alert"].removeprefix("BackstopGateway"): rule["expr"] for rule in rules}
        self.assertEqual(set(rules), {case[0] for case in CASES}, "an alarm has no case")
        for alarm, interval, series, minute, fires in CASES:
            expression = " ".join(rules[alarm].split())
            script = "\n".join([
                f"load {interval}", *(f"  {it}" for it in series), "",
                f"eval instant at {minute}m count({expression}) > bool 0", *(["  {} 1"] if fires else []), ""])
            with self.subTest(alarm=alarm, series=series), tempfile.NamedTemporaryFile("w") as file:
                file.write(script)
                file.flush()
                done = subprocess.run([os.environ["BACKSTOP_RULES_TEST"], "-test.run", "TestScript"], text=True,
                                      env={**os.environ, "BACKSTOP_RULES": file.name}, capture_output=True, check=False)
                self.assertEqual(done.returncode, 0, f"{script}\n{done.stdout[-1500:]}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
