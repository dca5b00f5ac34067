/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settings_doc.c - holds a YAML document against the libcyaml schema and says
 * at which line it differs. libcyaml 1.3.1 stops at the first fault, gives the
 * line of the previous event for an unknown key, and takes "maybe" for true
 * and "12abc" for 12; so the file is checked here first, all of it, and
 * libcyaml then only fills structures. Called by settings_file.c and
 * settings.c.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "settings_doc.h"

#define FILE_LEN_MAX (1024 * 1024)
#define TEXT_MAX 64	/* of a foreign text in a message */

struct doc {
	yaml_document_t yaml;
};

void fault(struct faults *faults, size_t line, const char *format, ...)
{
	va_list args;

	faults->n++;
	fprintf(faults->err, "%s:%zu: ", faults->path, line ? line : 1);
	va_start(args, format);
	vfprintf(faults->err, format, args);
	va_end(args);
	fputc('\n', faults->err);
}

char *doc_slurp(struct faults *faults, const char *path, size_t *len)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;

	if (f == NULL) {
		fault(faults, 0, "found no file (%s), expected a configuration",
		      strerror(errno));
		return NULL;
	}
	text = malloc(FILE_LEN_MAX + 1);
	*len = text != NULL ? fread(text, 1, FILE_LEN_MAX + 1, f) : 0;
	if (text == NULL || ferror(f) || *len > FILE_LEN_MAX) {
		fault(faults, 0, "found a file that cannot be read or is over "
		      "1 MiB, expected a configuration");
		free(text);
		text = NULL;
	}
	fclose(f);
	return text;
}

static size_t line_of(const yaml_node_t *node)
{
	return node->start_mark.line + 1;
}

/* A node as a message shows it: short, printable, quoted. */
static const char *shown(const yaml_node_t *node, char buf[TEXT_MAX + 8])
{
	size_t i, len;

	if (node->type == YAML_MAPPING_NODE)
		return "a mapping";
	if (node->type == YAML_SEQUENCE_NODE)
		return "a list";
	len = node->data.scalar.length;
	if (len == 0)
		return "nothing";
	buf[0] = '\'';
	for (i = 0; i < len && i < TEXT_MAX; i++) {
		unsigned char c = node->data.scalar.value[i];

		buf[i + 1] = c < 0x20 || c > 0x7e ? '?' : (char)c;
	}
	strcpy(buf + i + 1, i < len ? "...'" : "'");
	return buf;
}

struct doc *doc_new(const char *text, size_t len, struct faults *faults)
{
	struct doc *doc = calloc(1, sizeof(*doc));
	yaml_document_t second;
	yaml_parser_t parser;

