/* The CRC-64 of long pieces by carry-less multiplication, some ten times as fast as by tables: Gopal and others, "Fast
 * CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction". Bits are reflected throughout. */
#include "crc64.h"

#if defined(__x86_64__)
#include <wmmintrin.h>

#define LANES 4
#define LANE ((apr_size_t)16)
#define STEP (LANES * LANE)

int azure_crc64_can_fold(void)
{
    return __builtin_cpu_supports("pclmul") != 0;
}

__attribute__((target("pclmul,sse2"))) static __m128i lane_at(const unsigned char *bytes, apr_size_t number)
{
    return _mm_loadu_si128((const __m128i *)(const void *)(bytes + number * LANE));
}

/* What `lane` is worth `distance` bits further on, and what stands there. */
__attribute__((target("pclmul,sse2"))) static __m128i move(__m128i lane, __m128i factors, __m128i there)
{
    __m128i low = _mm_clmulepi64_si128(lane, factors, 0x00);
    __m128i high = _mm_clmulepi64_si128(lane, factors, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), there);
}

__attribute__((target("pclmul,sse2"))) static __m128i factors_of(const azure_crc64_fold_t *fold)
{
    return _mm_set_epi64x((long long)fold->high, (long long)fold->low);
}

__attribute__((target("pclmul,sse2"))) apr_size_t azure_crc64_fold(unsigned char rest[16], const azure_crc64_t *tables,
                                                                   uint64_t crc, const unsigned char *bytes,
                                                                   apr_size_t length)
{
    __m128i far = factors_of(&tables->far);
    __m128i near = factors_of(&tables->near);
    __m128i lanes[LANES];
    apr_size_t done;
    apr_size_t i;
    for (i = 0; i < LANES; i++) {
        lanes[i] = lane_at(bytes, i);
    }
    lanes[0] = _mm_xor_si128(lanes[0], _mm_set_epi64x(0, (long long)crc));
    for (done = STEP; length - done >= STEP; done += STEP) {
        for (i = 0; i < LANES; i++) {
            lanes[i] = move(lanes[i], far, lane_at(bytes + done, i));
        }
    }
    for (i = 1; i < LANES; i++) {
        lanes[i] = move(lanes[i - 1], near, lanes[i]);
    }
    _mm_storeu_si128((__m128i *)(void *)rest, lanes[LANES - 1]);
    return done;
}

#else

int azure_crc64_can_fold(void)
{
    return 0;
}

apr_size_t azure_crc64_fold(unsigned char rest[16], const azure_crc64_t *tables, uint64_t crc,
                            const unsigned char *bytes, apr_size_t length)
{
    (void)rest, (void)tables, (void)crc, (void)bytes, (void)length;
    return 0;
}

#endif
