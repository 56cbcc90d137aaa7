#!/usr/bin/env python3
"""Writes the bill of materials of the locked source to standard output, as CycloneDX 1.5 JSON:
each crate that the binary is built of on any platform, with licence, SHA-256 and package URL.

    deploy/sbom.py > usher.cdx.json
"""
import json
import os
import pathlib
import subprocess
import tomllib

root = pathlib.Path(__file__).resolve().parent.parent
metadata = json.loads(
    subprocess.run(
        [os.environ.get("CARGO", "cargo"), "metadata", "--locked", "--format-version", "1"],
        cwd=root,
        check=True,
        capture_output=True,
    ).stdout
)
lock = tomllib.loads((root / "Cargo.lock").read_text())
checksums = {(crate["name"], crate["version"]): crate.get("checksum") for crate in lock["package"]}
packages = {package["id"]: package for package in metadata["packages"]}
nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}

# What is linked: neither what tests need, nor what runs while building.
linked, left = set(), [metadata["resolve"]["root"]]
while left:
    crate = left.pop()
    if crate not in linked:
        linked.add(crate)
        left += [
            dep["pkg"]
            for dep in nodes[crate]["deps"]
            if any(kind["kind"] is None for kind in dep["dep_kinds"])
        ]


def url(package):
    return f"pkg:cargo/{package['name']}@{package['version'].replace('+', '%2B')}"


def component(package):
    return {
        "type": "library",
        "bom-ref": url(package),
        "name": package["name"],
        "version": package["version"],
        "purl": url(package),
        # Older crates write "MIT/Apache-2.0" for a choice.
        "licenses": [{"expression": package["license"].replace(" / ", "/").replace("/", " OR ")}],
        "hashes": [{"alg": "SHA-256", "content": checksums[package["name"], package["version"]]}],
    }


product = packages[metadata["resolve"]["root"]]
crates = sorted(
    (packages[crate] for crate in linked if crate != product["id"]),
    key=lambda package: (package["name"], package["version"]),
)
bill = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.5",
    "version": 1,
    "metadata": {
        "component": {
            "type": "application",
            "bom-ref": url(product),
            "name": product["name"],
            "version": product["version"],
            "licenses": [{"expression": product["license"]}],
        }
    },
    "components": [component(package) for package in crates],
    "dependencies": [
        {
            "ref": url(packages[crate]),
            "dependsOn": sorted(
                {
                    url(packages[dep["pkg"]])
                    for dep in nodes[crate]["deps"]
                    if any(kind["kind"] is None for kind in dep["dep_kinds"])
                }
            ),
        }
        for crate in sorted(linked)
    ],
}
print(json.dumps(bill, indent=2))
