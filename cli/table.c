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

static void print_json_row(const fhir_ctl_table_t *table, int row)
{
    fhir_text_t text;
    fhir_text_init(&text, table->ctl->pool);
    fhir_text_add(&text, row ? ",\n  {" : "\n  {");
    for (int column = 0; column < table->columns; column++) {
        fhir_text_add(&text, column ? ", " : "");
        add_json_cell(&text, table->names[column], cell_of(table, row, column));
    }
    fhir_text_add(&text, "}");
    fputs(text.text, stdout);
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

static void print_names(const fhir_ctl_table_t *table, const int *widths)
{
    for (int column = 0; column < table->columns; column++) {
        print_cell(table, widths, column, table->names[column], name_length(table->names[column]));
    }
}

static void print_text_row(const fhir_ctl_table_t *table, const int *widths, int row)
{
    for (int column = 0; column < table->columns; column++) {
        const char *cell = cell_of(table, row, column);
        print_cell(table, widths, column, cell ? cell : "-", cell ? (int)strlen(cell) : 1);
    }
}

static int is_json(const fhir_ctl_table_t *table)
{
    return fhir_ctl_option(table->ctl, "json") != NULL;
}

static int rows_of(const fhir_ctl_table_t *table)
{
    return table->cells->nelts / table->columns;
}

static void print_row(const fhir_ctl_table_t *table, const int *widths, int row)
{
    if (is_json(table)) {
        print_json_row(table, row);
    } else {
        print_text_row(table, widths, row);
    }
}

void fhir_ctl_table_begin(const fhir_ctl_table_t *table, const int *widths)
{
    if (is_json(table)) {
        fputs("[", stdout);
    } else {
        print_names(table, widths);
    }
    fflush(stdout);
}

void fhir_ctl_table_row(fhir_ctl_table_t *table, const int *widths)
{
    print_row(table, widths, rows_of(table) - 1);
    fflush(stdout);
}

void fhir_ctl_table_end(const fhir_ctl_table_t *table)
{
    if (is_json(table)) {
        puts(rows_of(table) ? "\n]" : "]");
    }
}

void fhir_ctl_table_print(const fhir_ctl_table_t *table)
{
    int *widths = apr_palloc(table->ctl->pool, (apr_size_t)table->columns * sizeof(*widths));
    int rows = rows_of(table);
    for (int column = 0; column < table->columns; column++) {
        widths[column] = width_of(table, rows, column);
    }
    if (rows || is_json(table)) {
        fhir_ctl_table_begin(table, widths);
    }
    for (int row = 0; row < rows; row++) {
        print_row(table, widths, row);
    }
    fhir_ctl_table_end(table);
}
