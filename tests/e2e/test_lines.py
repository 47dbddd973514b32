#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lines and inlined frames of what was really sampled, by record and by the agent; what happens when the debug
information is damaged, and when there is no place to keep what was read of it."""
import json
import shutil

from hs import *  # noqa: F403
from http_pages import Server
from pyroscope import Fake

tmp = pathlib.Path(tempfile.mkdtemp(prefix="hotspan-lines-"))
PROTO = pathlib.Path(__file__).resolve().parents[2] / "pprof"
PROGRAM = """#include <algorithm>
#include <cstdlib>
#include <vector>
static inline unsigned mix(unsigned x) { return x * 2654435761u ^ x >> 15; }
__attribute__((noinline)) unsigned burn(std::vector<unsigned> &v)
{
	for (unsigned i = 0; i < v.size(); i++)
		for (unsigned k = 0; k < 30; k++)
			v[i] = mix(v[i] + k);
	std::sort(v.begin(), v.end());
	return v[v.size() / 2];
}
int main(int argc, char **argv)
{
	std::vector<unsigned> v(100000);
	unsigned sum = 0;
	for (int i = 0; i < atoi(argv[1]); i++)
		sum += burn(v);
	return sum == 1;
}
"""


def program(name="app", *flags):
    path = tmp / name
    (tmp / "app.cc").write_text(PROGRAM)
    subprocess.run([need("g++"), "-O2", "-g", *flags, "-o", path, tmp / "app.cc"], check=True)
    return path


def sampled(path, *args, cache="cache", rounds=250):
    """(verdict, {function: row of the report}) of a run."""
    r = record("-F", 499, "--symbol-cache", tmp / cache, *args, folded=False, command=[path, rounds])
    text = subprocess.run([HOTSPAN, "report", "--json", "--top", "50", r.path], capture_output=True, text=True, check=True).stdout
    return r.verdict, {row["name"]: row for row in json.loads(text)["top"]}, r.err


def test_a_profile_has_lines_and_inlined_calls():
    app = program()
    v, rows, _ = sampled(app)
    assert v["frames_with_lines_percent"] > 80 and v["images_lines_made"] >= 1 and v["images_lines_pending"] == 0, v
    mix = rows["mix"]
    assert mix["inlined"] == "yes" and mix["file"].endswith("/app.cc"), mix
    assert any("std::sort" in n or "introsort" in n for n in rows), list(rows)
    made = {f.name: f.stat().st_ino for f in (tmp / "cache").iterdir()}
    again, rows, _ = sampled(app)
    assert again["images_lines_made"] <= 1 and again["frames_with_lines_percent"] > 80, again  # one: a library not met before
    assert made.items() <= {f.name: f.stat().st_ino for f in (tmp / "cache").iterdir()}.items()
    off, rows, _ = sampled(app, "--symbol-cache", "off")
    assert off["frames_with_lines_percent"] == 0 and "burn(std::vector<unsigned int, std::allocator<unsigned int> >&)" in rows, (off, list(rows))


def test_places_are_llvm_symbolizers():
    """Each address of the profile that lies in the program, with its whole chain."""
    symbolizer, app = need("llvm-symbolizer-16"), program()
    r = record("-F", 999, "--symbol-cache", tmp / "cache", folded=False, command=[app, 250])
    pcs = sorted(profile_addresses(r.path, "app"))
    assert len(pcs) > 20, pcs
    ours = subprocess.run([HOTSPAN, "addr2line", "-afie", app, *map(hex, pcs)], capture_output=True, text=True, check=True).stdout
    theirs = subprocess.run([symbolizer, "-afi", "--no-demangle", "--output-style=GNU", "-e", app, *map(hex, pcs)], capture_output=True, text=True, check=True).stdout
    strip = lambda text: re.sub(r"^\?\?:[?0]$", "??:?", re.sub(r" \(discriminator \d+\)|^0x0*", "", text, flags=re.M), flags=re.M).split("\n")
    different = [(a, b) for a, b in zip(strip(ours), strip(theirs)) if a != b]
    print(f"  {len(pcs)} addresses, {len(strip(ours))} lines, {len(different)} different")
    assert len(strip(ours)) == len(strip(theirs)) and not different, different[:5]


def profile_addresses(path, image):
    """The addresses of a profile's locations in an image; of calls, as pprof has them."""
    text = subprocess.run(["sh", "-c", f"zcat {path} | {need('protoc')} --decode=perftools.profiles.Profile -I {PROTO} {PROTO}/profile.proto"],
                          capture_output=True, text=True, check=True).stdout
    strings = re.findall(r'^string_table: "(.*)"$', text, re.M)
    mappings = {m[1]: strings[int(m[2])] for m in re.finditer(r"^mapping \{\n  id: (\d+)\n(?:.*\n)*?  filename: (\d+)", text, re.M)}
    found = set()
    for block in re.findall(r"^location \{\n((?:  .*\n)*?)\}", text, re.M):
        mapping, address = re.search(r"mapping_id: (\d+)", block), re.search(r"address: (\d+)", block)
        if mapping and address and os.path.basename(mappings.get(mapping[1], "")) == image:
            found.add(int(address[1]))
    return found


def test_a_separate_debug_file_is_found_by_its_link():
    app = program("linked", "-Wl,--build-id=none")
    subprocess.run([need("objcopy"), "--only-keep-debug", app, f"{app}.debug"], check=True)
    subprocess.run(["objcopy", "--strip-all", f"--add-gnu-debuglink={app}.debug", app], check=True)
    v, rows, _ = sampled(app)
    assert v["frames_with_lines_percent"] > 80 and "mix" in rows, (v, list(rows))


