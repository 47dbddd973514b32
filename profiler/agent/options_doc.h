/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * options_doc - the rows of options.def for people and for editors: the configuration reference in
 * Markdown, and a JSON schema (draft 2020-12). Both are checked in below packaging/.
 */
struct buf;

void options_reference(struct buf *out);
void options_schema(struct buf *out);
