/* What Azure's answers mean. Its own code, in x-ms-error-code, says more than the status. */
#include "azure.h"

#include <apr_date.h>
#include <stdlib.h>
#include <string.h>

#define SKEW_WORTH_TELLING 60 /* seconds */
#define WRONG_ENDPOINT                                                                                                 \
    "correct endpoint=: Azurite's ends with the account's name, and container= does not belong into it"

typedef struct meaning_t {
    const char *code;
    fhir_error_code_t meaning;
    const char *public_text;
    const char *advice; /* for the log, or NULL */
} meaning_t;

static const char misconfigured[] = "The store is not usable as configured. Tell the operator of this server.";
static const char interrupted[] = "The upload was interrupted; send it again.";
static const char denied[] = "The store refused access. Tell the operator of this server.";
static const char exists[] = "An object with this key is in the store already.";
static const char kept[] = "The store does not permit to remove this object. Tell the operator of this server.";
static const char damaged[] = "The content was damaged on its way to the store; send it again.";

/* Where the status alone would mean something else. */
static const meaning_t meanings[] = {
    {"ContainerNotFound", FHIR_ERROR_DENIED, misconfigured, "create the container, or correct container= and account="},
    {"ContainerDisabled", FHIR_ERROR_DENIED, misconfigured, "the container is disabled"},
    {"ContainerBeingDeleted", FHIR_ERROR_UNAVAILABLE, misconfigured,
     "somebody has deleted the container: correct container="},
    {"AccountIsDisabled", FHIR_ERROR_DENIED, misconfigured, "the storage account is disabled"},
    {"AccountBeingCreated", FHIR_ERROR_UNAVAILABLE, misconfigured, "the storage account is being created"},
    {"InvalidAuthenticationInfo", FHIR_ERROR_DENIED, denied,
     "the credentials are not this account's: correct account_key_file= and account= (or the identity of "
     "credentials=)"},
    {"AuthenticationFailed", FHIR_ERROR_DENIED, denied,
     "the credentials are not this account's: correct account_key_file= and account= (or the identity of "
     "credentials=)"},
    {"AuthorizationPermissionMismatch", FHIR_ERROR_DENIED, denied,
     "give the identity of credentials= the role Storage Blob Data Contributor on the container"},
    {"AuthorizationFailure", FHIR_ERROR_DENIED, denied, /* Azure's firewall; Azurite says it of a wrong key */
     "correct account_key_file= and account=, or let this host through the account's firewall, or give the identity of "
     "credentials= the role Storage Blob Data Contributor"},
    {"KeyBasedAuthenticationNotPermitted", FHIR_ERROR_DENIED, denied,
     "the account permits no account keys: use credentials=managed_identity or client_secret"},
    {"OutOfRangeInput", FHIR_ERROR_DENIED, misconfigured, WRONG_ENDPOINT},
    {"BlobImmutableDueToPolicy", FHIR_ERROR_DENIED, kept, "an immutability policy or a legal hold forbids it"},
    {"LeaseIdMissing", FHIR_ERROR_DENIED, kept, "somebody holds a lease of the blob"},
    {"LeaseAlreadyPresent", FHIR_ERROR_DENIED, kept, "somebody holds a lease of the blob"},
    {"BlobArchived", FHIR_ERROR_UNSUPPORTED, "The object is archived and can't be read. Tell the operator.", NULL},
    {"BlobBeingRehydrated", FHIR_ERROR_UNAVAILABLE, "The object comes back from the archive; try again later.", NULL},
    {"BlobUsesCustomerSpecifiedEncryption", FHIR_ERROR_DENIED, misconfigured,
     "it was written with a customer-provided key or an encryption scope that this store has not"},
    {"BlobDoesNotUseCustomerSpecifiedEncryption", FHIR_ERROR_DENIED, misconfigured,
     "it was written without the key or the encryption scope of this store"},
    {"BlobCustomerSpecifiedEncryptionMismatch", FHIR_ERROR_DENIED, misconfigured,
     "it was written with another key or encryption scope"},
    {"BlobAlreadyExists", FHIR_ERROR_EXISTS, exists, NULL},
    {"BlobOverwritten", FHIR_ERROR_EXISTS, exists, NULL},
    {"ConditionNotMet", FHIR_ERROR_EXISTS, exists, NULL},
    {"TargetConditionNotMet", FHIR_ERROR_EXISTS, exists, NULL},
    {"UnauthorizedBlobOverwrite", FHIR_ERROR_EXISTS, exists, NULL},
    {"InvalidBlockList", FHIR_ERROR_UNAVAILABLE, interrupted, NULL},
    {"BlockCountExceedsLimit", FHIR_ERROR_UNAVAILABLE, interrupted, NULL},
    {"Md5Mismatch", FHIR_ERROR_CORRUPT, damaged, NULL},
    {"Crc64Mismatch", FHIR_ERROR_CORRUPT, damaged, NULL},
    {"OperationTimedOut", FHIR_ERROR_UNAVAILABLE, "The store did not answer in time; try again.", NULL},
    {"InternalError", FHIR_ERROR_UNAVAILABLE, "The store is overloaded or unreachable; try again.", NULL},
    {"RequestBodyTooLarge", FHIR_ERROR_TOO_LARGE, "The content is larger than the store can keep.", NULL},
    {"BlockListTooLong", FHIR_ERROR_TOO_LARGE, "The content is larger than the store can keep.", NULL},
};

