/* Where our keys come from, and renewing them while they are in use. */
#include "credentials_private.h"
#include "sigv4_private.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RENEW_BEFORE apr_time_from_sec(300)
#define FETCH_TIME apr_time_from_sec(10)
#define RENEW_TIME apr_time_from_sec(2)  /* while the old keys are good: the request has no part in it */
#define LOOK_AGAIN apr_time_from_sec(1)  /* how often a file's stamp is looked at */
#define PAUSE_MAX apr_time_from_sec(30)  /* between two renewals of keys that end soon */
#define BACKOFF_MIN apr_time_from_sec(1) /* after a failure, doubling */
#define BACKOFF_MAX apr_time_from_sec(60)
#define WAIT_STEP (200 * 1000)

/* Keys are malloc'ed: they are replaced while the store is open. */
struct s3_credential_source_t {
    const s3_credential_config_t *config;
    fhir_http_client_t *client; /* of an endpoint, else NULL */
    pthread_mutex_t mutex;      /* guards all below; never held while we wait for an endpoint or a file's content */
    pthread_cond_t renewed;
    s3_credentials_t keys; /* access_key_id NULL: none yet */
    apr_time_t fetched;
    int refused;  /* by the S3 server: ask for others */
    int doubted;  /* perhaps refused: ask for others, and give these meanwhile */
    int renewing; /* some thread does */
    apr_time_t next_attempt;
    apr_interval_time_t backoff;
    struct stat stamp;
    fhir_error_code_t failed; /* what the last attempt said, 0: it succeeded */
    char failed_detail[256];
};

/* ---- configure ---- */

static fhir_error_t *configure_file(s3_credential_config_t *config, const char *file, const char *profile,
                                    apr_pool_t *pool)
{
    if (!file) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "Credentials from a file need its name. Add credentials_file=/path/of/the/file.");
    }
    FHIR_TRY(fhir_plugin_secret_file("credentials_file", file, pool));
    config->kind = S3_FROM_FILE;
    config->file = apr_pstrdup(pool, file);
    config->profile = apr_pstrdup(pool, profile ? profile : "default");
    return s3_read_credentials_file(&config->keys, &config->stamp, config->file, config->profile, pool);
}

static const char *from_environment(const char *name, apr_pool_t *pool)
{
    const char *value = getenv(name);
    return value && *value ? apr_pstrdup(pool, value) : NULL;
}

static fhir_error_t *configure_environment(int *found, s3_credential_config_t *config, apr_pool_t *pool)
{
    s3_credentials_t *keys = &config->keys;
    fhir_error_t *error;
    keys->access_key_id = from_environment("AWS_ACCESS_KEY_ID", pool);
    keys->secret_access_key = from_environment("AWS_SECRET_ACCESS_KEY", pool);
    keys->session_token = from_environment("AWS_SESSION_TOKEN", pool);
    config->kind = S3_FROM_ENVIRONMENT;
    *found = keys->access_key_id || keys->secret_access_key;
    error = *found ? s3_check_keys(keys, pool) : NULL;
    return error ? fhir_error_public(pool, FHIR_ERROR_INVALID,
                                     "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or AWS_SESSION_TOKEN in the environment "
                                     "of httpd is missing or no key (%s).",
                                     error->detail)
                 : NULL;
}

static fhir_error_t *not_found(const char *source, apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_INVALID,
                             "There are no credentials%s%s. Give credentials_file=, or set AWS_ACCESS_KEY_ID and "
                             "AWS_SECRET_ACCESS_KEY (or what a container gets: AWS_CONTAINER_CREDENTIALS_...) in the "
                             "environment of httpd, or write credentials=instance on an AWS instance.",
                             source ? " in the source " : "", source ? source : "");
}

/* Else nobody would notice that the keys are others than those which he wrote. */
static fhir_error_t *refuse_unused(const char *source, const char *file, const char *profile, apr_pool_t *pool)
{
    if (!source || !strcmp(source, "file") || (!file && !profile)) {
        return NULL;
    }
    return fhir_error_public(pool, FHIR_ERROR_INVALID,
                             "credentials=%s takes its keys from elsewhere than %s=. Leave one of the two out.", source,
                             file ? "credentials_file" : "profile");
}

