/* Matrix products of a few rows at the speed of memory, and larger ones by the threads below.

   `entropix_sgemm` has cblas_sgemm's signature and stands in its place. A product of up to 64 rows
   with a transposed matrix, which is what a layer does with one token or a few, reads each weight
   from memory once for all rows. Everything else is cut into columns and given to another sgemm, which
   must use one thread.

   How a sum is made depends on nothing but its own row and column of operands: eight lanes over k,
   each in the order of k, then a fixed tree. So a row among others is bit-equal to the row alone,
   and neither threads nor their haste change a bit. */

#include "threads.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PUBLIC __attribute__((visibility("default")))
#define INLINE static inline __attribute__((always_inline))

enum { ROW_MAJOR = 101, PLAIN = 111, TRANSPOSED = 112 };

enum {
    MOST = 64,            /* rows of input, else it is a product like any other */
    ROWS = 8,             /* of them at a time */
    LANES = 8,            /* of a sum */
    TALL = 3,             /* rows of weights at a time: with 4 of input all of 16 registers */
    SPAN = 128,           /* steps of 8 along k whose weights stay in the first-level cache */
    LINE = 16,            /* floats that come from memory together */
    AHEAD = 2048,         /* floats between what is read and what is asked for */
    LONG = 4096,          /* k from which one row alone has its input read too often */
    CHUNK_BYTES = 256 << 10, /* of weights for a thread: time for many, and not many too long */
    ALONE_BYTES = 128 << 10, /* not worth a second thread */
    CHUNK_WORK = 32 << 20,   /* multiplications of a larger product for a thread */
};

typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4)));

/* Between tiles sums are in memory: kept in registers they would not fit. */
#define IN_MEMORY(sums) __asm__ volatile("" : : "r"(sums) : "memory")

typedef void gemm(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
                  const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);

/* One product: arguments of cblas_sgemm, and how it is cut into chunks of columns. */
typedef struct product {
    void (*columns)(const struct product *, long first, long last);
    int order, transpose_a, transpose_b, m, n, k, lda, ldb, ldc;
    float alpha, beta;
    const float *a, *b, *packed;
    float *c;
    long width;
} product;

static gemm *general;

INLINE long padded(int k) { return (k + LANES - 1L) / LANES * LANES; }

/* ------------------------------------------------------------------ sums of a few rows */

/* Adds a span of k to the sums of `r` rows of weights with `c` of the `m` rows of input; r, c and
   `ahead` are constants where this is inlined. `x` is packed: [k / 8][m][8]. Memory is read in
   time only by the order in which it lies: `next` is as much of it as this reads, further on. */
INLINE void tile(const int r, const int c, const bool ahead, lanes *sums, const float *w, long ldw,
                 const float *next, const float *x, int m, int steps)
{
    lanes sum[TALL][ROWS];
#pragma GCC unroll 8
    for (int i = 0; i < r; i++)
#pragma GCC unroll 8
        for (int j = 0; j < c; j++)
            sum[i][j] = sums[i * ROWS + j];
    for (int step = 0; step < steps; step += 2) {
        if (ahead)
#pragma GCC unroll 8
            for (int i = 0; i < r; i++, next += LINE)
                __builtin_prefetch(next, 0, 2);
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++, w += LANES, x += m * LANES) {
            lanes weight[TALL];
#pragma GCC unroll 8
            for (int i = 0; i < r; i++)
                weight[i] = *(const lanes *)(w + i * ldw);
#pragma GCC unroll 8
            for (int j = 0; j < c; j++) {
                const lanes value = *(const lanes *)(x + j * LANES);
#pragma GCC unroll 8
                for (int i = 0; i < r; i++)
                    sum[i][j] += weight[i] * value;
            }
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < r; i++)
#pragma GCC unroll 8
        for (int j = 0; j < c; j++)
            sums[i * ROWS + j] = sum[i][j];
}

