"""Drives the PyPI package `vemetric`, unmodified, through every call it has.

    USHER_URL=http://127.0.0.1:8080 USHER_TOKEN=… USHER_PREFIX=run1 python vemetric_python.py

The token is the project's ingest token. The package raises nothing when a call fails and never tries
again; it only logs. So the script reads that log, and the answers through the `session` setting.
The last line on standard output is JSON: who must be there afterwards, and how often with which event.
"""

import json
import logging
import os
import sys

import requests
from vemetric import VemetricClient, __version__

URL = os.environ.get("USHER_URL", "")
TOKEN = os.environ.get("USHER_TOKEN", "")
PREFIX = os.environ.get("USHER_PREFIX", "vemetric-python")


def check(condition, message):
    # Not `assert`: that one vanishes under `python -O`.
    if not condition:
        raise SystemExit(f"vemetric: {message}")


class Complaints(logging.Handler):
    """What the package would have told its user."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


def main():
    check(URL and TOKEN, "USHER_URL and USHER_TOKEN must be set")
    complaints, answers = Complaints(), []
    log = logging.getLogger("Vemetric")
    log.addHandler(complaints)
    log.propagate = False
    session = requests.Session()
    session.hooks["response"].append(lambda response, **_: answers.append(response))
    client = VemetricClient(TOKEN, host=URL, session=session)

    ann, bob, zoe = f"{PREFIX}-ann@example.com", f"{PREFIX}-bob", f"{PREFIX}-zoë"

    # update_user creates whom it does not know.
    client.update_user(
        ann,
        user_display_name="Ann Example",
        user_avatar_url="https://shop.example.com/ann.png",
        user_data={
            "set": {"plan": "free", "seats": 3, "beta": True, "address": {"city": "Zürich"}},
            "setOnce": {"source": "newsletter"},
        },
    )
    client.update_user(ann, user_data={"set": {"plan": "team"}, "setOnce": {"source": "search"}, "unset": ["seats", "never-set"]})
    client.track_event(
        "Order Completed",
        user_identifier=ann,
        event_data={"total": 19.9, "currency": "CHF", "nested": {"list": [1, "two", None, True]}},
        user_data={"set": {"lastOrder": 42}, "setOnce": {"firstOrder": 42}, "unset": ["beta"]},
        user_display_name="Ann Example",
    )
    # No message ids here: the same call twice is two events.
    for _ in range(2):
        client.track_event("Page Read", user_identifier=ann, event_data={"page": "Pricing"})

    # A tracked event creates whom it does not know, too, with nothing but the name of the event.
    client.track_event("Signed Up", user_identifier=bob)
    client.track_event("Signed Up", user_identifier=zoe, user_display_name="Zoë Example")
    client.update_user(zoe)

    check(not complaints.lines, f"the package complained: {complaints.lines}")
    check(len(answers) == 8, f"{len(answers)} answers to 8 calls")
    for response in answers:
        check(response.status_code == 200, f"{response.request.path_url}: {response.status_code} {response.text}")
        check(response.text == "", f"{response.request.path_url}: the answer must be empty, not {response.text!r}")

    # The package itself insists on a user and on a name.
    for nonsense in (
        lambda: client.track_event("Nobody's"),
        lambda: client.track_event("Nobody's", user_identifier=""),
        lambda: client.track_event("", user_identifier=ann),
        lambda: client.update_user(""),
        lambda: VemetricClient(""),
    ):
        try:
            nonsense()
        except (TypeError, ValueError):
            continue
        check(False, "the package accepted a call without a user, a name or a token")
    check(len(answers) == 8, "a refused call was sent all the same")

    # A wrong token is refused, once per call, and what came with it is not kept.
    stranger = VemetricClient(TOKEN + "x", host=URL, session=session)
    stranger.track_event("Nothing", user_identifier=f"{PREFIX}-x")
    stranger.update_user(f"{PREFIX}-x", user_display_name="Nobody")
    refusals = [response.status_code for response in answers[8:]]
    check(refusals == [401, 401], f"a wrong token is a 401: {refusals}")
    check(len(complaints.lines) == 2, f"a wrong token is logged: {complaints.lines}")

    print(
        json.dumps(
            {
                "client": f"vemetric {__version__}",
                "requests": len(answers),
                "users": [
                    {
                        "identifier": ann,
                        "displayName": "Ann Example",
                        "avatarUrl": "https://shop.example.com/ann.png",
                        "data": {
                            "plan": "team",
                            "address": {"city": "Zürich"},
                            "source": "newsletter",
                            "lastOrder": 42,
                            "firstOrder": 42,
                        },
                        "events": {"Order Completed": 1, "Page Read": 2},
                    },
                    {"identifier": bob, "displayName": None, "avatarUrl": None, "data": {}, "events": {"Signed Up": 1}},
                    {"identifier": zoe, "displayName": "Zoë Example", "avatarUrl": None, "data": {}, "events": {"Signed Up": 1}},
                ],
                "absent": [f"{PREFIX}-x"],
            }
        )
    )


if __name__ == "__main__":
    sys.exit(main())
