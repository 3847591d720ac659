#!/usr/bin/env python3
"""Check an export of a portal's history, or a proof, without the portal. What they hold: docs/history-format.md.

    python check_history.py EXPORT.jsonl|PROOF.json [--checkpoint NOTE.txt] [--key NAME+ID+KEY]

Exit 0: it is right; 1: it is not. Signatures take the package ``cryptography``. Give a checkpoint and a key that you
have from elsewhere: those that come with the file prove only that it fits itself.
"""

import argparse
import hashlib
import json
import sys
from base64 import b64decode
from pathlib import Path


class Wrong(Exception): ...


def sha256(data):
    return hashlib.sha256(data).digest()


def node(left, right):
    return sha256(b"\x01" + left + right)


def root_of(leaves):
    """RFC 6962, section 2.1; a leaf is SHA-256(00 || digest), the digest is the SHA-256 of an event's sealed form."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"")
    left = 1 << (len(leaves) - 1).bit_length() - 1
    return node(root_of(leaves[:left]), root_of(leaves[left:]))


def climb(path, at, last, old, new):
    """RFC 9162, sections 2.1.3.2 and 2.1.4.2: the roots that a path leads to, of the smaller tree and of the larger."""
    for step in path:
        if last == 0:
            raise Wrong("the proof is too long")
        if at & 1 or at == last:
            old, new = node(step, old), node(step, new)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            new = node(new, step)
        at, last = at >> 1, last >> 1
    if last:
        raise Wrong("the proof is too short")
    return old, new


def roots_by_consistency(first, second, first_root, path):
    if first == second:
        return first_root, first_root
    path = [first_root, *path] if first & (first - 1) == 0 else path
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    return climb(path[1:], at, last, path[0], path[0])


def note_of(text, key):
    """Size and root of a checkpoint, a C2SP signed note. With a key, its signature is checked."""
    body, _, signatures = text.replace("\r\n", "\n").partition("\n\n")
    _origin, size, root = body.split("\n")[:3]
    if key:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        name, _id, public = key.strip().split("+", 2)
        public = b64decode(public)
        signed = [b64decode(line.split(" ")[2]) for line in signatures.splitlines() if line.split(" ")[1] == name]
        mine = [each[4:] for each in signed if each[:4] == sha256(name.encode() + b"\n" + public)[:4]]
        try:
            Ed25519PublicKey.from_public_bytes(public[1:]).verify(b"".join(mine[:1]), f"{body}\n".encode())
        except InvalidSignature:
            raise Wrong(f"the checkpoint is not signed by {name} with this key") from None
    return int(size), b64decode(root)


def check_export(lines, checkpoint, key):
    *events, last = lines
    if (manifest := json.loads(last).get("manifest")) is None:
        raise Wrong("the export breaks off: its last line is no manifest")
    if manifest["events"] != len(events) or manifest["sha256"] != sha256("".join(events).encode()).hex():
        raise Wrong("the lines are not those that the manifest was written for")
    digests, heads, gone, told = [], {}, {}, {}
    for line in events:
        row = json.loads(line)
        form = row.get("tombstone") or json.loads(row["sealed"])
        number, previous = heads.get(form["chain"], (0, ""))
        place = f"event {form['event']}, number {form['number']} of {form['chain']}"
        if manifest["is_whole"] and row["position"] != len(digests):
            raise Wrong(f"{place}: it stands at place {row['position']}, not {len(digests)}")
        if manifest["is_whole"] and (form["number"], form["previous"]) != (number + 1, previous):
            raise Wrong(f"{place}: it does not follow on number {number}")
        digests.append(sha256(row["sealed"].encode()) if "sealed" in row else bytes.fromhex(form["digest"]))
        told[form["event"]] = form.get("after", {}).get("tombstones", {}).get("sha256")
        if "tombstone" in row:
            gone.setdefault(form["told_by"], []).append(f"{form['event']}:{form['digest']}\n")
        heads[form["chain"]] = (form["number"], digests[-1].hex())
    for teller, lost in gone.items() if manifest["is_whole"] else ():
        if sha256("".join(sorted(lost)).encode()).hex() != told.get(teller):
            raise Wrong(f"the tombstones of event {teller} are not those that it tells of")
    size, root = note_of(checkpoint or manifest["checkpoint"], key)
    if not manifest["is_whole"]:
        return f"{len(digests)} events as the manifest says. They are a part: `audit prove` proves each of them."
    if size > len(digests):
        raise Wrong(f"the checkpoint is over {size} events, the export has {len(digests)}")
    if root_of([sha256(b"\x00" + digest) for digest in digests[:size]]) != root:
        raise Wrong(f"the first {size} events are not those that the checkpoint was signed over")
    said = f"{len(digests)} events ({sum(map(len, gone.values()))} tombstones) in {len(heads)} chains"
    return f"{said}; the first {size} stand under the checkpoint."


def check_proof(proof, checkpoint, key):
    path, (size, root) = list(map(bytes.fromhex, proof["path"])), note_of(checkpoint or proof["checkpoint"], key)
    if "first" in proof:
        first, first_root = note_of(proof["first"], key)
        if roots_by_consistency(first, size, first_root, path) != (first_root, root):
            raise Wrong(f"the first {first} of the {size} events are not those of the earlier checkpoint")
        return f"The history of {size} events begins with the {first} of the earlier checkpoint."
    start, at = sha256(b"\x00" + sha256(proof["sealed"].encode())), proof["position"]
    if at >= size or climb(path, at, size - 1, start, start)[1] != root:
        raise Wrong("the event is not one of those that the checkpoint was signed over")
    return f"The event stands at place {at + 1} of the {size} under the checkpoint."


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file")
    parser.add_argument("--checkpoint", help="a checkpoint from elsewhere, a file")
    parser.add_argument("--key", help="the portal's verifier key")
    asked = parser.parse_args()
    try:
        texts = [Path(path).read_bytes().decode() for path in (asked.file, asked.checkpoint) if path]
        lines, note = texts[0].splitlines(keepends=True), "".join(texts[1:])
        is_proof = len(lines) == 1 and "path" in json.loads(lines[0])
        print(check_proof(json.loads(lines[0]), note, asked.key) if is_proof else check_export(lines, note, asked.key))
    except (Wrong, OSError) as error:
        sys.exit(f"WRONG: {error}")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        sys.exit("WRONG: the file is no export and no proof, or it breaks off")


if __name__ == "__main__":
    main()