/* A span for all rows of input, as many at a time as there are registers for. */
INLINE void span(const int r, const int widest, lanes *sums, const float *w, long ldw,
                 const float *next, const float *x, int m, int steps)
{
    IN_MEMORY(sums);
    if (widest == 8 && m > 4) {
        switch (m) {
        case 5: tile(r, 5, true, sums, w, ldw, next, x, m, steps); return;
        case 6: tile(r, 6, true, sums, w, ldw, next, x, m, steps); return;
        case 7: tile(r, 7, true, sums, w, ldw, next, x, m, steps); return;
        default: tile(r, 8, true, sums, w, ldw, next, x, m, steps); return;
        }
    }
    if (r == 1 && widest == 1) { /* read as it lies, which a processor foresees by itself */
        tile(1, 1, false, sums, w, ldw, next, x, 1, steps);
        return;
    }
    switch (m < 4 ? m : 4) {
    case 1: tile(r, 1, true, sums, w, ldw, next, x, m, steps); break;
    case 2: tile(r, 2, true, sums, w, ldw, next, x, m, steps); break;
    case 3: tile(r, 3, true, sums, w, ldw, next, x, m, steps); break;
    default: tile(r, 4, true, sums, w, ldw, next, x, m, steps); break;
    }
    IN_MEMORY(sums);
    switch (m - 4) {
    case 1: tile(r, 1, false, sums + 4, w, ldw, next, x + 4 * LANES, m, steps); break;
    case 2: tile(r, 2, false, sums + 4, w, ldw, next, x + 4 * LANES, m, steps); break;
    case 3: tile(r, 3, false, sums + 4, w, ldw, next, x + 4 * LANES, m, steps); break;
    case 4: tile(r, 4, false, sums + 4, w, ldw, next, x + 4 * LANES, m, steps); break;
    }
}

