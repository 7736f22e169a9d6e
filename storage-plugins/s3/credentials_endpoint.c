/* Keys that AWS gives for a while: the endpoint of a container (ECS, EKS Pod Identity) and of an instance (IMDSv2). */
#include "credentials_private.h"
#include "sigv4_private.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define CONTAINER_ADDRESS "http://169.254.170.2"
#define INSTANCE_ADDRESS "http://169.254.169.254"
#define ROLE_PATH "/latest/meta-data/iam/security-credentials/"
#define CONNECT_TIMEOUT apr_time_from_sec(2)
#define STALL_TIMEOUT apr_time_from_sec(5)
#define MAX_ANSWER 65536
#define MAX_TOKEN 16384
#define MAX_ROLE 128

/* ---- where keys may be asked for ---- */

static int is_address(const char *host, int family, const unsigned char *bytes, apr_size_t length)
{
    unsigned char address[16];
    return inet_pton(family, host, address) == 1 && !memcmp(address, bytes, length);
}

/* Without TLS only what never leaves this host or its hypervisor, as the SDKs of AWS have it. */
static int may_be_plain(const char *host)
{
    static const unsigned char loopback[] = {127};
    static const unsigned char ecs[] = {169, 254, 170, 2};
    static const unsigned char eks[] = {169, 254, 170, 23};
    static const unsigned char loopback6[16] = {[15] = 1};
    static const unsigned char eks6[16] = {0xfd, 0, 0x0e, 0xc2, [15] = 0x23};
    return !strcmp(host, "localhost") || is_address(host, AF_INET, loopback, 1) || is_address(host, AF_INET, ecs, 4) ||
           is_address(host, AF_INET, eks, 4) || is_address(host, AF_INET6, loopback6, 16) ||
           is_address(host, AF_INET6, eks6, 16);
}

/* The host of a URL, without brackets; NULL if it has none, or a user. */
static const char *host_of(const char *rest, apr_pool_t *pool)
{
    apr_size_t length = strcspn(rest, "/?#");
    const char *authority = apr_pstrmemdup(pool, rest, length);
    if (!length || strpbrk(authority, "@\\")) {
        return NULL;
    }
    if (*authority == '[') {
        apr_size_t end = strcspn(authority, "]");
        int closed = authority[end] && (!authority[end + 1] || authority[end + 1] == ':');
        return closed ? apr_pstrmemdup(pool, authority + 1, end - 1) : NULL;
    }
    return apr_pstrmemdup(pool, authority, strcspn(authority, ":"));
}

static int is_url(const char *text)
{
    apr_size_t length = strnlen(text, 2049);
    for (; *text; text++) {
        if (*text <= ' ' || *text > '~') {
            return 0;
        }
    }
    return length <= 2048;
}

static fhir_error_t *check_url(const char *url, apr_pool_t *pool)
{
    const char *host = NULL;
    if (is_url(url) && !strncmp(url, "https://", 8)) {
        host = host_of(url + 8, pool);
    } else if (is_url(url) && !strncmp(url, "http://", 7)) {
        host = host_of(url + 7, pool);
        host = host && may_be_plain(host) ? host : NULL;
    }
    return host && *host ? NULL
                         : fhir_error_public(pool, FHIR_ERROR_INVALID,
                                             "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor an address of "
                                             "this host. Keys would go over the network in clear.");
}

/* ---- configure ---- */

static int is_token(const char *token)
{
    const char *at;
    for (at = token; *at; at++) {
        if (*at < ' ' || *at > '~') {
            return 0;
        }
    }
    return at > token && at - token <= MAX_TOKEN;
}

/* Without the line end that editors and `echo` leave. */
static fhir_error_t *read_token_file(const char **token, const char *path, apr_pool_t *pool)
{
    const char *text;
    struct stat stamp;
    FHIR_TRY(s3_read_small_file(&text, &stamp, path, pool));
    *token = apr_pstrmemdup(pool, text, strcspn(text, "\r\n"));
    if (!is_token(*token) || text[strlen(*token) + strspn(text + strlen(*token), "\r\n")]) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID, "The file of the container's token does not hold one line.");
    }
    return NULL;
}

