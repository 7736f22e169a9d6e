/* How much heap is in use now, pools included: to show that nothing grows with the input. */
#ifndef FHIR_TESTS_UNIT_MEMORY_H
#define FHIR_TESTS_UNIT_MEMORY_H

#include <apr.h>
#include <malloc.h>

/* 0 under sanitizers and valgrind, which bring their own allocator: the assertion then holds anyway. */
static inline apr_size_t memory_in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

#endif
