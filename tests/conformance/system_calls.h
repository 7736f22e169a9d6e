/* System calls of the plugin under test, counted and failed on order. The program exports functions of these names, so
 * that a plugin that it loads calls them instead of the C library's. */
#ifndef FHIR_TESTS_SYSTEM_CALLS_H
#define FHIR_TESTS_SYSTEM_CALLS_H

typedef enum system_call_t {
    CALL_OPENAT,
    CALL_WRITE,
    CALL_PREAD,
    CALL_FSTAT,
    CALL_FSTATAT,
    CALL_FSTATVFS,
    CALL_FSYNC,
    CALL_SYNC_FILE_RANGE,
    CALL_RENAMEAT2,
    CALL_LINKAT,
    CALL_UNLINKAT,
    CALL_MKDIRAT,
    CALL_FCHMOD,
    CALL_FCHMODAT,
    CALL_FCHOWN,
    CALL_FCHOWNAT,
    CALL_COUNT
} system_call_t;

#define TRACE_MAX 4096

typedef struct system_calls_t {
    int watching;
    int count;                      /* calls since watching began */
    int of_kind[CALL_COUNT];        /* of each kind */
    system_call_t trace[TRACE_MAX]; /* in order */
    int fail_at;                    /* the number of the call that fails, from 1; 0: none */
    int fail_errno;
    int run_at; /* the number of the call before which `run` runs, unwatched; 0: none */
    void (*run)(void);
    int always_fail[CALL_COUNT]; /* errno for each call of a kind; 0: none */
    int stutter;                 /* every other write, pread and fsync is interrupted, the others are short */
    int stutter_turn;
    int full_disk; /* fstatvfs says so */
} system_calls_t;

extern system_calls_t system_calls;

/* Forgets everything and starts to count. */
void watch_system_calls(void);
void ignore_system_calls(void);
/* Where the first or last call of a kind is in the trace; -1: nowhere. */
int first_call(system_call_t kind);
int last_call(system_call_t kind);

#endif
