/* URLs of the store itself: service SAS by the account's key, user delegation SAS by a token. */
#include "azure.h"

#include <apr_base64.h>
#include <apr_xml.h>
#include <string.h>

/* Azure's clock may be behind ours. */
#define START_EARLIER apr_time_from_sec(300)
/* Azure gives a key for seven days at most. Renewed so early, it always serves for URLs of three days. */
#define KEY_LIFETIME (apr_time_from_sec(7 * 86400) - apr_time_from_sec(600))
#define KEY_RENEWED_BEFORE apr_time_from_sec(3 * 86400)
#define FIELDS 7

/* ---- user delegation key: kept as its fields, one a line, in this order ---- */

static const char *const fields[FIELDS] = {"SignedOid",     "SignedTid",     "SignedStart", "SignedExpiry",
                                           "SignedService", "SignedVersion", "Value"};

static const char *field_of(const apr_xml_elem *root, const char *name)
{
    const apr_xml_elem *element = root->first_child;
    while (element && strcmp(element->name, name)) {
        element = element->next;
    }
    return element && element->first_cdata.first ? element->first_cdata.first->text : "";
}

static fhir_error_t *no_key(apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_EGENERAL,
                             "The store failed unexpectedly. Tell the operator of this server.",
                             "Get User Delegation Key: the answer has no key");
}

static fhir_error_t *parse_key(const char **value, const fhir_http_response_t *response, apr_pool_t *pool)
{
    apr_xml_parser *parser = apr_xml_parser_create(pool);
    apr_xml_doc *document = NULL;
    const char *lines = "";
    int i;
    if (apr_xml_parser_feed(parser, response->body, response->body_length) != APR_SUCCESS ||
        apr_xml_parser_done(parser, &document) != APR_SUCCESS || !document->root) {
        return no_key(pool);
    }
    for (i = 0; i < FIELDS; i++) {
        const char *text = field_of(document->root, fields[i]);
        if (!*text || strpbrk(text, "\r\n") || strlen(text) > 256) {
            return no_key(pool);
        }
        lines = apr_pstrcat(pool, lines, text, "\n", NULL);
    }
    *value = lines;
    return NULL;
}

static fhir_error_t *ask_for_key(const char **value, apr_time_t *expires, void *baton, int once,
                                 const fhir_store_call_t *call)
{
    fhir_store_t *store = baton;
    apr_pool_t *pool = call->result_pool;
    apr_time_t now = apr_time_now();
    azure_request_t request;
    fhir_http_response_t response;
    const char *body = apr_pstrcat(pool, "<?xml version=\"1.0\" encoding=\"utf-8\"?><KeyInfo><Start>",
                                   azure_iso_date(now - START_EARLIER, pool), "</Start><Expiry>",
                                   azure_iso_date(now + KEY_LIFETIME, pool), "</Expiry></KeyInfo>", NULL);
    azure_request_init(&request, "Get User Delegation Key", "POST", "/", pool);
    azure_add_parameter(&request, "restype", "service");
    azure_add_parameter(&request, "comp", "userdelegationkey");
    request.body = body;
    request.length = (apr_off_t)strlen(body);
    FHIR_TRY(azure_call(&response, store, &request, AZURE_ANSWER_MAX, !once, call));
    FHIR_TRY(parse_key(value, &response, pool));
    *expires = now + KEY_LIFETIME;
    return NULL;
}

fhir_error_t *azure_delegation_open(fhir_store_t *store, apr_pool_t *pool)
{
    return azure_renewed_create(&store->delegation_key, ask_for_key, store, KEY_RENEWED_BEFORE, pool);
}

static void split_key(azure_delegation_key_t *key, char *lines)
{
    const char **parts[FIELDS] = {&key->object_id, &key->tenant_id, &key->start, &key->expiry,
                                  &key->service,   &key->version,   &key->value};
    int i;
    for (i = 0; i < FIELDS; i++) {
        char *end = strchr(lines, '\n');
        *end = '\0';
        *parts[i] = lines;
        lines = end + 1;
    }
}

