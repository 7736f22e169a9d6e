/* A bar with rate and time left. */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAR 30
#define LINE 160
#define TERMINAL_PAUSE apr_time_from_msec(200)
#define LINE_PAUSE apr_time_from_sec(10)

void fhir_progress_begin(fhir_progress_t *progress, apr_off_t total)
{
    memset(progress, 0, sizeof(*progress));
    progress->is_terminal = isatty(STDERR_FILENO);
    progress->total = total;
    progress->started = apr_time_now();
    progress->shown = progress->started;
}

void fhir_progress_begin_bytes(fhir_progress_t *progress, apr_off_t total)
{
    fhir_progress_begin(progress, total);
    progress->is_bytes = 1;
}

static int percent_of(const fhir_progress_t *progress)
{
    if (progress->total <= 0 || progress->done >= progress->total) {
        return 100;
    }
    return (int)((double)progress->done * 100 / (double)progress->total);
}

static void add_left(char *text, apr_size_t size, double seconds)
{
    if (seconds < 120) {
        snprintf(text, size, "%.0f s", seconds);
    } else if (seconds < 7200) {
        snprintf(text, size, "%.0f min", seconds / 60);
    } else {
        snprintf(text, size, "%.1f h", seconds / 3600);
    }
}

void fhir_progress_size(char *text, apr_size_t size, double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    int unit = 0;
    while (bytes >= 1024 && unit < 6) {
        bytes /= 1024;
        unit++;
    }
    snprintf(text, size, "%.*f %s", unit ? 1 : 0, bytes, units[unit]);
}

static void add_amount(char *text, apr_size_t size, const fhir_progress_t *progress, apr_off_t amount)
{
    if (progress->is_bytes) {
        fhir_progress_size(text, size, (double)amount);
    } else {
        snprintf(text, size, "%" APR_OFF_T_FMT, amount);
    }
}

static void add_rate(char *text, apr_size_t size, const fhir_progress_t *progress, double rate)
{
    if (progress->is_bytes) {
        fhir_progress_size(text, size, rate);
    } else {
        snprintf(text, size, "%.*f", rate < 10 ? 1 : 0, rate);
    }
}

void fhir_progress_text(char *text, apr_size_t size, const fhir_progress_t *progress, apr_time_t now)
{
    double seconds = (double)(now - progress->started) / APR_USEC_PER_SEC;
    double rate = seconds > 0 ? (double)progress->done / seconds : 0;
    char left[32] = "?";
    char done[32];
    char total[32];
    char speed[32];
    if (rate > 0) {
        add_left(left, sizeof(left),
                 progress->total > progress->done ? (double)(progress->total - progress->done) / rate : 0);
    }
    add_amount(done, sizeof(done), progress, progress->done);
    add_amount(total, sizeof(total), progress, progress->total);
    add_rate(speed, sizeof(speed), progress, rate);
    snprintf(text, size, "%s of %s (%d %%), %s a second, %s left", done, total, percent_of(progress), speed, left);
}

static void show(fhir_progress_t *progress, apr_time_t now)
{
    static const char full[BAR + 1] = "##############################";
    static const char empty[BAR + 1] = "------------------------------";
    int filled = percent_of(progress) * BAR / 100;
    char text[LINE];
    progress->shown = now;
    if (progress->is_quiet && !progress->is_terminal) {
        return;
    }
    fhir_progress_text(text, sizeof(text), progress, now);
    if (progress->is_terminal) {
        fprintf(stderr, "\r[%.*s%.*s] %s\033[K", filled, full, BAR - filled, empty, text);
    } else {
        fprintf(stderr, "%s\n", text);
    }
    fflush(stderr);
}

void fhir_progress_add(fhir_progress_t *progress, apr_off_t count)
{
    apr_time_t now = apr_time_now();
    progress->done += count;
    if (now - progress->shown >= (progress->is_terminal ? TERMINAL_PAUSE : LINE_PAUSE)) {
        show(progress, now);
    }
}

void fhir_progress_hide(fhir_progress_t *progress)
{
    if (progress->is_terminal) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
}

void fhir_progress_end(fhir_progress_t *progress)
{
    show(progress, apr_time_now());
    if (progress->is_terminal) {
        fputs("\n", stderr);
    }
}