static fhir_error_t *configure_any(s3_credential_config_t *config, const char *source, const char *file,
                                   const char *profile, const char *endpoint_override, apr_pool_t *pool)
{
    int found = 0;
    FHIR_TRY(refuse_unused(source, file, profile, pool));
    if (source ? !strcmp(source, "file") : file != NULL) {
        return configure_file(config, file, profile, pool);
    }
    if (!source || !strcmp(source, "environment")) {
        FHIR_TRY(configure_environment(&found, config, pool));
    }
    if (!found && (!source || !strcmp(source, "ecs"))) {
        FHIR_TRY(s3_configure_container(&found, config, pool));
    }
    if (!found && (source ? !strcmp(source, "instance") : endpoint_override != NULL)) {
        return s3_configure_instance(config, endpoint_override, pool);
    }
    return found ? NULL : not_found(source, pool);
}

fhir_error_t *s3_credentials_configure(s3_credential_config_t **config, const char *source, const char *file,
                                       const char *profile, const char *endpoint_override, apr_pool_t *pool)
{
    s3_credential_config_t *made = apr_pcalloc(pool, sizeof(*made));
    if (source && strcmp(source, "file") && strcmp(source, "environment") && strcmp(source, "ecs") &&
        strcmp(source, "instance")) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "There is no source of credentials '%s'. It can be file, environment, ecs or "
                                 "instance.",
                                 fhir_plugin_shown_name(source));
    }
    FHIR_TRY(configure_any(made, source, file, profile, endpoint_override, pool));
    *config = made;
    return NULL;
}

/* ---- keys that are replaced ---- */

static void forget(const char *secret)
{
    union {
        const char *kept;
        char *given;
    } text = {secret};
    if (secret) {
        OPENSSL_cleanse(text.given, strlen(secret));
        free(text.given);
    }
}

static void forget_keys(s3_credentials_t *keys)
{
    forget(keys->access_key_id);
    forget(keys->secret_access_key);
    forget(keys->session_token);
    memset(keys, 0, sizeof(*keys));
}

/* 0 and nothing changed if there is no memory. */
static int replace_keys(s3_credentials_t *keys, const s3_credentials_t *by)
{
    s3_credentials_t copy = {strdup(by->access_key_id), strdup(by->secret_access_key),
                             by->session_token ? strdup(by->session_token) : NULL, by->expires};
    if (!copy.access_key_id || !copy.secret_access_key || (by->session_token && !copy.session_token)) {
        forget_keys(&copy);
        return 0;
    }
    forget_keys(keys);
    *keys = copy;
    return 1;
}

static int same_text(const char *left, const char *right)
{
    return left && right ? !strcmp(left, right) : left == right;
}

static int same_keys(const s3_credentials_t *left, const s3_credentials_t *right)
{
    return same_text(left->access_key_id, right->access_key_id) &&
           same_text(left->secret_access_key, right->secret_access_key) &&
           same_text(left->session_token, right->session_token);
}

/* ---- open and close ---- */

static int is_endpoint(const s3_credential_config_t *config)
{
    return config->kind == S3_FROM_CONTAINER || config->kind == S3_FROM_INSTANCE;
}