static const char *from_environment(const char *name, apr_pool_t *pool)
{
    const char *value = getenv(name);
    return value && *value ? apr_pstrdup(pool, value) : NULL;
}

static fhir_error_t *configure_container_token(s3_credential_config_t *config, apr_pool_t *pool)
{
    const char *token;
    config->token = from_environment("AWS_CONTAINER_AUTHORIZATION_TOKEN", pool);
    config->token_file = from_environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", pool);
    if (config->token_file) { /* it comes first, as with the SDKs of AWS; tried here to tell the administrator early */
        fhir_error_t *error = read_token_file(&token, config->token_file, pool);
        return error ? fhir_error_public(pool, FHIR_ERROR_INVALID,
                                         "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names a file that can't be used: %s",
                                         fhir_error_reason(error))
                     : NULL;
    }
    if (config->token && !is_token(config->token)) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "AWS_CONTAINER_AUTHORIZATION_TOKEN can't be sent: it has more than one line.");
    }
    return NULL;
}

fhir_error_t *s3_configure_container(int *found, s3_credential_config_t *config, apr_pool_t *pool)
{
    const char *relative = from_environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", pool);
    const char *full = from_environment("AWS_CONTAINER_CREDENTIALS_FULL_URI", pool);
    *found = relative || full;
    if (!*found) {
        return NULL;
    }
    config->kind = S3_FROM_CONTAINER;
    if (relative && (*relative != '/' || !is_url(relative))) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with a slash.");
    }
    config->url = relative ? apr_pstrcat(pool, CONTAINER_ADDRESS, relative, NULL) : full;
    FHIR_TRY(check_url(config->url, pool));
    fhir_http_initialize();
    return configure_container_token(config, pool);
}

fhir_error_t *s3_configure_instance(s3_credential_config_t *config, const char *endpoint_override, apr_pool_t *pool)
{
    config->kind = S3_FROM_INSTANCE;
    config->url = apr_pstrdup(pool, endpoint_override ? endpoint_override : INSTANCE_ADDRESS);
    if (!is_url(config->url) || (strncmp(config->url, "http://", 7) && strncmp(config->url, "https://", 8))) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID, "The address of the instance endpoint is no http URL.");
    }
    fhir_http_initialize();
    return NULL;
}

fhir_error_t *s3_endpoint_client(fhir_http_client_t **client, apr_pool_t *pool)
{
    fhir_http_config_t config = {NULL, CONNECT_TIMEOUT, STALL_TIMEOUT, 1};
    return fhir_http_client_create(client, &config, pool);
}

void s3_endpoint_close(fhir_http_client_t *client)
{
    if (client) {
        fhir_http_client_close(client);
    }
}

/* ---- asking ---- */

static fhir_error_t *failed(fhir_error_code_t code, const char *what, apr_pool_t *pool)
{
    fhir_error_t *error =
        fhir_error_create(pool, code, APR_SUCCESS,
                          code == FHIR_ERROR_DENIED ? "The store refused access. Tell the operator of this server."
                                                    : "The store can't be used now; try again later.",
                          "%s", what);
    error->retry = code == FHIR_ERROR_UNAVAILABLE ? FHIR_RETRY_YES : FHIR_RETRY_NO;
    return error;
}

