/* The HTTP client of a store: its idle connections, its certificate authorities, and libcurl's options. */
#include "http_transfer.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_CONNECT_TIMEOUT apr_time_from_sec(10)
#define DEFAULT_STALL_TIMEOUT apr_time_from_sec(30)
#define IDLE_CONNECTIONS_MAX 1024
/* Most servers close after a minute at the latest. */
#define IDLE_AT_MOST apr_time_from_sec(60)
/* A server that closes in the moment when we send loses an upload whose first bytes are gone. Few close so early. */
#define UNREPEATABLE_AFTER_AT_MOST apr_time_from_sec(4)
/* With ten uploads and ten downloads at once these are much of our memory. */
#define RECEIVE_BUFFER 65536L /* larger ones are not faster */
#define ANSWER_BUFFER 16384L  /* for who wants only a short answer */
#define SEND_BUFFER 262144L   /* the core's blocks: what leaves at once wakes the server once */

struct fhir_http_client_t {
    apr_interval_time_t connect_timeout;
    apr_interval_time_t stall_timeout;
    X509_STORE *authorities;       /* one for all connections: a copy for each would be most of their memory */
    pthread_mutex_t mutex;         /* guards the rest */
    fhir_http_connection_t **idle; /* the longest idle comes first */
    int idle_count;
    int idle_most;
};

void fhir_http_initialize(void)
{
    /* Counted by libcurl. Never undone: others in the process use libcurl too. A failure shows in client_create. */
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* ---- certificate authorities ---- */

static fhir_error_t *load_authorities(X509_STORE **authorities, const char *ca_file, apr_pool_t *pool)
{
    X509_STORE *made = X509_STORE_new();
    int loaded = made && (ca_file ? X509_STORE_load_file(made, ca_file) : X509_STORE_set_default_paths(made)) == 1;
    *authorities = NULL;
    if (!loaded) {
        X509_STORE_free(made);
        return fhir_error_create(
            pool, FHIR_ERROR_INVALID, APR_EINVAL,
            "The store's certificate authorities can't be read: give a file with PEM certificates.",
            "certificate authorities: %s", ca_file ? ca_file : "the system's");
    }
    /* A certificate in ca_file is trusted also if it is not a root, as with curl. */
    X509_STORE_set_flags(made, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
    *authorities = made;
    return NULL;
}

int fhir_http_ca_file_is_good(const char *ca_file)
{
    X509_STORE *read = ca_file ? X509_STORE_new() : NULL;
    int good = !ca_file || (read && X509_STORE_load_file(read, ca_file) == 1);
    X509_STORE_free(read);
    ERR_clear_error();
    return good;
}

/* libcurl's own store stays empty, since it is told of no file and no directory. */
static CURLcode use_authorities(CURL *easy, void *context, void *baton)
{
    X509_STORE *authorities = baton;
    (void)easy;
    if (!X509_STORE_up_ref(authorities)) {
        return CURLE_OUT_OF_MEMORY;
    }
    SSL_CTX_set_cert_store(context, authorities);
    return CURLE_OK;
}

/* ---- options ---- */

static int set(CURLcode code)
{
    return code == CURLE_OK;
}

static int set_security(const fhir_http_client_t *client, CURL *easy)
{
    int good = set(curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https"));
    good &= set(curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L));
    good &= set(curl_easy_setopt(easy, CURLOPT_PROXY, ""));
    good &= set(curl_easy_setopt(easy, CURLOPT_NOPROXY, "*"));
    good &= set(curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED));
    good &= set(curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L));
    good &= set(curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L));
    good &= set(curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L));
    good &= set(curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2));
    good &= set(curl_easy_setopt(easy, CURLOPT_CAINFO, NULL));
    good &= set(curl_easy_setopt(easy, CURLOPT_CAPATH, NULL));
    good &= set(curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, use_authorities));
    good &= set(curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, client->authorities));
    return good;
}

static int set_transport(const fhir_http_client_t *client, CURL *easy, int download)
{
    int good = set(curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1));
    good &= set(curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L));
    good &= set(curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L));
    good &= set(curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L));
    good &= set(curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L));
    good &= set(curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, download ? RECEIVE_BUFFER : ANSWER_BUFFER));
    good &= set(curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER));
    good &= set(curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)((client->connect_timeout + 999) / 1000)));
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A name server that is silent must not hold up who has given up waiting. */
    good &= set(curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L));
#endif
    return good;
}

int fhir_http_client_options(const fhir_http_client_t *client, CURL *easy, int download)
{
    return set_security(client, easy) && set_transport(client, easy, download);
}

apr_interval_time_t fhir_http_stall_timeout(const fhir_http_client_t *client)
{
    return client->stall_timeout;
}

/* ---- idle connections ---- */

void fhir_http_connection_close(fhir_http_connection_t *connection)
{
    if (connection) {
        curl_multi_cleanup(connection->multi);
        free(connection->origin);
        free(connection);
    }
}

