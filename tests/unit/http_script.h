/* A scripted HTTP server: a test writes the requests that must come, in order, and their answers. */
#ifndef FHIR_TESTS_HTTP_SCRIPT_H
#define FHIR_TESTS_HTTP_SCRIPT_H

#include "http_endpoint.h"

#define SCRIPT_STEPS 32

typedef struct script_step_t {
    const char *request; /* parts that the request must have, separated by '|'; a part after '!' it must not have */
    const char *answer;  /* "": the connection breaks. "%M" is replaced by what was seen last of `mark_header` */
} script_step_t;

typedef struct script_t {
    endpoint_t endpoint;
    script_step_t steps[SCRIPT_STEPS];
    int count;
    int served;
    int wrong;
    const char *mark_header;
    char mark[64];
    pthread_mutex_t lock;
} script_t;

static inline int script_fits(const char *request, const char *wanted)
{
    char *parts = strdup(wanted);
    char *save = NULL;
    char *part;
    int good = 1;
    for (part = strtok_r(parts, "|", &save); part; part = strtok_r(NULL, "|", &save)) {
        good = good && (*part == '!' ? !strstr(request, part + 1) : strstr(request, part) != NULL);
    }
    free(parts);
    return good;
}

static inline void script_answer(char *answer, const char *request, void *baton)
{
    script_t *script = baton;
    const char *text = "HTTP/1.1 500 Nobody expected this\r\nContent-Length: 0\r\n\r\n";
    const char *header;
    const char *mark;
    pthread_mutex_lock(&script->lock);
    header = script->mark_header ? strstr(request, script->mark_header) : NULL;
    if (header) {
        header += strlen(script->mark_header);
        snprintf(script->mark, sizeof(script->mark), "%.*s", (int)strcspn(header, "\r"), header);
    }
    if (script->served < script->count && script_fits(request, script->steps[script->served].request)) {
        text = script->steps[script->served].answer;
    } else {
        printf("request %d is not '%s' but:\n%.300s\n", script->served,
               script->served < script->count ? script->steps[script->served].request : "(none)", request);
        script->wrong++;
    }
    script->served++;
    mark = strstr(text, "%M");
    snprintf(answer, ENDPOINT_ROOM, "%.*s%s%s", mark ? (int)(mark - text) : (int)strlen(text), text,
             mark ? script->mark : "", mark ? mark + 2 : "");
    pthread_mutex_unlock(&script->lock);
}

static inline void script_expect(script_t *script, const char *request, const char *answer)
{
    script->steps[script->count].request = request;
    script->steps[script->count].answer = answer;
    script->count++;
}

static inline void script_begin(script_t *script, const char *mark_header)
{
    memset(script, 0, sizeof(*script));
    pthread_mutex_init(&script->lock, NULL);
    script->mark_header = mark_header;
    endpoint_start(&script->endpoint, script_answer, script);
    script->endpoint.whole = 1;
}

/* 1 if what came was what was expected. */
static inline int script_end(script_t *script)
{
    endpoint_end(&script->endpoint);
    pthread_mutex_destroy(&script->lock);
    if (script->served < script->count) {
        printf("%d requests came, %d were expected\n", script->served, script->count);
    }
    return script->wrong == 0 && script->served == script->count;
}

#endif
