// SPDX-License-Identifier: Apache-2.0

// gosym FILE TEXT: reads addresses (hex, one a line), prints "function\tfile\tline" as Go's own debug/gosym has
// them. TEXT: where Go's code begins, which gosym has to be told.
package main

import (
	"bufio"
	"debug/elf"
	"debug/gosym"
	"fmt"
	"os"
	"strconv"
)

func main() {
	f, err := elf.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	section := f.Section(".gopclntab")
	if section == nil {
		section = f.Section(".data.rel.ro.gopclntab")
	}
	data, err := section.Data()
	if err != nil {
		panic(err)
	}
	text, err := strconv.ParseUint(os.Args[2], 16, 64)
	if err != nil {
		panic(err)
	}
	table, err := gosym.NewTable(nil, gosym.NewLineTable(data, text))
	if err != nil {
		panic(err)
	}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		pc, _ := strconv.ParseUint(in.Text(), 16, 64)
		file, line, fn := table.PCToLine(pc)
		name := ""
		if fn != nil {
			name = fn.Name
		}
		fmt.Fprintf(out, "%s\t%s\t%d\n", name, file, line)
	}
}
