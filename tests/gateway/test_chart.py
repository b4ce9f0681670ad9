"""The Helm chart: what it makes, what it refuses, and that the collector takes the configuration in it."""

import json
import os
import subprocess
import tarfile
import tempfile
import unittest

import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CHART = os.path.join(ROOT, "gateway", "chart")
HELM = os.environ["BACKSTOP_HELM"]
COLLECTOR = os.environ.get("BACKSTOP_GATEWAY_COLLECTOR", "")


def helm(values, *settings, chart=CHART):
    """The rendered chart, or why it is refused."""
    arguments = [HELM, "template", "gateway", chart, "--kube-version", "1.31.0", "--namespace", "logs"]
    if values:
        arguments += ["--values", os.path.join(CHART, "ci", f"{values}.yaml")]
    for setting in settings:
        arguments += ["--set-json" if "=" in setting and setting.split("=", 1)[1][:1] in '[{"' else "--set", setting]
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


def objects(values, *settings, chart=CHART):
    done = helm(values, *settings, chart=chart)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return [it for it in yaml.safe_load_all(done.stdout) if it]


def find(found, kind, name):
    return next(it for it in found if it["kind"] == kind and it["metadata"]["name"] == name)


class Chart(unittest.TestCase):
    def test_what_is_missing_is_named(self):
        for name in ("image.digest", "token.existingSecret", "primary.url", "archive.bucket", "archive.region"):
            done = helm("smallest", f'{name}=""')
            self.assertNotEqual(done.returncode, 0, name)
            self.assertIn(f"set {name} to", done.stderr)

    def test_what_is_wrong_is_refused(self):
        for setting in ("primary.url=http://plain.example.com", "image.tag=0.150.0", "presets=[\"cheap\"]",
                        "workers.replicas=0", "archive.region=Europe", "surprise=1", "presetSettings={\"PATH\":\"x\"}",
                        "image.digest=latest",
                        # It becomes a part of an expression.
                        "presetSettings={\"GATEWAY_SAMPLE_PERCENT\":\"0 or true\"}",
                        "presetSettings={\"GATEWAY_FOLD_INTERVAL\":\"30\"}",
                        # The collector refuses it: less than the wait between two attempts.
                        "primary.patience=3s",
                        # What is misspelt would leave the default in place without a word.
                        "tls.existingsecret=x", "workers.diskGB=100", "networkPolicy.enable=false",
                        "aggregators.autoscaling={\"enabled\":true}", "ingress.tls=x", "service.port=443",
                        "monitoring.rule=true", "serviceAccount.annotation=x", "test.tag=x",
                        "workers.autoscaling={\"max\":3}", "workers.autoscaling={\"cpuPercent\":0}",
                        "networkPolicy.doors=[{}]", "workers.resources.limits.memory=64Mi"):
            done = helm("smallest", setting)
            self.assertNotEqual(done.returncode, 0, setting)
            self.assertIn("don't meet the specifications of the schema", done.stderr)
            self.assertRegex(done.stderr, setting.split("=")[0].split(".")[-1] + "|PATH|networkPolicy|max")

    def test_what_does_not_go_together_is_refused(self):
        for settings, reason in (
                (["presets=[\"cost\"]", "archive.raw=false"], "the preset cost removes records for good"),
                (["presets=[\"insights\"]"], "set networkPolicy.metrics to the peers"),
                (["workers.autoscaling={\"enabled\":true,\"maxReplicas\":1}"], "maxReplicas is below workers.replicas"),
                (["service.type=LoadBalancer"], "which shows the token: set tls.existingSecret"),
                (["service.type=NodePort"], "which shows the token: set tls.existingSecret"),
                (["ingress={\"enabled\":true,\"host\":\"x.example.com\"}"], "which shows the token: set ingress.tlsSecret"),
                (["ingress={\"enabled\":true,\"host\":\"x.example.com\",\"tlsSecret\":\"t\"}", "tls.existingSecret=t"],
                 "the Ingress would speak plain HTTP")):
            done = helm("smallest", *settings)
            self.assertNotEqual(done.returncode, 0, settings)
            self.assertIn(reason, done.stderr)
        for settings in (["presets=[\"insights\"]", "networkPolicy.enabled=false"],
                         ["service.type=LoadBalancer", "tls.existingSecret=t"]):
            self.assertEqual(helm("smallest", *settings).returncode, 0, settings)

    def test_an_aggregator_may_end_its_attempts(self):
        """Else Kubernetes kills it while it waits for the primary, and what it folds is gone."""
        for patience, seconds in (("30s", 90), ("5m", 360), ("10m", 660), ("6h", 660)):
            found = objects("smallest", f"primary.patience={patience}")
            grace = [find(found, "StatefulSet", f"gateway-{tier}")["spec"]["template"]["spec"][
                "terminationGracePeriodSeconds"] for tier in ("worker", "aggregator")]
            self.assertEqual(grace, [60, seconds], patience)

    def test_a_node_takes_one_pod_along(self):
        pod = find(objects("smallest"), "StatefulSet", "gateway-worker")["spec"]["template"]["spec"]
        self.assertEqual([it["topologyKey"] for it in pod["topologySpreadConstraints"]],
                         ["topology.kubernetes.io/zone", "kubernetes.io/hostname"])

    def test_pods_are_restricted(self):
        for values in ("smallest", "everything"):
            found = objects(values)
            pods = [it["spec"]["template"]["spec"] for it in found if it["kind"] == "StatefulSet"]
            pods += [it["spec"] for it in found if it["kind"] == "Pod"]
            self.assertEqual(len(pods), 3)
            for pod in pods:
                self.assertTrue(pod["securityContext"]["runAsNonRoot"])
                self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
                self.assertFalse(pod["automountServiceAccountToken"])
                for container in pod["containers"]:
                    self.assertEqual(container["securityContext"], {
                        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]}})

    def test_no_token_is_in_an_object(self):
        for it in objects("everything"):
            if it["kind"] == "StatefulSet":
                for variable in it["spec"]["template"]["spec"]["containers"][0]["env"]:
                    secret = "TOKEN" in variable["name"] or "AUTHORIZATION" in variable["name"]
                    self.assertEqual(secret, "valueFrom" in variable, variable)

    def test_a_queue_outlives_scaling_and_fits_its_volume(self):
        found = objects("everything")
        for tier in ("worker", "aggregator"):
            it = find(found, "StatefulSet", f"gateway-{tier}")
            self.assertEqual(it["spec"]["persistentVolumeClaimRetentionPolicy"],
                             {"whenDeleted": "Retain", "whenScaled": "Retain"})
            env = {v["name"]: v.get("value") for v in it["spec"]["template"]["spec"]["containers"][0]["env"]}
            volume = 20 * 1024**3
            # Four queues and the copy of a compaction.
            self.assertLessEqual(5 * int(env["GATEWAY_FILE_BYTES"]), volume)
            # See test_a_queue_is_full_before_its_file.
            self.assertLess(2.6 * int(env["GATEWAY_QUEUE_BYTES"]), int(env["GATEWAY_FILE_BYTES"]))

    def test_only_workers_reach_the_aggregator(self):
        policy = find(objects("smallest"), "NetworkPolicy", "gateway-aggregator")
        tier = next(it for it in policy["spec"]["ingress"] if it["ports"] == [{"port": "tier"}])
        labels = tier["from"][0]["podSelector"]["matchLabels"]
        self.assertEqual(labels["app.kubernetes.io/component"], "worker")
        pods = find(objects("smallest"), "StatefulSet", "gateway-worker")["spec"]["template"]["metadata"]["labels"]
        self.assertTrue(labels.items() <= pods.items())

    def test_the_test_of_the_release_reaches_the_doors(self):
        found = objects("everything")
        peers = find(found, "NetworkPolicy", "gateway-worker")["spec"]["ingress"][0]["from"]
        labels = find(found, "Pod", "gateway-test")["metadata"]["labels"]
        self.assertTrue(any(
            it["podSelector"]["matchLabels"].items() <= labels.items() for it in peers if "podSelector" in it), peers)

    def test_alarms_see_the_first_count_of_a_new_counter(self):
        rules = find(objects("everything"), "PrometheusRule", "gateway")["spec"]["groups"][0]["rules"]
        rules = {rule["alert"]: rule["expr"] for rule in rules}
        for alert, metric in (("BackstopGatewayDropped", "otelcol_exporter_send_failed"),
                              ("BackstopGatewayRefused", "otelcol_exporter_enqueue_failed"),
                              ("BackstopGatewayRefused", "otelcol_receiver_refused"),
                              ("BackstopGatewayUndelivered", "otelcol_exporter_sent")):
            for signal in ("log_records", "metric_points", "spans"):
                name = f"{metric}_{signal}"
                self.assertRegex(rules[alert], rf"(?s)increase\({name}\{{[^\n]*\n.*{name}\{{.* unless {name}")
            # Of this release alone.
            self.assertIn('namespace="logs", pod=~"gateway-(worker|aggregator)-[0-9]+"', rules[alert])
        self.assertIn('persistentvolumeclaim=~"queue-gateway-(worker|aggregator)-[0-9]+"', rules["BackstopGatewayVolume"])
        # A first burst of a new error is the first value of its series; a series ends after a quiet quarter of an hour.
        self.assertNotIn("increase", rules["BackstopGatewayNewErrorPattern"])
        self.assertIn("[1d] offset 15m", rules["BackstopGatewayNewErrorPattern"])

    def test_a_package_holds_what_it_needs_and_no_more(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([HELM, "package", CHART, "--destination", folder], capture_output=True, text=True,
                                  check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            package = os.path.join(folder, os.listdir(folder)[0])
            with tarfile.open(package) as file:
                names = [it.removeprefix("backstop-gateway/") for it in file.getnames()]
            self.assertIn("config/presets/cost.worker.yaml", names)
            self.assertFalse([it for it in names if it.startswith(("ci/", "config/build"))])
            self.assertEqual(objects("everything"), objects("everything", chart=package))

    def test_several_aggregators_have_addresses_that_stay(self):
        found = objects("everything")
        env = find(found, "StatefulSet", "gateway-worker")["spec"]["template"]["spec"]["containers"][0]["env"]
        resolver = next(v["value"] for v in env if v["name"] == "GATEWAY_RESOLVER")
        self.assertEqual(json.loads(resolver)["static"]["hostnames"], [
            f"gateway-aggregator-{n}.gateway-aggregator.logs.svc:4317" for n in range(2)])

    def test_the_collector_takes_the_configuration(self):
        if not COLLECTOR:
            self.skipTest("BACKSTOP_GATEWAY_COLLECTOR is not set")
        for values in ("smallest", "everything"):
            found = objects(values)
            for tier in ("worker", "aggregator"):
                with tempfile.TemporaryDirectory() as folder:
                    for name, text in find(found, "ConfigMap", f"gateway-{tier}")["data"].items():
                        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                            file.write(text)
                    container = find(found, "StatefulSet", f"gateway-{tier}")["spec"]["template"]["spec"]["containers"][0]
                    env = {v["name"]: v.get("value", "Bearer t0ken") for v in container["env"]}
                    env |= {"PATH": os.environ["PATH"], "GATEWAY_QUEUE_DIRECTORY": folder}
                    arguments = [it.replace("/etc/gateway/", folder + "/") for it in container["args"]]
                    done = subprocess.run([COLLECTOR, "validate", *arguments], env=env, capture_output=True,
                                          text=True, check=False)
                    self.assertEqual(done.returncode, 0, f"{values} {tier}: {done.stderr}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
