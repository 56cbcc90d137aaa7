"""Drives the PyPI package `segment-analytics-python`, unmodified, through every call it has.

    USHER_URL=http://127.0.0.1:8080 USHER_KEY=… USHER_PREFIX=run1 python segment_python.py

The key goes in as the write key. Everything is sent twice over, for different people: plainly through
the package's module-level functions, and gzipped through a client of its own. The package never looks
at the body of an answer, so the script does, in a transport adapter on the package's session; the same
adapter loses one answer on purpose, so that a batch comes twice.
The last line on standard output is JSON: who must be there afterwards, with which events, each exactly once.
"""

import gzip
import json
import logging
import os
import sys
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import requests
import segment.analytics as analytics
from segment.analytics import request as transport

URL = os.environ.get("USHER_URL", "").rstrip("/")
KEY = os.environ.get("USHER_KEY", "")
PREFIX = os.environ.get("USHER_PREFIX", "segment-python")


def check(condition, message):
    # Not `assert`: that one vanishes under `python -O`.
    if not condition:
        raise SystemExit(f"segment-analytics-python: {message}")


class Wire(requests.adapters.HTTPAdapter):
    """Notes every request and its answer, and loses one answer when asked to."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.lose_next_answer = False

    def send(self, request, *args, **kwargs):
        response = super().send(request, *args, **kwargs)
        raw = request.body if isinstance(request.body, bytes) else request.body.encode()
        zipped = request.headers.get("Content-Encoding") == "gzip"
        body = json.loads(gzip.decompress(raw) if zipped else raw)
        self.seen.append((request, body, response))
        if self.lose_next_answer:
            self.lose_next_answer = False
            raise requests.ConnectionError("the answer was lost on the way")
        return response


def as_event(message):
    """What a message that counts as an event looks like in the report."""
    at = datetime.fromisoformat(message["timestamp"])
    return {
        "type": message["type"],
        "name": message.get("event") or message.get("name"),
        "messageId": message["messageId"],
        "at": round(at.timestamp() * 1000),
    }


def plain_json(value):
    return json.loads(json.dumps(value, cls=transport.DatetimeSerializer))


def drive(client, wire, failures, label, zipped):
    """Every call of `client`, which is the module itself or a client of its own; they offer the same ones."""
    ann, bob = f"{PREFIX}-{label}-ann@example.com", f"{PREFIX}-{label}-bob"
    first, second, passer = (f"{PREFIX}-{label}-visitor-{name}" for name in ("first", "second", "passer-by"))
    start = len(wire.seen)
    events = {ann: [], bob: [], passer: []}

    def send(owner, method, **message):
        queued, sent = getattr(client, method)(**message)
        check(queued, f"{label}: the queue refused {message}")
        if sent["type"] in ("track", "page", "screen"):
            events[owner].append(as_event(sent))
        return sent

    def flush():
        client.flush()
        check(not failures, f"{label}: {failures}")

    # A visitor without a name, who turns out to be Ann: identify with both ids.
    address = "https://shop.example.com/pricing?from=ad#plans"
    send(ann, "page", anonymous_id=first, category="Docs", name="Pricing", properties={"url": address, "title": "Pricing"})
    send(ann, "track", anonymous_id=first, event="Button Clicked", properties={"label": "Try it", "nested": {"list": [1, "two", None, True]}})
    flush()
    identified = send(
        ann,
        "identify",
        user_id=ann,
        anonymous_id=first,
        traits={
            "email": ann,
            "firstName": "Ann",
            "lastName": "Example",
            "plan": "team",
            "seats": 3,
            "beta": True,
            "balance": Decimal("19.90"),
            "address": {"city": "Zürich", "country": "CH"},
            "birthday": date(1990, 2, 28),
            "createdAt": datetime(2024, 2, 29, 12, 0, 0, 123000, tzinfo=timezone.utc),
        },
    )
    an_hour_ago = datetime.now(timezone(timedelta(hours=2))) - timedelta(hours=1)
    send(ann, "track", user_id=ann, event="Order Completed", properties={"total": Decimal("19.90"), "currency": "CHF"}, timestamp=an_hour_ago)
    send(ann, "page", user_id=ann)
    send(ann, "screen", user_id=ann, category="Shop", name="Basket", properties={"items": 2})
    # The package lets a number through as a group's id, and does not turn it into text.
    send(ann, "group", user_id=ann, group_id=4711, traits={"name": "Example & Co.", "employees": 12})
    send(ann, "track", user_id=ann, anonymous_id=first, event="Signed In", context={"ip": "192.0.2.7", "userAgent": "Example/1.0", "locale": "de-CH"})

    # Another visitor who turns out to be Ann: alias.
    send(ann, "track", anonymous_id=second, event="Trial Started")
    send(ann, "alias", previous_id=second, user_id=ann)
    send(ann, "track", anonymous_id=second, event="Trial Continued")

    # Nobody ever finds out who this one was.
    send(passer, "page", anonymous_id=passer, name="Home")
    flush()

    # More than one batch takes.
    for number in range(150):
        send(bob, "track", user_id=bob, event="Ping", properties={"number": number})
    flush()

    # The same message id twice counts once.
    twice = f"{PREFIX}-{label}-the-same-message"
    for _ in range(2):
        send(bob, "track", user_id=bob, event="Said Twice", message_id=twice)
    flush()
    send(bob, "track", user_id=bob, event="Said Twice", message_id=twice)
    flush()
    first_of_three = next(event for event in events[bob] if event["messageId"] == twice)
    events[bob] = [event for event in events[bob] if event["messageId"] != twice] + [first_of_three]

    # An answer is lost, so the package sends the batch again, message ids and all.
    before = len(wire.seen)
    wire.lose_next_answer = True
    send(bob, "identify", user_id=bob, traits={"name": "Bob Example"})
    send(bob, "track", user_id=bob, event="Sent Again")
    send(bob, "screen", user_id=bob, name="Settings")
    flush()
    (_, lost, _), (retry, repeated, _) = wire.seen[before : before + 2]
    check(retry.headers.get("X-Retry-Count") == "1", f"{label}: the second time is a retry")
    check(repeated["batch"] == lost["batch"], f"{label}: the same messages twice")

    # shutdown() itself delivers what is waiting.
    send(bob, "track", user_id=bob, event="Last Words")
    client.shutdown()
    check(not failures, f"{label}: {failures}")

    for request, body, response in wire.seen[start:]:
        check((request.headers.get("Content-Encoding") == "gzip") == zipped, f"{label}: not sent as meant")
        check(response.status_code == 200, f"{label}: {response.status_code} {response.text}")
        check(response.headers.get("Content-Type", "").startswith("application/json"), f"{label}: content type")
        check(response.json() == {"success": True}, f"{label}: {response.text} for {json.dumps(body)[:2000]}")
    delivered = {message["messageId"] for _, body, _ in wire.seen[start:] for message in body["batch"]}
    missing = [event for sent in events.values() for event in sent if event["messageId"] not in delivered]
    check(not missing, f"{label}: never sent: {missing}")

    return {
        "users": [
            {
                "identifier": ann,
                "traits": plain_json(identified["traits"]),
                "anonymousIds": [first, second],
                "groupId": 4711,
                "events": events[ann],
            },
            {"identifier": bob, "traits": {"name": "Bob Example"}, "anonymousIds": [], "events": events[bob]},
        ],
        "anonymous": [{"anonymousId": passer, "events": events[passer]}],
    }


def main():
    check(URL and KEY, "USHER_URL and USHER_KEY must be set")
    # What the package logs about a failure, it also hands to on_error.
    logging.getLogger("segment").addHandler(logging.NullHandler())
    wire = Wire()
    transport._session.mount(URL, wire)
    failures = []

    def failed(error, batch):
        failures.append(f"{error} for {len(batch)} messages")

    analytics.write_key, analytics.host = KEY, URL
    analytics.on_error, analytics.max_retries, analytics.timeout = failed, 3, 10
    plain = drive(analytics, wire, failures, "plain", zipped=False)

    settings = {"host": URL, "on_error": failed, "max_retries": 3, "timeout": 10}
    zipped = drive(analytics.Client(KEY, gzip=True, **settings), wire, failures, "gzip", zipped=True)

    # Without a queue: one message a batch, and a failure is an exception.
    direct = f"{PREFIX}-direct"
    _, message = analytics.Client(KEY, sync_mode=True, **settings).track(user_id=direct, event="Directly")
    check(wire.seen[-1][2].json() == {"success": True}, f"sync_mode: {wire.seen[-1][2].text}")

    # A wrong key: refused once, and for good.
    before = len(wire.seen)
    stranger = analytics.Client(KEY + "x", gzip=True, **settings)
    stranger.track(user_id=f"{PREFIX}-x", event="Nothing")
    stranger.shutdown()
    refusals = [response.status_code for _, _, response in wire.seen[before:]]
    check(refusals == [401], f"a wrong key is a 401, once: {refusals}")
    check(len(failures) == 1, f"a wrong key is reported: {failures}")

    report = {
        "client": f"segment-analytics-python {analytics.__version__}",
        "requests": len(wire.seen),
        "users": plain["users"]
        + zipped["users"]
        + [{"identifier": direct, "traits": {}, "anonymousIds": [], "events": [as_event(message)]}],
        "anonymous": plain["anonymous"] + zipped["anonymous"],
        "absent": [f"{PREFIX}-x"],
    }
    print(json.dumps(report))


if __name__ == "__main__":
    sys.exit(main())
