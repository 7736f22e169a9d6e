/* Listening to changes. A connection that nobody speaks on can be dead without a sign: every few seconds it is asked
 * whether it still listens. */
#include "listen.h"
#include "pg.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define CHANNEL "fhir_binary"
#define ASK_EVERY apr_time_from_sec(5)
#define ANSWER_WITHIN apr_time_from_sec(2)
#define CANCEL_CHECK 500 /* milliseconds, without a stop descriptor */

static int is_cancelled(const fhir_call_t *call)
{
    return call->cancelled && call->cancelled(call->cancelled_baton);
}

static fhir_error_t *run(PGresult **result, fhir_pg_connection_t *connection, const char *sql, const fhir_call_t *call)
{
    return fhir_pg_text_query(result, connection, sql, apr_time_now() + ANSWER_WITHIN, call);
}

static fhir_error_t *begin_listening(fhir_pg_connection_t *connection, const fhir_call_t *call)
{
    PGresult *result;
    FHIR_TRY(run(&result, connection, "LISTEN " CHANNEL, call));
    PQclear(result);
    return NULL;
}

static fhir_error_t *ask_whether_it_listens(fhir_pg_connection_t *connection, const fhir_call_t *call)
{
    PGresult *result;
    int listens;
    FHIR_TRY(run(&result, connection,
                 "SELECT FROM pg_catalog.pg_listening_channels() AS channel WHERE channel = '" CHANNEL "'", call));
    listens = PQntuples(result) == 1;
    PQclear(result);
    return listens ? NULL
                   : fhir_pg_unavailable("the session does not listen any more: is there a pooler in between that "
                                         "does not lend whole sessions?",
                                         call->pool);
}

/* A word that a newer version may send stands for everything. */
static int change_of(const char *word)
{
    if (strcmp(word, "keys") == 0) {
        return FHIR_META_KEYS_CHANGED;
    }
    return strcmp(word, "access") == 0 ? FHIR_META_ACCESS_CHANGED : FHIR_META_ALL_CHANGED;
}

static int take_notifications(PGconn *handle)
{
    PGnotify *notification;
    int changes = 0;
    while ((notification = PQnotifies(handle)) != NULL) {
        changes |= change_of(notification->extra ? notification->extra : "");
        PQfreemem(notification);
    }
    return changes;
}

/* Until the server says something, it is time to ask, or to stop. */
static fhir_error_t *await_word(fhir_pg_connection_t *connection, int stop_descriptor, apr_interval_time_t longest,
                                const fhir_call_t *call)
{
    struct pollfd ready[2] = {{.fd = PQsocket(connection->handle), .events = POLLIN},
                              {.fd = stop_descriptor, .events = POLLIN}};
    int milliseconds = longest > 0 ? (int)(longest / 1000) + 1 : 0;
    if (stop_descriptor < 0 && milliseconds > CANCEL_CHECK) {
        milliseconds = CANCEL_CHECK;
    }
    if (poll(ready, 2, milliseconds) < 0 && errno != EINTR) {
        return fhir_pg_internal("poll failed", call->pool);
    }
    return ready[0].revents == 0 || PQconsumeInput(connection->handle) ? NULL : fhir_pg_lost(connection, call);
}

static fhir_error_t *listen_until_cancelled(fhir_pg_connection_t *connection, const fhir_meta_listener_t *listener,
                                            const fhir_call_t *call)
{
    apr_time_t ask_at = apr_time_now() + ASK_EVERY;
    int changes = FHIR_META_ALL_CHANGED;
    FHIR_TRY(begin_listening(connection, call));
    while (!is_cancelled(call)) {
        apr_time_t now;
        if (changes) {
            listener->changed(listener->baton, changes);
        }
        now = apr_time_now();
        /* The clock may have been set back. */
        if (now >= ask_at || ask_at - now > ASK_EVERY) {
            FHIR_TRY(ask_whether_it_listens(connection, call));
            ask_at = now + ASK_EVERY;
        } else {
            FHIR_TRY(await_word(connection, listener->stop_descriptor, ask_at - now, call));
        }
        changes = take_notifications(connection->handle);
    }
    return NULL;
}

fhir_error_t *fhir_meta_listen(fhir_meta_t *meta, const fhir_meta_listener_t *listener, const fhir_call_t *call)
{
    fhir_pg_connection_t connection;
    fhir_error_t *error = fhir_pg_connect(&connection, meta, call);
    if (!error) {
        error = listen_until_cancelled(&connection, listener, call);
        fhir_pg_disconnect(&connection);
    }
    return is_cancelled(call) ? NULL : error;
}
