"""Writes normalization-data.txt from the Unicode data of the running Python.

Only characters of Unicode 9.0 are listed (perl knows their age): the reference tokenizers normalise with tables of that
version, and what Unicode once said about a character's normalization never changes.

Lines: `u version` | `c first last class` (canonical combining class, hex hex decimal)
| `d code mapping...` (canonical) | `k code mapping...` (compatibility)
| `x code` (canonical mapping of two that never composes). Hangul is computed, not listed.
"""
import subprocess
import sys
import unicodedata as u

hexa = lambda n: format(n, "X")
VERSION = "9.0"
present = subprocess.run(
    ["perl", "-e", f"for $c (0..0x10FFFF) {{ print qq($c\\n) if chr($c) =~ /\\p{{Present_In: {VERSION}}}/ }}"],
    check=True, capture_output=True, text=True).stdout.split()
codes = [c for c in map(int, present) if not 0xD800 <= c < 0xE000]
out = [f"u {VERSION}"]

start = None
for c in codes + [None]:
    ccc = u.combining(chr(c)) if c is not None else 0
    if start is not None and (ccc != start[1] or c != last + 1):
        out.append(f"c {hexa(start[0])} {hexa(last)} {start[1]}")
        start = None
    if start is None and ccc:
        start = (c, ccc)
    last = c

for c in codes:
    if 0xAC00 <= c <= 0xD7A3:
        continue
    mapping = u.decomposition(chr(c)).split()
    if not mapping:
        continue
    kind = "d"
    if mapping[0].startswith("<"):
        kind, mapping = "k", mapping[1:]
    out.append(" ".join([kind, hexa(c)] + [hexa(int(m, 16)) for m in mapping]))
    if kind == "d" and len(mapping) == 2 and u.normalize("NFC", chr(c)) != chr(c):
        out.append(f"x {hexa(c)}")

with open("normalization-data.txt", "w", newline="\n") as f:
    f.write("\n".join(out) + "\n")
