/* The error object that every layer and every storage plugin returns.
 *
 * A function that can fail returns fhir_error_t *: NULL is success. The object lives in the pool that was given to
 * fhir_error_create and is never freed by hand. `public_text` may be shown to any client: it says what to do next and
 * holds no path, SQL, locator, token or secret. `detail` goes to the log only.
 *
 * Threading: an error belongs to the thread that got it. There is no "last error".
 */
#ifndef FHIR_ERROR_H
#define FHIR_ERROR_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_strings.h>
#include <apr_time.h>
#include <stdarg.h>

#if defined(__GNUC__)
#define FHIR_MUST_CHECK __attribute__((warn_unused_result))
#define FHIR_PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))
#else
#define FHIR_MUST_CHECK
#define FHIR_PRINTF(format_index, first)
#endif

/* Append only; a plugin uses the first group. core/app/outcome_map.c maps each code to HTTP and OperationOutcome. */
typedef enum fhir_error_code_t {
    FHIR_ERROR_INTERNAL = 1, /* a defect or something that nobody foresaw */
    FHIR_ERROR_NOT_FOUND,    /* no such object */
    FHIR_ERROR_EXISTS,       /* an object with this key or a version with this id is there already */
    FHIR_ERROR_DENIED,       /* the store refused our credentials */
    FHIR_ERROR_THROTTLED,    /* the store asks us to slow down */
    FHIR_ERROR_UNAVAILABLE,  /* store or database can't be reached now */
    FHIR_ERROR_TIMEOUT,      /* the deadline passed */
    FHIR_ERROR_NO_SPACE,     /* disk full, quota used up */
    FHIR_ERROR_TOO_LARGE,    /* more bytes than the limit */
    FHIR_ERROR_RANGE,        /* offset or length outside the object */
    FHIR_ERROR_CORRUPT,      /* stored bytes are not what was written */
    FHIR_ERROR_UNSUPPORTED,  /* the plugin or server can't do this */
    FHIR_ERROR_CANCELLED,    /* the cancel check said stop */
    FHIR_ERROR_INVALID,      /* wrong input or configuration */

    /* The core's own, never returned by a plugin. */
    FHIR_ERROR_UNAUTHENTICATED = 64,   /* 401 */
    FHIR_ERROR_FORBIDDEN,              /* 403 */
    FHIR_ERROR_GONE,                   /* 410, deleted */
    FHIR_ERROR_EXPIRED,                /* 410, a signed URL past its time */
    FHIR_ERROR_PRECONDITION_FAILED,    /* 412 */
    FHIR_ERROR_CONFLICT,               /* 409 */
    FHIR_ERROR_METHOD_NOT_ALLOWED,     /* 405 */
    FHIR_ERROR_NOT_ACCEPTABLE,         /* 406 */
    FHIR_ERROR_UNSUPPORTED_MEDIA_TYPE, /* 415 */
    FHIR_ERROR_LENGTH_REQUIRED,        /* 411 */
    FHIR_ERROR_UNPROCESSABLE,          /* 422 */
    FHIR_ERROR_BODY_TIMEOUT,           /* 408, the client stopped sending */
    FHIR_ERROR_CLIENT_ABORTED,         /* the client went away: nobody reads the answer */
    FHIR_ERROR_BODY_REFUSED,           /* a server filter has already answered; pass its status on */
    FHIR_ERROR_REQUIRED                /* 400, something mandatory is missing */
} fhir_error_code_t;

typedef enum fhir_retry_t { FHIR_RETRY_NO = 0, FHIR_RETRY_YES, FHIR_RETRY_AFTER } fhir_retry_t;

typedef struct fhir_error_t fhir_error_t;
struct fhir_error_t {
    fhir_error_code_t code;
    apr_status_t status;             /* what APR or the system said, or APR_SUCCESS */
    fhir_retry_t retry;              /* may the same call succeed later? */
    apr_interval_time_t retry_after; /* microseconds, with FHIR_RETRY_AFTER */
    int http_status;                 /* BODY_REFUSED only: the status a server filter answered with */
    const char *public_text;         /* one sentence for the client */
    const char *detail;              /* for the log, may be NULL */
    const char *expression;    /* FHIRPath of the offending element (OperationOutcome.issue.expression), may be NULL */
    const fhir_error_t *cause; /* the error below, may be NULL */
};

/* Both texts are copied into `pool`; detail_format may be NULL. */
static inline fhir_error_t *fhir_error_create(apr_pool_t *pool, fhir_error_code_t code, apr_status_t status,
                                              const char *public_text, const char *detail_format, ...)
    FHIR_PRINTF(5, 6) FHIR_MUST_CHECK;

static inline fhir_error_t *fhir_error_create(apr_pool_t *pool, fhir_error_code_t code, apr_status_t status,
                                              const char *public_text, const char *detail_format, ...)
{
    fhir_error_t *error = (fhir_error_t *)apr_pcalloc(pool, sizeof(*error)); /* C++ needs the cast */
    error->code = code;
    error->status = status;
    error->public_text = apr_pstrdup(pool, public_text);
    if (detail_format) {
        va_list arguments;
        va_start(arguments, detail_format);
        error->detail = apr_pvsprintf(pool, detail_format, arguments);
        va_end(arguments);
    }
    return error;
}

/* An error whose public text is built from client-safe parts; it has no detail. */
static inline fhir_error_t *fhir_error_public(apr_pool_t *pool, fhir_error_code_t code, const char *public_format, ...)
    FHIR_PRINTF(3, 4) FHIR_MUST_CHECK;

static inline fhir_error_t *fhir_error_public(apr_pool_t *pool, fhir_error_code_t code, const char *public_format, ...)
{
    fhir_error_t *error = (fhir_error_t *)apr_pcalloc(pool, sizeof(*error)); /* C++ needs the cast */
    va_list arguments;
    error->code = code;
    va_start(arguments, public_format);
    error->public_text = apr_pvsprintf(pool, public_format, arguments);
    va_end(arguments);
    return error;
}

/* For people who operate the store, never for clients: what exactly went wrong. NULL of NULL. */
static inline const char *fhir_error_reason(const fhir_error_t *error)
{
    return !error ? NULL : error->detail ? error->detail : error->public_text;
}

/* Return early with the error of `expression`. */
#define FHIR_TRY(expression)                                                                                           \
    do {                                                                                                               \
        fhir_error_t *fhir_try_error = (expression);                                                                   \
        if (fhir_try_error) {                                                                                          \
            return fhir_try_error;                                                                                     \
        }                                                                                                              \
    } while (0)

#endif
