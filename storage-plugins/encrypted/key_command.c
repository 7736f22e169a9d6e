/* Runs the command that unwraps a key-encryption key: no shell, bounded in time and output, killed with its children.
 */
#include "encrypted.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MAX 1024
#define STEP_MILLISECONDS 50

extern char **environ;

typedef struct run_t {
    const char *command;
    const encrypted_key_name_t *name;
    const fhir_store_call_t *call;
    apr_time_t end;
    int input[2];
    int output[2];
    pid_t process;
    char answer[ANSWER_MAX];
    apr_size_t length;
} run_t;

static fhir_error_t *failure(const run_t *run, const char *why)
{
    fhir_error_t *error = fhir_error_create(run->call->result_pool, FHIR_ERROR_UNAVAILABLE, APR_EGENERAL,
                                            "The store can't get its key now; try again.", "key_command for key %s: %s",
                                            run->name->id, why);
    error->retry = FHIR_RETRY_YES;
    return error;
}

static fhir_error_t *system_failure(const run_t *run, const char *what, int failed)
{
    char said[128];
    return failure(run, apr_pstrcat(run->call->result_pool, what, ": ",
                                    apr_strerror(APR_FROM_OS_ERROR(failed), said, sizeof(said)), NULL));
}

static void close_end(int *descriptor)
{
    if (*descriptor >= 0) {
        close(*descriptor);
        *descriptor = -1;
    }
}

/* The wrapped key fits into the pipe, so it is written before the command runs: nobody can block on it, and no signal
 * comes from a command that does not read. */
static fhir_error_t *open_pipes(run_t *run)
{
    apr_size_t length = strlen(run->name->text);
    if (pipe2(run->input, O_CLOEXEC) || pipe2(run->output, O_CLOEXEC)) {
        return system_failure(run, "pipe", errno);
    }
    if (write(run->input[1], run->name->text, length) != (ssize_t)length || write(run->input[1], "\n", 1) != 1) {
        return failure(run, "the wrapped key could not be written to its standard input");
    }
    close_end(&run->input[1]);
    return NULL;
}

/* Its own process group, so that children of a script go with it; httpd's threads block signals, the command must not.
 */
static int spawn_with(run_t *run, posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes)
{
    char *argv[3];
    sigset_t signals;
    argv[0] = apr_pstrdup(run->call->scratch_pool, run->command);
    argv[1] = apr_pstrdup(run->call->scratch_pool, run->name->id);
    argv[2] = NULL;
    posix_spawn_file_actions_adddup2(actions, run->input[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(actions, run->output[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(attributes, &signals);
    sigaddset(&signals, SIGPIPE);
    posix_spawnattr_setsigdefault(attributes, &signals);
    posix_spawnattr_setpgroup(attributes, 0);
    posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    return posix_spawn(&run->process, run->command, actions, attributes, argv, environ);
}

static fhir_error_t *start(run_t *run)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int failed;
    if (posix_spawn_file_actions_init(&actions)) {
        return system_failure(run, "starting it", ENOMEM);
    }
    failed = posix_spawnattr_init(&attributes);
    if (!failed) {
        failed = spawn_with(run, &actions, &attributes);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    if (failed) {
        run->process = -1;
        return system_failure(run, "starting it", failed);
    }
    close_end(&run->input[0]);
    close_end(&run->output[1]);
    return NULL;
}

static fhir_error_t *check_time(const run_t *run)
{
    FHIR_TRY(fhir_plugin_check_call(run->call));
    return apr_time_now() < run->end ? NULL : failure(run, "it did not end in time and was killed");
}

/* Until the command closes its standard output. */
static fhir_error_t *take_answer(run_t *run)
{
    for (;;) {
        struct pollfd waiting = {run->output[0], POLLIN, 0};
        ssize_t done;
        FHIR_TRY(check_time(run));
        if (poll(&waiting, 1, STEP_MILLISECONDS) <= 0) {
            continue;
        }
        if (run->length == sizeof(run->answer)) {
            return failure(run, "it writes more than a key");
        }
        done = read(run->output[0], run->answer + run->length, sizeof(run->answer) - run->length);
        if (done == 0) {
            return NULL;
        }
        if (done < 0 && errno != EINTR) {
            return system_failure(run, "reading its answer", errno);
        }
        run->length += done > 0 ? (apr_size_t)done : 0;
    }
}

static fhir_error_t *await_end(run_t *run)
{
    int status = 0;
    for (;;) {
        pid_t ended = waitpid(run->process, &status, WNOHANG);
        if (ended == run->process) {
            break;
        }
        if (ended < 0 && errno != EINTR) {
            return system_failure(run, "waiting for its end", errno);
        }
        FHIR_TRY(check_time(run));
        apr_sleep(apr_time_from_msec(5));
    }
    run->process = -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return NULL;
    }
    return failure(run,
                   apr_psprintf(run->call->result_pool, WIFEXITED(status) ? "exit status %d" : "killed by signal %d",
                                WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status)));
}

static fhir_error_t *take_key(unsigned char key[ENCRYPTED_KEY_LENGTH], run_t *run)
{
    if (run->length == ENCRYPTED_KEY_LENGTH) {
        memcpy(key, run->answer, ENCRYPTED_KEY_LENGTH);
        return NULL;
    }
    while (run->length > 0 && strchr(" \t\r\n", run->answer[run->length - 1])) {
        run->length--;
    }
    if (!encrypted_decode_key(key, run->answer, run->length)) {
        return failure(run, "its answer is not 32 bytes, nor their base64 or hex form");
    }
    return NULL;
}

static fhir_error_t *run_it(unsigned char key[ENCRYPTED_KEY_LENGTH], run_t *run)
{
    FHIR_TRY(open_pipes(run));
    FHIR_TRY(start(run));
    FHIR_TRY(take_answer(run));
    FHIR_TRY(await_end(run));
    return take_key(key, run);
}

static void clean_up(run_t *run)
{
    if (run->process > 0) {
        kill(-run->process, SIGKILL);
        while (waitpid(run->process, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    close_end(&run->input[0]);
    close_end(&run->input[1]);
    close_end(&run->output[0]);
    close_end(&run->output[1]);
    OPENSSL_cleanse(run->answer, sizeof(run->answer));
}

fhir_error_t *encrypted_run_key_command(unsigned char key[ENCRYPTED_KEY_LENGTH], const char *command,
                                        const encrypted_key_name_t *name, apr_interval_time_t timeout,
                                        const fhir_store_call_t *call)
{
    run_t run = {.command = command,
                 .name = name,
                 .call = call,
                 .end = apr_time_now() + timeout,
                 .input = {-1, -1},
                 .output = {-1, -1},
                 .process = -1};
    fhir_error_t *error = run_it(key, &run);
    clean_up(&run);
    return error;
}
