#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The debuginfod client beside an HTTP server that behaves, and one that does not; beside the real one where it is."""
from hs import *  # noqa: F403
from http_pages import Server

GET = BUILD / "tests/unit/debuginfod_get"
DAY = 86400
NOW = 1_700_000_000


def elf(d, name, size=0):
    """(build id, bytes) of a file with debug info."""
    src, out = d / f"{name}.c", d / name
    src.write_text(f'int {name}(void) {{ return 1; }}\nstatic char pad[{size + 1}] = {{ 1 }};\nchar *{name}_pad(void) {{ return pad; }}\n')
    subprocess.run(["gcc", "-g", "-shared", "-fPIC", "-Wl,--build-id=sha1", src, "-o", out], check=True)
    notes = subprocess.run(["readelf", "-n", out], check=True, capture_output=True, text=True).stdout
    return re.search(r"Build ID: (\w+)", notes)[1], out.read_bytes()


def path(bid):
    return f"/buildid/{bid}/debuginfo"


def get(cache, urls, *what, **env):
    env = {k: str(v) for k, v in env.items()}
    p = subprocess.run([GET, cache, *what], capture_output=True, text=True, timeout=60,
                       env=dict(os.environ, DEBUGINFOD_URLS=" ".join(urls), **env))
    assert p.returncode == 0, p.stderr
    return p.stdout.splitlines()


def in_folder(test):
    def run():
        with tempfile.TemporaryDirectory(prefix="hotspan-debuginfod-") as t:
            test(pathlib.Path(t))
    run.__name__ = test.__name__
    return run


@in_folder
def test_a_file_is_fetched_once_and_kept(d):
    bid, data = elf(d, "one")
    s = Server({path(bid): data})
    assert get(d / "cache", [s.url + "/"], f"{bid}@{NOW}", f"{bid}@{NOW + DAY}")[:2] == [f"ok {len(data)}"] * 2
    assert get(d / "cache", [s.url], f"{bid}@{NOW}")[-1] == "hits 1 fetched 0 missing 0 failed 0 held off 0 bytes 0"
    assert s.asked == [path(bid)]
    assert (d / "cache").stat().st_mode & 0o777 == 0o700
    assert [p.name for p in (d / "cache").iterdir()] == [f"{bid}.debug"]
    assert (d / "cache" / f"{bid}.debug").read_bytes() == data
    # Damaged on the disk: fetched again.
    (d / "cache" / f"{bid}.debug").write_bytes(data[:100])
    assert get(d / "cache", [s.url], f"{bid}@{NOW}")[0] == f"ok {len(data)}"


@in_folder
def test_what_nobody_has_is_not_asked_for_again_for_ten_minutes(d):
    a, b = Server({}), Server({})
    bid = "ab" * 20
    out = get(d / "cache", [a.url, b.url], *(f"{bid}@{NOW + t}" for t in (0, 1, 599, 600)))
    assert out == ["ENOENT"] * 4 + ["hits 2 fetched 0 missing 2 failed 0 held off 0 bytes 0"], out
    assert a.asked == b.asked == [path(bid)] * 2


@in_folder
def test_another_file_is_not_believed(d):
    bid, data = elf(d, "one")
    other, _ = elf(d, "other")
    for page in (data[:64], b"<html>not here</html>", b"", data.replace(bytes.fromhex(bid), bytes.fromhex(other))):
        s = Server({path(other): data, path(bid): page})
        assert get(d / "cache", [s.url], f"{other}@{NOW}")[0] == "EBADMSG"
        assert get(d / "cache", [s.url], f"{bid}@{NOW}")[0] == "EBADMSG", page[:20]
        assert not list((d / "cache").glob("*.debug")) and not list((d / "cache").glob("fetching-*"))
        shutil.rmtree(d / "cache")