fhir_error_t *s3_credentials_open(s3_credential_source_t **source, const s3_credential_config_t *config,
                                  apr_pool_t *pool)
{
    s3_credential_source_t *made = apr_pcalloc(pool, sizeof(*made));
    pthread_condattr_t monotonic;
    made->config = config;
    made->stamp = config->stamp;
    if (is_endpoint(config)) {
        FHIR_TRY(s3_endpoint_client(&made->client, pool));
    } else if (!replace_keys(&made->keys, &config->keys)) {
        return fhir_plugin_system_error(pool, ENOMEM, "credentials");
    }
    pthread_mutex_init(&made->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&made->renewed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *source = made;
    return NULL;
}

void s3_credentials_close(s3_credential_source_t *source)
{
    if (!source) {
        return;
    }
    s3_endpoint_close(source->client);
    forget_keys(&source->keys);
    pthread_cond_destroy(&source->renewed);
    pthread_mutex_destroy(&source->mutex);
}

/* ---- renewing ---- */

/* The functions from here to s3_credentials_get are called with the mutex held. */
static int is_usable(const s3_credential_source_t *source, apr_time_t now)
{
    const s3_credentials_t *keys = &source->keys;
    return keys->access_key_id && !source->refused && (!keys->expires || now < keys->expires);
}

static int is_due(s3_credential_source_t *source, apr_time_t now)
{
    if (source->renewing || now < source->next_attempt) {
        return 0;
    }
    if (source->config->kind == S3_FROM_FILE) {
        source->next_attempt = now + LOOK_AGAIN;
        return s3_file_changed(&source->stamp, source->config->file);
    }
    return is_endpoint(source->config) &&
           (!is_usable(source, now) || source->doubted || source->keys.expires - now < RENEW_BEFORE);
}

static void note_failure(s3_credential_source_t *source, const fhir_error_t *error)
{
    source->backoff = source->backoff ? source->backoff * 2 : BACKOFF_MIN;
    if (source->backoff > BACKOFF_MAX) {
        source->backoff = BACKOFF_MAX;
    }
    source->next_attempt = apr_time_now() + source->backoff;
    source->doubted = 0; /* who still doubts will say so */
    source->failed = error->code;
    apr_cpystrn(source->failed_detail, fhir_error_reason(error), sizeof(source->failed_detail));
}

static void note_success(s3_credential_source_t *source)
{
    apr_time_t now = apr_time_now();
    apr_interval_time_t pause = source->keys.expires ? (source->keys.expires - now) / 4 : LOOK_AGAIN;
    source->fetched = now;
    source->next_attempt = now + (pause > PAUSE_MAX ? PAUSE_MAX : pause);
    source->backoff = 0;
    source->refused = 0;
    source->doubted = 0;
    source->failed = 0;
}

/* Who has good keys must not wait long for others: an endpoint that hangs would take all the time of his request. */
static apr_time_t renewal_end(int usable, const fhir_store_call_t *call)
{
    apr_time_t now = apr_time_now();
    apr_time_t end = now + (usable ? RENEW_TIME : FETCH_TIME);
    apr_interval_time_t left = call->deadline - now;
    if (call->deadline && usable && end > now + left / 2) {
        end = now + left / 2;
    }
    return call->deadline && end > call->deadline ? call->deadline : end;
}

static fhir_error_t *fetch(s3_credentials_t *keys, struct stat *stamp, const s3_credential_source_t *source, int usable,
                           const fhir_store_call_t *call)
{
    fhir_store_call_t limited = *call;
    if (source->config->kind == S3_FROM_FILE) {
        return s3_read_credentials_file(keys, stamp, source->config->file, source->config->profile, call->result_pool);
    }
    limited.deadline = renewal_end(usable, call);
    return s3_fetch_credentials(keys, source->config, source->client, &limited);
}

static void tell(const fhir_store_call_t *call, const fhir_error_t *error)
{
    if (call->log) {
        call->log(call->log_baton, FHIR_STORE_LOG_WARNING,
                  apr_pstrcat(call->result_pool, "no new credentials: ", fhir_error_reason(error), NULL));
    }
}

/* Lets the mutex go while it asks. */
static void renew(s3_credential_source_t *source, const fhir_store_call_t *call)
{
    s3_credentials_t keys;
    struct stat stamp = source->stamp;
    int usable = is_usable(source, apr_time_now());
    fhir_error_t *error;
    source->renewing = 1;
    pthread_mutex_unlock(&source->mutex);
    error = fetch(&keys, &stamp, source, usable, call);
    pthread_mutex_lock(&source->mutex);
    source->renewing = 0;
    source->stamp = stamp; /* of a file that is of no use, too: it is read again when it has changed again */
    if (!error && !replace_keys(&source->keys, &keys)) {
        error = fhir_plugin_system_error(call->result_pool, ENOMEM, "credentials");
    }
    if (!error) {
        note_success(source);
    } else if (!fhir_plugin_check_call(call)) { /* else it is our caller who has no time, not the endpoint */
        note_failure(source, error);
        tell(call, error);
    }
    pthread_cond_broadcast(&source->renewed);
}

static fhir_error_t *none(const s3_credential_source_t *source, apr_pool_t *pool)
{
    int denied = source->failed == FHIR_ERROR_DENIED;
    fhir_error_t *error = fhir_error_create(pool, denied ? FHIR_ERROR_DENIED : FHIR_ERROR_UNAVAILABLE, APR_SUCCESS,
                                            denied ? "The store refused access. Tell the operator of this server."
                                                   : "The store can't be used now; try again later.",
                                            "no credentials: %s",
                                            source->failed ? source->failed_detail : "those that we had were refused");
    error->retry = denied ? FHIR_RETRY_NO : FHIR_RETRY_YES;
    return error;
}

static void wait_for_renewal(s3_credential_source_t *source)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WAIT_STEP * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&source->renewed, &source->mutex, &until);
}

