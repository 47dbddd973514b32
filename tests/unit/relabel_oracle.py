#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Relabelling beside Prometheus' own package, on random rules over random labels: the same sets come out, the same are
dropped, the same rules are refused.

A case is lines of fields between tabs: R, action, separator, regex, modulus, target_label, replacement, source labels ...;
L, name, value; and "." for: apply. An optional field is "-", or "=" and the value."""
import random

from hs import *  # noqa: F403

HERE = pathlib.Path(__file__).parent
CASES = 20000
tmp = pathlib.Path(tempfile.mkdtemp(prefix="hotspan-relabel-"))
ACTIONS = ["replace"] * 6 + ["keep", "drop", "keepequal", "dropequal", "hashmod", "hashmod", "labelmap", "labelmap", "labeldrop", "labelkeep", "lowercase", "uppercase"]
NAMES = ["a", "b", "c", "job", "__meta_process_pid", "__meta_kubernetes_pod_label_app", "__meta_kubernetes_pod_label_tier", "instance", "A_1"]
VALUES = ["", "foo", "bar", "foo;bar", "prod-1", "10.0.0.1:9090", "Größe", "ΑΒΓ δ", "x" * 40, "a\\b", "$1", "über-Straße", "nginx.service", "FOO bar_9"]
REGEXES = ["(.*)", "foo", "f|fo|foo", "(f|fo)(o*)", "(.*);(.*)", "([^:]+)(?::\\d+)?", "(?i)FOO", "__meta_(.+)", "__meta_kubernetes_pod_label_(.+)", "(?P<name>[a-z]+).*", ".+",
           "", "a|b|c", "[[:alpha:]]+.*", "\\w+", "(a)|(b)|(.)", "prod-(\\d)", ".*\\.service", "(x+x+)+y", "^foo$", "foo(?:bar)?", "(", "[a", "a**", "\\d{1,3}\\.\\d.*", "(?s).*", "(.)(.)?(.)?"]
TEMPLATES = ["$1", "$2", "${1}", "${2}", "$1-$2", "$1x", "${1}x", "$$", "$", "$name", "${name}", "foo", "", "$0", "pre_${1}_post", "$10", "${1", "a${}b", "$01", "b$1", "ä$1", "$1$2$3"]
TARGETS = ["a", "b", "new", "job", "$1", "${1}_x", "x_$1", "1a", "", "a-b", "$", "${1", "A_1", "__tmp", "x$$y"]
ATOMS = ["a", "o", "x", "F", ".", ";", "-", " ", "ß", "δ", "\\d", "\\D", "\\w", "\\W", "\\s", "\\S", "\\v", "\\x41", "\\x{e4}", "\\.", "\\_", "\\pL", "\\p{Greek}", "\\P{^L}", "\\Qa.b\\E", "\\b", "^", "$",
         "[a-f]", "[^a-f;]", "[]a]", "[[:upper:]\\d-]", "[\\s-z]", "[^\\S]", "[\\w.-]", "[à-ü-z]", "(?i)", "(?i:FO)", "(?-s:.)", "(?U:o+)", "{,3}", "{x", "}", "]"]
ODD = ["\\1", "\\K", "\\q", "\\E", "\\8", "(?=a)", "(?<!a)", "(?>a)", "(?x)", "(?#a)", "(?R)", "(*F)", "[[:x:]]", "[a-\\d]", "[z-a]", "[\\b]", "(", "[", "\\", "\\x4", "\\p{Nope}", "a++", "a**", "a{3,2}", "a{1001}", "a{2}{3}"]
REPEATS = [""] * 8 + ["*", "+", "?", "*?", "+?", "??", "{2}", "{1,}", "{0,3}?"]


def regex(r, depth=2):
    named = []

    def part():
        if depth and r.random() < 0.3:
            atom = r.choice(["(", "(?:", "(?P<name>" if depth > 1 and not named else "("])
            named.append(atom) if "P" in atom else None
            atom += regex(r, depth - 1) + ")"
            # What a group holds whose last turn is empty is not the same with Perl.
            if re.search(r"\((?!\?[^P])", atom):
                return atom + r.choice(["", "", "?", "??"])
        else:
            atom = r.choice(ODD) if r.random() < 0.01 else r.choice(ATOMS)
        # Nothing to repeat in what matches no character, with PCRE2.
        return atom if atom in ("^", "$", "\\b", "(?i)") else atom + r.choice(REPEATS)
    return "".join(part() for _ in range(r.randrange(1, 5))) + ("|" + part() if r.random() < 0.2 else "") + r.choice(["", "", ".*"])


def optional(r, values, chance):
    return "=" + r.choice(values) if r.random() < chance else "-"


def rule(r):
    action = r.choice(ACTIONS)
    plain = action in ("labeldrop", "labelkeep")
    equal = action in ("keepequal", "dropequal")
    odd = r.random() < 0.1
    return "\t".join(["R", action, optional(r, ["", ";", "-", ", "], 0.1 if plain or equal else 0.3), optional(r, REGEXES if r.random() < 0.5 else [regex(r)], 0.1 if equal else 0.8),
                      str(r.choice([0, 1, 7, 64, 2**40]) if action == "hashmod" or odd else 0), "=" + r.choice(TARGETS) if not plain or odd else "-",
                      optional(r, TEMPLATES, 0.6 if action in ("replace", "labelmap") or odd else 0), *r.sample(NAMES, 0 if plain and not odd else r.randrange(4))])


def case(r):
    labels = [f"L\t{name}\t{r.choice(VALUES[1:])}" for name in r.sample(NAMES, r.randrange(7))]
    rules = [rule(r) for _ in range(r.choice([1, 1, 1, 2, 4]))]
    # Which of several names that become one wins is not said: labelmap comes first, where both see the same order.
    maps = [x for x in rules if "labelmap" in x]
    return "\n".join(maps[:1] + [x for x in rules if x not in maps] + labels + ["."]) + "\n"


def gorelabel():
    go = need("go")
    version = re.search(r"go1\.(\d+)", subprocess.run([go, "version"], capture_output=True, text=True).stdout)
    if int(version[1]) < 24:
        raise Skip(f"Go 1.{version[1]} is too old for github.com/prometheus/prometheus")
    shutil.copytree(HERE / "gorelabel", tmp / "src")
    p = subprocess.run([go, "build", "-o", tmp / "gorelabel", "."], cwd=tmp / "src", capture_output=True, text=True, env=dict(os.environ, GOFLAGS="-mod=mod", GOTOOLCHAIN="local"))
    if p.returncode:
        raise Skip("github.com/prometheus/prometheus cannot be built here: " + p.stderr.strip().splitlines()[-1])
    return tmp / "gorelabel"


def answers(program, text):
    p = subprocess.run([program], input=text.encode(), capture_output=True, check=True)
    # labelmap may make a label without a name, with Prometheus; with us that is none.
    return [re.sub(r"^=.*\n", "", a, flags=re.M) for a in re.split(r"^\.\n", p.stdout.decode(), flags=re.M)[:-1]]


def test_random_rules_do_what_prometheus_does():
    r = random.Random(os.environ.get("SEED", "1"))
    cases = [case(r) for _ in range(CASES)]
    ours, theirs = (answers(p, "".join(cases)) for p in (BUILD / "tests/unit/relabel_apply", gorelabel()))
    assert len(ours) == len(theirs) == CASES, (len(ours), len(theirs))
    # RE2 takes time linear in the text; ours gives up where Perl's way takes too many steps, and says so.
    long = {i for i in range(CASES) if ours[i] == "too long\n"}
    assert len(long) < CASES / 2000, len(long)
    different = [i for i in range(CASES) if ours[i] != theirs[i] and i not in long]
    for i in different[:10]:
        print(cases[i], "ours:", ours[i], "theirs:", theirs[i])
    print(f"  {CASES} cases: {sum(a == 'bad' + chr(10) for a in theirs)} refused, {sum(a == 'drop' + chr(10) for a in theirs)} dropped, {len(long)} given up, {len(different)} differ")
    assert not different


if __name__ == "__main__":
    try:
        run_tests(globals())
    finally:
        shutil.rmtree(tmp)