@in_folder
def test_size_and_time_are_bounded(d):
    bid, data = elf(d, "one", 3 << 20)

    def endless(h):
        h.send_response(200)
        h.end_headers()
        try:
            while True:
                h.wfile.write(b"x" * 65536)
        except OSError:
            pass

    def trickle(h):
        h.send_response(200)
        h.send_header("Content-Length", str(len(data)))
        h.end_headers()
        try:
            for i in range(100):
                h.wfile.write(data[i:i + 1])
                h.wfile.flush()
                time.sleep(0.3)
        except OSError:
            pass

    s = Server({path(bid): data, path("aa" * 20): endless, path("bb" * 20): trickle})
    assert get(d / "c1", [s.url], f"{bid}@{NOW}", DEBUGINFOD_MAXSIZE=1 << 20)[0] == "EFBIG"
    assert get(d / "c2", [s.url], f"{'aa' * 20}@{NOW}", DEBUGINFOD_MAXSIZE=1 << 20)[0] == "EFBIG"
    assert get(d / "c3", [s.url], f"{bid}@{NOW}", CACHE_BYTES=1 << 20)[0] == "EFBIG"
    for env in ({"DEBUGINFOD_TIMEOUT": 2}, {"DEBUGINFOD_MAXTIME": 2}):
        began = time.monotonic()
        assert get(d / "c4", [s.url], f"{'bb' * 20}@{NOW}", **env)[0] == "EAGAIN"
        assert time.monotonic() - began < 8
    began = time.monotonic()
    assert get(d / "c5", [s.url], f"{'bb' * 20}@{NOW}", CANCEL_MS=300)[0] == "ECANCELED"
    assert time.monotonic() - began < 4
    for c in ("c1", "c2", "c3", "c4", "c5"):
        assert not list((d / c).glob("fetching-*")) and not list((d / c).glob("*.debug"))


@in_folder
def test_redirects_are_followed_within_reason(d):
    bid, data = elf(d, "one")
    (d / "secret").write_bytes(data)
    pages = {path(bid): "/1", "/1": "/2", "/2": "/3", "/3": "/4", "/4": "/5", "/5": data,
             path("aa" * 20): "/0", "/0": "/0", path("bb" * 20): f"file://{d}/secret", path("cc" * 20): "gopher://127.0.0.1/"}
    s = Server(pages)
    assert get(d / "cache", [s.url], f"{bid}@{NOW}")[0] == f"ok {len(data)}"
    for i, other in enumerate(("aa", "bb", "cc")):
        assert get(d / f"c{i}", [s.url], f"{other * 20}@{NOW}")[0] == "EAGAIN"
    pages["/5"] = "/6"
    pages["/6"] = data
    assert get(d / "c9", [s.url], f"{bid}@{NOW}")[0] == "EAGAIN"
    assert s.asked.count("/0") == 5


@in_folder
def test_only_urls_of_web_servers_are_taken(d):
    assert get(d / "cache", ["file:///tmp"]) == ["new EPROTONOSUPPORT"]
    assert get(d / "cache", ["http://127.0.0.1:1", "debuginfod.example.net"]) == ["new EPROTONOSUPPORT"]
    assert get(d / "cache", ["ima:enforcing", "http://127.0.0.1:1"])[0].startswith("hits 0")
    assert get(d / "cache", [" "]) == ["new EINVAL"]
    assert get(d / "cache", ["http://127.0.0.1:1"] * 17) == ["new E2BIG"]


@in_folder
def test_a_server_that_fails_is_left_alone_for_ten_minutes(d):
    bid, data = elf(d, "one")
    other, _ = elf(d, "other")
    bad, good = Server({path(bid): 503, path(other): 503}), Server({path(bid): data})
    urls = ["http://127.0.0.1:1", bad.url, good.url]
    out = get(d / "cache", urls, f"{bid}@{NOW}", f"{other}@{NOW + 599}", f"{other}@{NOW + 600}")
    assert out == [f"ok {len(data)}", "EAGAIN", "EAGAIN", f"hits 0 fetched 1 missing 0 failed 4 held off 2 bytes {len(data)}"], out
    assert bad.asked == [path(bid), path(other)]


