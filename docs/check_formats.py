#!/usr/bin/env python3
"""Checks a data directory of Usher, written from docs/formats.md alone.

    python3 docs/check_formats.py DIR [--backup FILE [--recovery-key FILE]]
                                  [--token TOKEN --identifier NAME] [--suppressed PROJECT:NAME]
                                  [--scheduled PROJECT:NAME] [--ended KEY]

Prints a line for each thing that is good; ends with 1 at the first that is not, and names it.
Stop the server first. It needs Python 3.9 and the package `cryptography`.
"""

import argparse
import base64
import hashlib
import hmac
import io
import json
import pathlib
import re
import sqlite3
import sys
import tarfile

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ZERO = bytes(32)
LARGEST = 2**53 - 1
YEAR_10000 = 253402300800000


class Wrong(Exception):
    """Something is not as the page says."""


def must(holds, what):
    if not holds:
        raise Wrong(what)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


# Keys


class Keys:
    def __init__(self, directory):
        self.secret = (directory / "secrets/store.key").read_bytes()
        must(len(self.secret) == 32, "store.key has 32 bytes")
        first = (directory / "signing.pub").read_text().splitlines()[0]
        self.public = first.split()[-1]
        recovery = (directory / "secrets/recovery.pub").read_text().rstrip("\n")
        seal = (directory / "secrets/recovery.seal").read_text().rstrip("\n")
        must(self.keyed("recovery key", recovery.encode()).hex() == seal, "recovery.seal is of recovery.pub")
        self.recovery = fingerprint(recovery)

    def keyed(self, purpose, *message):
        return mac(mac(self.secret, purpose.encode()), *message)

    def hkdf(self, info):
        return mac(mac(ZERO, self.secret), info.encode(), b"\x01")

    def signed(self, text, signature):
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.public))
        try:
            key.verify(bytes.fromhex(signature), text.encode())
        except InvalidSignature:
            return False
        return True


def fingerprint(public):
    return sha256(public.encode())[:8].hex()


# The ledger and its head

PERSON, NAME, NUMBER = "32 hex", "32 hex", "number"
ACTS = {
    "scheduled": [("request", PERSON), ("project", NUMBER), ("name", NAME), ("due", NUMBER)],
    "cancelled": [("request", PERSON)],
    "begun": [("request", PERSON)],
    "hidden": [("person", PERSON)],
    "revived": [("person", PERSON)],
    "erased": [("person", PERSON), ("erasure", "account|activity|everything"), ("[cutoff]", NUMBER)],
    "held": [("person", PERSON), ("[until]", NUMBER)],
    "released": [("person", PERSON)],
    "restricted": [("person", PERSON)],
    "unrestricted": [("person", PERSON)],
    "credential_ended": [("credential", PERSON)],
    "credential_ends": [("credential", PERSON), ("until", NUMBER)],
    "key_revoked": [("key", PERSON)],
    "suppressed": [
        ("project", NUMBER), ("name", NAME), ("subject", NAME), ("[until]", NUMBER),
        ("source", r"own|regulations|regulation \d+|denylist|preference|"),
    ],
    "unsuppressed": [
        ("project", NUMBER), ("subject", NAME), ("[name]", NAME),
        ("source", r"own|regulations|regulation \d+|denylist|preference|"),
    ],
    "bound": [("request", PERSON), ("[person]", PERSON)],
    "anew": [("lost", PERSON), ("entries", NUMBER)],
    "void": [("from", NUMBER)],
}


def one_way(line, value):
    """The fields stand in the order of the page, without spaces."""
    return line == json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def fits(value, form):
    if form == NUMBER:
        return isinstance(value, int) and not isinstance(value, bool)
    if form == PERSON:
        return isinstance(value, str) and re.fullmatch("[0-9a-f]{32}", value) is not None
    return isinstance(value, str) and re.fullmatch(form, value) is not None


