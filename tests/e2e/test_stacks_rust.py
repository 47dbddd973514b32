#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A Rust program made here, optimised, without frame pointers, with the names that Debian's have lost."""
from loads import *  # noqa: F403

PROGRAM = """use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

#[inline(never)]
fn sorted(n: u64) -> Vec<u64> {
    let mut v: Vec<u64> = (0..n).map(|i| i.wrapping_mul(6364136223846793005) >> 33).collect();
    v.sort_by(|a, b| b.cmp(a));
    v
}

#[inline(never)]
fn counted(v: &[u64]) -> HashMap<String, u64> {
    let mut m = HashMap::new();
    for x in v {
        *m.entry(format!("{:x}", x % 1009)).or_insert(0) += x;
    }
    m
}

#[inline(never)]
fn told(m: &HashMap<String, u64>) -> String {
    let ordered: BTreeMap<_, _> = m.iter().collect();
    let mut s = String::new();
    for (k, v) in ordered {
        write!(s, "{}={};", k, v).unwrap();
    }
    s
}

fn work(n: u64) -> usize {
    told(&counted(&sorted(n))).len()
}

fn main() {
    let threads: Vec<_> = (0..2).map(|i| std::thread::spawn(move || while work(2000 + i) > 0 {})).collect();
    for t in threads {
        t.join().unwrap();
    }
}
"""


def build(d):
    (d / "work.rs").write_text(PROGRAM)
    p = subprocess.run([need("rustc"), "-O", "-C", "force-frame-pointers=no", "-o", d / "rustwork", d / "work.rs"], capture_output=True, text=True)
    assert p.returncode == 0, p.stderr


def test_rust():
    judge("Rust", Load(["@/rustwork"], build, loop=False))


if __name__ == "__main__":
    run_tests(globals())