@in_folder
def test_a_server_that_fails_again_is_left_alone_for_longer_up_to_an_hour(d):
    bid, data = elf(d, "one")
    answers = iter([503, 503, 503, 503, 503, 404, 503, data])

    def page(h):
        a = next(answers)
        h.send_response(a if isinstance(a, int) else 200)
        h.end_headers()
        h.wfile.write(b"" if isinstance(a, int) else a)

    ids = [f"{i:02}" * 20 for i in range(13)]
    s = Server({path(i): page for i in [*ids, bid]})
    times, held = [0], (600, 1200, 2400, 3600, 3600)
    for t in held:
        times += [times[-1] + t - 1, times[-1] + t]
    times += [times[-1] + 1, times[-1] + 600, times[-1] + 601]  # it answered, failed, and is held off from anew
    out = get(d / "cache", [s.url], *(f"{i}@{NOW + t}" for i, t in zip([*ids, bid], times)))
    assert out[:11] == ["EAGAIN"] * 10 + ["ENOENT"], out
    assert out[11:] == ["EAGAIN", "EAGAIN", f"ok {len(data)}", f"hits 0 fetched 1 missing 1 failed 6 held off 6 bytes {len(data)}"], out


@in_folder
def test_the_cache_is_bounded_and_keeps_what_was_asked_for_last(d):
    files = dict(elf(d, f"f{i}", 200_000) for i in range(6))
    s = Server({path(b): data for b, data in files.items()})
    ids = list(files)
    room = 3 * (len(files[ids[0]]) + 4096) + 9000
    get(d / "cache", [s.url], *(f"{b}@{NOW + i}" for i, b in enumerate(ids[:3])), CACHE_BYTES=room)
    get(d / "cache", [s.url], f"{ids[0]}@{NOW + 10}", f"{ids[3]}@{NOW + 11}", f"{ids[4]}@{NOW + 12}", CACHE_BYTES=room)
    kept = {p.stem for p in (d / "cache").glob("*.debug")}
    assert kept == {ids[0], ids[3], ids[4]}, kept
    # What a killed process left goes after a day.
    (d / "cache/fetching-1-0").write_bytes(b"x")
    os.utime(d / "cache/fetching-1-0", (NOW, NOW))
    get(d / "cache", [s.url], f"{ids[5]}@{NOW + 2 * DAY}", CACHE_BYTES=room)
    assert not (d / "cache/fetching-1-0").exists()


@in_folder
def test_a_folder_that_others_can_reach_is_refused(d):
    (d / "open").mkdir(mode=0o755)
    (d / "open").chmod(0o755)
    (d / "mine").mkdir(mode=0o700)
    (d / "link").symlink_to(d / "mine")
    assert get(d / "open", ["http://127.0.0.1:1"]) == ["new EPERM"]
    assert get(d / "link", ["http://127.0.0.1:1"])[0].startswith("new E")
    assert get(d / "no/where", ["http://127.0.0.1:1"]) == ["new ENOENT"]
    if os.getuid() == 0:
        os.chown(d / "mine", 12345, 0)
        assert get(d / "mine", ["http://127.0.0.1:1"]) == ["new EPERM"]


@in_folder
def test_the_real_server(d):
    server = shutil.which("debuginfod")
    if not server:
        print("  debuginfod is not installed: passed over")
        return
    bid, data = elf(d, "one")
    (d / "files").mkdir()
    subprocess.run(["objcopy", "--only-keep-debug", d / "one", d / "files/one.debug"], check=True)
    port = 20000 + os.getpid() % 20000
    with subprocess.Popen([server, "-p", str(port), "-d", ":memory:", "-F", d / "files"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, env={k: v for k, v in os.environ.items() if k != "DEBUGINFOD_URLS"}) as p:
        try:
            for i in range(100):  # it scans in the background
                out = get(d / "cache", [f"http://127.0.0.1:{port}"], f"{bid}@{NOW + 1000 * i}")
                if out[0].startswith("ok"):
                    break
                time.sleep(0.2)
        finally:
            p.terminate()
    assert out[0] == f"ok {(d / 'files/one.debug').stat().st_size}", out


if __name__ == "__main__":
    need("gcc")
    run_tests(globals())
