/* Chance, the same in every run. */
#ifndef FHIR_TESTS_META_CHANCE_H
#define FHIR_TESTS_META_CHANCE_H

#include <stdint.h>

static uint32_t seed;

static inline int chance(int below)
{
    seed = seed * 1664525u + 1013904223u;
    return (int)((seed >> 8) % (uint32_t)below);
}

static inline const char *pick(const char *const *texts, int count)
{
    return texts[chance(count)];
}

#define PICK(texts) pick(texts, (int)(sizeof(texts) / sizeof((texts)[0])))

#endif