class Ledger:
    def __init__(self, path, keys):
        data = path.read_bytes()
        must(data.endswith(b"\n"), "the last line of the ledger has its end")
        lines = data[:-1].decode().split("\n")
        seal = keys.hkdf("usher ledger line 2")
        header = json.loads(lines[0])
        must(one_way(lines[0], header), "line 1 is written in the one way")
        must(list(header) == ["format", "version", "ledger", "at", "mac"], "line 1 has the fields of a header")
        must((header["format"], header["version"]) == ("usher-ledger", 2), "it is a ledger of version 2")
        self.id = header["ledger"]
        first = '{"format":"usher-ledger","version":1,"ledger":"%s","at":%d}' % (self.id, header["at"])
        self.chains = [sha256(first.encode())]
        must(header["mac"] == mac(seal, self.chains[0]).hex(), "the MAC of line 1 is good")
        # Where each entry ends in the file, and where it ended in version 1, which had no MACs.
        self.ends = [len(lines[0]) + 1]
        without_mac = len(',"mac":""') + 64
        self.old_ends = [self.ends[0] - without_mac]
        self.entries = [None]
        for number, line in enumerate(lines[1:], 1):
            at = f"entry {number} of the ledger"
            must(len(line) < 512, f"{at} has at most 512 bytes")
            entry = json.loads(line)
            must(one_way(line, entry), f"{at} is written in the one way")
            self.fields(entry, at)
            must(entry["seq"] == number, f"{at} has its number")
            body = line[: line.rindex(',"chain":')] + "}"
            chain = sha256(self.chains[-1], body.encode())
            must(entry["chain"] == chain.hex(), f"{at} follows from the line before it")
            must(entry["mac"] == mac(seal, chain).hex(), f"{at} has a good MAC")
            self.chains.append(chain)
            self.ends.append(self.ends[-1] + len(line) + 1)
            self.old_ends.append(self.old_ends[-1] + len(line) + 1 - without_mac)
            self.entries.append(entry)

    def has(self, act, field, digest):
        """There is an entry of this act about what the digest's first half stands for."""
        there = {entry[field] for entry in self.entries[1:] if entry["act"] == act}
        must(digest[:16].hex() in there, f"what was named is {act} in the ledger")
        print(f"good  {act}: it is in the ledger")

    @staticmethod
    def fields(entry, at):
        act = ACTS.get(entry.get("act"))
        must(act is not None, f"{at} has an act that the page names")
        names = ["seq", "at", "act"]
        for name, form in act:
            plain = name.strip("[]")
            if plain in entry:
                names.append(plain)
                must(fits(entry[plain], form), f"{at}: {plain} has its form")
            else:
                must(name.startswith("["), f"{at} has {plain}")
        must(list(entry) == names + ["chain", "mac"], f"{at} has the fields of its act, in their order")
        if entry["act"] == "erased":
            must(("cutoff" in entry) == (entry["erasure"] == "activity"), f"{at} has a cutoff where it must")
        if entry["act"] == "void":
            must(0 < entry["from"] < entry["seq"], f"{at} ends what is before it")


def check_head(path, ledger, keys):
    text = path.read_text()
    line = text[:-1]
    head = json.loads(line)
    must(text.endswith("\n") and one_way(line, head), "the head is written in the one way")
    names = ["format", "version", "ledger", "seq", "chain", "at", "run", "signature"]
    must(list(head) == names, "the head has its fields")
    must((head["format"], head["version"]) == ("usher-ledger-head", 2), "it is a head of version 2")
    body = line[: line.rindex(',"signature":')] + "}"
    must(keys.signed(body, head["signature"]), "the head's signature is good")
    must(head["ledger"] == ledger.id and head["seq"] < len(ledger.chains), "the ledger has come to its head")
    must(head["chain"] == ledger.chains[head["seq"]].hex(), "the head names the ledger's chain value")


# Canonical JSON and receipts


