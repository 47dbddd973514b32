// SPDX-License-Identifier: Apache-2.0
// Traits, closures, iterators and generics: chains of Rust.
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

trait Shape {
    fn area(&self) -> f64;
}
struct Circle(f64);
struct Square {
    side: f64,
}
impl Shape for Circle {
    fn area(&self) -> f64 {
        self.0 * self.0 * std::f64::consts::PI
    }
}
impl Shape for Square {
    fn area(&self) -> f64 {
        self.side.powi(2)
    }
}

mod inner {
    #[inline(always)]
    pub fn climb(x: u64, n: u32) -> u64 {
        if n == 0 { x } else { step(x).rotate_left(n) }
    }
    #[inline(always)]
    fn step(x: u64) -> u64 {
        x.wrapping_mul(6364136223846793005).wrapping_add(1)
    }
}

#[inline(never)]
fn words(text: &str) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    for w in text.split_whitespace().filter(|w| w.len() > 1) {
        *seen.entry(w.to_lowercase()).or_insert(0) += 1;
    }
    seen
}

#[inline(never)]
fn sums<T: Copy + Into<u64> + Ord>(v: &[T]) -> u64 {
    let mut sorted: Vec<T> = v.to_vec();
    sorted.sort_by(|a, b| b.cmp(a));
    sorted.iter().enumerate().map(|(i, &x)| inner::climb(x.into(), i as u32 & 31)).fold(0, |a, b| a ^ b)
}

fn main() {
    let n = std::env::args().count();
    let shapes: Vec<Box<dyn Shape>> = (0..100 * n)
        .map(|i| -> Box<dyn Shape> { if i % 3 == 0 { Box::new(Circle(i as f64)) } else { Box::new(Square { side: i as f64 }) } })
        .collect();
    let total: f64 = shapes.iter().map(|s| s.area()).sum();
    let mut map: HashMap<String, u32> = HashMap::new();
    let mut text = String::new();
    for i in 0..50 * n as u32 {
        map.insert(format!("key {i}"), i);
        write!(text, "word{} and more ", i % 7).unwrap();
    }
    println!("{total} {} {:?} {} {}", map.len(), words(&text), sums(&[3u32, 5, 1]), sums(&[7u8, 9]));
}
