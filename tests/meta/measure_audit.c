/* What an audit event costs: processor time of this process and of the server's, for batches as a busy server makes. */
#include "core/meta/audit.h"
#include "meta_test.h"

#include <sys/resource.h>

#define BATCHES 100

static fhir_audit_event_t *event_for(const char *project, int number, apr_pool_t *in)
{
    fhir_audit_event_t *event = apr_pcalloc(in, sizeof(*event));
    event->recorded = apr_time_now();
    FHIR_ASSERT_OK(fhir_audit_event_id(&event->id, event->recorded, in));
    event->project_id = project;
    event->interaction = "read";
    event->action = "R";
    event->agent_kind = 1;
    event->agent_subject = "0f1c9c36-4a5e-4d0a-9a39-5d6a1c0f7e11";
    event->agent_profile = "Practitioner/1";
    event->membership_id = project;
    event->address = "192.0.2.17";
    event->source = "node1.example.org";
    event->entity_type = "Binary";
    event->entity_id = apr_psprintf(in, "8f14e45f-ceea-467f-a8d2-%012d", number % 20000);
    event->entity_version = "6512bd43-d9ca-46e0-a2c9-99a1b2c3d4e5";
    event->context = "Patient/8f14e45f-ceea-467f-a8d2-000000000001";
    event->request_id = "aSCdQn8AAAEAAB3xXhQAAAAB";
    event->status = 200;
    event->bytes_sent = 1024;
    return event;
}

static double seconds_of_process(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* User and system time of the one server process that this connection has. */
static double seconds_of_server(void)
{
    const char *pid = sql("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
                          "pg_backend_pid() AND backend_type = 'client backend' LIMIT 1");
    FILE *stat = fopen(apr_psprintf(pool, "/proc/%s/stat", pid), "r");
    unsigned long user = 0;
    unsigned long system = 0;
    if (stat && fscanf(stat, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) {
        user = system = 0;
    }
    if (stat) {
        fclose(stat);
    }
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static void measure(void)
{
    const char *project = uuid();
    double here = 0;
    double there = 0;
    apr_interval_time_t elapsed = 0;
    open_meta(1);
    for (int i = 0; i <= BATCHES; i++) {
        apr_pool_t *own;
        fhir_call_t mine;
        fhir_audit_event_t *events[FHIR_AUDIT_BATCH_MAX];
        fhir_audit_batch_t batch = {events, FHIR_AUDIT_BATCH_MAX, 0};
        double before;
        apr_time_t began;
        apr_pool_create(&own, pool);
        mine = call_for(own);
        for (int at = 0; at < batch.count; at++) {
            events[at] = event_for(project, i * batch.count + at, own);
        }
        if (i == 1) {
            there = seconds_of_server();
        }
        before = seconds_of_process();
        began = apr_time_now();
        FHIR_ASSERT_OK(fhir_meta_audit_write(meta, &batch, &mine));
        if (i > 0) {
            here += seconds_of_process() - before;
            elapsed += apr_time_now() - began;
        }
        apr_pool_destroy(own);
    }
    there = seconds_of_server() - there;
    printf("an audit event costs %.1f us of the writer, %.1f us of the database, %.1f us elapsed\n",
           here * 1e6 / BATCHES / FHIR_AUDIT_BATCH_MAX, there * 1e6 / BATCHES / FHIR_AUDIT_BATCH_MAX,
           (double)elapsed / BATCHES / FHIR_AUDIT_BATCH_MAX);
}

static const fhir_unit_test_t tests[] = {{"measure", measure}, {NULL, NULL}};
FHIR_UNIT_MAIN("measure audit", tests)
