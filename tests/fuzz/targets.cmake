# SPDX-License-Identifier: Apache-2.0
fuzz_target(elf USES symbolize)
fuzz_target(kallsyms USES symbolize)
fuzz_target(perf_map USES symbolize)
fuzz_target(pprof USES formats)
fuzz_target(folded USES pprof)
fuzz_target(walk USES base bpf_headers)
fuzz_target(sideband USES proc)
