"""Drives the PyPI package `rudder-sdk-python`, unmodified, through every call it has, packed and plain.

    USHER_URL=http://127.0.0.1:8080 USHER_TOKEN=… USHER_PREFIX=run1 python rudder_python.py

It puts a user's traits into `context.traits` alone. The last line on standard output is JSON: who must be
there afterwards; each event as kind, name and, where it was set, time.
"""

import json
import os
import sys
from datetime import datetime, timedelta, timezone

from rudderstack.analytics.client import Client

URL = os.environ.get("USHER_URL", "")
TOKEN = os.environ.get("USHER_TOKEN", "")
PREFIX = os.environ.get("USHER_PREFIX", "rudder-python")


def main():
    if not (URL and TOKEN):
        raise SystemExit("rudder-sdk-python: USHER_URL and USHER_TOKEN must be set")
    failures = []
    options = {"host": URL, "on_error": lambda error, _: failures.append(str(error)), "upload_interval": 0.1}
    packed, plain = Client(TOKEN, gzip=True, **options), Client(TOKEN, gzip=False, **options)
    ann, bob = f"{PREFIX}-ann@example.com", f"{PREFIX}-bob"
    first, second, passer = (f"{PREFIX}-visitor-{name}" for name in ("first", "second", "passer-by"))
    ordered = datetime.now(timezone.utc) - timedelta(hours=1)
    traits = {"email": ann, "firstName": "Ann", "plan": "team", "seats": 3, "beta": True, "address": {"city": "Zürich"}}

    packed.page(anonymous_id=first, category="Docs", name="Pricing", properties={"url": "https://shop.example.com/pricing"})
    packed.track(anonymous_id=first, event="Button Clicked", properties={"nested": {"list": [1, "two", None, True]}})
    packed.identify(user_id=ann, anonymous_id=first, traits=traits)
    packed.track(user_id=ann, event="Order Completed", properties={"total": 19.9}, timestamp=ordered)
    packed.flush()
    plain.page(user_id=ann, name="Orders")
    plain.screen(user_id=ann, category="Shop", name="Basket", properties={"items": 2})
    plain.group(user_id=ann, group_id=f"{PREFIX}-company", traits={"name": "Example & Co.", "employees": 12})
    plain.track(anonymous_id=second, event="Trial Started")
    plain.alias(previous_id=second, user_id=bob)
    plain.page(anonymous_id=passer, name="Home")
    for client in (packed, plain):
        client.shutdown()
    if failures:
        raise SystemExit(f"rudder-sdk-python: {failures}")

    report = {
        "messages": 10,
        "users": [
            {
                "identifier": ann,
                "traits": traits,
                "anonymousIds": [first],
                "events": [
                    ["page", "Pricing"],
                    ["event", "Button Clicked"],
                    ["event", "Order Completed", int(ordered.timestamp() * 1000)],
                    ["page", "Orders"],
                    ["screen", "Basket"],
                ],
            },
            {"identifier": bob, "traits": {}, "anonymousIds": [second], "events": [["event", "Trial Started"]]},
        ],
        "anonymous": [{"anonymousId": passer, "events": [["page", "Home"]]}],
        "absent": [f"{PREFIX}-company"],
    }
    print(json.dumps(report))


if __name__ == "__main__":
    sys.exit(main())