static fhir_http_connection_t *fresh_connection(const char *origin)
{
    fhir_http_connection_t *made = calloc(1, sizeof(*made));
    if (!made) {
        return NULL;
    }
    made->origin = strdup(origin);
    made->multi = curl_multi_init();
    if (!made->origin || !made->multi || curl_multi_setopt(made->multi, CURLMOPT_MAXCONNECTS, 1L) != CURLM_OK) {
        fhir_http_connection_close(made);
        return NULL;
    }
    return made;
}

/* Under the mutex. */
static fhir_http_connection_t *take_out(fhir_http_client_t *client, int place)
{
    fhir_http_connection_t *connection = client->idle[place];
    client->idle_count--;
    memmove(client->idle + place, client->idle + place + 1,
            (size_t)(client->idle_count - place) * sizeof(client->idle[0]));
    return connection;
}

/* The one used last is the likeliest to be alive. If it is not, libcurl notices and connects anew. */
fhir_http_connection_t *fhir_http_connection_take(fhir_http_client_t *client, const char *origin, int repeatable)
{
    apr_time_t since = repeatable ? 0 : apr_time_now() - UNREPEATABLE_AFTER_AT_MOST;
    fhir_http_connection_t *found = NULL;
    int place;
    pthread_mutex_lock(&client->mutex);
    for (place = client->idle_count - 1; place >= 0 && !found; place--) {
        if (!strcmp(client->idle[place]->origin, origin) && client->idle[place]->idle_since >= since) {
            found = take_out(client, place);
        }
    }
    pthread_mutex_unlock(&client->mutex);
    return found ? found : fresh_connection(origin);
}

/* The longest idle one, if it must go. */
static fhir_http_connection_t *take_surplus(fhir_http_client_t *client, int most, apr_time_t now)
{
    fhir_http_connection_t *surplus = NULL;
    pthread_mutex_lock(&client->mutex);
    if (client->idle_count > most || (client->idle_count > 0 && client->idle[0]->idle_since + IDLE_AT_MOST < now)) {
        surplus = take_out(client, 0);
    }
    pthread_mutex_unlock(&client->mutex);
    return surplus;
}

/* Closing says goodbye to the server, so it is not done under the mutex. */
static void close_surplus(fhir_http_client_t *client, int most, apr_time_t now)
{
    fhir_http_connection_t *surplus;
    while ((surplus = take_surplus(client, most, now)) != NULL) {
        fhir_http_connection_close(surplus);
    }
}

void fhir_http_connection_keep(fhir_http_client_t *client, fhir_http_connection_t *connection)
{
    int kept = 0;
    connection->idle_since = apr_time_now();
    if (client->idle_most > 0) {
        close_surplus(client, client->idle_most - 1, connection->idle_since);
        pthread_mutex_lock(&client->mutex);
        if (client->idle_count < client->idle_most) {
            client->idle[client->idle_count++] = connection;
            kept = 1;
        }
        pthread_mutex_unlock(&client->mutex);
    }
    if (!kept) {
        fhir_http_connection_close(connection);
    }
}

/* ---- create and close ---- */

static fhir_error_t *unusable_library(const char *what, apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_EGENERAL, "The server could not start its HTTP client.",
                             "%s", what);
}

/* All options once, so that a libcurl without OpenSSL or too old is known at the start. */
static fhir_error_t *try_options(const fhir_http_client_t *client, apr_pool_t *pool)
{
    CURL *easy = curl_easy_init();
    int good = easy && fhir_http_client_options(client, easy, 1);
    curl_easy_cleanup(easy);
    return good ? NULL : unusable_library("libcurl with OpenSSL, 7.85 or later, is needed", pool);
}

static int within(int number, int least, int most)
{
    return number < least ? least : number > most ? most : number;
}

fhir_error_t *fhir_http_client_create(fhir_http_client_t **client, const fhir_http_config_t *config, apr_pool_t *pool)
{
    fhir_http_client_t *made = apr_pcalloc(pool, sizeof(*made));
    fhir_error_t *error;
    *client = NULL;
    made->connect_timeout = config->connect_timeout > 0 ? config->connect_timeout : DEFAULT_CONNECT_TIMEOUT;
    made->stall_timeout = config->stall_timeout > 0 ? config->stall_timeout : DEFAULT_STALL_TIMEOUT;
    made->idle_most = within(config->idle_connections, 0, IDLE_CONNECTIONS_MAX);
    made->idle = apr_pcalloc(pool, (apr_size_t)(made->idle_most + 1) * sizeof(made->idle[0]));
    FHIR_TRY(load_authorities(&made->authorities, config->ca_file, pool));
    error = try_options(made, pool);
    if (!error && pthread_mutex_init(&made->mutex, NULL)) {
        error = unusable_library("no mutex", pool);
    }
    if (error) {
        X509_STORE_free(made->authorities);
        return error;
    }
    *client = made;
    return NULL;
}

void fhir_http_client_close(fhir_http_client_t *client)
{
    if (client) {
        close_surplus(client, 0, apr_time_now());
        pthread_mutex_destroy(&client->mutex);
        X509_STORE_free(client->authorities);
    }
}