	if (doc == NULL || !yaml_parser_initialize(&parser)) {
		free(doc);
		fault(faults, 0, "out of memory");
		return NULL;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (!yaml_parser_load(&parser, &doc->yaml)) {
		fault(faults, parser.problem_mark.line + 1,
		      "found %s, expected YAML",
		      parser.problem ? parser.problem : "an error");
		free(doc);
		doc = NULL;
		goto out;
	}
	if (yaml_document_get_root_node(&doc->yaml) == NULL) {
		fault(faults, 1, "found an empty file, expected a mapping");
		goto refuse;
	}
	if (!yaml_parser_load(&parser, &second)) {
		fault(faults, parser.problem_mark.line + 1,
		      "found %s, expected the end of the file",
		      parser.problem ? parser.problem : "an error");
		goto refuse;
	}
	if (yaml_document_get_root_node(&second) != NULL) {
		fault(faults, second.start_mark.line + 1,
		      "found a second document, expected one");
		yaml_document_delete(&second);
		goto refuse;
	}
	yaml_document_delete(&second);
	goto out;
refuse:
	doc_free(doc);
	doc = NULL;
out:
	yaml_parser_delete(&parser);
	return doc;
}

void doc_free(struct doc *doc)
{
	if (doc == NULL)
		return;
	yaml_document_delete(&doc->yaml);
	free(doc);
}

static bool scalar_is(const yaml_node_t *node, const char *text)
{
	return node->type == YAML_SCALAR_NODE &&
	       node->data.scalar.length == strlen(text) &&
	       memcmp(node->data.scalar.value, text, strlen(text)) == 0;
}

static const struct cyaml_schema_field *
field_find(const cyaml_schema_value_t *schema, const yaml_node_t *key)
{
	const struct cyaml_schema_field *field;

	for (field = schema->mapping.fields; field->key != NULL; field++)
		if (scalar_is(key, field->key))
			return field;
	return NULL;
}

static yaml_node_t *mapping_find(struct doc *doc, const yaml_node_t *mapping,
				 const char *key)
{
	const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;

	for (; pair < mapping->data.mapping.pairs.top; pair++)
		if (scalar_is(yaml_document_get_node(&doc->yaml, pair->key),
			      key))
			return yaml_document_get_node(&doc->yaml, pair->value);
	return NULL;
}

/* "a, b or c" of a mapping's keys or an enumeration's words. */
static void words(const cyaml_schema_value_t *schema, char *buf, size_t len)
{
	const struct cyaml_schema_field *fields = schema->mapping.fields;
	bool mapping = schema->type == CYAML_MAPPING;
	size_t n = 0, used = 0, i;
	int wrote;

	if (!mapping)
		n = schema->enumeration.count;
	while (mapping && fields[n].key != NULL)
		n++;
	buf[0] = '\0';
	for (i = 0; i < n && used < len; i++) {
		const char *word = mapping
			? fields[i].key
			: schema->enumeration.strings[i].str;

		wrote = snprintf(buf + used, len - used, "%s%s",
				 i == 0 ? "" : i + 1 == n ? " or " : ", ", word);
		used += wrote > 0 ? (size_t)wrote : 0;
	}
}

static void check_string(const yaml_node_t *node, const char *name,
			 const cyaml_schema_value_t *schema,
			 struct faults *faults)
{
	size_t len = node->data.scalar.length;

	if (memchr(node->data.scalar.value, '\0', len) != NULL) {
		fault(faults, line_of(node),
		      "found a zero byte in %s, expected text", name);
		return;
	}
	if (len < schema->string.min || len > schema->string.max)
		fault(faults, line_of(node),
		      "found %zu characters for %s, expected %u to %u", len,
		      name, schema->string.min, schema->string.max);
}

static bool is_uint32(const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;
	size_t len = node->data.scalar.length;

	return len >= 1 && len <= 10 && strspn(text, "0123456789") == len &&
	       !(len > 1 && text[0] == '0') &&
	       strtoull(text, NULL, 10) <= UINT32_MAX;
}

static void check_scalar(const yaml_node_t *node, const char *name,
			 const cyaml_schema_value_t *schema,
			 struct faults *faults)
{
	char found[TEXT_MAX + 8], expected[400] = "text";
	uint32_t i;
	bool good = false;

	if (schema->type == CYAML_STRING && node->type == YAML_SCALAR_NODE) {
		check_string(node, name, schema, faults);
		return;
	}
	if (schema->type == CYAML_UINT) {
		strcpy(expected, "a whole number");
		good = node->type == YAML_SCALAR_NODE && is_uint32(node);
	}
	if (schema->type == CYAML_BOOL) {
		strcpy(expected, "true or false");
		good = scalar_is(node, "true") || scalar_is(node, "false");
	}
	if (schema->type == CYAML_ENUM) {
		words(schema, expected, sizeof(expected));
		for (i = 0; i < schema->enumeration.count; i++)
			good |= scalar_is(node,
					  schema->enumeration.strings[i].str);
	}
	if (!good)
		fault(faults, line_of(node), "found %s for %s, expected %s",
		      shown(node, found), name, expected);
}

/* Depth is bounded by the schema, so a recursive alias ends here too. */
/* NOLINTBEGIN(misc-no-recursion) */
static void check_value(struct doc *doc, const yaml_node_t *node,
			const char *name, const cyaml_schema_value_t *schema,
			struct faults *faults);

static void check_pair(struct doc *doc, const yaml_node_t *mapping,
		       const yaml_node_pair_t *pair,
		       const cyaml_schema_value_t *schema, const char *name,
		       struct faults *faults)
{
	const yaml_node_t *key = yaml_document_get_node(&doc->yaml, pair->key);
	const yaml_node_t *value =
		yaml_document_get_node(&doc->yaml, pair->value);
	const struct cyaml_schema_field *field = field_find(schema, key);
	char found[TEXT_MAX + 8], expected[400];

