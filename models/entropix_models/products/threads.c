#include "threads.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* How long a thread looks for work before it sleeps: the time between two products of a layer. */
#define SPIN_NS 50000

/* `ticket`: which product in the upper half, how many of its chunks are not taken in the lower.
   Who takes one by exchanging the whole knows that the product is still the one it read of. */
static _Atomic uint64_t ticket;
static _Atomic uint32_t done, published, sleeping, waiting;
static atomic_flag taken = ATOMIC_FLAG_INIT;
static struct {
    chunk_function *run;
    const void *work;
    uint32_t chunks;
} current;
static int threads = 1, started;

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word, int count)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static inline void pause_a_little(void)
{
#if defined(__x86_64__)
    for (int i = 0; i < 8; i++)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
    for (int i = 0; i < 8; i++)
        __asm__ volatile("isb");
#endif
}

/* Takes chunks until there are none. */
static void take_chunks(bool helper)
{
    uint64_t seen = atomic_load(&ticket);
    while ((uint32_t)seen) {
        if (!atomic_compare_exchange_weak(&ticket, &seen, seen - 1))
            continue;
        const uint32_t chunks = current.chunks;
        current.run(current.work, chunks - (uint32_t)seen);
        if (atomic_fetch_add(&done, 1) + 1 == chunks && helper && atomic_load(&waiting))
            futex_wake(&done, 1);
        seen = atomic_load(&ticket);
    }
}

static void *help(void *unused)
{
    (void)unused;
    for (;;) {
        take_chunks(true);
        const int64_t until = now() + SPIN_NS;
        while (!(uint32_t)atomic_load_explicit(&ticket, memory_order_relaxed) && now() < until)
            pause_a_little();
        const uint32_t seen = atomic_load(&published);
        if ((uint32_t)atomic_load(&ticket))
            continue;
        atomic_fetch_add(&sleeping, 1);
        futex_wait(&published, seen);
        atomic_fetch_sub(&sleeping, 1);
    }
    return NULL;
}

/* Threads that there are; they leave signals to the program's own. */
static void start(void)
{
    sigset_t all, before;
    pthread_attr_t detached;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    for (started = 1; started < threads; started++) {
        pthread_t thread;
        if (pthread_create(&thread, &detached, help, NULL))
            break;
    }
    pthread_attr_destroy(&detached);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void in_chunks(chunk_function *run, const void *work, uint32_t chunks)
{
    if (chunks < 2 || threads < 2 || atomic_flag_test_and_set(&taken)) {
        for (uint32_t chunk = 0; chunk < chunks; chunk++)
            run(work, chunk);
        return;
    }
    if (!started)
        start();
    current.run = run;
    current.work = work;
    current.chunks = chunks;
    atomic_store(&done, 0);
    atomic_store(&ticket, ((atomic_load(&ticket) >> 32) + 1) << 32 | chunks);
    atomic_fetch_add(&published, 1);
    if (atomic_load(&sleeping))
        futex_wake(&published, threads - 1);
    take_chunks(false);
    const int64_t until = now() + SPIN_NS;
    while (atomic_load(&done) != chunks && now() < until)
        pause_a_little();
    atomic_store(&waiting, 1);
    for (uint32_t seen; (seen = atomic_load(&done)) != chunks;)
        futex_wait(&done, seen);
    atomic_store(&waiting, 0);
    atomic_flag_clear(&taken);
}

/* A child has none of its parent's threads. */
static void in_child(void)
{
    atomic_store(&ticket, 0);
    atomic_store(&sleeping, 0);
    atomic_store(&waiting, 0);
    atomic_flag_clear(&taken);
    started = 0;
}

void use_threads(int count)
{
    threads = count;
    pthread_atfork(NULL, NULL, in_child);
}