static void copy_keys(s3_credentials_t *credentials, const s3_credentials_t *keys, apr_pool_t *pool)
{
    credentials->access_key_id = apr_pstrdup(pool, keys->access_key_id);
    credentials->secret_access_key = apr_pstrdup(pool, keys->secret_access_key);
    credentials->session_token = apr_pstrdup(pool, keys->session_token);
    credentials->expires = keys->expires;
}

static fhir_error_t *get(s3_credentials_t *credentials, s3_credential_source_t *source, const fhir_store_call_t *call)
{
    if (is_due(source, apr_time_now())) {
        renew(source, call);
    }
    while (!is_usable(source, apr_time_now())) {
        FHIR_TRY(fhir_plugin_check_call(call));
        if (source->renewing) {
            wait_for_renewal(source);
        } else if (is_due(source, apr_time_now())) {
            renew(source, call);
        } else {
            return none(source, call->result_pool);
        }
    }
    copy_keys(credentials, &source->keys, call->result_pool);
    return NULL;
}

fhir_error_t *s3_credentials_get(s3_credentials_t *credentials, s3_credential_source_t *source,
                                 const fhir_store_call_t *call)
{
    fhir_error_t *error;
    pthread_mutex_lock(&source->mutex);
    error = get(credentials, source, call);
    pthread_mutex_unlock(&source->mutex);
    return error;
}

/* ---- refused ---- */

/* Once for all who doubt, and not while nobody can have others. */
static int doubt(s3_credential_source_t *source)
{
    if (source->failed && apr_time_now() < source->next_attempt) {
        return 0;
    }
    if (!source->doubted) {
        source->doubted = 1;
        source->next_attempt = 0;
    }
    return 1;
}

static int refused(s3_credential_source_t *source, const s3_credentials_t *credentials, int doubted)
{
    if (!same_keys(&source->keys, credentials)) {
        return source->keys.access_key_id != NULL; /* others are here already */
    }
    if (source->config->kind == S3_FROM_FILE) {
        source->next_attempt = 0;
        return s3_file_changed(&source->stamp, source->config->file);
    }
    if (!is_endpoint(source->config)) {
        return 0;
    }
    if (!source->refused && apr_time_now() - source->fetched < LOOK_AGAIN) {
        return 0; /* as new as keys can be: others won't be better */
    }
    if (doubted) {
        return doubt(source);
    }
    if (!source->refused) {
        source->refused = 1;
        source->next_attempt = source->failed ? source->next_attempt : 0;
    }
    return 1;
}

int s3_credentials_refused(s3_credential_source_t *source, const s3_credentials_t *credentials)
{
    int may_help;
    pthread_mutex_lock(&source->mutex);
    may_help = refused(source, credentials, 0);
    pthread_mutex_unlock(&source->mutex);
    return may_help;
}

int s3_credentials_doubted(s3_credential_source_t *source, const s3_credentials_t *credentials)
{
    int may_help;
    pthread_mutex_lock(&source->mutex);
    may_help = refused(source, credentials, 1);
    pthread_mutex_unlock(&source->mutex);
    return may_help;
}
