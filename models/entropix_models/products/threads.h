/* Work in chunks, taken by whichever thread is free: one that has to give up its core to another
   program holds up no more than its chunk. */

#ifndef THREADS_H
#define THREADS_H

#include <stdint.h>

typedef void chunk_function(const void *work, uint32_t chunk);

/* Has `run` done each chunk once, the calling thread taking part; returns when all are done. A
   second caller at the same time does all of its own alone. */
void in_chunks(chunk_function *run, const void *work, uint32_t chunks);

/* Once: how many threads, the caller's included. They are started by the first work, and in a
   forked child by the child's first. */
void use_threads(int count);

#endif
