"""The Helm chart against a real kube-apiserver: what it takes, with Pod Security `restricted`, from install to rollback.

There are no nodes: no pod starts. What a server refuses and a schema does not know is found here, such as a selector
that matches no pod. A server does not look into the pods of a StatefulSet much; Pod Security does.
"""

import base64
import json
import os
import subprocess
import tempfile
import time
import unittest

from stage import free_port
from test_chart import CHART, HELM

APISERVER, ETCD = os.environ["BACKSTOP_APISERVER"], os.environ["BACKSTOP_ETCD"]


def run(*arguments, text=None):
    return subprocess.run(arguments, input=text, capture_output=True, text=True, check=False)


class Cluster(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory(prefix="backstop-cluster-")
        folder = cls.holder.name
        client, peer, port = free_port(), free_port(), free_port()
        subprocess.run(["openssl", "genrsa", "-out", f"{folder}/sa.key", "2048"], check=True, capture_output=True)
        subprocess.run(["openssl", "rsa", "-in", f"{folder}/sa.key", "-pubout", "-out", f"{folder}/sa.pub"], check=True,
                       capture_output=True)
        token = base64.b16encode(os.urandom(16)).decode()
        with open(f"{folder}/tokens.csv", "w", encoding="ascii") as file:
            file.write(f"{token},admin,1,system:masters\n")
        log = open(f"{folder}/log", "ab")  # noqa: SIM115 (both processes write to it)
        cls.processes = [subprocess.Popen(arguments, stdout=log, stderr=log) for arguments in (
            [ETCD, "--data-dir", f"{folder}/etcd", "--listen-client-urls", f"http://127.0.0.1:{client}",
             "--advertise-client-urls", f"http://127.0.0.1:{client}", "--listen-peer-urls", f"http://127.0.0.1:{peer}",
             "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
             "--initial-cluster", f"default=http://127.0.0.1:{peer}"],
            [APISERVER, "--etcd-servers", f"http://127.0.0.1:{client}", "--cert-dir", f"{folder}/certs",
             "--secure-port", str(port), "--bind-address", "127.0.0.1", "--service-account-issuer", "https://issuer",
             "--service-account-key-file", f"{folder}/sa.pub", "--service-account-signing-key-file", f"{folder}/sa.key",
             "--service-cluster-ip-range", "10.0.0.0/24", "--token-auth-file", f"{folder}/tokens.csv",
             "--authorization-mode", "RBAC", "--disable-admission-plugins", "ServiceAccount"])]
        log.close()
        cls.config = f"{folder}/kubeconfig"
        with open(cls.config, "w", encoding="ascii") as file:
            json.dump({
                "apiVersion": "v1", "kind": "Config", "current-context": "it",
                "clusters": [{"name": "it", "cluster": {
                    "server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}}],
                "users": [{"name": "it", "user": {"token": token}}],
                "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it", "namespace": "logs"}}],
            }, file)
        end = time.monotonic() + 120
        while run("kubectl", "--kubeconfig", cls.config, "get", "--raw", "/readyz").stdout != "ok":
            if time.monotonic() > end:
                with open(f"{folder}/log", encoding="utf-8") as file:
                    raise RuntimeError(file.read()[-3000:])
            time.sleep(0.5)
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "logs", "labels": {
            f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}}}
        done = run("kubectl", "--kubeconfig", cls.config, "apply", "-f", "-", text=json.dumps(namespace))
        if done.returncode:
            raise RuntimeError(done.stderr)

    @classmethod
    def tearDownClass(cls):
        for process in reversed(cls.processes):
            process.terminate()
            process.wait()
        cls.holder.cleanup()

    def helm(self, *arguments):
        done = run(HELM, *arguments, "--kubeconfig", self.config, "--namespace", "logs")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def apply(self, text):
        return run("kubectl", "--kubeconfig", self.config, "apply", "--dry-run=server", "-f", "-", text=text)

    def rendered(self, values, *settings):
        # The server has no Prometheus Operator.
        return self.helm("template", "gateway", CHART, "--kube-version", "1.33.0", "--values", f"{CHART}/ci/{values}.yaml", "--set",
                         "monitoring.podMonitor=false,monitoring.rules=false", *settings)

    def test_the_server_takes_everything_without_a_warning(self):
        for values in ("smallest", "everything"):
            done = self.apply(self.rendered(values))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotIn("Warning", done.stderr)
            self.assertIn("statefulset.apps/gateway-aggregator created (server dry run)", done.stdout)

    def test_the_server_refuses_what_is_wrong(self):
        """That it can refuse: else the test above says nothing."""
        text = self.rendered("smallest")
        for right, wrong in (("port: 4317, ", "port: 99999, "), ("runAsNonRoot: true", "runAsNonRoot: false")):
            self.assertIn(right, text)
            done = self.apply(text.replace(right, wrong))
            self.assertTrue(done.returncode or "Warning" in done.stderr, wrong)

    def test_install_upgrade_rollback_uninstall(self):
        smallest, everything = (["--values", f"{CHART}/ci/{it}.yaml"] for it in ("smallest", "everything"))
        self.addCleanup(run, HELM, "uninstall", "gateway", "--kubeconfig", self.config, "--namespace", "logs",
                        "--ignore-not-found")
        self.helm("install", "gateway", CHART, *smallest)
        # A volume's size and class are fixed: the page says what to do.
        self.helm("upgrade", "gateway", CHART, *everything, "--set",
                  "monitoring.podMonitor=false,monitoring.rules=false,workers.storageClass=")
        got = run("kubectl", "--kubeconfig", self.config, "get", "statefulset,hpa,ingress", "-o", "name").stdout.split()
        self.assertIn("horizontalpodautoscaler.autoscaling/gateway-worker", got)
        self.helm("rollback", "gateway", "1")
        got = run("kubectl", "--kubeconfig", self.config, "get", "statefulset,hpa,ingress", "-o", "name").stdout.split()
        self.assertEqual(sorted(got), ["statefulset.apps/gateway-aggregator", "statefulset.apps/gateway-worker"])
        self.helm("uninstall", "gateway")


if __name__ == "__main__":
    unittest.main(verbosity=2)
