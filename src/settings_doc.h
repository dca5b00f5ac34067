/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settings_doc.h - the configuration file as a YAML document whose nodes know
 * their lines. libcyaml fills the structures; this part tells, with a line,
 * everything that does not fit the schema, and finds lines for later checks.
 */
#ifndef STEKD_SETTINGS_DOC_H
#define STEKD_SETTINGS_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <cyaml/cyaml.h>

/* Where faults go: "PATH:LINE: found ..., expected ...". */
struct faults {
	FILE *err;
	const char *path;
	unsigned n;
};

void fault(struct faults *faults, size_t line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The whole file as text, or NULL with a fault. The caller frees it. */
char *doc_slurp(struct faults *faults, const char *path, size_t *len);

struct doc;

/* NULL, with a fault, when the text is not one YAML document. */
struct doc *doc_new(const char *text, size_t len, struct faults *faults);
void doc_free(struct doc *doc);

/* Tells every place where the document differs from the schema. */
void doc_check(struct doc *doc, const cyaml_schema_value_t *schema,
	       struct faults *faults);

/*
 * The line of the value at a path like "hosts[2].names[0]", or 0 if there is
 * none.
 */
size_t doc_line(struct doc *doc, const char *path, ...)
	__attribute__((format(printf, 2, 3)));

#endif