	if (field == NULL) {
		words(schema, expected, sizeof(expected));
		fault(faults, line_of(key),
		      "found unknown key %s in %s, expected %s",
		      shown(key, found), name, expected);
		return;
	}
	if (mapping_find(doc, mapping, field->key) != value) {
		fault(faults, line_of(key),
		      "found '%s' a second time in %s, expected it once",
		      field->key, name);
		return;
	}
	check_value(doc, value, field->key, &field->value, faults);
}

static void check_mapping(struct doc *doc, const yaml_node_t *node,
			  const char *name, const cyaml_schema_value_t *schema,
			  struct faults *faults)
{
	const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	const struct cyaml_schema_field *field;

	for (; pair < node->data.mapping.pairs.top; pair++)
		check_pair(doc, node, pair, schema, name, faults);
	for (field = schema->mapping.fields; field->key != NULL; field++)
		if (!(field->value.flags & CYAML_FLAG_OPTIONAL) &&
		    mapping_find(doc, node, field->key) == NULL)
			fault(faults, line_of(node),
			      "found no '%s' in %s, expected it", field->key,
			      name);
}

static void check_sequence(struct doc *doc, const yaml_node_t *node,
			   const char *name,
			   const cyaml_schema_value_t *schema,
			   struct faults *faults)
{
	const yaml_node_item_t *item = node->data.sequence.items.start;
	size_t n = (size_t)(node->data.sequence.items.top - item);

	if (n < schema->sequence.min || n > schema->sequence.max)
		fault(faults, line_of(node),
		      "found %zu entries for %s, expected %u to %u", n, name,
		      schema->sequence.min, schema->sequence.max);
	for (; item < node->data.sequence.items.top; item++)
		check_value(doc, yaml_document_get_node(&doc->yaml, *item),
			    name, schema->sequence.entry, faults);
}

static void check_value(struct doc *doc, const yaml_node_t *node,
			const char *name, const cyaml_schema_value_t *schema,
			struct faults *faults)
{
	char found[TEXT_MAX + 8];

	if (schema->type == CYAML_MAPPING && node->type == YAML_MAPPING_NODE) {
		check_mapping(doc, node, name, schema, faults);
		return;
	}
	if (schema->type == CYAML_SEQUENCE &&
	    node->type == YAML_SEQUENCE_NODE) {
		check_sequence(doc, node, name, schema, faults);
		return;
	}
	if (schema->type == CYAML_MAPPING || schema->type == CYAML_SEQUENCE) {
		fault(faults, line_of(node), "found %s for %s, expected %s",
		      shown(node, found), name,
		      schema->type == CYAML_MAPPING ? "a mapping" : "a list");
		return;
	}
	check_scalar(node, name, schema, faults);
}
/* NOLINTEND(misc-no-recursion) */

void doc_check(struct doc *doc, const cyaml_schema_value_t *schema,
	       struct faults *faults)
{
	check_value(doc, yaml_document_get_root_node(&doc->yaml), "the file",
		    schema, faults);
}

/* One step of a path: "name" or "[n]"; *path is moved behind it. */
static yaml_node_t *step(struct doc *doc, const yaml_node_t *node, char **path)
{
	const yaml_node_item_t *item;
	size_t n;

	if (**path == '[') {
		n = strtoul(*path + 1, path, 10);
		*path += strspn(*path, "].");
		if (node->type != YAML_SEQUENCE_NODE)
			return NULL;
		item = node->data.sequence.items.start + n;
		if (item >= node->data.sequence.items.top)
			return NULL;
		return yaml_document_get_node(&doc->yaml, *item);
	}
	n = strcspn(*path, ".[");
	char name[64];
	snprintf(name, sizeof(name), "%.*s", (int)n, *path);
	*path += n + ((*path)[n] == '.');
	if (node->type != YAML_MAPPING_NODE)
		return NULL;
	return mapping_find(doc, node, name);
}

size_t doc_line(struct doc *doc, const char *path, ...)
{
	const yaml_node_t *node = yaml_document_get_root_node(&doc->yaml);
	char text[128], *at = text;
	va_list args;

	va_start(args, path);
	vsnprintf(text, sizeof(text), path, args);
	va_end(args);
	while (node != NULL && *at != '\0')
		node = step(doc, node, &at);
	return node != NULL ? line_of(node) : 0;
}
