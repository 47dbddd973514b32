#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""count: how many instructions a BPF program executes, by interpreting its object file.

A clock says what a run took on this machine at this hour; this says the same everywhere. Knows what the program under test
needs: array maps of one element, bpf_map_lookup_elem, bpf_probe_read_kernel, bpf_loop (a turn of it counts what the
kernel inlines: 6), calls, and the instructions that clang emits for -mcpu=v3.
"""
import collections
import pathlib
import struct

M64 = (1 << 64) - 1
STACK, MAPS, SIZE = 0x8000, 0x10000, 1 << 20
R_64_64, R_64_32 = 1, 10
LOOP_TURN = 6


class Object:
    """An object file: instructions of all code sections in one list, with relocations done."""

    def __init__(self, path):
        self.data = pathlib.Path(path).read_bytes()
        shoff, = struct.unpack_from("<Q", self.data, 40)
        n, strings = struct.unpack_from("<HH", self.data, 60)
        self.sections = [struct.unpack_from("<IIQQQQIIQQ", self.data, shoff + 64 * i) for i in range(n)]
        self.names = [self.text(self.sections[strings][4] + s[0]) for s in self.sections]
        self.symbols = self.read_symbols()
        self.code, self.base = [], {}
        for i, s in enumerate(self.sections):
            if s[1] == 1 and s[2] & 4:  # PROGBITS, executable
                self.base[i] = len(self.code)
                self.code += [struct.unpack_from("<BBhi", self.data, s[4] + 8 * k) for k in range(s[5] // 8)]
        for s in self.sections:
            if s[1] == 9 and s[7] in self.base:  # REL
                self.relocate(s)

    def text(self, at):
        return self.data[at:self.data.index(b"\0", at)].decode()

    def read_symbols(self):
        table = next(s for s in self.sections if s[1] == 2)
        names = self.sections[table[6]][4]
        syms = [struct.unpack_from("<IBBHQQ", self.data, table[4] + 24 * i) for i in range(table[5] // 24)]
        return [(self.text(names + s[0]), s[3], s[4]) for s in syms]

    def relocate(self, rel):
        for i in range(rel[5] // 16):
            offset, info = struct.unpack_from("<QQ", self.data, rel[4] + 16 * i)
            name, section, value = self.symbols[info >> 32]
            at = self.base[rel[7]] + offset // 8
            op, regs, off, imm = self.code[at]
            if section not in self.base:  # a map
                self.code[at] = (op, regs, off, MAPS)
            elif info & 0xffffffff == R_64_64:  # a callback
                self.code[at] = (op, regs, off, self.base[section] + (value + imm) // 8)
            else:
                self.code[at] = (op, regs, off, self.base[section] + (value // 8) + imm - at)

    def entry(self, name):
        return next(self.base[s] + v // 8 for n, s, v in self.symbols if n == name)


def signed(v, bits):
    v &= (1 << bits) - 1
    return v - (1 << bits) if v >> (bits - 1) else v


ALU = {0: lambda a, b: a + b, 1: lambda a, b: a - b, 2: lambda a, b: a * b, 3: lambda a, b: a // b if b else 0,
       4: lambda a, b: a | b, 5: lambda a, b: a & b, 9: lambda a, b: a % b if b else a, 10: lambda a, b: a ^ b, 11: lambda a, b: b}
JUMP = {1: lambda a, b, n: a == b, 2: lambda a, b, n: a > b, 3: lambda a, b, n: a >= b, 4: lambda a, b, n: a & b != 0,
        5: lambda a, b, n: a != b, 6: lambda a, b, n: signed(a, n) > signed(b, n), 7: lambda a, b, n: signed(a, n) >= signed(b, n),
        10: lambda a, b, n: a < b, 11: lambda a, b, n: a <= b, 12: lambda a, b, n: signed(a, n) < signed(b, n),
        13: lambda a, b, n: signed(a, n) <= signed(b, n)}
WIDTH = {0x00: "<I", 0x08: "<H", 0x10: "<B", 0x18: "<Q"}


class Machine:
    def __init__(self, obj, value):
        """value: the bytes of the one map's one element."""
        self.code = obj.code
        self.memory = bytearray(SIZE)
        self.memory[MAPS:MAPS + len(value)] = value
        self.executed = collections.Counter()

    @property
    def count(self):
        return sum(self.executed.values())

    def call(self, pc, args, frame=STACK):
        """Runs the function at pc, its frame below `frame`; r0."""
        r = [0] + list(args) + [0] * (10 - len(args))
        r[10] = frame
        while True:
            op, regs, off, imm = self.code[pc]
            self.executed[pc] += 1
            pc += 1
            d, s, kind = regs & 15, regs >> 4, op & 7
            if kind in (4, 7):
                bits = 64 if kind == 7 else 32
                self.alu(r, op, d, s, imm, bits)
            elif op == 0x18:
                r[d] = (imm & 0xffffffff) | (self.code[pc][3] & 0xffffffff) << 32
                pc += 1
            elif kind == 1:
                r[d], = struct.unpack_from(WIDTH[op & 0x18], self.memory, r[s] + off)
            elif kind in (2, 3):
                width = WIDTH[op & 0x18]
                v = (r[s] if kind == 3 else imm) & ((1 << 8 * struct.calcsize(width)) - 1)
                struct.pack_into(width, self.memory, (r[d] + off) & M64, v)
            elif op == 0x95:
                return r[0]
            elif op == 0x85:
                r[0] = self.call(pc + imm, r[1:6], frame - 512) if s == 1 else self.helper(imm, r, frame)
            elif op == 0x05:
                pc += off
            else:
                bits = 64 if kind == 5 else 32
                mask = (1 << bits) - 1
                if JUMP[op >> 4](r[d] & mask, (r[s] if op & 8 else imm) & mask, bits):
                    pc += off

    def alu(self, r, op, d, s, imm, bits):
        mask, code = (1 << bits) - 1, op >> 4
        a, b = r[d] & mask, (r[s] if op & 8 else imm) & mask
        if code in ALU:
            v = ALU[code](a, b)
        elif code == 6:
            v = a << (b & (bits - 1))
        elif code == 7:
            v = a >> (b & (bits - 1))
        elif code == 12:
            v = signed(a, bits) >> (b & (bits - 1))
        elif code == 8:
            v = -a
        else:
            raise ValueError(f"instruction {op:#x}")
        r[d] = v & mask

    def helper(self, number, r, frame):
        if number == 1:  # bpf_map_lookup_elem
            return MAPS
        if number == 113:  # bpf_probe_read_kernel
            self.memory[r[1]:r[1] + r[2]] = self.memory[r[3]:r[3] + r[2]]
            return 0
        if number == 181:  # bpf_loop
            for i in range(r[1]):
                self.executed[-1] += LOOP_TURN
                if self.call(r[2], [i, r[3]], frame - 512):
                    return i + 1
            return r[1]
        raise ValueError(f"helper {number}")
