/* Lists: aligned columns for people, a JSON array with --json. */
#include "ctl.h"

#include "../core/base/text.h"

#include <stdio.h>
#include <string.h>

void fhir_ctl_table_init(fhir_ctl_table_t *table, fhir_ctl_t *ctl, const char *const *names, int columns)
{
    table->ctl = ctl;
    table->columns = columns;
    table->names = names;
    table->cells = apr_array_make(ctl->pool, 64, sizeof(const char *));
}

void fhir_ctl_table_add(fhir_ctl_table_t *table, const char *cell)
{
    APR_ARRAY_PUSH(table->cells, const char *) = cell;
}

void fhir_ctl_table_add_flag(fhir_ctl_table_t *table, int flag)
{
    fhir_ctl_table_add(table, flag ? "yes" : "no");
}

void fhir_ctl_table_add_number(fhir_ctl_table_t *table, apr_off_t number)
{
    fhir_ctl_table_add(table, apr_off_t_toa(table->ctl->pool, number));
}

void fhir_ctl_table_add_time(fhir_ctl_table_t *table, apr_time_t time)
{
    fhir_ctl_table_add(table, time ? fhir_instant(time, table->ctl->pool) : NULL);
}

static const char *cell_of(const fhir_ctl_table_t *table, int row, int column)
{
    return APR_ARRAY_IDX(table->cells, row * table->columns + column, const char *);
}

/* Without the mark of its kind. */
static int name_length(const char *name)
{
    return (int)strcspn(name, "?#");
}

static void add_json_cell(fhir_text_t *text, const char *name, const char *cell)
{
    char kind = name[name_length(name)];
    fhir_text_addf(text, "\"%.*s\": ", name_length(name), name);
    if (!cell) {
        fhir_text_add(text, "null");
    } else if (kind == '?') {
        fhir_text_add(text, strcmp(cell, "yes") == 0 ? "true" : "false");
    } else if (kind == '#') {
        fhir_text_add(text, cell);
    } else {
        fhir_text_add_json_string(text, cell);
    }
}

static void print_json(const fhir_ctl_table_t *table, int rows)
{
    fhir_text_t text;
    fhir_text_init(&text, table->ctl->pool);
    fhir_text_add(&text, "[");
    for (int row = 0; row < rows; row++) {
        fhir_text_add(&text, row ? ",\n  {" : "\n  {");
        for (int column = 0; column < table->columns; column++) {
            fhir_text_add(&text, column ? ", " : "");
            add_json_cell(&text, table->names[column], cell_of(table, row, column));
        }
        fhir_text_add(&text, "}");
    }
    fhir_text_add(&text, rows ? "\n]" : "]");
    puts(text.text);
}

static int width_of(const fhir_ctl_table_t *table, int rows, int column)
{
    int width = name_length(table->names[column]);
    for (int row = 0; row < rows; row++) {
        const char *cell = cell_of(table, row, column);
        int length = cell ? (int)strlen(cell) : 1;
        width = length > width ? length : width;
    }
    return width;
}

static void print_cell(const fhir_ctl_table_t *table, const int *widths, int column, const char *cell, int length)
{
    if (column == table->columns - 1) {
        printf("%.*s\n", length, cell);
    } else {
        printf("%-*.*s  ", widths[column], length, cell);
    }
}

static void print_text(const fhir_ctl_table_t *table, int rows)
{
    int *widths = apr_palloc(table->ctl->pool, (apr_size_t)table->columns * sizeof(*widths));
    for (int column = 0; column < table->columns; column++) {
        widths[column] = width_of(table, rows, column);
    }
    for (int column = 0; rows && column < table->columns; column++) {
        print_cell(table, widths, column, table->names[column], name_length(table->names[column]));
    }
    for (int row = 0; row < rows; row++) {
        for (int column = 0; column < table->columns; column++) {
            const char *cell = cell_of(table, row, column);
            print_cell(table, widths, column, cell ? cell : "-", cell ? (int)strlen(cell) : 1);
        }
    }
}

void fhir_ctl_table_print(const fhir_ctl_table_t *table)
{
    int rows = table->cells->nelts / table->columns;
    if (fhir_ctl_option(table->ctl, "json")) {
        print_json(table, rows);
    } else {
        print_text(table, rows);
    }
}
