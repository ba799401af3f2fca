"""Checks the chart: lints it, renders it with several sets of values, validates what comes out against the schemas of
Kubernetes, compares every security field with what it must be, and has bad values refused.

    check.py [FOLDER]    leaves the configuration of each set in FOLDER, for the program to read
"""

import copy
import sys
import tomllib
from pathlib import Path

import helm_python as helm
import kubernetes_validate
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm/vestibule"
SETS = ROOT / "helm/tests/values"
# The oldest that Chart.yaml allows, and the newest that the validator knows.
KUBERNETES = ("1.30", kubernetes_validate.latest_version())
# Kinds of other projects, of which the validator has no schema.
FOREIGN = {"ServiceMonitor", "PrometheusRule"}
MIGRATE = ["ConfigMap", "Job", "NetworkPolicy", "ServiceAccount"]
SERVE = ["ConfigMap", "Deployment", "Service", "Service"]
KINDS = {
    "off": SERVE,
    "minimal": SERVE + MIGRATE + ["NetworkPolicy", "PodDisruptionBudget", "ServiceAccount"],
    "full": SERVE
    + MIGRATE
    + ["NetworkPolicy", "PodDisruptionBudget", "ServiceAccount", "HorizontalPodAutoscaler", "Ingress"]
    + ["ServiceMonitor", "PrometheusRule"],
}
POD_SECURITY = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "fsGroup": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "privileged": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
}
# What a pod may have. Not in the list: hostNetwork, hostPID, hostIPC, initContainers and whatever comes next.
POD_FIELDS = {
    "automountServiceAccountToken",
    "containers",
    "enableServiceLinks",
    "imagePullSecrets",
    "nodeSelector",
    "priorityClassName",
    "restartPolicy",
    "securityContext",
    "serviceAccountName",
    "terminationGracePeriodSeconds",
    "tolerations",
    "topologySpreadConstraints",
    "volumes",
}

failures = []
checks = 0


def same(where, what, found, wanted):
    """One check."""
    global checks
    checks += 1
    if found != wanted:
        failures.append(f"{where}: {what}: found {found!r}, wanted {wanted!r}")


def read(name):
    return yaml.safe_load((SETS / f"{name}.yaml").read_text())


