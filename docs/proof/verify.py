"""Verifies an export of a ledger, and receipts, with Python's standard library alone (3.9 or newer).

    python3 verify.py KEYS.json EXPORT.jsonl [RECEIPT.txt ...]

docs/proof.md describes the formats. The Ed25519 code follows RFC 8032, section 6, for verification only.
"""
import base64, hashlib, json, re, sys
from decimal import Decimal

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def x_of(y, sign):
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P)
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P != 0:
        x = x * ROOT % P
    if (x * x - square) % P != 0 or (x == 0 and sign):
        return None
    return P - x if (x & 1) != sign else x


def point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    x = x_of(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(n, p):
    q = (0, 1, 1, 0)
    while n > 0:
        if n & 1:
            q = add(q, p)
        p, n = add(p, p), n >> 1
    return q


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = (x_of(BASE_Y, 0), BASE_Y, 1, x_of(BASE_Y, 0) * BASE_Y % P)


def signed(key, text, signature):
    a, r, s = point(key), point(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or len(signature) != 64 or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + text).digest(), "little") % L
    left, right = times(s, BASE), add(r, times(h, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


class Wrong(Exception):
    pass


def check(good, problem):
    if not good:
        raise Wrong(problem)


def unbase64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sha256(*parts):
    return base64.urlsafe_b64encode(hashlib.sha256(b"\n".join(parts)).digest()).rstrip(b"=")


def open_note(note, keys):
    match = re.fullmatch(r"((?:[^\n]+\n){6})\n— (\S+) ([A-Za-z0-9+/]+=*)\n", note)
    check(match, "the checkpoint is not a signed note")
    text, name, signature = match.group(1), match.group(2), base64.b64decode(match.group(3))
    kind, ledger, first, entry, hash, _ = text.splitlines()
    check(kind == "openmonetize ledger checkpoint 1", "the note is not a checkpoint")
    for key in keys.values():
        named = hashlib.sha256(name.encode() + b"\n\x01" + key).digest()[:4] == signature[:4]
        if named and signed(key, text.encode(), signature[4:]):
            return ledger, int(first), int(entry), hash.encode()
    raise Wrong("the checkpoint is not signed by a key of the key set")


def check_lots(entry):
    lots = entry.get("l", [])
    check(not lots or sum(lot[1] for lot in lots) == entry["a"], "the lots do not add up")


def verify_export(data, keys):
    """Returns the hash of each entry. Raises Wrong, with the first wrong entry in its text."""
    lines = data.split(b"\n")
    match = re.fullmatch(
        rb'{"export":1,"ledger":"([\w:-]+)","first_entry":(\d+),"from":(\d+),"before":"([\w-]{43})"}', lines[0]
    )
    check(match, "line 1: the first line is not the header of an export")
    ledger, first, number, hash = match.group(1), int(match.group(2)), int(match.group(3)), match.group(4)
    begins = hash == sha256(b"openmonetize ledger chain 1", ledger, b"%d" % first)
    check(begins == (number == first), "line 1: the hash does not match the ledger and the first entry")
    start, hashes, count, covered, balances = number, {}, 0, 0, {}
    try:
        for at, line in enumerate(lines[1:], 2):
            match = re.fullmatch(
                rb'{"entry":({.*}),"hash":"([\w-]{43})"(?:,"personal":({.*}),"salt":"([\w-]{22})")?}', line
            )
            if match:
                content, stated, personal, salt = match.groups()
                entry = json.loads(content)
                check(entry["n"] == number, "the line has entry %d instead" % entry["n"])
                check(sha256(hash, content) == stated, "the hash does not match the entry")
                if personal is not None:
                    check(sha256(salt, personal) == entry["pc"].encode(), "the personal data do not match the entry")
                before = balances.get(entry["w"], 0 if start == 1 else entry["b"] - entry["a"])
                check(before + entry["a"] == entry["b"], "the balance does not add up")
                check_lots(entry)
                balances[entry["w"]], hashes[number], hash, number = entry["b"], stated, stated, number + 1
            elif line.startswith(b'{"checkpoint":'):
                note = json.loads(line)["checkpoint"]
                written = json.dumps({"checkpoint": note}, ensure_ascii=False, separators=(",", ":")).encode()
                check(written == line, "the checkpoint is not in canonical form")
                of, begun, covered, signed_hash = open_note(note, keys)
                check(of.encode() == ledger and begun == first, "the first line or the checkpoint names another chain")
                check(covered >= number or hashes.get(covered) == signed_hash, "the checkpoint has a different hash")
                count += 1
            else:
                end = b'{"end":{"entry":%d,"hash":"%s","checkpoints":%d,"next":' % (number - 1, hash, count)
                next = b"null" if covered == number - 1 else b"%d" % number
                check(line == end + next + b"}}", "the line is not a valid entry, checkpoint or end line")
                check(covered >= number - 1, "no checkpoint covers the last entry")
                check(lines[at:] == [b""], "the export continues after its end")
                return hashes
        raise Wrong("the export is truncated")
    except (ValueError, KeyError, TypeError) as error:
        raise Wrong("entry %d: %s" % (number, error))
    except Wrong as wrong:
        raise Wrong("entry %d: %s" % (number, wrong))


def verify_receipt(text, keys):
    """Returns the claims of a receipt."""
    try:
        head, body, signature = text.strip().split(".")
        header, claims = json.loads(unbase64(head)), json.loads(unbase64(body))
        key = keys.get(header["kid"])
        check(header["alg"] == "EdDSA" and key is not None, "the key is not in the key set")
        check(signed(key, ("%s.%s" % (head, body)).encode(), unbase64(signature)), "the signature is invalid")
        entry = claims["entry"]
        stated = sha256(entry["before"].encode(), entry["content"].encode())
        check(stated == entry["hash"].encode(), "the hash does not match the entry")
        content = json.loads(entry["content"])
        check(content["n"] == entry["number"], "the entry has a different number")
        before, after = content["b"] - content["a"], content["b"]
        stated_balances = [Decimal(claims[name]) * 10**6 for name in ("balance_before", "balance_after")]
        check(stated_balances == [before, after], "the balances do not match the entry")
        check_lots(content)
        ledger, _, covered, signed_hash = open_note(claims["checkpoint"], keys)
        check(ledger == claims["ledger"] and covered >= entry["number"], "the checkpoint does not cover the entry")
        check(covered > entry["number"] or signed_hash == stated, "the checkpoint has a different hash")
        return claims
    except (ValueError, KeyError, TypeError, ArithmeticError):
        raise Wrong("the receipt is malformed")


if __name__ == "__main__":
    keys_file, export_file, *receipts = sys.argv[1:]
    with open(keys_file, encoding="utf-8") as file:
        keys = {key["kid"]: unbase64(key["x"]) for key in json.load(file)["keys"]}
    try:
        with open(export_file, "rb") as file:
            hashes = verify_export(file.read(), keys)
        print("%d entries are valid" % len(hashes))
        for path in receipts:
            with open(path, encoding="utf-8") as file:
                entry = verify_receipt(file.read(), keys)["entry"]
            known = hashes.get(entry["number"], entry["hash"].encode())
            check(known == entry["hash"].encode(), "the receipt does not match the export")
            print("receipt of entry %d" % entry["number"])
    except Wrong as wrong:
        sys.exit(str(wrong))
