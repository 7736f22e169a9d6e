/* key rotate, list, revoke */
#include "ctl.h"

#include "../core/auth/auth.h"
#include "../core/base/digest.h"

#include <stdio.h>
#include <string.h>

#define URL_KEY_ID_BYTES 8
#define URL_KEY_BYTES 32

static fhir_error_t *add_token_key(const char **id, fhir_ctl_t *ctl, const char *algorithm)
{
    fhir_key_t key = {.purpose = FHIR_KEY_TOKEN, .algorithm = algorithm};
    FHIR_TRY(fhir_jwk_generate(&key.material, &key.id, algorithm, ctl->pool));
    *id = key.id;
    return fhir_meta_key_add(ctl->meta, &key, &ctl->call);
}

static fhir_error_t *add_url_key(const char **id, fhir_ctl_t *ctl)
{
    fhir_key_t key = {.purpose = FHIR_KEY_URL, .algorithm = "HS256"};
    FHIR_TRY(fhir_random_hex(&key.id, URL_KEY_ID_BYTES, ctl->pool));
    FHIR_TRY(fhir_random_hex(&key.material, URL_KEY_BYTES, ctl->pool));
    *id = key.id;
    return fhir_meta_key_add(ctl->meta, &key, &ctl->call);
}

static fhir_error_t *add_key(fhir_ctl_t *ctl, fhir_key_purpose_t purpose, const char *algorithm)
{
    const char *id;
    FHIR_TRY(purpose == FHIR_KEY_URL ? add_url_key(&id, ctl) : add_token_key(&id, ctl, algorithm));
    printf("key: %s\n", id);
    return NULL;
}

/* The key in use, NULL if there is none. */
static fhir_error_t *key_in_use(const fhir_key_t **key, fhir_ctl_t *ctl, fhir_key_purpose_t purpose)
{
    apr_array_header_t *keys;
    *key = NULL;
    FHIR_TRY(fhir_meta_keys(&keys, ctl->meta, purpose, &ctl->call));
    for (int i = 0; i < keys->nelts; i++) {
        const fhir_key_t *candidate = &APR_ARRAY_IDX(keys, i, fhir_key_t);
        if (!candidate->retired) {
            *key = candidate;
        }
    }
    return NULL;
}

fhir_error_t *fhir_ctl_first_key(fhir_ctl_t *ctl, fhir_key_purpose_t purpose)
{
    const fhir_key_t *key;
    FHIR_TRY(key_in_use(&key, ctl, purpose));
    if (key) {
        return NULL;
    }
    printf("There was no key for %s yet; made one.\n", purpose == FHIR_KEY_URL ? "signed URLs" : "access tokens");
    return add_key(ctl, purpose, "ES256");
}

fhir_error_t *fhir_ctl_key_rotate(fhir_ctl_t *ctl)
{
    const char *algorithm = fhir_ctl_option(ctl, "algorithm");
    int signing = fhir_ctl_option(ctl, "signing") != NULL;
    if (signing && algorithm) {
        return fhir_ctl_misuse(ctl, "Signed URLs have one algorithm, HS256: leave --algorithm out.");
    }
    if (algorithm && strcmp(algorithm, "ES256") != 0 && strcmp(algorithm, "RS256") != 0) {
        return fhir_ctl_misuse(ctl, "The algorithm is ES256 or RS256.");
    }
    FHIR_TRY(fhir_ctl_meta(ctl));
    return add_key(ctl, signing ? FHIR_KEY_URL : FHIR_KEY_TOKEN, algorithm ? algorithm : "ES256");
}

fhir_error_t *fhir_ctl_key_list(fhir_ctl_t *ctl)
{
    static const char *const names[] = {"id", "algorithm", "in_use?", "created", "retired"};
    fhir_key_purpose_t purpose = fhir_ctl_option(ctl, "signing") ? FHIR_KEY_URL : FHIR_KEY_TOKEN;
    fhir_ctl_table_t table;
    apr_array_header_t *keys;
    FHIR_TRY(fhir_ctl_meta(ctl));
    FHIR_TRY(fhir_meta_keys(&keys, ctl->meta, purpose, &ctl->call));
    fhir_ctl_table_init(&table, ctl, names, 5);
    for (int i = 0; i < keys->nelts; i++) {
        const fhir_key_t *key = &APR_ARRAY_IDX(keys, i, fhir_key_t);
        fhir_ctl_table_add(&table, key->id);
        fhir_ctl_table_add(&table, key->algorithm);
        fhir_ctl_table_add_flag(&table, !key->retired);
        fhir_ctl_table_add_time(&table, key->created);
        fhir_ctl_table_add_time(&table, key->retired);
    }
    fhir_ctl_table_print(&table);
    return NULL;
}

/* Nobody shall be left without a key to sign with. */
static fhir_error_t *replace_if_in_use(fhir_ctl_t *ctl, fhir_key_purpose_t purpose, const char *id)
{
    const fhir_key_t *key;
    FHIR_TRY(key_in_use(&key, ctl, purpose));
    if (!key || strcmp(key->id, id) != 0) {
        return NULL;
    }
    puts("It was the key in use; made a new one.");
    return add_key(ctl, purpose, key->algorithm);
}

fhir_error_t *fhir_ctl_key_revoke(fhir_ctl_t *ctl)
{
    const char *id = fhir_ctl_argument(ctl, 0);
    FHIR_TRY(fhir_ctl_meta(ctl));
    FHIR_TRY(replace_if_in_use(ctl, FHIR_KEY_TOKEN, id));
    FHIR_TRY(replace_if_in_use(ctl, FHIR_KEY_URL, id));
    return fhir_meta_key_revoke(ctl->meta, id, &ctl->call);
}
