/* Replays a corpus and fixed mutations of it, without libFuzzer. Usage: fuzz_NAME CORPUS_DIRECTORY MUTATIONS [LIMIT_S]
 * What made it die is left in fuzz_NAME.crash beside the program. */
#include "fuzz.h"

#include <dirent.h>
#include <time.h>
#include <unistd.h>

#define INPUT_MAX 65536
#define FILES_MAX 1000

/* The sanitizers' runtime has it, a plain build has not. */
extern void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

typedef struct input_t {
    uint8_t *data;
    size_t size;
} input_t;

static input_t corpus[FILES_MAX];
static size_t corpus_count;
static input_t current;
static char crash_path[4096];
static uint64_t random_state = 88172645463325252u;

static uint64_t random_number(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static size_t random_below(size_t limit)
{
    return limit == 0 ? 0 : (size_t)(random_number() % limit);
}

static void keep_input(void)
{
    FILE *file = fopen(crash_path, "wb");
    if (file) {
        fwrite(current.data, 1, current.size, file);
        fclose(file);
        fprintf(stderr, "the input is in %s\n", crash_path);
    }
}

static void run(input_t input)
{
    /* A block of exactly this size, so that ASan sees what reads past the end. */
    current.data = malloc(input.size > 0 ? input.size : 1);
    current.size = input.size;
    if (!current.data) {
        abort();
    }
    memcpy(current.data, input.data, input.size);
    LLVMFuzzerTestOneInput(current.data, current.size);
    free(current.data);
    current.data = NULL;
    current.size = 0;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int load(const char *directory)
{
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, is_visible, alphasort);
    int i;
    for (i = 0; i < count && corpus_count < FILES_MAX; i++) {
        char path[4096];
        FILE *file;
        snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
        file = fopen(path, "rb");
        if (file) {
            input_t *input = &corpus[corpus_count++];
            input->data = malloc(INPUT_MAX);
            input->size = input->data ? fread(input->data, 1, INPUT_MAX, file) : 0;
            fclose(file);
        }
        free(entries[i]);
    }
    free(entries);
    return corpus_count > 0;
}

static void insert(input_t *input, size_t at, const void *bytes, size_t size)
{
    if (input->size + size <= INPUT_MAX) {
        memmove(input->data + at + size, input->data + at, input->size - at);
        memcpy(input->data + at, bytes, size);
        input->size += size;
    }
}

/* One change: of a bit, a byte, a piece cut, doubled, or taken from another file. */
static void mutate(input_t *input)
{
    static const char *const interesting[] = {"\"",
                                              "\\",
                                              ",",
                                              ";",
                                              "=",
                                              "%",
                                              "%00",
                                              "%ff",
                                              "\x80",
                                              "\xC3",
                                              "-1",
                                              "0",
                                              "9223372036854775807",
                                              "99999999999999999999",
                                              "*",
                                              "/",
                                              "..",
                                              " ",
                                              "\r\n",
                                              "{",
                                              "}",
                                              "[",
                                              "]",
                                              ":",
                                              "<",
                                              ">",
                                              "&",
                                              "\\u0000"};
    static uint8_t piece[INPUT_MAX];
    size_t at = random_below(input->size + 1);
    size_t length = random_below(input->size - at + 1);
    const input_t *other;
    const char *token;
    switch (random_below(8)) {
    case 0:
        if (at < input->size) {
            input->data[at] = (uint8_t)(input->data[at] ^ (1u << random_below(8)));
        }
        break;
    case 1:
        if (at < input->size) {
            input->data[at] = (uint8_t)random_number();
        }
        break;
    case 2:
        memmove(input->data + at, input->data + at + length, input->size - at - length);
        input->size -= length;
        break;
    case 3:
        memcpy(piece, input->data + at, length);
        insert(input, at, piece, length);
        break;
    case 4:
        input->size = at;
        break;
    case 5:
        other = &corpus[random_below(corpus_count)];
        length = random_below(other->size + 1);
        insert(input, at, other->data + random_below(other->size - length + 1), length);
        break;
    default:
        token = interesting[random_below(sizeof(interesting) / sizeof(interesting[0]))];
        insert(input, at, token, strlen(token));
        break;
    }
}

int main(int argc, char **argv)
{
    const char *name = strrchr(argv[0], '/');
    long mutations = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    time_t stop = argc > 3 ? time(NULL) + strtol(argv[3], NULL, 10) : 0;
    static uint8_t buffer[INPUT_MAX];
    long done;
    size_t i;
    name = name ? name + 1 : argv[0];
    snprintf(crash_path, sizeof(crash_path), "%s.crash", argv[0]);
    if (argc < 2 || !load(argv[1])) {
        fprintf(stderr, "usage: %s CORPUS_DIRECTORY MUTATIONS [SECONDS]; the corpus must not be empty\n", name);
        printf("%s: 0 passed, 1 failed\n", name);
        return 1;
    }
    if (__sanitizer_set_death_callback) {
        __sanitizer_set_death_callback(keep_input);
    }
    for (i = 0; i < corpus_count; i++) {
        run(corpus[i]);
    }
    for (done = 0; done < mutations && (stop == 0 || time(NULL) < stop); done++) {
        input_t input = {buffer, corpus[(size_t)done % corpus_count].size};
        size_t changes = 1 + random_below(6);
        memcpy(buffer, corpus[(size_t)done % corpus_count].data, input.size);
        while (changes-- > 0) {
            mutate(&input);
        }
        run(input);
    }
    printf("%lu inputs, %ld mutations\n", (unsigned long)corpus_count, done);
    printf("%s: 1 passed, 0 failed\n", name);
    for (i = 0; i < corpus_count; i++) {
        free(corpus[i].data);
    }
    return 0;
}