def merged(base, changes):
    """As Helm merges values: maps key by key, everything else as a whole."""
    out = copy.deepcopy(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = merged(out[key], value) if both else value
    return out


def render(values):
    """Every object, in order of its kind, and the notes."""
    with helm.Chart.load(str(CHART)) as chart:
        files = chart.render(values, name="login", namespace="portal")
    notes = "".join(text for path, text in files.items() if path.endswith("NOTES.txt"))
    texts = [text for path, text in files.items() if not path.endswith("NOTES.txt")]
    found = [one for text in texts for one in yaml.safe_load_all(text) if one]
    return sorted(found, key=lambda one: (one["kind"], one["metadata"]["name"])), notes


def of(objects, kind, name="login-vestibule"):
    found = [one for one in objects if one["kind"] == kind and one["metadata"]["name"] == name]
    return found[0] if found else None


def pods(objects):
    for one in objects:
        if one["kind"] in ("Deployment", "Job"):
            yield f"{one['kind']} {one['metadata']['name']}", one["spec"]["template"]["spec"]


def check_lint(name, values):
    found = helm.lint(str(CHART), values=values, strict=True)
    # Severity 1 is information: that a chart has no picture.
    same(name, "lint", [m["error"] for m in found["messages"] if m["severity"] > 1] + found["errors"], [])


def check_schemas(name, objects):
    for one in objects:
        if one["kind"] in FOREIGN:
            continue
        for version in KUBERNETES:
            try:
                kubernetes_validate.validate(one, version, strict=True)
                same(name, "valid", True, True)
            except kubernetes_validate.ValidationError as error:
                same(name, f"{one['kind']} in Kubernetes {version}", error.message, "no error")


def check_pods(name, objects):
    for where, pod in pods(objects):
        where = f"{name}: {where}"
        same(where, "fields of the pod", set(pod) - POD_FIELDS, set())
        same(where, "security of the pod", pod["securityContext"], POD_SECURITY)
        same(where, "token", pod["automountServiceAccountToken"], False)
        same(where, "service links", pod["enableServiceLinks"], False)
        kinds = [set(volume) - {"name"} for volume in pod["volumes"]]
        same(where, "volumes", kinds, [{"configMap"}, {"projected"}])
        same(where, "mode of secrets", pod["volumes"][1]["projected"]["defaultMode"], 0o440)
        for container in pod["containers"]:
            same(where, "security", container["securityContext"], CONTAINER_SECURITY)
            same(where, "variables", "env" in container or "envFrom" in container, False)
            same(where, "mounts", all(mount["readOnly"] for mount in container["volumeMounts"]), True)
            resources = container["resources"]
            same(where, "requests", set(resources["requests"]), {"cpu", "memory"})
            same(where, "limits", set(resources["limits"]), {"memory"})


def check_serving(name, values, objects):
    deployment = of(objects, "Deployment")["spec"]
    pod = deployment["template"]["spec"]
    container = pod["containers"][0]
    for probe, path in (("startup", "/healthz"), ("liveness", "/healthz"), ("readiness", "/readyz")):
        same(name, probe, container[f"{probe}Probe"]["httpGet"], {"path": path, "port": "ops"})
    shutdown = {"preStopSeconds": 0, "delaySeconds": 5, "graceSeconds": 25} | values.get("shutdown", {})
    same(name, "grace", pod["terminationGracePeriodSeconds"], sum(shutdown.values()) + 5)
    sleep = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    same(name, "preStop", sleep, shutdown["preStopSeconds"])
    redis = bool(values.get("redis", {}).get("secret", {}).get("name"))
    same(name, "strategy", deployment["strategy"]["type"], "RollingUpdate" if redis else "Recreate")
    spread = [one["topologyKey"] for one in pod.get("topologySpreadConstraints", [])]
    wanted = ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    same(name, "spread", spread, wanted if values.get("spread", {}).get("enabled", True) else [])
    scaled = values.get("autoscaling", {}).get("enabled", False)
    same(name, "replicas", "replicas" in deployment, not scaled)
    selector = deployment["selector"]["matchLabels"]
    labels = deployment["template"]["metadata"]["labels"]
    same(name, "selector", selector.items() <= labels.items(), True)
    for other in (of(objects, "Service"), of(objects, "Service", "login-vestibule-ops")):
        same(name, "service", other["spec"]["selector"], selector)
    ports = [port["targetPort"] for port in of(objects, "Service")["spec"]["ports"]]
    same(name, "the ops port is not public", ports, ["public"])


def check_scaling(name, values, objects):
    """What scales it and what holds evictions back mean the pods of the Deployment."""
    deployment = of(objects, "Deployment")
    budget, scaler = of(objects, "PodDisruptionBudget"), of(objects, "HorizontalPodAutoscaler")
    if budget:
        same(name, "budget", budget["spec"]["selector"], deployment["spec"]["selector"])
        wanted = values.get("disruptionBudget", {}).get("maxUnavailable", 1)
        same(name, "budget", budget["spec"]["maxUnavailable"], wanted)
    if scaler:
        target = {key: deployment[key] for key in ("apiVersion", "kind")} | {"name": deployment["metadata"]["name"]}
        same(name, "what is scaled", scaler["spec"]["scaleTargetRef"], target)
        wanted = values["autoscaling"]
        bounds = [scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]]
        same(name, "bounds", bounds, [wanted["minReplicas"], wanted["maxReplicas"]])
        cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": wanted["targetCPU"]}}
        same(name, "scaled by CPU", scaler["spec"]["metrics"], [{"type": "Resource", "resource": cpu}])


def check_config(name, values, objects):
    """What the program is told: that there may be others, and values as they were given."""
    config = tomllib.loads(of(objects, "ConfigMap")["data"]["idp.toml"])
    redis = bool(values.get("redis", {}).get("secret", {}).get("name"))
    same(name, "replicas of the program", config.get("replicas"), 2 if redis else None)
    delay = values.get("shutdown", {}).get("delaySeconds", 5)
    same(name, "delay", config["shutdown"].get("delay"), f"{delay}s" if delay else None)
    for section, keys in values.get("extraConfig", {}).items():
        for key, value in keys.items():
            found = config[section].get(key)
            same(name, f"{section}.{key}", (found, type(found)), (value, type(value)))


