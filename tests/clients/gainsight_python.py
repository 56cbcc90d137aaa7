"""Drives the PyPI package `tap-gainsightpx`, unmodified, over the stream of users.

    USHER_URL=http://127.0.0.1:8080 USHER_KEY=… USHER_PREFIX=run1 python gainsight_python.py

The package only reads, so the users are made by plain requests, in the shapes that Gainsight PX
documents. Then its own command line finds its streams, and reads that of the users in pages of several
sizes; what it gives out must be what a GET of each user answers, everybody once. It stops by the total,
so the number of its requests is looked at, too: it logs it.
The last line on standard output is JSON: who must be there afterwards.
"""

import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

import requests

URL = os.environ.get("USHER_URL", "").rstrip("/")
KEY = os.environ.get("USHER_KEY", "")
PREFIX = os.environ.get("USHER_PREFIX", "gainsight-python")


def check(condition, message):
    # Not `assert`: that one vanishes under `python -O`.
    if not condition:
        raise SystemExit(f"tap-gainsightpx: {message}")


session = requests.Session()
session.headers["X-APTRINSIC-API-KEY"] = KEY


def ask(method, path, expected, body=None):
    response = session.request(method, f"{URL}{path}", json=body)
    check(response.status_code == expected, f"{method} {path}: {response.status_code} {response.text}")
    return response


def user_path(identifier):
    return f"/v1/users/{quote(identifier, safe='')}"


def tap(folder, *arguments, key=KEY, page_size=500):
    """Runs the package's command line; what it printed, and its log."""
    config = folder / "config.json"
    config.write_text(
        json.dumps(
            {
                "api_url": f"{URL}/v1",
                "api_key": key,
                "page_size": page_size,
                "start_date": "2026-01-01T00:00:00Z",
                "end_date": "2026-02-01T00:00:00Z",
            }
        )
    )
    command = [sys.executable, "-W", "ignore", "-m", "tap_gainsightpx.tap", "--config", str(config), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def choose_users(found):
    """The catalog that the package found, with the stream of the users chosen and no other."""
    catalog = json.loads(found)
    names = [stream["tap_stream_id"] for stream in catalog["streams"]]
    check("users" in names, f"no stream of users among {names}")
    for stream in catalog["streams"]:
        chosen = stream["tap_stream_id"] == "users"
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = chosen
    return json.dumps(catalog)


def main():
    check(URL and KEY, "USHER_URL and USHER_KEY must be set")
    names = [f"{PREFIX}-{n}@example.com" for n in range(9)] + [f"{PREFIX}-zoë 😀/%+", f"{PREFIX}-last"]
    for n, name in enumerate(names):
        ask(
            "POST",
            "/v1/users",
            201,
            {
                "identifyId": name,
                "email": f"mail-{n}@example.com",
                "propertyKeys": ["AP-EXAMPLE-2"],
                "type": "USER",
                "score": n,
                "signUpDate": 1_700_000_000_000 + n,
                "location": {"city": "Zürich", "coordinates": {"latitude": 47.4, "longitude": 8.5}},
                "customAttributes": {"plan": "team", "seats": n},
                "lastVisitedUserAgentData": [{"propertyKey": "AP-EXAMPLE-2", "userAgent": {"browserType": "Firefox"}}],
            },
        )
    ask("PUT", user_path(names[0]), 204, {"firstName": "Ann", "customAttributes": {"plan": "free"}})
    ask("POST", "/v1/events/custom", 201, {"identifyId": names[0], "eventName": "Signed Up", "attributes": {}})
    hidden, gone = f"{PREFIX}-hidden", f"{PREFIX}-gone"
    for name in (hidden, gone):
        ask("POST", "/v1/users", 201, {"identifyId": name})
    ask("DELETE", user_path(hidden), 200)
    ask("DELETE", f"{user_path(gone)}?hardDelete=true", 200)
    expected = [ask("GET", user_path(name), 200).json() for name in names]

    requests_made = {}
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        code, found, log = tap(folder, "--discover")
        check(code == 0, f"--discover failed: {log}")
        catalog = folder / "catalog.json"
        catalog.write_text(choose_users(found))
        # Pages with a rest, a page of exactly everybody, pages of exactly the size, one for each, one for all.
        for size, pages in ((4, 3), (11, 1), (1, 11), (500, 1)):
            code, out, log = tap(folder, "--catalog", str(catalog), page_size=size)
            check(code == 0, f"page_size {size}: {log}")
            messages = [json.loads(line) for line in out.splitlines()]
            records = [message["record"] for message in messages if message["type"] == "RECORD"]
            check(records == expected, f"page_size {size}: {records} is not {expected}")
            made = sum(line.count('"http_request_duration"') for line in log.splitlines())
            check(made == pages, f"page_size {size}: {made} requests for {pages} pages: {log}")
            requests_made[size] = made
        # A wrong key ends it, with what we said.
        code, out, log = tap(folder, "--catalog", str(catalog), key=f"{KEY}x")
        check(code != 0 and "401" in log, f"a wrong key: {code} {log}")
        check('"RECORD"' not in out, "a wrong key was given users")

    print(
        json.dumps(
            {
                "client": f"tap-gainsightpx {version('tap-gainsightpx')}",
                "requests": requests_made,
                "users": [{"identifier": user["identifyId"], "email": user["email"]} for user in expected],
                "absent": [hidden, gone],
            }
        )
    )


if __name__ == "__main__":
    sys.exit(main())
