// SPDX-License-Identifier: Apache-2.0
'use strict';
(() => {
const begin = performance.now();
const $ = id => document.getElementById(id);

// ---- The data: see html.h for its shape --------------------------------------------------------

const D = JSON.parse($('data').textContent);
const S = D.strings, F = D.frames, ROW = 20, MIN_PX = 0.4;
const KINDS = ['unknown', 'kernel', 'native', 'JIT', 'interpreted', 'inlined'];
const rowCount = D.rows.length / 4;
const isTime = D.unit === 'nanoseconds';
// A group is a process, or a service on one of its routes (route 0: on none).
const G = D.groups || D.processes.flatMap((_, p) => [p, 0, -1]);
const processOf = g => G[3 * g], routeOf = g => G[3 * g + 1], requestsOf = g => G[3 * g + 2], groupValue = new Float64Array(G.length / 3);
const noun = D.groups ? 'service' : 'process', nouns = D.groups ? 'services' : 'processes';
let allValue = 0, allSamples = 0;
for (let i = 0; i < D.rows.length; i += 4) { allValue += D.rows[i + 2]; allSamples += D.rows[i + 3]; groupValue[D.rows[i + 1]] += D.rows[i + 2]; }

const frameName = f => f >= 0 ? S[F.name[f]] : f === -1 ? 'all' : processName(-2 - f);
const processName = p => S[D.processes[p]] || `(no ${noun} label)`;
const base = path => path[0] === '[' ? path : path.slice(path.lastIndexOf('/') + 1);
const isInlined = f => f >= 0 && F.kind[f] === 5;
const source = f => f >= 0 && F.file[f] ? base(S[F.file[f]]) + (F.line[f] ? ':' + F.line[f] : '') : '';

// A function is a name in an image: its inlined and its own frames are one.
const functionOf = new Int32Array(F.name.length), functions = [], inlined = []; // 1: everywhere, 2: nowhere, 3: in places
{
	const seen = new Map();
	for (let f = 0; f < F.name.length; f++) {
		const key = F.name[f] * 4194304 + F.image[f];
		let id = seen.get(key);
		if (id === undefined) { seen.set(key, id = functions.length); functions.push(f); }
		functionOf[f] = id;
		inlined[id] |= isInlined(f) ? 1 : 2;
		if (!F.file[functions[id]] && F.file[f]) functions[id] = f;
	}
}

// ---- Numbers for people ------------------------------------------------------------------------

function amount(v) {
	if (!isTime) return Math.round(v).toLocaleString('en');
	if (v >= 60e9) return (v / 60e9).toFixed(1) + ' min';
	if (v >= 1e9) return (v / 1e9).toFixed(2) + ' s';
	if (v >= 1e6) return (v / 1e6).toFixed(1) + ' ms';
	return (v / 1e3).toFixed(0) + ' µs';
}
const percent = (part, whole) => whole ? (100 * part / whole).toFixed(part === whole ? 0 : 2) + ' %' : '-';
const samplesOf = v => allValue ? Math.round(v * allSamples / allValue) : 0;

// ---- A tree to draw: parents before children, children by size ----------------------------------

class Tree {
	constructor(parent, frame, self) {
		this.n = parent.length;
		this.parent = Int32Array.from(parent);
		this.frame = Int32Array.from(frame);
		this.frame[0] = frame[0] >= 0 ? frame[0] : -1;
		this.self = Float64Array.from(self);
		this.sum();
		this.order();
		this.place();
	}
	sum() {
		this.total = this.self.slice();
		for (let i = this.n - 1; i > 0; i--) this.total[this.parent[i]] += this.total[i];
	}
	order() {
		const n = this.n, first = new Int32Array(n + 2), kids = new Int32Array(Math.max(0, n - 1));
		for (let i = 1; i < n; i++) first[this.parent[i] + 2]++;
		for (let i = 2; i <= n + 1; i++) first[i] += first[i - 1];
		for (let i = 1; i < n; i++) kids[first[this.parent[i] + 1]++] = i;
		for (let i = 0; i < n; i++)
			if (first[i + 1] - first[i] > 1)
				kids.subarray(first[i], first[i + 1]).sort((a, b) => this.total[b] - this.total[a] || a - b);
		this.first = first;
		this.kids = kids;
	}
	place() {
		this.x = new Float64Array(this.n);
		this.depth = new Uint16Array(this.n);
		this.maxDepth = 0;
		for (let i = 0; i < this.n; i++) {
			let x = this.x[i];
			if (this.total[i] > 0 && this.depth[i] > this.maxDepth) this.maxDepth = this.depth[i];
			for (let k = this.first[i]; k < this.first[i + 1]; k++) {
				const kid = this.kids[k];
				this.x[kid] = x;
				this.depth[kid] = this.depth[i] + 1;
				x += this.total[kid];
			}
		}
	}
	isBelow(node, top) {
		while (node > top) node = this.parent[node];
		return node === top;
	}
}

// Grows a tree by (parent, frame); used wherever stacks are merged anew.
class Merger {
	constructor(frame) { this.parent = [-1]; this.frame = [frame]; this.self = [0]; this.index = new Map(); }
	child(parent, frame) {
		const key = parent * 16777216 + frame + 8388608;
		let id = this.index.get(key);
		if (id === undefined) {
			this.index.set(key, id = this.parent.length);
			this.parent.push(parent); this.frame.push(frame); this.self.push(0);
		}
		return id;
	}
	tree() { return new Tree(this.parent, this.frame, this.self); }
}

// What is shown of all groups.
const ALL = -1, UNATTRIBUTED = -2;
let onlyProcess = ALL, onlyRoute = ALL;
const inProcess = g => onlyProcess < 0 || processOf(g) === onlyProcess;
const shown = g => inProcess(g) && (onlyRoute === ALL || (onlyRoute === UNATTRIBUTED ? !routeOf(g) : g === onlyRoute));

function mergedTree() {
	const self = new Float64Array(D.nodes.parent.length);
	for (let i = 0; i < D.rows.length; i += 4)
		if (shown(D.rows[i + 1])) self[D.rows[i]] += D.rows[i + 2];
	const tree = new Tree(D.nodes.parent, [-1, ...D.nodes.frame.slice(1)], self);
	tree.at = (node, group) => shown(group) ? node : -1;
	tree.origin = node => node;
	return tree;
}

// One root per process: the shared tree's nodes are copied for each process that has time in them.
function splitTree() {
	const parent = D.nodes.parent, copyOf = new Map(), m = new Merger(-1), path = [], origin = [];
	for (let i = 0; i < D.rows.length; i += 4) {
		const process = processOf(D.rows[i + 1]);
		if (!shown(D.rows[i + 1])) continue;
		let copies = copyOf.get(process);
		if (!copies) {
			copyOf.set(process, copies = new Map());
			copies.set(0, m.child(0, -2 - process));
		}
		let node = D.rows[i], at;
		for (path.length = 0; (at = copies.get(node)) === undefined; node = parent[node]) path.push(node);
		while (path.length) {
			node = path.pop();
			at = m.child(at, D.nodes.frame[node]);
			copies.set(node, at);
			origin[at] = node;
		}
		m.self[at] += D.rows[i + 2];
	}
	const tree = m.tree();
	tree.at = (node, group) => shown(group) ? copyOf.get(processOf(group))?.get(node) ?? -1 : -1;
	tree.origin = node => origin[node] ?? 0;
	return tree;
}

// Inlined calls become part of the function they stand in.
function foldedTree(tree) {
	const m = new Merger(-1), to = new Int32Array(tree.n), { frame, parent } = tree;
	m.self[0] = tree.self[0];
	for (let i = 1; i < tree.n; i++) {
		to[i] = isInlined(frame[i]) ? to[parent[i]] : m.child(to[parent[i]], frame[i]);
		m.self[to[i]] += tree.self[i];
	}
	const folded = m.tree();
	folded.unfolded = tree;
	folded.to = to;
	return folded;
}

// By node: [line, self, total] of each line its time went through, the largest first. Made when first asked for.
// A tree of the data knows two ways: at(node of the data, group) is its node, origin(its node) the data's.
function linesOf(tree) {
	if (tree.lines) return tree.lines;
	const L = D.lines, lines = tree.lines = new Map(), add = (node, line, self, total) => {
		let list = lines.get(node);
		if (!list) lines.set(node, list = []);
		addLine(list, line, self, total);
	};
	if (tree.unfolded) {
		const { unfolded, to } = tree;
		for (const [node, list] of linesOf(unfolded))
			if (!isInlined(unfolded.frame[node])) for (const l of list) add(to[node], ...l);
	} else if (tree.origin) {
		for (let i = 1; i < tree.n; i++) {
			const line = D.nodes.line[tree.origin(i)];
			if (line) add(i, line, tree.self[i], tree.total[i]);
		}
		for (let i = 0; i < L.length; i += 5) {
			const node = tree.at(L[i], L[i + 1]);
			if (node >= 0) add(node, L[i + 2], L[i + 3], L[i + 4]);
		}
	}
	for (const list of lines.values()) list.sort((a, b) => b[2] - a[2] || a[0] - b[0]);
	return lines;
}
function addLine(list, line, self, total) {
	const entry = list.find(e => e[0] === line);
	if (entry) { entry[1] += self; entry[2] += total; }
	else list.push([line, self, total]);
}

// Of a function: a line counts once in a recursion, as the function does.
function linesOfFunction(tree, fn) {
	const lines = linesOf(tree), top = new Set(outermost(tree, fn)), list = [];
	for (const [node, of] of lines)
		if (tree.frame[node] >= 0 && functionOf[tree.frame[node]] === fn)
			for (const [line, self, total] of of) addLine(list, line, self, top.has(node) ? total : 0);
	return list.sort((a, b) => b[2] - a[2] || b[1] - a[1] || a[0] - b[0]);
}

// Nodes of a function with no other node of it above: each sample is in at most one of them.
function outermost(tree, fn) {
	const inside = new Uint8Array(tree.n), found = [];
	for (let i = 1; i < tree.n; i++) {
		if (inside[tree.parent[i]]) { inside[i] = 1; continue; }
		if (tree.frame[i] >= 0 && functionOf[tree.frame[i]] === fn) { inside[i] = 1; if (tree.total[i] > 0) found.push(i); }
	}
	return found;
}

function calleesTree(tree, fn) {
	const m = new Merger(functions[fn]), to = new Int32Array(tree.n).fill(-1);
	for (const i of outermost(tree, fn)) to[i] = 0;
	for (let i = 1; i < tree.n; i++) {
		if (to[i] < 0 && to[tree.parent[i]] >= 0) to[i] = m.child(to[tree.parent[i]], tree.frame[i]);
		if (to[i] >= 0) m.self[to[i]] += tree.self[i];
	}
	return m.tree();
}

function callersTree(tree, fn) {
	const m = new Merger(functions[fn]);
	for (const i of outermost(tree, fn)) {
		let at = 0;
		for (let p = tree.parent[i]; p > 0; p = tree.parent[p]) at = m.child(at, tree.frame[p]);
		m.self[at] += tree.total[i];
	}
	return m.tree();
}

// ---- Colours: the kind gives the hue, the image or name a shade of it ---------------------------

const HUES = [[220, 0, 4], [28, 88, 10], [214, 72, 22], [140, 52, 18], [178, 58, 14], [312, 56, 16]];
let dark = false, palette = [];

function hashOf(text) {
	let h = 2166136261;
	for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16777619);
	return h >>> 0;
}
function colour(f) {
	if (f < 0) return dark ? '#3a424f' : '#d5dae2';
	if (palette[f]) return palette[f];
	const kind = F.kind[f], [hue, saturation, spread] = HUES[kind] || HUES[0];
	const image = hashOf(S[F.image[f]]), name = hashOf(S[F.name[f]]);
	const h = hue - spread + image % (2 * spread + 1), l = (dark ? 27 : 72) + name % 9;
	return palette[f] = `hsl(${h} ${dark ? saturation * .62 : saturation}% ${l}%)`;
}

// ---- One canvas that draws one tree -------------------------------------------------------------

class FlameView {
	constructor(place, { bottomUp = false, onZoom, onSelect }) {
		Object.assign(this, { bottomUp, onZoom, onSelect, zoom: 0, selected: -1, hover: -1, tree: null, past: [] });
		this.scroller = document.createElement('div');
		this.scroller.className = 'flame';
		this.scroller.tabIndex = 0;
		this.scroller.setAttribute('role', 'application');
		this.scroller.setAttribute('aria-label', 'Flame graph; arrow keys walk the frames, Enter zooms');
		this.canvas = document.createElement('canvas');
		this.space = document.createElement('div');
		this.space.className = 'space';
		this.scroller.append(this.canvas, this.space);
		place.append(this.scroller);
		this.ctx = this.canvas.getContext('2d');
		this.listen();
	}
	listen() {
		this.scroller.addEventListener('scroll', () => this.later());
		this.canvas.addEventListener('mousemove', e => this.point(this.at(e), e));
		this.canvas.addEventListener('mouseleave', () => this.point(-1));
		this.canvas.addEventListener('click', e => { const n = this.at(e); if (n >= 0) { this.select(n); this.zoomTo(n); } });
		this.canvas.addEventListener('contextmenu', e => {
			const n = this.at(e);
			if (n < 0) return;
			e.preventDefault();
			this.select(n);
			copyName(this.tree.frame[n]);
		});
		new ResizeObserver(() => this.resize()).observe(this.scroller);
	}
	show(tree) {
		Object.assign(this, { tree, zoom: 0, selected: -1, hover: -1, past: [] });
		this.resize();
		this.scroller.scrollTop = this.bottomUp ? this.scroller.scrollHeight : 0;
	}
	resize() {
		if (!this.tree || !this.scroller.clientWidth) return;
		const ratio = window.devicePixelRatio || 1, w = this.scroller.clientWidth, h = this.scroller.clientHeight;
		this.width = w;
		this.height = h;
		this.canvas.width = Math.round(w * ratio);
		this.canvas.height = Math.round(h * ratio);
		this.canvas.style.width = w + 'px';
		this.canvas.style.height = h + 'px';
		this.ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
		this.space.style.height = Math.max(0, this.full() - h) + 'px';
		this.draw();
	}
	full() { return (this.tree.maxDepth + 1) * ROW + 8; }
	later() {
		if (this.pending) return;
		this.pending = true;
		requestAnimationFrame(() => { this.pending = false; this.draw(); });
	}
	y(depth) {
		const top = this.bottomUp ? Math.max(this.full(), this.height) - 8 - (depth + 1) * ROW : depth * ROW + 4;
		return top - this.scroller.scrollTop;
	}
	draw() {
		if (!this.tree || !this.width) return;
		const { ctx, tree } = this, style = getComputedStyle(document.documentElement);
		ctx.fillStyle = style.getPropertyValue('--back');
		ctx.fillRect(0, 0, this.width, this.height);
		ctx.font = '12px ' + style.getPropertyValue('--mono');
		ctx.textBaseline = 'middle';
		this.charWidth = this.charWidth || ctx.measureText('M'.repeat(20)).width / 20;
		this.ink = dark ? '#f0f3f7' : '#14181f';
		for (let a = tree.parent[this.zoom]; a >= 0; a = tree.parent[a]) this.box(a, 0, this.width, .45);
		this.drawBelow(this.zoom);
	}
	drawBelow(top) {
		const { tree } = this, scale = this.width / (tree.total[top] || 1), x0 = tree.x[top], todo = [top];
		while (todo.length) {
			const n = todo.pop();
			this.box(n, (tree.x[n] - x0) * scale, tree.total[n] * scale, 1);
			for (let k = tree.first[n]; k < tree.first[n + 1]; k++) {
				if (tree.total[tree.kids[k]] * scale < MIN_PX) { // children are sorted by size: the rest is smaller
					this.dust(tree.kids[k], tree.kids[tree.first[n + 1] - 1], x0, scale);
					break;
				}
				todo.push(tree.kids[k]);
			}
		}
	}
	box(n, x, w, alpha) {
		const y = this.y(this.tree.depth[n]);
		if (y < -ROW || y > this.height) return;
		const { ctx } = this, f = this.tree.frame[n], hit = matcher && f >= 0 && frameMatches[f];
		ctx.globalAlpha = matcher && !hit ? alpha * .38 : alpha;
		ctx.fillStyle = hit ? (dark ? '#8d5cf6' : '#c9a5ff') : colour(f);
		ctx.fillRect(x, y, Math.max(w - (w > 3 ? 1 : 0), .5), ROW - 1);
		if (n === this.selected || n === this.hover) {
			ctx.globalAlpha = 1;
			ctx.strokeStyle = this.ink;
			ctx.lineWidth = n === this.selected ? 2 : 1;
			ctx.strokeRect(x + 1, y + 1, Math.max(w - 3, 1), ROW - 3);
		}
		const fits = Math.floor((w - 8) / this.charWidth);
		if (fits >= 3) {
			const name = frameName(f);
			ctx.fillStyle = this.ink;
			ctx.fillText(name.length > fits ? name.slice(0, fits - 1) + '…' : name, x + 4, y + ROW / 2);
		}
		ctx.globalAlpha = 1;
	}
	// Children too narrow to draw leave a shade, so that nobody takes them for idle.
	dust(from, to, x0, scale) {
		const { tree, ctx } = this, x = (tree.x[from] - x0) * scale, y = this.y(tree.depth[from]);
		ctx.globalAlpha = .35;
		ctx.fillStyle = colour(-1);
		ctx.fillRect(x, y, (tree.x[to] + tree.total[to] - x0) * scale - x, ROW - 1);
		ctx.globalAlpha = 1;
	}
	at(e) {
		const { tree } = this, box = this.canvas.getBoundingClientRect(), px = e.clientX - box.left;
		const row = e.clientY - box.top - this.y(0);
		const depth = this.bottomUp ? -Math.floor(row / ROW) : Math.floor(row / ROW);
		if (depth < 0 || depth > tree.maxDepth) return -1;
		let n = this.zoom;
		while (tree.depth[n] > depth) n = tree.parent[n];
		if (tree.depth[n] === depth) return n;
		const x = tree.x[n] + px * tree.total[n] / this.width;
		while (tree.depth[n] < depth) {
			let next = -1;
			for (let k = tree.first[n]; k < tree.first[n + 1]; k++) {
				const kid = tree.kids[k];
				if (x >= tree.x[kid] && x < tree.x[kid] + tree.total[kid]) { next = kid; break; }
			}
			if (next < 0) return -1;
			n = next;
		}
		return n;
	}
	point(n, e) {
		if (n !== this.hover) { this.hover = n; this.later(); }
		this.canvas.style.cursor = n >= 0 ? 'pointer' : 'default';
		showTip(this, n, e);
	}
	select(n) {
		this.selected = n;
		this.onSelect(this, n);
		this.later();
	}
	zoomTo(n, remember = true) {
		if (n === this.zoom) return;
		if (remember) this.past.push(this.zoom);
		this.zoom = n;
		this.reveal(n);
		this.draw();
		this.onZoom(this);
	}
	back() { if (this.past.length) this.zoomTo(this.past.pop(), false); }
	reveal(n) {
		const y = this.y(this.tree.depth[n]);
		if (y < 0 || y > this.height - 2 * ROW) this.scroller.scrollTop += y - this.height / 3;
	}
	walk(key) {
		const { tree } = this, n = this.selected < 0 ? this.zoom : this.selected, p = tree.parent[n];
		const away = this.bottomUp ? 'ArrowUp' : 'ArrowDown', home = this.bottomUp ? 'ArrowDown' : 'ArrowUp';
		let to = n;
		if (this.selected < 0) to = this.zoom;
		else if (key === away) to = tree.first[n] < tree.first[n + 1] ? tree.kids[tree.first[n]] : n;
		else if (key === home) to = p >= 0 ? p : n;
		else if (p >= 0) {
			const list = tree.kids.subarray(tree.first[p], tree.first[p + 1]), i = list.indexOf(n);
			to = list[i + (key === 'ArrowRight' ? 1 : -1)] ?? n;
		}
		if (!tree.isBelow(to, this.zoom)) this.zoomTo(to);
		this.select(to);
		this.reveal(to);
	}
}

// ---- What a frame says of itself ----------------------------------------------------------------

function where(f) {
	if (f < 0) return '';
	const file = S[F.file[f]], image = S[F.image[f]];
	return [base(image) + (image !== base(image) ? `  ${image}` : ''), file && file + (F.line[f] ? ':' + F.line[f] : ''),
		isInlined(f) ? '(inlined)' : KINDS[F.kind[f]]].filter(Boolean).join('  ·  ');
}

// "at line 21 (57 %), 20 (43 %)": where in its function a box's time went: the lines that ran or called.
function whichLines(tree, n) {
	const list = linesOf(tree).get(n);
	if (!list) return '';
	const some = list.slice(0, 4).map(([line, , total]) => line + (list.length > 1 ? ` (${percent(total, tree.total[n])})` : ''));
	return (list.length > 1 ? 'at lines ' : 'at line ') + some.join(', ') + (list.length > 4 ? `, ${list.length - 4} more` : '');
}

function text(tag, content, name) {
	const e = document.createElement(tag);
	e.textContent = content;
	if (name) e.className = name;
	return e;
}

function showTip(view, n, e) {
	const tip = $('tip');
	if (n < 0) { tip.hidden = true; return; }
	const { tree } = view, table = document.createElement('table'), whole = tree.total[view.zoom];
	const line = cells => { const tr = document.createElement('tr'); tr.append(...cells); return tr; };
	const head = ['', isTime ? 'CPU time' : D.unit, 'samples', 'of view', 'of all'].map(c => text('th', c));
	const values = (what, v) => line([what, amount(v), samplesOf(v).toLocaleString('en'), percent(v, whole), percent(v, allValue)]
		.map(c => text('td', c)));
	table.append(line(head), values('total', tree.total[n]), values('self', tree.self[n]));
	tip.replaceChildren(text('div', frameName(tree.frame[n]), 'name'), text('div', where(tree.frame[n]), 'where'),
		text('div', whichLines(tree, n), 'lines'), table);
	tip.hidden = false;
	const w = tip.offsetWidth, h = tip.offsetHeight;
	tip.style.left = Math.max(4, Math.min(e.clientX + 14, innerWidth - w - 8)) + 'px';
	tip.style.top = (e.clientY + 18 + h > innerHeight ? Math.max(4, e.clientY - h - 12) : e.clientY + 18) + 'px';
}

function showStatus(view, n) {
	if (n < 0) { $('status').textContent = ''; return; }
	const t = view.tree;
	const f = t.frame[n], more = [isInlined(f) ? '(inlined)' : '', source(f)].filter(Boolean).join(' ');
	$('status').textContent = `${frameName(f)}${more && '  ' + more}  —  total ${amount(t.total[n])} (${percent(t.total[n], allValue)}), ` +
		`self ${amount(t.self[n])} (${percent(t.self[n], allValue)})`;
}

async function copyName(f) {
	const name = frameName(f);
	try { await navigator.clipboard.writeText(name); } catch {
		const area = document.createElement('textarea'); // file:// is no secure context everywhere
		area.value = name;
		document.body.append(area);
		area.select();
		document.execCommand('copy');
		area.remove();
	}
	$('status').textContent = 'copied: ' + name;
}

// ---- Search -------------------------------------------------------------------------------------

let matcher = null, frameMatches = new Uint8Array(F.name.length), matches = [], matchesSorted = false, matchAt = -1;

function compile(query) {
	const re = query.match(/^\/(.+)\/(i?)$/);
	if (re) { const r = new RegExp(re[1], re[2]); return name => r.test(name); }
	const low = query.toLowerCase();
	return name => name.toLowerCase().includes(low);
}

// Matched share of what the flame graph shows: nested matches count once.
function search(query) {
	const start = performance.now(), { tree, zoom } = main;
	let error = '';
	try { matcher = query ? compile(query) : null; } catch (e) { matcher = () => false; error = 'not a regular expression'; }
	for (let f = 0; f < F.name.length; f++) frameMatches[f] = matcher && matcher(S[F.name[f]]) ? 1 : 0;
	const inside = new Uint8Array(tree.n), { frame, parent, total } = tree;
	let value = 0;
	matches = [];
	matchesSorted = false;
	matchAt = -1;
	if (matcher)
		for (let i = zoom; i < tree.n; i++) { // a parent comes before its children
			const around = i > zoom ? inside[parent[i]] : 0, shown = i === zoom || around & 2;
			if (!shown) continue;
			const hit = frame[i] >= 0 && frameMatches[frame[i]];
			inside[i] = (hit || around & 1 ? 1 : 0) | 2;
			if (!hit || total[i] <= 0) continue;
			if (!(around & 1)) value += total[i];
			matches.push(i);
		}
	const share = tree.total[zoom] ? value / tree.total[zoom] : 0;
	showMatch(query, value, share, error);
	main.draw();
	if (view === 'sandwich') { callers.later(); callees.later(); }
	if (view === 'table') fillTable();
	saveState();
	return { ms: performance.now() - start, share, value, matches: matches.length };
}

function showMatch(query, value, share, error) {
	$('prev-button').hidden = $('next-button').hidden = !matches.length;
	if (!query) $('match').textContent = '';
	else if (error) $('match').textContent = error;
	else {
		$('match').replaceChildren('matched ', text('b', (100 * share).toFixed(2) + ' %'), ` = ${amount(value)} in ${matches.length} frames`);
	}
}

function nextMatch(step) {
	if (!matches.length) return;
	if (!matchesSorted) matches.sort((a, b) => main.tree.total[b] - main.tree.total[a] || a - b);
	matchesSorted = true;
	matchAt = (matchAt + step + matches.length) % matches.length;
	const n = matches[matchAt], { tree } = main;
	setView('flame');
	if (!tree.isBelow(n, main.zoom) || tree.total[n] * main.width / tree.total[main.zoom] < 3) main.zoomTo(n);
	main.select(n);
	main.reveal(n);
}

// ---- Table of functions -------------------------------------------------------------------------

const anySource = F.file.some(Boolean), anyInlined = F.kind.includes(5);
const COLUMNS = [['self', 'Self'], ['total', 'Total'], ['self', 'Self time'], ['total', 'Total time'], ['name', 'Function'],
	...(anySource ? [['source', 'Source']] : []), ['image', 'Image']];
let rows = [], shownRows = [], sortBy = 'self', sortDown = true;

function countFunctions() {
	const { tree } = main, self = new Float64Array(functions.length), total = new Float64Array(functions.length);
	const open = new Int32Array(functions.length), todo = [0];
	while (todo.length) { // ~n leaves node n: a function open already is recursion, counted once
		const n = todo.pop(), node = n < 0 ? ~n : n, f = tree.frame[node], fn = f >= 0 ? functionOf[f] : -1;
		if (n < 0) { if (fn >= 0) open[fn]--; continue; }
		if (fn >= 0) {
			self[fn] += tree.self[n];
			if (!open[fn]++) total[fn] += tree.total[n];
			todo.push(~n);
		}
		for (let k = tree.first[n]; k < tree.first[n + 1]; k++) if (tree.total[tree.kids[k]] > 0) todo.push(tree.kids[k]);
	}
	rows = [];
	for (let fn = 0; fn < functions.length; fn++)
		if (total[fn] > 0)
			rows.push({ fn, self: self[fn], total: total[fn], name: S[F.name[functions[fn]]], image: S[F.image[functions[fn]]],
				source: source(functions[fn]) });
}

function fillTable() {
	const key = sortBy, sign = sortDown ? -1 : 1;
	shownRows = matcher ? rows.filter(r => frameMatches[functions[r.fn]]) : rows.slice();
	shownRows.sort((a, b) => sign * (typeof a[key] === 'string' ? a[key].localeCompare(b[key]) : a[key] - b[key]) || b.total - a.total);
	$('table-space').style.height = shownRows.length * 24 + 'px';
	drawRows();
}

const mark = fn => !showInlined || !(inlined[fn] & 1) ? '' : inlined[fn] === 1 ? ' (inlined)' : ' (partly inlined)';

function drawRows() {
	const scroll = $('table-scroll'), from = Math.max(0, Math.floor(scroll.scrollTop / 24) - 5);
	const some = shownRows.slice(from, from + Math.ceil(scroll.clientHeight / 24) + 10), all = main.tree.total[0];
	$('table-rows').style.transform = `translateY(${from * 24}px)`;
	$('table-rows').replaceChildren(...some.map(r => {
		const row = document.createElement('div');
		row.className = 'row';
		row.dataset.fn = r.fn;
		const self = text('span', percent(r.self, all), 'bar'), total = text('span', percent(r.total, all), 'bar');
		self.style.setProperty('--w', 100 * r.self / all + '%');
		total.style.setProperty('--w', 100 * r.total / all + '%');
		const name = text('span', r.name), f = functions[r.fn];
		if (mark(r.fn)) name.append(text('span', mark(r.fn), 'mark'));
		row.append(self, total, text('span', amount(r.self)), text('span', amount(r.total)), name);
		if (anySource) row.append(text('span', r.source));
		row.append(text('span', base(r.image)));
		row.title = r.name + mark(r.fn) + (F.file[f] ? `\n${S[F.file[f]]}${F.line[f] ? ':' + F.line[f] : ''}` : '');
		return row;
	}));
}

function drawHead() {
	$('table-head').replaceChildren(...COLUMNS.map(([key, title]) => {
		const b = text('button', title + (key === sortBy ? (sortDown ? ' ↓' : ' ↑') : ''));
		b.addEventListener('click', () => {
			sortDown = key === sortBy ? !sortDown : key !== 'name' && key !== 'image';
			sortBy = key;
			drawHead();
			fillTable();
		});
		return b;
	}));
}

// ---- Sandwich: callers above, callees below -----------------------------------------------------

let sandwichFn = -1;

// Of folded calls' time nobody knows the line here: then without self.
function showLines(fn) {
	const file = base(S[F.file[functions[fn]]]) || 'line', all = main.tree.total[0];
	$('sandwich-lines').replaceChildren(...linesOfFunction(main.tree, fn).slice(0, 200).map(([line, self, total]) => {
		const item = document.createElement('span');
		item.append(text('b', `${file}:${line}`), `${showInlined ? ` self ${percent(self, all)},` : ''} total ${percent(total, all)}`);
		return item;
	}));
}

function sandwich(fn) {
	sandwichFn = fn;
	setView('sandwich');
	const down = calleesTree(main.tree, fn), total = down.total[0], f = functions[fn];
	showLines(fn);
	$('sandwich-title').textContent = `${frameName(f)}${mark(fn)}  —  ${base(S[F.image[f]])}${source(f) && '  —  ' + source(f)}  —  total ${amount(total)} ` +
		`(${percent(total, main.tree.total[0])}), self ${amount(down.self[0])} (${percent(down.self[0], main.tree.total[0])})`;
	callers.show(callersTree(main.tree, fn)); // last: what stands above takes from the height
	callees.show(down);
	saveState();
	return { total, self: down.self[0], callers: callers.tree.total[0] };
}

// ---- Views, processes, theme --------------------------------------------------------------------

const severalProcesses = D.processes.length > 1; // a profile of many starts with them apart
let view = 'flame', split = severalProcesses, showInlined = true;
const onZoom = v => { if (v === main) { showButtons(); if (matcher) search($('search').value); saveState(); } };
const options = { onZoom, onSelect: showStatus };
const main = new FlameView($('view-flame'), options);
const callers = new FlameView($('callers'), { ...options, bottomUp: true });
const callees = new FlameView($('callees'), options);
const current = () => view === 'sandwich' ? (callees.scroller.contains(document.activeElement) ? callees : callers) : main;

function showButtons() {
	$('back-button').disabled = !main.past.length;
	$('reset-button').disabled = main.zoom === 0 && !matcher;
	$('flip-button').setAttribute('aria-pressed', main.bottomUp);
	$('split-button').setAttribute('aria-pressed', split);
	$('inline-button').setAttribute('aria-pressed', showInlined);
}

function setView(name) {
	view = name;
	for (const v of ['flame', 'table', 'sandwich']) {
		$('view-' + v).hidden = v !== name;
		$('tab-' + v).setAttribute('aria-selected', v === name);
	}
	$('tip').hidden = true;
	if (name === 'table') fillTable();
	for (const v of [main, callers, callees]) v.resize();
	saveState();
}

function rebuild() {
	const tree = split ? splitTree() : mergedTree();
	main.show(showInlined ? tree : foldedTree(tree));
	if (sandwichFn >= 0 && !outermost(main.tree, sandwichFn).length) leaveSandwich();
	countFunctions();
	search($('search').value);
	showButtons();
	if (view === 'sandwich' && sandwichFn >= 0) sandwich(sandwichFn);
}

// The function is gone with the inlined calls, or from the process chosen.
function leaveSandwich() {
	sandwichFn = -1;
	if (view === 'sandwich') setView('flame');
}

function setInlined(on) { showInlined = on; rebuild(); }
function setSplit(on) { split = on; rebuild(); }
function setProcess(p) {
	onlyProcess = p;
	$('process-select').value = p;
	if (onlyRoute >= 0 && !inProcess(onlyRoute)) onlyRoute = ALL;
	fillRoutes();
	rebuild();
}
function setRoute(r) {
	onlyRoute = r;
	markRoute();
	rebuild();
	$('status').textContent = main.tree.total[0] ? '' : 'No sample fell on it.';
}
function reset() {
	if ($('search').value) $('search').value = '';
	main.past = [];
	main.zoomTo(0, false);
	search('');
	showButtons();
}
function flip() {
	main.bottomUp = !main.bottomUp;
	main.resize();
	main.scroller.scrollTop = main.bottomUp ? main.scroller.scrollHeight : 0;
	main.draw();
	showButtons();
}
function setTheme(isDark) {
	dark = isDark;
	palette = [];
	document.documentElement.dataset.theme = dark ? 'dark' : 'light';
	drawLegend();
	for (const v of [main, callers, callees]) v.draw();
}

function drawLegend() {
	const used = new Set(F.kind);
	$('legend').replaceChildren(...KINDS.flatMap((name, kind) => {
		if (!used.has(kind)) return [];
		const item = document.createElement('span'), swatch = document.createElement('i'), [h, s] = HUES[kind];
		swatch.style.background = `hsl(${h} ${dark ? s * .62 : s}% ${dark ? 31 : 74}%)`;
		item.append(swatch, name);
		return [item];
	}));
}

function showFacts() {
	const at = new Date(Number(BigInt(D.time_ns) / 1000000n)), hz = D.period_ns ? Math.round(1e9 / D.period_ns) : 0;
	$('facts').textContent = [isTime ? `${(allValue / 1e9).toFixed(2)} CPU s` : amount(allValue),
		`${allSamples.toLocaleString('en')} samples`, D.duration_ns ? `over ${amount(D.duration_ns)}` : '',
		isTime && hz ? `${hz} Hz` : '', D.time_ns !== '0' ? at.toISOString().replace('T', ' ').replace(/\..*/, ' UTC') : '']
		.filter(Boolean).join('  ·  ');
	const select = $('process-select'), sums = new Float64Array(D.processes.length);
	groupValue.forEach((v, g) => { sums[processOf(g)] += v; });
	const order = [...sums.keys()].sort((a, b) => sums[b] - sums[a]);
	select.append(new Option('All ' + nouns, -1), ...order.map(p => new Option(`${processName(p)}  ${percent(sums[p], allValue)}`, p)));
	select.hidden = $('split-button').hidden = D.processes.length < 2;
	select.title = 'Only one ' + noun;
	$('split-button').textContent = 'By ' + noun;
	$('split-button').title = `Keep ${nouns} apart (p)`;
	$('inline-button').hidden = !anyInlined;
	document.body.classList.toggle('sources', anySource);
}

// ---- Routes: what each costs, and the choice of one ----------------------------------------------

const routes = [...groupValue.keys()].filter(routeOf).sort((a, b) => groupValue[b] - groupValue[a] || requestsOf(b) - requestsOf(a));
const severalServices = new Set(routes.map(processOf)).size > 1;

// [what to choose, name, service, value, requests]; those not known are -1.
function routeRows() {
	const some = routes.filter(inProcess), known = some.filter(g => requestsOf(g) >= 0);
	const sum = list => list.reduce((s, g) => s + groupValue[g], 0), all = [...groupValue.keys()].filter(inProcess);
	return [[ALL, 'All', '', sum(all), known.length ? known.reduce((s, g) => s + requestsOf(g), 0) : -1],
		[UNATTRIBUTED, 'Unattributed', '', sum(all.filter(g => !routeOf(g))), -1],
		...some.map(g => [g, S[routeOf(g)], severalServices ? processName(processOf(g)) : '', groupValue[g], requestsOf(g)])];
}

function fillRoutes() {
	const list = routeRows(), whole = list[0][3];
	$('route-list').replaceChildren(...list.map(([id, name, service, value, requests]) => {
		const row = document.createElement('label'), radio = document.createElement('input'), title = text('span', name, 'name');
		Object.assign(radio, { type: 'radio', name: 'route', value: id });
		radio.addEventListener('change', () => setRoute(id));
		if (service) title.append(text('span', service, 'mark'));
		row.append(radio, title, text('span', percent(value, whole), 'bar'), text('span', requests < 0 ? '' : requests.toLocaleString('en')),
			text('span', value > 0 && requests > 0 && id >= 0 ? amount(value / requests) : ''));
		row.children[2].style.setProperty('--w', (whole ? 100 * value / whole : 0) + '%');
		row.title = [name, service, amount(value)].filter(Boolean).join('\n');
		return row;
	}));
	markRoute();
}
function markRoute() {
	for (const radio of document.getElementsByName('route')) {
		radio.checked = Number(radio.value) === onlyRoute;
		radio.parentNode.classList.toggle('chosen', radio.checked);
	}
}
function showRoutes() {
	$('routes').hidden = !routes.length;
	document.body.classList.toggle('routed', routes.length > 0);
	fillRoutes();
}

// ---- Overlays -----------------------------------------------------------------------------------

const KEYS = [['/', 'search; /…/ is a regular expression'], ['n  N', 'next, previous match'], ['arrows', 'walk from frame to frame'],
	['Enter', 'zoom into the selected frame'], ['Backspace  Alt+Left', 'back to the previous zoom'], ['Esc', 'clear the search, show everything'],
	['i', 'icicle (root on top) or flame'], ['p', `keep ${nouns} apart, or merge them`], ...(D.groups ? [['r', 'the list of routes: arrow keys choose one']] : []), ['l', 'inlined calls as boxes of their own, or as part of the function they stand in'],
	['s', 'sandwich: callers and callees of the selected function'],
	['t  f', 'table of functions; flame graph'], ['c', 'copy the selected name (right click does it too)'], ['d', 'light or dark'], ['?', 'this list']];
let returnTo = null;

function overlay(title, ...content) {
	$('card').replaceChildren(text('h2', title), ...content);
	returnTo = document.activeElement;
	$('overlay').hidden = false;
	$('card').focus();
}
function closeOverlay() {
	$('overlay').hidden = true;
	if (returnTo) returnTo.focus();
}
function showKeys() {
	const list = document.createElement('dl');
	for (const [key, what] of KEYS) list.append(text('dt', key), text('dd', what));
	overlay('Keys', list, text('p', 'A box is a function; its width is the CPU time spent in it and in what it calls. ' +
		'Boxes below (in a flame: above) are its callees. The order from left to right means nothing but size.'));
}
const showAbout = () => overlay('About this profile', text('pre', D.comments.join('\n') || 'It says nothing of itself.'));

// ---- Keyboard and buttons -----------------------------------------------------------------------

const pressed = {
	'/': () => $('search').focus(), '?': showKeys, n: () => nextMatch(1), N: () => nextMatch(-1), i: flip, p: () => setSplit(!split),
	r: () => document.querySelector('.chosen input')?.focus(),
	l: () => { if (anyInlined) setInlined(!showInlined); }, d: () => setTheme(!dark), t: () => setView(view === 'table' ? 'flame' : 'table'), f: () => setView('flame'), Escape: reset,
	Backspace: () => current().back(), Enter: () => { const v = current(); if (v.selected >= 0) v.zoomTo(v.selected); },
	c: () => { const v = current(); if (v.selected >= 0) copyName(v.tree.frame[v.selected]); },
	s: () => { const v = current(), f = v.selected >= 0 ? v.tree.frame[v.selected] : -1; if (f >= 0) sandwich(functionOf[f]); },
};
for (const key of ['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight']) pressed[key] = () => current().walk(key);

document.addEventListener('keydown', e => {
	if (!$('overlay').hidden) { if (e.key === 'Escape' || e.key === '?') closeOverlay(); return; }
	if (e.target === $('search')) {
		if (e.key === 'Escape') { e.target.value = ''; search(''); e.target.blur(); }
		if (e.key === 'Enter') { e.target.blur(); nextMatch(1); }
		return;
	}
	if (e.altKey && e.key === 'ArrowLeft') { e.preventDefault(); main.back(); return; }
	if (e.ctrlKey || e.metaKey || e.altKey || e.target.tagName === 'SELECT' || (e.key === 'Enter' && e.target.tagName === 'BUTTON')) return;
	if ((view === 'table' || e.target.type === 'radio') && e.key.startsWith('Arrow')) return;
	if (pressed[e.key]) { e.preventDefault(); pressed[e.key](); }
});

let typing = 0;
$('search').addEventListener('input', e => { clearTimeout(typing); typing = setTimeout(() => { search(e.target.value); showButtons(); }, 60); });
for (const tab of document.querySelectorAll('[role=tab]')) tab.addEventListener('click', () => setView(tab.dataset.view));
for (const [id, run] of [['back-button', () => main.back()], ['reset-button', reset], ['flip-button', flip], ['split-button', () => setSplit(!split)],
	['inline-button', () => setInlined(!showInlined)],
	['theme-button', () => setTheme(!dark)], ['help-button', showKeys], ['about-button', showAbout],
	['next-button', () => nextMatch(1)], ['prev-button', () => nextMatch(-1)]])
	$(id).addEventListener('click', run);
$('process-select').addEventListener('change', e => setProcess(Number(e.target.value)));
$('overlay').addEventListener('click', e => { if (e.target === $('overlay')) closeOverlay(); });
$('table-scroll').addEventListener('scroll', drawRows);
$('table-rows').addEventListener('click', e => { const row = e.target.closest('.row'); if (row) sandwich(Number(row.dataset.fn)); });

// ---- The address keeps the view -----------------------------------------------------------------

let restoring = true;
function saveState() {
	if (restoring) return;
	const state = new URLSearchParams();
	if (view !== 'flame') state.set('v', view);
	if (main.zoom) state.set('z', main.zoom);
	if ($('search').value) state.set('q', $('search').value);
	if (split !== severalProcesses) state.set('p', Number(split));
	if (!showInlined) state.set('l', '0');
	if (onlyProcess >= 0) state.set('only', onlyProcess);
	if (onlyRoute !== ALL) state.set('r', onlyRoute < 0 ? 'none' : onlyRoute);
	if (view === 'sandwich' && sandwichFn >= 0) state.set('fn', sandwichFn);
	try { history.replaceState(null, '', '#' + state); } catch { /* some browsers refuse it on file:// */ }
}
function restoreState() {
	const state = new URLSearchParams(location.hash.slice(1)), number = (key, max) => {
		const v = Number(state.get(key));
		return Number.isInteger(v) && v >= 0 && v < max ? v : -1;
	};
	split = state.has('p') ? state.get('p') === '1' : severalProcesses;
	showInlined = state.get('l') !== '0';
	onlyProcess = state.has('only') ? number('only', D.processes.length) : -1;
	$('process-select').value = onlyProcess;
	onlyRoute = state.get('r') === 'none' && routes.length ? UNATTRIBUTED : state.has('r') ? number('r', groupValue.length) : ALL;
	if (onlyRoute >= 0 && !(routeOf(onlyRoute) && inProcess(onlyRoute))) onlyRoute = ALL;
	showRoutes();
	$('search').value = state.get('q') || '';
	rebuild();
	const zoom = state.has('z') ? number('z', main.tree.n) : -1, fn = state.has('fn') ? number('fn', functions.length) : -1;
	if (zoom > 0) main.zoomTo(zoom);
	if (state.get('v') === 'sandwich' && fn >= 0) sandwich(fn);
	else if (state.get('v') === 'table') setView('table');
	restoring = false;
}

// ---- Start --------------------------------------------------------------------------------------

const wantsDark = matchMedia('(prefers-color-scheme: dark)');
setTheme(wantsDark.matches);
wantsDark.addEventListener('change', e => setTheme(e.matches));
showFacts();
drawHead();
restoreState();
if (!rowCount) $('status').textContent = 'No samples: nothing ran, or nothing matched the filters.';
let readyMs = 0;
requestAnimationFrame(() => setTimeout(() => { readyMs = performance.now(); }));

// For tests: the same functions the controls call.
window.hotspan = {
	stats: () => ({ nodes: main.tree.n, frames: F.name.length, value: allValue, samples: allSamples, readyMs, scriptMs: readyMs - begin,
		zoom: main.zoom, selected: main.selected, view, split, route: onlyRoute, zoomName: frameName(main.tree.frame[main.zoom]),
		zoomShare: main.tree.total[main.zoom] / main.tree.total[0], depth: main.tree.maxDepth }),
	zoomTo: n => { const t = performance.now(); main.zoomTo(n); return performance.now() - t; },
	search: q => { $('search').value = q; return search(q); },
	sandwich: name => { const r = rows.find(x => x.name === name); return r ? sandwich(r.fn) : null; },
	largestChild: n => main.tree.first[n] < main.tree.first[n + 1] ? main.tree.kids[main.tree.first[n]] : -1,
	functions: () => rows.map(r => [r.name, r.self, r.total]),
	lines: name => { const r = rows.find(x => x.name === name); return r ? linesOfFunction(main.tree, r.fn) : null; },
	setInlined, routes: routeRows, setRoute,
	node: name => { let best = -1; for (let i = 1; i < main.tree.n; i++) if (frameName(main.tree.frame[i]) === name && (best < 0 || main.tree.total[i] > main.tree.total[best])) best = i; return best; },
	box: n => { const t = main.tree, r = main.canvas.getBoundingClientRect(), s = main.width / t.total[main.zoom];
		return { x: r.left + (t.x[n] - t.x[main.zoom] + t.total[n] / 2) * s, y: r.top + main.y(t.depth[n]) + ROW / 2, w: t.total[n] * s }; },
};
})();
