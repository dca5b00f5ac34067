/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Aligned tables for the terminal. Cells are copied with control characters
 * replaced, so that a name from the network cannot steer the terminal.
 */
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

static char *clean_copy(const char *text)
{
	char *copy = strdup(text ? text : "-");

	for (char *p = copy; p && *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	}
	return copy;
}

int ctl_table_add(struct ctl_table *table, const char *const *cells)
{
	char **row;

	if (table->rows == table->cap) {
		size_t cap = table->cap ? table->cap * 2 : 16;
		char **grown = realloc(table->cells, cap * table->columns *
							     sizeof(*grown));

		if (!grown)
			return -1;
		table->cells = grown;
		table->cap = cap;
	}
	row = table->cells + table->rows * table->columns;
	for (size_t i = 0; i < table->columns; i++) {
		row[i] = clean_copy(cells[i]);
		if (row[i])
			continue;
		while (i > 0)
			free(row[--i]);
		return -1;
	}
	table->rows++;
	return 0;
}

int ctl_table_init(struct ctl_table *table, const char *const *headings)
{
	const char *plain[CTL_COLUMNS_MAX] = { NULL };

	*table = (struct ctl_table){0};
	for (; headings[table->columns]; table->columns++) {
		const char *heading = headings[table->columns];

		if (table->columns == CTL_COLUMNS_MAX)
			return -1;
		table->right[table->columns] = heading[0] == '>';
		plain[table->columns] = heading + (heading[0] == '>');
	}
	return ctl_table_add(table, plain);
}

void ctl_table_print(const struct ctl_table *table, FILE *out)
{
	size_t width[CTL_COLUMNS_MAX] = {0};

	for (size_t i = 0; i < table->rows * table->columns; i++) {
		size_t len = strlen(table->cells[i]);
		size_t column = i % table->columns;

		if (len > width[column])
			width[column] = len;
	}
	for (size_t i = 0; i < table->rows * table->columns; i++) {
		size_t column = i % table->columns;
		bool last = column + 1 == table->columns;
		int pad = (int)width[column];

		if (table->right[column])
			fprintf(out, "%*s", pad, table->cells[i]);
		else
			fprintf(out, "%-*s", last ? 0 : pad, table->cells[i]);
		fputs(last ? "\n" : "  ", out);
	}
}

void ctl_table_clear(struct ctl_table *table)
{
	for (size_t i = 0; i < table->rows * table->columns; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct ctl_table){0};
}