static fhir_error_t *delegation_key(azure_delegation_key_t *key, azure_key_t *secret, fhir_store_t *store,
                                    apr_time_t expires, const fhir_store_call_t *call)
{
    apr_pool_t *pool = call->result_pool;
    unsigned char *bytes;
    const char *value;
    apr_time_t key_expires;
    int length;
    FHIR_TRY(azure_renewed_get(&value, &key_expires, store->delegation_key, call));
    if (expires > key_expires) {
        return fhir_error_public(
            pool, FHIR_ERROR_UNSUPPORTED,
            "A URL of this store can't be valid for more than three days. Ask for a shorter time.");
    }
    split_key(key, apr_pstrdup(pool, value));
    bytes = apr_palloc(pool, (apr_size_t)apr_base64_decode_len(key->value) + 1);
    length = apr_base64_decode_binary(bytes, key->value);
    if (length < 16 || length > AZURE_KEY_MAX) {
        return no_key(pool);
    }
    memcpy(secret->bytes, bytes, (size_t)length);
    secret->length = (apr_size_t)length;
    return NULL;
}

/* ---- the URL ---- */

fhir_error_t *azure_can_presign(const fhir_store_config_t *config, int write, apr_pool_t *pool)
{
    (void)write;
    return config->customer_key ? fhir_error_public(pool, FHIR_ERROR_UNSUPPORTED,
                                                    "With customer_key_file= clients would need the key to the store.")
                                : NULL;
}

static fhir_error_t *check_request(const fhir_store_t *store, const fhir_store_presign_request_t *request,
                                   apr_pool_t *pool)
{
    if (!fhir_plugin_key_of(request->locator)) {
        return fhir_plugin_bad_locator(pool);
    }
    FHIR_TRY(azure_can_presign(store->config, request->write, pool));
    if (request->expires <= apr_time_now()) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID, "The URL would have expired already.");
    }
    return NULL;
}

/* A create permission can't replace a blob. */
static azure_sas_t describe(const fhir_store_config_t *config, const fhir_store_presign_request_t *request,
                            apr_pool_t *pool)
{
    azure_sas_t sas = {0};
    sas.permissions = request->write ? "c" : "r";
    sas.start = azure_iso_date(apr_time_now() - START_EARLIER, pool);
    sas.expiry = azure_iso_date(request->expires, pool);
    sas.resource = apr_pstrcat(pool, "/blob/", config->account, azure_blob_path(config, request->locator, pool), NULL);
    sas.identifier = config->stored_policy;
    sas.ip = config->sas_ip;
    sas.protocol = config->sas_protocol;
    if (request->write) {
        sas.encryption_scope = config->encryption_scope;
    } else {
        sas.cache_control = request->cache_control;
        sas.content_disposition = request->content_disposition;
        sas.content_type = request->content_type;
    }
    return sas;
}

static void add_upload_headers(fhir_store_presigned_t *presigned, const fhir_store_presign_request_t *request,
                               apr_pool_t *pool)
{
    fhir_store_option_t *headers = apr_pcalloc(pool, 2 * sizeof(*headers));
    headers[0].key = "x-ms-blob-type";
    headers[0].value = "BlockBlob";
    headers[1].key = "Content-Type";
    headers[1].value = request->content_type ? apr_pstrdup(pool, request->content_type) : NULL;
    presigned->headers = headers;
    presigned->header_count = request->content_type ? 2 : 1;
}

fhir_error_t *azure_presign(fhir_store_presigned_t *presigned, fhir_store_t *store,
                            const fhir_store_presign_request_t *request, const fhir_store_call_t *call)
{
    const fhir_store_config_t *config = store->config;
    apr_pool_t *pool = call->result_pool;
    azure_delegation_key_t delegation;
    azure_key_t secret = config->account_key;
    azure_sas_t sas;
    FHIR_TRY(fhir_plugin_check_call(call));
    FHIR_TRY(check_request(store, request, pool));
    sas = describe(config, request, pool);
    if (store->delegation_key) {
        FHIR_TRY(delegation_key(&delegation, &secret, store, request->expires, call));
        sas.delegation = &delegation;
    }
    presigned->url = apr_pstrcat(pool, config->public_endpoint, azure_blob_path(config, request->locator, pool), "?",
                                 azure_sas_query(&sas, &secret, pool), NULL);
    presigned->headers = NULL;
    presigned->header_count = 0;
    if (request->write) {
        add_upload_headers(presigned, request, pool);
    }
    return NULL;
}
