/* The migrations of sql/, embedded at build time by mk/embed_sql.sh. */
#ifndef FHIR_META_MIGRATIONS_H
#define FHIR_META_MIGRATIONS_H

typedef struct fhir_migration_t {
    int version; /* 1, 2, 3 ... without gaps */
    const char *name;
    const char *sql;
} fhir_migration_t;

extern const fhir_migration_t fhir_migrations[];
extern const int fhir_migration_count;

#endif
