"""Writes normalization-data.txt from the Unicode data of the running Python.

Lines: `u version` | `c first last class` (canonical combining class, hex hex decimal)
| `d code mapping...` (canonical) | `k code mapping...` (compatibility)
| `x code` (canonical mapping of two that never composes). Hangul is computed, not listed.
"""
import sys
import unicodedata as u

hexa = lambda n: format(n, "X")
codes = [c for c in range(sys.maxunicode + 1) if not 0xD800 <= c < 0xE000]
out = [f"u {u.unidata_version}"]

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
