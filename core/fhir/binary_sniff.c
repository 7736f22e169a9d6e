/* Tells a Binary resource from other JSON or XML by the first bytes of a body. */
#include "binary_form.h"

#include "binary_members.h"
#include "json_stream.h"
#include "xml_stream.h"

#include <string.h>

typedef struct look_t {
    apr_pool_t *pool;
    fhir_sniff_t found; /* MORE: undecided */
    int only_known;     /* all members so far may stand in a Binary */
    int has_content_type;
    int has_data;
    int at_resource_type;
} look_t;

/* Ends the reading: an error that nobody sees. */
static fhir_error_t *decide(look_t *look, int is_binary)
{
    look->found = is_binary ? FHIR_SNIFF_BINARY : FHIR_SNIFF_OTHER;
    return fhir_error_create(look->pool, FHIR_ERROR_CANCELLED, APR_SUCCESS, "", NULL);
}

/* ---- JSON ---- */

static fhir_error_t *json_event(void *baton, const fhir_json_event_t *event)
{
    look_t *look = baton;
    if (event->depth == 0 && event->kind != FHIR_JSON_EVENT_OBJECT) {
        return decide(look, 0);
    }
    if (event->depth != 1) {
        return NULL;
    }
    if (event->kind == FHIR_JSON_EVENT_KEY) {
        look->only_known = look->only_known && fhir_binary_member_known(event->text);
        look->has_content_type = look->has_content_type || !strcmp(event->text, "contentType");
        look->has_data = look->has_data || !strcmp(event->text, "data");
        look->at_resource_type = !strcmp(event->text, "resourceType");
        return NULL;
    }
    if (look->at_resource_type) {
        return decide(look, event->kind == FHIR_JSON_EVENT_STRING && !strcmp(event->text, "Binary"));
    }
    return NULL;
}

/* The window is full, or the body ended, and no resourceType came. */
static fhir_sniff_t json_guess(const look_t *look, int fhir_type)
{
    return look->has_data && look->only_known && (fhir_type || look->has_content_type) ? FHIR_SNIFF_BINARY
                                                                                       : FHIR_SNIFF_OTHER;
}

static fhir_sniff_t look_at_json(look_t *look, int fhir_type, const char *bytes, apr_size_t length, int complete,
                                 int full)
{
    fhir_json_options_t options;
    fhir_json_stream_t *stream;
    fhir_error_t *error;
    memset(&options, 0, sizeof(options));
    options.what = "The JSON body";
    options.streamed = "data";
    options.depth_max = FHIR_JSON_DEPTH_MAX;
    options.kept_max = length + 1;
    options.doubles_allowed = 1;
    look->only_known = 1;
    fhir_json_stream_create(&stream, &options, json_event, look, look->pool);
    error = fhir_json_stream_feed(stream, bytes, length);
    if (!error && complete) {
        error = fhir_json_stream_finish(stream);
    }
    if (look->found) {
        return look->found;
    }
    if (error) {
        return fhir_json_stream_bound_passed(stream) ? FHIR_SNIFF_OTHER : FHIR_SNIFF_MALFORMED;
    }
    if (complete) {
        return FHIR_SNIFF_OTHER;
    }
    return full ? json_guess(look, fhir_type) : FHIR_SNIFF_MORE;
}

/* ---- XML ---- */

static fhir_error_t *xml_event(void *baton, const fhir_xml_event_t *event)
{
    const char *colon = event->name ? strchr(event->name, ':') : NULL;
    if (event->kind == FHIR_XML_DOCTYPE) {
        /* The decoder refuses it with a sentence, which a body stored as it is would not get. */
        return decide(baton, !strcmp(colon ? colon + 1 : event->name, "Binary"));
    }
    return decide(baton, event->is_fhir && !strcmp(event->name, "Binary"));
}

static fhir_sniff_t look_at_xml(look_t *look, const char *bytes, apr_size_t length, int complete, int full)
{
    fhir_xml_options_t options;
    fhir_xml_stream_t *stream;
    memset(&options, 0, sizeof(options));
    options.kept_max = length + 1;
    options.lenient = 1;
    if (length == 1 && !complete) {
        return FHIR_SNIFF_MORE; /* may become a byte order mark */
    }
    if (length >= 2 && (!memcmp(bytes, "\xfe\xff", 2) || !memcmp(bytes, "\xff\xfe", 2))) {
        return FHIR_SNIFF_OTHER; /* UTF-16: never a FHIR resource */
    }
    fhir_xml_stream_create(&stream, &options, xml_event, look, look->pool);
    if (fhir_xml_stream_feed(stream, bytes, length)) {
        return look->found                            ? look->found
               : fhir_xml_stream_bound_passed(stream) ? FHIR_SNIFF_OTHER
                                                      : FHIR_SNIFF_MALFORMED;
    }
    if (complete) {
        return FHIR_SNIFF_MALFORMED;
    }
    return full ? FHIR_SNIFF_OTHER : FHIR_SNIFF_MORE;
}

fhir_sniff_t fhir_binary_sniff(fhir_format_t format, int fhir_type, const char *bytes, apr_size_t length, int complete)
{
    static const char MARK[] = "\xef\xbb\xbf";
    int full = length >= FHIR_SNIFF_WINDOW;
    fhir_sniff_t found;
    look_t look;
    if (format == FHIR_FORMAT_RAW) {
        return FHIR_SNIFF_OTHER;
    }
    if (format == FHIR_FORMAT_JSON && length && length < 3 && !complete && !memcmp(bytes, MARK, length)) {
        return FHIR_SNIFF_MORE;
    }
    if (format == FHIR_FORMAT_JSON && length >= 3 && !memcmp(bytes, MARK, 3)) {
        /* Looked through here; the decoder refuses a Binary that begins so with a sentence. */
        bytes += 3;
        length -= 3;
    }
    memset(&look, 0, sizeof(look));
    if (apr_pool_create(&look.pool, NULL) != APR_SUCCESS) {
        return FHIR_SNIFF_OTHER;
    }
    found = format == FHIR_FORMAT_JSON ? look_at_json(&look, fhir_type, bytes, length, complete, full)
                                       : look_at_xml(&look, bytes, length, complete, full);
    apr_pool_destroy(look.pool);
    return found;
}