def canonical(value):
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(canonical(name) + ":" + canonical(value[name]) for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical(item) for item in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    must(isinstance(value, int) and abs(value) <= LARGEST, "a number is an integer that a double holds")
    return str(value)


def number(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST


def place(value):
    return number(value) and value > 0


def time(value):
    return number(value) and value < YEAR_10000


def text(value):
    return isinstance(value, str) and 1 <= len(value) <= 500 and not re.search("[\0-\x1f\x7f-\x9f]", value)


def digits(count):
    return lambda value: isinstance(value, str) and re.fullmatch("[0-9a-f]{%d}" % count, value) is not None


def word(*words):
    return lambda value: isinstance(value, str) and value in words


def is_exactly(wanted):
    return lambda value: type(value) is type(wanted) and value == wanted


ASKED = {
    "erasure": word("account", "activity", "everything"),
    "origin": word("schedule", "request", "page", "reaper", "ledger"),
    "right": text, "at": time, "due": time,
}
DONE = {name: time for name in ("began_at", "erased_at", "scrubbed_at", "verified_at", "completed_at")}
COUNTS = [{"kind": text, "label": text, "rows": number}]
STAYS = [{"kind": text, "label": text, "rows": number, "why": text}]
BACKUPS = [{"name": text, "made_at": time, "pruned_at": time}]
SCRUB = {"pages": number, "changed": number}
CHECKPOINT = {"truncated": is_exactly(True), "frames": number}
SCAN = {
    "mode": word("changed pages", "whole files"), "bytes": number, "pages": number, "needles": number,
    "needles_dropped": number, "found": is_exactly(0), "took_ms": number,
}
BOTH = {
    "format": word("usher-receipt"), "number": place, "id": digits(32), "installation": digits(32),
    "subject": digits(64), "asked": ASKED, "done": DONE, "counts": COUNTS, "stays": STAYS, "mentions": number,
    "backups": BACKUPS, "previous": digits(64), "key": digits(64), "signature": digits(128),
}
VERSION_1 = {
    **BOTH, "version": is_exactly(1), "scrub": SCRUB, "checkpoint": CHECKPOINT, "scan": SCAN,
    "ledger": {"id": digits(32), "seq": number, "head": digits(64)}, "audit": {"seq": number, "head": digits(64)},
}
VERSION_2 = {
    **BOTH, "version": is_exactly(2), "project": digits(32), "since": COUNTS,
    "mentions_of": word("all rows", "some rows", "nothing"), "evidence": {"engine": text, "method": text},
    "ledger": {"id": digits(32), "head": digits(64)}, "audit": {"head": digits(64)}, "figures": digits(64),
}
FIGURES = {
    "place": place, "previous": digits(64), "job": {"id": place, "number": place, "project": place},
    "scrub": SCRUB, "checkpoint": CHECKPOINT, "scan": SCAN, "ledger_seq": number, "audit_seq": number,
    "salt": digits(64),
}


def form(value, wanted, at):
    if isinstance(wanted, dict):
        must(isinstance(value, dict) and set(value) == set(wanted), f"{at} has its fields and no others")
        for name in wanted:
            form(value[name], wanted[name], f"{at}.{name}")
    elif isinstance(wanted, list):
        must(isinstance(value, list), f"{at} is a list")
        for item in value:
            form(item, wanted[0], at)
    else:
        must(wanted(value), f"{at} has its form")


def check_receipt(bytes_, keys, at):
    """What is in a file, or was handed out: the receipt, and its figures or None."""
    must(len(bytes_) <= 4 * 1024 * 1024, f"{at} has at most 4 MiB")
    value = json.loads(bytes_)
    must(canonical(value).encode() == bytes_, f"{at} is canonical")
    figures = None
    if set(value) == {"figures", "receipt"}:
        figures, value = value["figures"], value["receipt"]
        form(figures, FIGURES, f"{at}: figures")
        must(sha256(canonical(figures).encode()).hex() == value.get("figures"), f"{at} is of its figures")
    form(value, VERSION_1 if value.get("version") == 1 else VERSION_2, at)
    must(value["key"] == keys.public, f"{at} names the operator's key")
    rest = {name: value[name] for name in value if name != "signature"}
    must(keys.signed(canonical(rest), value["signature"]), f"{at} has a good signature")
    return value, figures


def check_receipts(folder, ledger, audit, keys):
    files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    found, before, last_of, first_version = [], ZERO, {}, set()
    for nth, path in enumerate(files, 1):
        at = f"receipt {path.name}"
        data = path.read_bytes()
        receipt, figures = check_receipt(data, keys, at)
        must(path.name == f"{nth:06}-{receipt['id']}.json", f"{at} has its name")
        handed_out = canonical(receipt).encode()
        if figures is None:
            must(receipt["number"] == nth and receipt["previous"] == before.hex(), f"{at} follows")
            first_version.add(sha256(handed_out).hex())
            seqs = receipt["ledger"]["seq"], receipt["audit"]["seq"]
        else:
            must(figures["place"] == nth and figures["previous"] == before.hex(), f"{at} follows")
            last = last_of.get(receipt["project"])
            if last:
                must(receipt["previous"] == last[1] and receipt["number"] > last[0], f"{at} follows in its project")
            else:
                before_it = {ZERO.hex()} | first_version
                must(receipt["previous"] in before_it, f"{at} is the first of its project")
            last_of[receipt["project"]] = receipt["number"], sha256(handed_out).hex()
            seqs = figures["ledger_seq"], figures["audit_seq"]
        before = sha256(data)
        must(receipt["installation"] == receipt["ledger"]["id"] == ledger.id, f"{at} is of this ledger")
        must(ledger.chains[seqs[0]].hex() == receipt["ledger"]["head"], f"{at} names the ledger's chain value")
        began = [e for e in ledger.entries[1 : seqs[0] + 1] if e["act"] == "erased"]
        must(any(e["at"] == receipt["done"]["began_at"] for e in began), f"{at} has its entry in the ledger")
        must(audit[seqs[1]] == receipt["audit"]["head"], f"{at} names the audit log's chain value")
        found.append(receipt)
    return found


def check_subject(receipts, token, identifier):
    receipt_id, salt = token.split(".")
    of_it = [receipt for receipt in receipts if receipt["id"] == receipt_id]
    must(of_it, "the token's receipt is there")
    subject = sha256(bytes.fromhex(salt), identifier.encode()).hex()
    must(of_it[0]["subject"] == subject, "the receipt is about the person who has the token")


# The audit log


def check_audit(conn, keys):
    hashes, before = [ZERO.hex()], ZERO
    rows = conn.execute(
        "SELECT seq, at, actor, action, subject, project_id, job_id, reason, request_id, hash FROM audit ORDER BY seq"
    )
    for seq, at, actor, action, subject, project, job, reason, request, stored in rows:
        must(seq == len(hashes), f"row {len(hashes)} of the audit log is there")
        row = {
            "action": action, "actor": actor, "at": at, "job": job, "project": project, "reason": reason,
            "request_id": request, "seq": seq, "subject": subject.hex() if subject is not None else None,
        }
        before = sha256(before, canonical(row).encode())
        must(stored == before, f"row {seq} of the audit log follows")
        hashes.append(stored.hex())
    heads = 0
    for seq, stored, at, signature in conn.execute("SELECT seq, hash, at, signature FROM audit_heads"):
        head = {"at": at, "format": "usher-audit-head", "hash": stored.hex(), "seq": seq, "version": 1}
        must(keys.signed(canonical(head), signature.hex()), f"the head at row {seq} has a good signature")
        must(hashes[seq] == stored.hex(), f"the head at row {seq} names its hash")
        heads += 1
    must(heads > 0, "the audit log has a signed head")
    return hashes, heads


def check_people(conn, ledger, keys):
    """Who is in the trash stands in the ledger, by a pseudonym of the registration."""
    hidden = {e["person"] for e in ledger.entries[1:] if e["act"] == "hidden"}
    rows = conn.execute("SELECT incarnation FROM users WHERE state = 'hidden'").fetchall()
    for (incarnation,) in rows:
        must(keys.keyed("ledger person", incarnation)[:16].hex() in hidden, "who is in the trash is in the ledger")
    return len(rows)


# Backups


def check_backup(path, ledger, keys, identity):
    data = path.read_bytes()
    end = data.index(b"\n") + 1
    line = data[:end]
    version = line[: len(b"usher-backup 2 ")]
    must(version in (b"usher-backup 1 ", b"usher-backup 2 ") and end <= 16 * 1024, "it is a backup of format 1 or 2")
    padded = line[len(version) : -1].decode()
    body = padded.rstrip(" ")
    about = json.loads(body)
    must(one_way(body, about), "the first line is written in the one way")
    names = [
        "made_at", "version", "schema", "ledger", "database_bytes", "database_sha256", "recipients", "sealed_bytes",
        "sealed_sha256",
    ]
    if version == b"usher-backup 2 ":
        names += ["key", "signature"]
    must(list(about) == names, "the first line has its fields")
    longest = {**about, "sealed_bytes": 18446744073709551615}
    must(len(padded) == len(json.dumps(longest, separators=(",", ":"))), "the first line is filled up")
    if "signature" in about:
        signed = body[: body.rindex(',"signature":')] + "}"
        must(about["key"] == keys.public and keys.signed(signed, about["signature"]), "its signature is good")
    sealed = data[end:]
    must(len(sealed) == about["sealed_bytes"], "the encrypted part is as long as it says")
    must(sha256(sealed).hex() == about["sealed_sha256"], "the encrypted part has the digest that it says")
    seen = about["ledger"]
    must(seen["ledger"] == ledger.id and seen["head"] == ledger.chains[seen["seq"]].hex(), "it is of this ledger")
    ends = ledger.ends[seen["seq"]], ledger.old_ends[seen["seq"]]
    must(seen["offset"] in ends, "its offset is the end of the entry's line")
    must(about["recipients"]["recovery"] == keys.recovery, "it is encrypted to the recovery key")
    if identity is None:
        return "the first line"
    must(fingerprint(identity.public_text()) in about["recipients"].values(), "the key is one of its recipients")
    with tarfile.open(fileobj=io.BytesIO(open_age(sealed, identity))) as tar:
        members = tar.getmembers()
        inside = ["manifest.json", "usher.db", "secrets/store.key", "secrets/signing.key", "signing.pub"]
        must([member.name for member in members] == inside, "the tar has its five files")
        files = [tar.extractfile(member).read() for member in members]
    outer = {name: about[name] for name in about if name not in ("sealed_bytes", "sealed_sha256", "signature")}
    must(json.loads(files[0]) == outer, "the manifest says what the first line says")
    must(len(files[1]) == about["database_bytes"], "the database has its length")
    must(sha256(files[1]).hex() == about["database_sha256"], "the database has its digest")
    must(files[2] == keys.secret, "the store's secret is in it")
    return "all of it"


class Identity:
    """An age key of the X25519 kind, out of a text that has it as the end of a line."""

    LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

    def __init__(self, words):
        key = re.search(r"AGE-SECRET-KEY-1[0-9A-Z]+", words)
        must(key, "there is a key in the file")
        five = [self.LETTERS.index(letter) for letter in key.group().lower().rsplit("1", 1)[1][:-6]]
        bits = "".join(f"{value:05b}" for value in five)
        raw = bytes(int(bits[n : n + 8], 2) for n in range(0, 256, 8))
        self.private = X25519PrivateKey.from_private_bytes(raw)
        self.public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def public_text(self):
        bits = "".join(f"{byte:08b}" for byte in self.public) + "0000"
        five = [int(bits[n : n + 5], 2) for n in range(0, 260, 5)]
        return "age1" + "".join(self.LETTERS[value] for value in five + self.checksum("age", five))

    @staticmethod
    def checksum(prefix, five):
        values = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + five + [0] * 6
        state = 1
        for value in values:
            top = state >> 25
            state = (state & 0x1FFFFFF) << 5 ^ value
            for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
                state ^= generator if top >> bit & 1 else 0
        return [(state ^ 1) >> 5 * (5 - n) & 31 for n in range(6)]


def unbase64(words):
    return base64.b64decode(words + "=" * (-len(words) % 4))


def derive(secret, salt, info):
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive(secret)


def open_age(data, identity):
    """Decrypts an age file, version 1, as age-encryption.org/v1 says."""
    header, _, rest = data.partition(b"\n---")
    proof, _, payload = rest.partition(b"\n")
    lines = header.decode().split("\n")
    must(lines[0] == "age-encryption.org/v1", "it is an age file")
    file_key = None
    for nth, line in enumerate(lines):
        if not line.startswith("-> X25519 "):
            continue
        share = unbase64(line.split(" ")[2])
        shared = identity.private.exchange(X25519PublicKey.from_public_bytes(share))
        wrap = derive(shared, share + identity.public, b"age-encryption.org/v1/X25519")
        try:
            file_key = ChaCha20Poly1305(wrap).decrypt(bytes(12), unbase64(lines[nth + 1]), None)
        except InvalidTag:
            pass
    must(file_key is not None, "the key opens the backup")
    seal = mac(derive(file_key, b"", b"header"), header + b"\n---")
    must(seal == unbase64(proof.decode().strip()), "the header of the age file is good")
    stream = ChaCha20Poly1305(derive(file_key, payload[:16], b"payload"))
    chunks = [payload[n : n + 65552] for n in range(16, len(payload), 65552)]
    out = []
    for nth, chunk in enumerate(chunks):
        last = b"\x01" if nth == len(chunks) - 1 else b"\x00"
        try:
            out.append(stream.decrypt(nth.to_bytes(11, "big") + last, chunk, None))
        except InvalidTag:
            raise Wrong(f"chunk {nth} of the age file opens") from None
    return b"".join(out)


# Numbers


def check_numbers(path, conn):
    largest = {}
    for line in path.read_text().split("\n")[:-1]:
        name, _, value = line.rpartition(" ")
        largest[name] = max(largest.get(name, 0), int(value))
    for name, value in conn.execute("SELECT name, value FROM sequences WHERE name <> 'id' AND value > 0"):
        must(largest.get(name, 0) >= value, f"{name} {value} is in the file of numbers")
    return len(largest)


def project_and_name(words):
    project, _, name = words.partition(":")
    return int(project).to_bytes(8, "big"), name.encode()


def main():
    args = argparse.ArgumentParser()
    args.add_argument("dir", type=pathlib.Path)
    args.add_argument("--backup", type=pathlib.Path)
    args.add_argument("--recovery-key", type=pathlib.Path)
    args.add_argument("--token")
    args.add_argument("--identifier")
    args.add_argument("--suppressed", help="an identifier that is kept out: PROJECT:NAME, with the project's number")
    args.add_argument("--scheduled", help="an identifier whose erasure was scheduled: the same")
    args.add_argument("--ended", help="an API key that was revoked")
    args = args.parse_args()
    keys = Keys(args.dir)
    ledger = Ledger(args.dir / "erasures.ledger", keys)
    print(f"good  ledger: {len(ledger.entries) - 1} entries")
    check_head(args.dir / "secrets/ledger.head", ledger, keys)
    print("good  head of the ledger")
    uri = (args.dir.absolute() / "usher.db").as_uri() + "?mode=ro"
    conn = sqlite3.connect(uri, uri=True)
    audit, heads = check_audit(conn, keys)
    print(f"good  audit log: {len(audit) - 1} rows, {heads} signed heads")
    receipts = check_receipts(args.dir / "receipts", ledger, audit, keys)
    print(f"good  receipts: {len(receipts)}")
    print(f"good  people in the trash: {check_people(conn, ledger, keys)}")
    print(f"good  numbers: {check_numbers(args.dir / 'numbers', conn)} sequences")
    if args.token:
        check_subject(receipts, args.token, args.identifier)
        print("good  the token is of its receipt")
    if args.suppressed:
        wanted = mac(keys.secret, b"i", *project_and_name(args.suppressed))
        ledger.has("suppressed", "name", wanted)
    if args.scheduled:
        ledger.has("scheduled", "name", keys.keyed("ledger name", *project_and_name(args.scheduled)))
    if args.ended:
        ledger.has("credential_ended", "credential", keys.keyed("ledger key", sha256(args.ended.encode())))
    if args.backup:
        identity = Identity(args.recovery_key.read_text()) if args.recovery_key else None
        print(f"good  backup: {check_backup(args.backup, ledger, keys, identity)}")


if __name__ == "__main__":
    try:
        main()
    except Wrong as wrong:
        sys.exit(f"wrong  this does not hold: {wrong}")
    except (OSError, ValueError, IndexError, KeyError) as error:
        sys.exit(f"wrong  this does not read: {type(error).__name__}: {error}")