def check_network(name, values, objects):
    policy, migrate = (of(objects, "NetworkPolicy", name) for name in ("login-vestibule", "login-vestibule-migrate"))
    if not policy or not migrate:
        return  # The kinds of each set are compared.
    wanted = values.get("networkPolicy", {}).get("monitoringNamespace", "monitoring")
    spec = policy["spec"]
    same(name, "directions", spec["policyTypes"], ["Ingress", "Egress"])
    public, ops = spec["ingress"]
    same(name, "public", [port["port"] for port in public["ports"]], ["public"])
    labels = {"kubernetes.io/metadata.name": wanted}
    same(name, "ops", ops["from"], [{"namespaceSelector": {"matchLabels": labels}}])
    same(name, "ops", [port["port"] for port in ops["ports"]], ["ops"])
    out = [port["port"] for rule in spec["egress"] for port in rule["ports"]]
    full = [53, 53, 6432, 6380, 465, 4318, 53]
    same(name, "ways out", out, full if name == "full" else [53, 53, 5432, 6379, 587])
    migrate = migrate["spec"]
    same(name, "ways in of the migration", migrate.get("ingress", []), [])
    out = [port["port"] for rule in migrate["egress"] for port in rule["ports"]]
    same(name, "ways out of the migration", out, [53, 53, 6432 if name == "full" else 5432])


def check_migration(name, objects):
    """What the hook needs is there before it, and nothing of the release is."""
    hooks = [one for one in objects if "helm.sh/hook" in one["metadata"].get("annotations", {})]
    for one in hooks:
        annotations = one["metadata"]["annotations"]
        same(name, "hook", annotations["helm.sh/hook"], "pre-install,pre-upgrade")
        weight = int(annotations["helm.sh/hook-weight"])
        same(name, f"order of {one['kind']}", weight, 0 if one["kind"] == "Job" else -10)
        if one["kind"] == "Job":
            pod = one["spec"]["template"]["spec"]
            used = {pod["serviceAccountName"], pod["volumes"][0]["configMap"]["name"]}
            there = {other["metadata"]["name"] for other in hooks if other is not one}
            same(name, "the hook stands alone", used - there, set())
            same(name, "command", pod["containers"][0]["args"][0], "migrate")


def check_set(name, folder):
    values = read(name)
    check_lint(name, values)
    objects, notes = render(values)
    same(name, "kinds", [one["kind"] for one in objects], sorted(KINDS[name]))
    same(name, "namespaces are the release's", [o for o in objects if "namespace" in o["metadata"]], [])
    same(name, "notes", values["issuer"] in notes, True)
    check_schemas(name, objects)
    check_pods(name, objects)
    check_serving(name, values, objects)
    check_scaling(name, values, objects)
    check_config(name, values, objects)
    check_network(name, values, objects)
    check_migration(name, objects)
    if folder:
        (folder / f"{name}.toml").write_text(of(objects, "ConfigMap")["data"]["idp.toml"])


def check_refusals():
    minimal = read("minimal")
    for case in yaml.safe_load((ROOT / "helm/tests/refused.yaml").read_text()):
        try:
            render(merged(minimal, case["values"]))
            same("refused", str(case["values"]), "rendered", case["says"])
        except helm.HelmError as error:
            said = str(error)
            same("refused", f"{case['values']} says {said!r}", case["says"] in said, True)


def leaves(values, prefix=""):
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and value and path not in ("resources", "migrate.resources"):
            yield from leaves(value, f"{path}.")
        else:
            yield path


def check_documents():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    readme = (CHART / "README.md").read_text()
    for path in leaves(values):
        same("README.md", path, f"`{path}`" in readme, True)
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = next(l for l in (ROOT / "Cargo.toml").read_text().splitlines() if l.startswith("version = "))
    same("Chart.yaml", "appVersion", f'version = "{chart["appVersion"]}"', version)
    user = f"USER {POD_SECURITY['runAsUser']}:{POD_SECURITY['runAsGroup']}"
    same("Dockerfile", "user", user in (ROOT / "Dockerfile").read_text().splitlines(), True)
    # The rules that the documentation explains are the rules that the chart installs.
    rules, ours = ROOT / "docs/monitoring/alerts.yaml", CHART / "files/alerts.yaml"
    texts = [path.read_text() if path.exists() else None for path in (rules, ours)]
    same("files/alerts.yaml", "a copy of docs/monitoring/alerts.yaml", texts[1], texts[0])


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    for name in KINDS:
        check_set(name, folder)
    check_refusals()
    check_documents()
    print("\n".join(failures))
    print(f"{checks - len(failures)} passed, {len(failures)} failed")
    sys.exit(1 if failures else 0)


main()
