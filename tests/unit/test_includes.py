#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The arrows of the design hold: a file includes only headers of modules its own module USES."""
import os
import pathlib
import re
import sys

build = pathlib.Path(os.environ["HOTSPAN_BUILD"])
root = pathlib.Path(__file__).resolve().parents[2]
ROOTS = (root, root / "profiler")
# Headers shared with the BPF side and generated ones: no module owns what the build generates.
GENERATED = re.compile(r"^(version\.h|bpf/.*\.skel\.h|pprof/.*\.pb-c\.h)$")

modules, owner = {}, {}
for row in (build / "modules.tsv").read_text().splitlines():
	if not row.strip():
		continue
	name, folder, sources, headers, uses = (row.split("\t") + [""] * 5)[:5]
	modules[name] = set(uses.split())
	for f in sources.split() + headers.split():
		path = (root / folder / f).resolve()
		owner[path] = name
		twin = path.with_suffix(".h")
		if path.suffix == ".c" and twin.exists():
			owner[twin] = name


def reach(name):
	seen, todo = set(), [name]
	while todo:
		m = todo.pop()
		if m not in seen:
			seen.add(m)
			todo += modules[m]
	return seen


bad = []
for path, name in owner.items():
	allowed = reach(name)
	for n, line in enumerate(path.read_text().splitlines(), 1):
		m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
		if not m or GENERATED.match(m[1]):
			continue
		target = next((r / m[1] for r in (*ROOTS, path.parent) if (r / m[1]).exists()), None)
		where = f"{path.relative_to(root)}:{n}"
		if target is None:
			bad.append(f"{where}: {m[1]} is not in the tree")
		elif target.resolve() not in owner:
			bad.append(f"{where}: {m[1]} belongs to no module")
		elif owner[target.resolve()] not in allowed:
			bad.append(f"{where}: {name} includes {m[1]} of {owner[target.resolve()]}, which it does not USE")

sources = [p for d in ("profiler", "symbolize", "pprof", "exporter") for p in (root / d).rglob("*.[ch]")]
bad += [f"{p.relative_to(root)}: listed by no module()" for p in sources if p.resolve() not in owner]
print("\n".join(bad) or f"{len(owner)} files of {len(modules)} modules: every arrow holds")
sys.exit(bool(bad) or not owner)