const char *azure_code(const fhir_http_response_t *response)
{
    const char *code = response->headers ? apr_table_get(response->headers, "x-ms-error-code") : NULL;
    return code ? code : "";
}

apr_int64_t azure_clock_skew(const fhir_http_response_t *response)
{
    const char *date = response->headers ? apr_table_get(response->headers, "Date") : NULL;
    apr_time_t theirs = date ? apr_date_parse_http(date) : APR_DATE_BAD;
    return theirs == APR_DATE_BAD ? 0 : apr_time_sec(apr_time_now() - theirs);
}

/* 409 means many things here, and not that the object is there. */
static void other_conflict(fhir_error_t *error, const char *code)
{
    if (error->code == FHIR_ERROR_EXISTS && *code) {
        error->code = FHIR_ERROR_INTERNAL;
        error->public_text = "The store failed unexpectedly. Tell the operator of this server.";
    }
}

static const meaning_t *meaning_of(const char *code)
{
    size_t i;
    for (i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        if (!strcmp(code, meanings[i].code)) {
            return &meanings[i];
        }
    }
    return NULL;
}

static void explain(fhir_error_t *error, const meaning_t *meaning, apr_pool_t *pool)
{
    error->code = meaning->meaning;
    error->public_text = meaning->public_text;
    if (meaning->advice) {
        error->detail = apr_pstrcat(pool, error->detail, ": ", meaning->advice, NULL);
    }
    if (error->retry == FHIR_RETRY_NO && error->code == FHIR_ERROR_UNAVAILABLE) {
        error->retry = FHIR_RETRY_YES;
    }
}

/* Which of the two is right nobody can tell, and a second or two is what an answer takes. */
static void tell_clocks(fhir_error_t *error, const fhir_http_response_t *response, apr_pool_t *pool)
{
    apr_int64_t skew = azure_clock_skew(response);
    if (error->code == FHIR_ERROR_DENIED && llabs(skew) > SKEW_WORTH_TELLING) {
        error->detail = apr_psprintf(pool, "%s (our clock is %" APR_INT64_T_FMT " s %s the store's: set them, NTP)",
                                     error->detail, (apr_int64_t)llabs(skew), skew > 0 ? "ahead of" : "behind");
    }
}

fhir_error_t *azure_status_error(const fhir_http_response_t *response, const azure_request_t *request, apr_pool_t *pool)
{
    static const meaning_t uncoded = {"", FHIR_ERROR_INTERNAL, misconfigured, WRONG_ENDPOINT};
    const char *code = azure_code(response);
    fhir_error_t *error = fhir_http_status_error(response, request->operation, *code ? code : NULL, pool);
    const meaning_t *meaning = *code || response->status != 400 ? meaning_of(code) : &uncoded;
    if (!error) {
        return NULL;
    }
    if (meaning) {
        explain(error, meaning, pool);
    } else {
        other_conflict(error, code);
    }
    tell_clocks(error, response, pool);
    return error;
}