def test_damaged_debug_information_costs_its_lines_only():
    app = program("damaged")
    text = subprocess.run([need("readelf"), "-SW", app], capture_output=True, text=True).stdout
    for name in ("info", "abbrev", "line"):
        m = re.search(rf"\.debug_{name} +PROGBITS +\w+ (\w+) (\w+)", text)
        with open(app, "r+b") as f:
            f.seek(int(m[1], 16) + 4)
            f.write(os.urandom(int(m[2], 16) - 4))
    v, rows, err = sampled(app, cache="cache-damaged")
    assert v["frames_named_percent"] > 90 and any(n.startswith("burn") for n in rows), (v, list(rows))
    assert "mix" not in rows, list(rows)


def test_a_cache_that_cannot_be_used_costs_lines_only_and_is_named():
    if os.geteuid():
        raise Skip("needs root")
    app, others = program(), tmp / "others"
    others.mkdir()
    os.chown(others, 65534, 65534)
    v, rows, err = sampled(app, cache="others")
    assert v["frames_with_lines_percent"] == 0 and v["frames_named_percent"] > 90, v
    out = subprocess.run([HOTSPAN, "record", "--symbol-cache", others, "-o", tmp / "x.html", "--", app, "20"], capture_output=True, text=True)
    assert "cannot be used: Operation not permitted" in out.stderr, out.stderr


def stripped(name):
    """(a program, its build id, its debug file's bytes), and the file is nowhere on the host."""
    app = program(name, "-Wl,--build-id=sha1")
    subprocess.run([need("objcopy"), "--only-keep-debug", app, f"{app}.debug"], check=True)
    subprocess.run(["objcopy", "--strip-debug", app], check=True)
    debug = pathlib.Path(f"{app}.debug")
    body = debug.read_bytes()
    debug.unlink()
    return app, re.search(r"Build ID: (\w+)", subprocess.run(["readelf", "-n", app], capture_output=True, text=True).stdout)[1], body


def fetching(app, server, *args, cache):
    os.environ["DEBUGINFOD_URLS"] = server.url
    try:
        return sampled(app, *args, cache=cache)
    finally:
        del os.environ["DEBUGINFOD_URLS"]


def test_debug_files_are_fetched_when_that_is_asked_for():
    app, build_id, body = stripped("fetched")
    page = f"/buildid/{build_id}/debuginfo"
    server = Server({page: body})
    v, rows, _ = fetching(app, server, cache="fetch/a")
    assert v["frames_with_lines_percent"] < 50 and not server.asked, (v, server.asked)
    v, rows, err = fetching(app, server, "--debuginfod", cache="fetch/b")
    assert v["frames_with_lines_percent"] > 80 and "mix" in rows, (v, list(rows))
    assert page in server.asked, server.asked
    asked = server.asked.count(page)
    fetching(app, server, "--debuginfod", cache="fetch/b")
    assert server.asked.count(page) == asked, server.asked
    out = subprocess.run([HOTSPAN, "record", "--debuginfod", "-d", "1"], capture_output=True, text=True)
    assert out.returncode == 2 and "DEBUGINFOD_URLS" in out.stderr, out


def test_addr2line_names_a_stripped_program_by_a_server():
    app, build_id, body = stripped("looked-up")
    server = Server({f"/buildid/{build_id}/debuginfo": body})
    main = re.search(r"^(\w+) T main$", subprocess.run(["nm", app], capture_output=True, text=True).stdout, re.M)[1]
    argv = [HOTSPAN, "addr2line", "--symbol-cache", f"{tmp}/lookup/c", "-fe", app, main]
    look = lambda *more: subprocess.run([*argv, *more], capture_output=True, text=True, env=dict(os.environ, DEBUGINFOD_URLS=server.url)).stdout.split("\n")
    assert look()[0] == "main" and look()[1].startswith("??:") and not server.asked, look()
    name, line, _ = look("--debuginfod")
    assert name == "main" and re.search(r"\.cc?:\d+$|\.cpp:\d+$", line), (name, line)


def test_a_server_that_hangs_costs_the_time_stated():
    app, build_id, _ = stripped("hanging")
    server, begin = Server({f"/buildid/{build_id}/debuginfo": lambda handler: time.sleep(60)}), time.time()
    v, rows, _ = fetching(app, server, "--debuginfod", "--symbol-timeout", "2s", cache="hang/c")
    assert server.asked and time.time() - begin < 15, time.time() - begin
    assert v["images_lines_pending"] >= 1 and any(n.startswith("burn") for n in rows), v


def test_the_agent_has_lines_from_the_next_window_on():
    app = program("served")
    p = subprocess.Popen([app, "1000000"])
    try:
        with Fake() as fake, Agent(f"symbol_cache: {tmp}/agent-cache\nflush_interval: 1s\nreceivers:\n  - name: fake\n    url: {fake.url}\n") as agent:
            end = time.time() + 30
            while time.time() < end and not agent.metrics()["hotspan_frames_with_lines_total"]:
                time.sleep(0.3)
            m = agent.metrics()
            agent.stop()
    finally:
        p.kill()
        p.wait()
    assert m["hotspan_frames_with_lines_total"] > 0 and m['hotspan_debug_info_images_total{result="ok"}'] >= 1, m


def test_a_place_for_it_is_made_and_is_ours_alone():
    cache = tmp / "new/deep/cache"
    sampled(program(), cache="new/deep/cache", rounds=50)
    assert cache.stat().st_mode & 0o777 == 0o700 and any(cache.iterdir())
    assert all(f.stat().st_mode & 0o777 == 0o600 for f in cache.iterdir()), list(cache.iterdir())


if __name__ == "__main__":
    try:
        run_tests(globals())
    finally:
        shutil.rmtree(tmp)
