/* Reads a Binary in resource form; the JSON half is here, the XML half in binary_decoder_xml.c. */
#include "binary_decoder_private.h"

#include "text_clear.h"

#include <string.h>

/* ---- data ---- */

static fhir_error_t *refuse_data(fhir_binary_decoder_t *decoder, const char *sentence)
{
    fhir_error_t *error = fhir_error_create(decoder->pool, FHIR_ERROR_INVALID, APR_SUCCESS, sentence, NULL);
    error->expression = "Binary.data";
    return error;
}

fhir_error_t *fhir_binary_data_begin(fhir_binary_decoder_t *decoder)
{
    if (decoder->members.resource.has_data) {
        return refuse_data(decoder, "Binary.data stands twice.");
    }
    decoder->members.resource.has_data = 1;
    return NULL;
}

fhir_error_t *fhir_binary_data_piece(fhir_binary_decoder_t *decoder, const char *text, apr_size_t length)
{
    return fhir_base64_decoder_feed(&decoder->base64, text, length);
}

fhir_error_t *fhir_binary_data_end(fhir_binary_decoder_t *decoder)
{
    return fhir_base64_decoder_finish(&decoder->base64);
}

/* ---- JSON ---- */

/* A member of the root object is complete. */
static fhir_error_t *json_member_end(fhir_binary_decoder_t *decoder)
{
    fhir_json_slice_t json = {decoder->value.text, decoder->value.length};
    if (!strcmp(decoder->name, "data")) {
        return refuse_data(decoder, "Binary.data must be a base64 string.");
    }
    return fhir_binary_members_take(&decoder->members, decoder->name, json);
}

static void json_add(fhir_binary_decoder_t *decoder, const char *text, apr_size_t length, int comma_before,
                     int comma_after)
{
    if (comma_before && decoder->needs_comma) {
        fhir_text_add(&decoder->value, ",");
    }
    fhir_text_add_bytes(&decoder->value, text, length);
    decoder->needs_comma = comma_after;
}

/* Collects the value of a root member as compact text, token by token as sent. */
static fhir_error_t *json_collect(fhir_binary_decoder_t *decoder, const fhir_json_event_t *event)
{
    switch (event->kind) {
    case FHIR_JSON_EVENT_OBJECT:
        json_add(decoder, "{", 1, 1, 0);
        return NULL;
    case FHIR_JSON_EVENT_ARRAY:
        json_add(decoder, "[", 1, 1, 0);
        return NULL;
    case FHIR_JSON_EVENT_OBJECT_END:
        json_add(decoder, "}", 1, 0, 1);
        break;
    case FHIR_JSON_EVENT_ARRAY_END:
        json_add(decoder, "]", 1, 0, 1);
        break;
    case FHIR_JSON_EVENT_KEY:
        json_add(decoder, event->raw, event->raw_length, 1, 0);
        json_add(decoder, ":", 1, 0, 0);
        return NULL;
    default:
        json_add(decoder, event->raw, event->raw_length, 1, 1);
        break;
    }
    return event->depth == 1 ? json_member_end(decoder) : NULL;
}

static fhir_error_t *json_key(fhir_binary_decoder_t *decoder, const char *name)
{
    decoder->name = apr_pstrdup(decoder->pool, name);
    decoder->needs_comma = 0;
    fhir_text_clear(&decoder->value);
    return fhir_binary_member_known(name) ? NULL : fhir_binary_member_unknown(name, decoder->pool);
}

static fhir_error_t *json_event(void *baton, const fhir_json_event_t *event)
{
    fhir_binary_decoder_t *decoder = baton;
    if (event->kind == FHIR_JSON_EVENT_PIECE) {
        return event->length ? fhir_binary_data_piece(decoder, event->text, event->length)
                             : fhir_binary_data_begin(decoder);
    }
    if (event->kind == FHIR_JSON_EVENT_PIECES_END) {
        return fhir_binary_data_end(decoder);
    }
    if (event->depth == 0) {
        return event->kind == FHIR_JSON_EVENT_OBJECT || event->kind == FHIR_JSON_EVENT_OBJECT_END
                   ? NULL
                   : fhir_error_create(decoder->pool, FHIR_ERROR_INVALID, APR_SUCCESS,
                                       "The JSON body is not an object; a resource is one.", NULL);
    }
    if (event->depth == 1 && event->kind == FHIR_JSON_EVENT_KEY) {
        return json_key(decoder, event->text);
    }
    return json_collect(decoder, event);
}

void fhir_binary_json_create(fhir_binary_decoder_t *decoder)
{
    fhir_json_options_t options;
    memset(&options, 0, sizeof(options));
    options.what = "The JSON body";
    options.streamed = "data";
    options.depth_max = FHIR_JSON_DEPTH_MAX;
    options.kept_max = FHIR_BINARY_KEPT_MAX;
    fhir_text_init(&decoder->value, decoder->pool);
    fhir_json_stream_create(&decoder->json, &options, json_event, decoder, decoder->pool);
}

/* ---- Both ---- */

fhir_error_t *fhir_binary_decoder_create(fhir_binary_decoder_t **decoder, fhir_format_t format, fhir_data_fn data,
                                         void *baton, apr_pool_t *pool)
{
    fhir_binary_decoder_t *made;
    if (format != FHIR_FORMAT_JSON && format != FHIR_FORMAT_XML) {
        return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_SUCCESS, "The server could not read the resource.",
                                 "binary decoder asked for format %d", (int)format);
    }
    made = apr_pcalloc(pool, sizeof(*made));
    made->pool = pool;
    made->format = format;
    fhir_base64_decoder_init(&made->base64, data, baton, pool);
    fhir_binary_members_init(&made->members, pool);
    if (format == FHIR_FORMAT_JSON) {
        fhir_binary_json_create(made);
    } else {
        fhir_binary_xml_create(made);
    }
    *decoder = made;
    return NULL;
}

fhir_error_t *fhir_binary_decoder_feed(fhir_binary_decoder_t *decoder, const char *bytes, apr_size_t length)
{
    return decoder->json ? fhir_json_stream_feed(decoder->json, bytes, length)
                         : fhir_xml_stream_feed(decoder->xml, bytes, length);
}

fhir_error_t *fhir_binary_decoder_finish(const fhir_binary_resource_t **resource, fhir_binary_decoder_t *decoder)
{
    FHIR_TRY(decoder->json ? fhir_json_stream_finish(decoder->json) : fhir_xml_stream_finish(decoder->xml));
    return fhir_binary_members_finish(resource, &decoder->members);
}