/* What came of a request: the answer of a 200, or an error that speaks of credentials and not of an object. */
static fhir_error_t *ask(fhir_http_response_t *response, fhir_http_client_t *client, const fhir_http_request_t *request,
                         const char *what, const fhir_store_call_t *call)
{
    fhir_error_t *error = fhir_http_call(response, client, request, MAX_ANSWER, call);
    if (error && (error->code == FHIR_ERROR_CANCELLED || error->code == FHIR_ERROR_DENIED)) {
        return error;
    }
    if (error) {
        return failed(FHIR_ERROR_UNAVAILABLE,
                      apr_pstrcat(call->result_pool, what, ": ", fhir_error_reason(error), NULL), call->result_pool);
    }
    if (response->status != 200) {
        int denied =
            response->status >= 400 && response->status < 500 && response->status != 408 && response->status != 429;
        return failed(denied ? FHIR_ERROR_DENIED : FHIR_ERROR_UNAVAILABLE,
                      apr_psprintf(call->result_pool, "%s: status %d", what, response->status), call->result_pool);
    }
    return NULL;
}

static void add_header(apr_array_header_t *headers, const char *name, const char *value)
{
    fhir_http_header_t *header = apr_array_push(headers);
    header->name = name;
    header->value = value;
}

static fhir_http_request_t request_of(const char *method, const char *url, const char *name, const char *value,
                                      apr_pool_t *pool)
{
    fhir_http_request_t request = {method, url, NULL, NULL, 0};
    apr_array_header_t *headers = apr_array_make(pool, 2, sizeof(fhir_http_header_t));
    add_header(headers, "Accept", "*/*");
    if (value) {
        add_header(headers, name, value);
    }
    request.headers = headers;
    return request;
}

/* ---- what they answer ---- */

static const char *string_of(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value && *value ? value : NULL;
}

static int digits(const char **text, int count)
{
    int number = 0;
    for (; count > 0; count--, (*text)++) {
        if (**text < '0' || **text > '9') {
            return -1;
        }
        number = number * 10 + (**text - '0');
    }
    return number;
}

/* 2026-11-21T12:00:00Z, with a fraction or without; +00:00 too. 0: something else. */
static apr_time_t instant_of(const char *text)
{
    static const char separators[] = "--T::";
    apr_time_exp_t parts = {0};
    int *const fields[] = {&parts.tm_year, &parts.tm_mon, &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec};
    apr_time_t time = 0;
    int i;
    for (i = 0; i < 6; i++) {
        *fields[i] = digits(&text, i ? 2 : 4);
        if (*fields[i] < 0 || (i < 5 && *text++ != separators[i])) {
            return 0;
        }
    }
    if (*text == '.') {
        text++;
        text += strspn(text, "0123456789");
    }
    if (strcmp(text, "Z") && strcmp(text, "+00:00")) {
        return 0;
    }
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    return parts.tm_mon < 12 && !apr_time_exp_gmt_get(&time, &parts) ? time : 0;
}

static fhir_error_t *take_keys(s3_credentials_t *keys, const json_t *object, apr_pool_t *pool)
{
    const char *code = string_of(object, "Code");
    const char *ends = string_of(object, "Expiration");
    fhir_error_t *error;
    if (code && strcmp(code, "Success")) {
        return failed(FHIR_ERROR_DENIED, "the endpoint gives no keys: its Code is not Success", pool);
    }
    keys->access_key_id = apr_pstrdup(pool, string_of(object, "AccessKeyId"));
    keys->secret_access_key = apr_pstrdup(pool, string_of(object, "SecretAccessKey"));
    keys->session_token = apr_pstrdup(pool, string_of(object, "Token"));
    keys->expires = ends ? instant_of(ends) : 0;
    error = s3_check_keys(keys, pool);
    if (error) {
        return failed(FHIR_ERROR_UNAVAILABLE, "the endpoint answered without usable keys", pool);
    }
    if (!keys->expires) {
        return failed(FHIR_ERROR_UNAVAILABLE, "the endpoint does not tell when its keys end", pool);
    }
    if (keys->expires <= apr_time_now()) {
        return failed(FHIR_ERROR_UNAVAILABLE, "the endpoint gave keys that have ended; is the clock right?", pool);
    }
    return NULL;
}