INLINE float total(lanes v)
{
    return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

/* `r` rows of weights, in spans of k that stay in the first-level cache; they end at `end`. */
INLINE void rows(const int r, const int widest, const product *p, long first, const float *end)
{
    const int m = p->m, whole = p->k / (2 * LANES) * 2;
    const float *w = p->b + first * p->ldb;
    const float *next = w + r * (long)p->ldb + AHEAD;
    lanes sums[TALL * ROWS];
    for (int i = 0; i < r; i++)
        for (int j = 0; j < m; j++)
            sums[i * ROWS + j] = (lanes){0};
    if (next + r * (long)p->ldb > end)
        next = w;
    for (int begin = 0; begin < whole; begin += SPAN) {
        const int steps = whole - begin < SPAN ? whole - begin : SPAN;
        span(r, widest, sums, w + begin * LANES, p->ldb, next + r * begin * LANES,
             p->packed + (long)begin * m * LANES, m, steps);
    }
    for (int begin = whole * LANES; begin < p->k; begin += LANES) {
        const int count = p->k - begin < LANES ? p->k - begin : LANES;
        for (int i = 0; i < r; i++) {
            lanes weight = {0};
            memcpy(&weight, w + i * (long)p->ldb + begin, sizeof(float) * (size_t)count);
            for (int j = 0; j < m; j++)
                sums[i * ROWS + j] +=
                    weight * *(const lanes *)(p->packed + (long)begin * m + j * LANES);
        }
    }
    for (int j = 0; j < m; j++) {
        float *out = p->c + j * (long)p->ldc + first;
        for (int i = 0; i < r; i++)
            out[i] = p->beta == 0 ? total(sums[i * ROWS + j])
                                  : total(sums[i * ROWS + j]) + p->beta * out[i];
    }
}

INLINE void all_rows(const int widest, const product *p, long first, long last)
{
    const float *end = p->b + (last - 1) * p->ldb + p->k;
    if (p->m == 1 && p->k <= LONG)
        for (; first < last; first++)
            rows(1, 1, p, first, end);
    for (; first + TALL <= last; first += TALL)
        rows(TALL, widest, p, first, end);
    for (; first < last; first++)
        rows(1, widest, p, first, end);
}

/* Rows of input by the eight; for the next eight a chunk's weights are in the second-level cache. */
INLINE void blocks(const int widest, const product *p, long first, long last)
{
    product block = *p;
    for (int j = 0; j < p->m; j += ROWS) {
        block.m = p->m - j < ROWS ? p->m - j : ROWS;
        block.packed = p->packed + j * padded(p->k);
        block.c = p->c + j * (long)p->ldc;
        all_rows(widest, &block, first, last);
    }
}

static void plain(const product *p, long first, long last) { blocks(4, p, first, last); }

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void avx2(const product *p, long first, long last)
{
    blocks(4, p, first, last);
}

/* The same eight lanes, in 32 registers. */
__attribute__((target("avx2,fma,avx512f,avx512vl"))) static void avx512(const product *p,
                                                                        long first, long last)
{
    blocks(8, p, first, last);
}
#endif

static void (*few)(const product *, long, long) = plain;

/* What x[m][k] is packed into, each eight rows apart: [k / 8][m][8], with zeros at the end; the
   thread's own memory. */
static pthread_key_t packed_key;

static void pack(float *to, const product *p)
{
    const long row = p->transpose_a == TRANSPOSED ? 1 : p->lda;
    const long column = p->transpose_a == TRANSPOSED ? p->lda : 1;
    for (int j = 0; j < p->m; j++) {
        const int above = j / ROWS * ROWS, left = p->m - above, m = left < ROWS ? left : ROWS;
        const float *from = p->a + j * row;
        float *at = to + above * padded(p->k) + (j - above) * LANES;
        for (int k = 0; k < p->k; k += LANES, at += m * LANES) {
            const int count = p->k - k < LANES ? p->k - k : LANES;
            if (column == 1 && count == LANES) {
                memcpy(at, from + k, sizeof(lanes));
                continue;
            }
            memset(at, 0, sizeof(lanes));
            for (int i = 0; i < count; i++)
                at[i] = from[(k + i) * column];
        }
    }
}

static float *room(size_t floats)
{
    typedef struct { size_t size; _Alignas(64) float floats[]; } buffer;
    buffer *kept = pthread_getspecific(packed_key);
    if (!kept || kept->size < floats) {
        free(kept);
        kept = NULL;
        if (posix_memalign((void **)&kept, 64, sizeof *kept + sizeof(float) * floats) == 0)
            kept->size = floats;
        else
            kept = NULL;
        pthread_setspecific(packed_key, kept);
    }
    return kept ? kept->floats : NULL;
}

/* ------------------------------------------------------------------ products */

static void by_general(const product *p, long first, long last)
{
    general(p->order, p->transpose_a, p->transpose_b, p->m, (int)(last - first), p->k, p->alpha,
            p->a, p->lda, p->b + (p->transpose_b == TRANSPOSED ? first * p->ldb : first), p->ldb,
            p->beta, p->c + first, p->ldc);
}

static void run(const void *work, uint32_t chunk)
{
    const product *p = work;
    const long first = chunk * p->width, last = first + p->width;
    p->columns(p, first, last < p->n ? last : p->n);
}

static void all_columns(const product *p)
{
    in_chunks(run, p, (uint32_t)((p->n + p->width - 1) / p->width));
}

PUBLIC void entropix_sgemm(int order, int transpose_a, int transpose_b, int m, int n, int k,
                           float alpha, const float *a, int lda, const float *b, int ldb,
                           float beta, float *c, int ldc)
{
    product p = {.columns = by_general, .order = order, .transpose_a = transpose_a,
                 .transpose_b = transpose_b, .m = m, .n = n, .k = k, .lda = lda, .ldb = ldb,
                 .ldc = ldc, .alpha = alpha, .beta = beta, .a = a, .b = b, .c = c};
    if (order != ROW_MAJOR || m <= 0 || n <= 0 || k <= 0) {
        general(order, transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
        return;
    }
    if (m <= MOST && transpose_b == TRANSPOSED && alpha == 1) {
        p.packed = a;
        if (m > 1 || k % LANES || transpose_a == TRANSPOSED) {
            float *packed = room((size_t)(m * padded(k)));
            if (packed)
                pack(packed, &p);
            p.packed = packed;
        }
        if (p.packed) {
            const long tall_bytes = 4L * TALL * k;
            p.columns = few;
            p.width = TALL * ((CHUNK_BYTES + tall_bytes - 1) / tall_bytes);
            if (4L * n * k <= ALONE_BYTES)
                p.width = n;
            all_columns(&p);
            return;
        }
    }
    const long width = CHUNK_WORK / ((long)m * k);
    p.width = width < 128 ? 128 : width / 64 * 64;
    all_columns(&p);
}

/* Once: the sgemm for everything else, which must use one thread; how many threads to use; and
   which kernel, if the processor has it: 0 plain, 1 AVX2, 2 AVX-512. */
PUBLIC void entropix_use(gemm *other, int threads, int kernel)
{
    general = other;
    pthread_key_create(&packed_key, free);
    use_threads(threads);
#if defined(__x86_64__)
    few = kernel == 2 ? avx512 : kernel == 1 ? avx2 : plain;
#else
    (void)kernel;
#endif
}