static fhir_error_t *parse_keys(s3_credentials_t *keys, const fhir_http_response_t *response, apr_pool_t *pool)
{
    json_t *object = json_loadb(response->body, response->body_length, 0, NULL);
    fhir_error_t *error = json_is_object(object)
                              ? take_keys(keys, object, pool)
                              : failed(FHIR_ERROR_UNAVAILABLE, "the endpoint did not answer with JSON", pool);
    json_decref(object);
    return error;
}

/* ---- the two of them ---- */

static fhir_error_t *from_container(s3_credentials_t *keys, const s3_credential_config_t *config,
                                    fhir_http_client_t *client, const fhir_store_call_t *call)
{
    const char *token = config->token;
    fhir_http_request_t request;
    fhir_http_response_t response;
    if (config->token_file) {
        fhir_error_t *error = read_token_file(&token, config->token_file, call->scratch_pool);
        if (error) {
            return failed(FHIR_ERROR_UNAVAILABLE, "the file of the container's token can't be used", call->result_pool);
        }
    }
    request = request_of("GET", config->url, "Authorization", token, call->scratch_pool);
    FHIR_TRY(ask(&response, client, &request, "the container's credentials", call));
    return parse_keys(keys, &response, call->result_pool);
}

static fhir_error_t *line_of(const char **line, const fhir_http_response_t *response, apr_size_t most, const char *what,
                             apr_pool_t *pool)
{
    const char *text = response->body ? response->body : "";
    *line = apr_pstrmemdup(pool, text, strcspn(text, "\r\n"));
    if (!is_token(*line) || strlen(*line) > most) {
        return failed(FHIR_ERROR_UNAVAILABLE, apr_psprintf(pool, "the instance endpoint gave no %s", what), pool);
    }
    return NULL;
}

static fhir_error_t *instance_get(fhir_http_response_t *response, fhir_http_client_t *client, const char *url,
                                  const char *token, const char *what, const fhir_store_call_t *call)
{
    fhir_http_request_t request = request_of("GET", url, "X-aws-ec2-metadata-token", token, call->scratch_pool);
    return ask(response, client, &request, what, call);
}

/* IMDSv2 only: version 1 answers whoever can make us send a GET. The token is asked for each time, which is once in
 * hours. */
static fhir_error_t *from_instance(s3_credentials_t *keys, const s3_credential_config_t *config,
                                   fhir_http_client_t *client, const fhir_store_call_t *call)
{
    const char *token;
    const char *role;
    fhir_http_response_t response;
    const char *url = apr_pstrcat(call->scratch_pool, config->url, "/latest/api/token", NULL);
    fhir_http_request_t request =
        request_of("PUT", url, "X-aws-ec2-metadata-token-ttl-seconds", "60", call->scratch_pool);
    FHIR_TRY(ask(&response, client, &request,
                 "the instance's token (in a container the instance's hop limit must be 2 or more)", call));
    FHIR_TRY(line_of(&token, &response, MAX_TOKEN, "token", call->result_pool));
    url = apr_pstrcat(call->scratch_pool, config->url, ROLE_PATH, NULL);
    FHIR_TRY(instance_get(&response, client, url, token, "the instance's role (404: none is attached)", call));
    FHIR_TRY(line_of(&role, &response, MAX_ROLE, "role", call->result_pool));
    url = apr_pstrcat(call->scratch_pool, url, s3_escape(role, 0, call->scratch_pool), NULL);
    FHIR_TRY(instance_get(&response, client, url, token, "the role's credentials", call));
    return parse_keys(keys, &response, call->result_pool);
}

fhir_error_t *s3_fetch_credentials(s3_credentials_t *keys, const s3_credential_config_t *config,
                                   fhir_http_client_t *client, const fhir_store_call_t *call)
{
    return config->kind == S3_FROM_CONTAINER ? from_container(keys, config, client, call)
                                             : from_instance(keys, config, client, call);
}
