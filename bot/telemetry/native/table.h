/* What the kernel has been taught: series keys by service, kind, status and operation; services by the bytes of their resource; the
 * bucket of a duration. Hashes are seeded, probes are counted and sizes are fixed: hostile names can only make themselves unknown. */
#ifndef TABLE_H
#define TABLE_H
#include <stdlib.h>
#include "protobuf.h"

#define VERSION 3
#define SLOTS 32768u       /* of the key table, a power of two */
#define MAX_ENTRIES 24576u /* three quarters of it */
#define PROBES 64u         /* a key further away counts as unknown: a bound on what colliding names can cost */
#define RESOURCES 4096u    /* slots of the resource table */
#define MAX_RESOURCES 2048u
#define TEXT_BYTES 200u    /* limits.NAME_CHARS */
#define CELLS 2432         /* of the bucket look-up: 38 powers of two in 64 parts each */
#define FIRST_EXPONENT 1012 /* 2^-11 ms in IEEE 754's biased form */
#define PHI 0x9E3779B97F4A7C15ull
#define WILDCARD 0xFFFFFFFFu

typedef struct {
    uint64_t hash;
    uint8_t *text; /* NULL: free */
    uint32_t length, service;
    uint16_t index;
    uint8_t kind, status;
} entry;

typedef struct {
    uint64_t hash;
    uint8_t *bytes;
    uint32_t length, service;
    uint16_t slot;
} resource;

typedef struct {
    uint64_t seed;
    const double *bounds;
    int32_t buckets;
    uint32_t entries, resources;
    uint16_t guess[CELLS];
    entry keys[SLOTS];
    resource known[RESOURCES];
} kernel;

static uint64_t mix(uint64_t h, uint64_t value) {
    h = (h ^ value) * PHI;
    return h ^ h >> 29;
}

static uint64_t hash_bytes(uint64_t h, const uint8_t *at, uint32_t length) {
    uint64_t word;
    while (length >= 8) {
        memcpy(&word, at, 8);
        h = mix(h, word);
        at += 8;
        length -= 8;
    }
    word = 0;
    if (length) memcpy(&word, at, length);
    return mix(h, word ^ (uint64_t)length << 56);
}

static uint64_t key_hash(const kernel *k, uint32_t service, uint8_t kind, uint8_t status) {
    return mix(k->seed, (uint64_t)service << 16 | (uint64_t)kind << 8 | status);
}

/* The operation is `a`, or when `b` is there "a b". Written into one piece of at most this size to hash and compare. */
#define OPERATION_BYTES (2 * TEXT_BYTES + 1)

static entry *find_key(kernel *k, uint32_t service, uint8_t kind, uint8_t status, const uint8_t *text, uint32_t length, uint64_t *hash) {
    uint64_t h = key_hash(k, service, kind, status);
    h = length == WILDCARD ? mix(h, length) : hash_bytes(h, text, length);
    *hash = h;
    for (uint32_t probe = 0; probe < PROBES; probe++) {
        entry *e = &k->keys[(h + probe) & (SLOTS - 1)];
        if (!e->text) return e;
        if (e->hash == h && e->length == length && e->service == service && e->kind == kind && e->status == status &&
            (length == WILDCARD || !length || !memcmp(e->text, text, length)))
            return e;
    }
    return NULL;
}

static resource *find_resource(kernel *k, view r, uint64_t *hash) {
    uint64_t h = hash_bytes(k->seed, r.at, size(r));
    *hash = h;
    for (uint32_t probe = 0; probe < PROBES; probe++) {
        resource *e = &k->known[(h + probe) & (RESOURCES - 1)];
        if (!e->bytes || (e->hash == h && e->length == size(r) && !memcmp(e->bytes, r.at, size(r)))) return e;
    }
    return NULL;
}

uint32_t kernel_version(void) { return VERSION; }

static int bisect(const double *bounds, int n, double value) {
    int low = 0, high = n;
    while (low < high) {
        int middle = (low + high) / 2;
        if (bounds[middle] < value) low = middle + 1;
        else high = middle;
    }
    return low;
}

kernel *kernel_new(uint64_t seed, const double *bounds, int32_t buckets) {
    kernel *k = calloc(1, sizeof *k);
    if (!k) return NULL;
    k->seed = seed;
    k->bounds = bounds;
    k->buckets = buckets;
    for (uint64_t cell = 0; cell < CELLS; cell++) {
        uint64_t bits = ((uint64_t)FIRST_EXPONENT << 6 | 0) + cell;
        double edge;
        bits <<= 46;
        memcpy(&edge, &bits, 8);
        k->guess[cell] = (uint16_t)bisect(bounds, buckets, edge);
    }
    return k;
}

void kernel_clear(kernel *k) {
    for (uint32_t i = 0; i < SLOTS; i++) free(k->keys[i].text);
    for (uint32_t i = 0; i < RESOURCES; i++) free(k->known[i].bytes);
    memset(k->keys, 0, sizeof k->keys);
    memset(k->known, 0, sizeof k->known);
    k->entries = k->resources = 0;
}

void kernel_free(kernel *k) {
    kernel_clear(k);
    free(k);
}

static uint8_t *copy(const uint8_t *bytes, uint32_t length) {
    uint8_t *own = malloc(length + 1u);
    if (own && length) memcpy(own, bytes, length);
    return own;
}

/* 1 when it is known now, 0 when there is no room. `length` WILDCARD: all operations of the service that are not known. */
int kernel_learn_key(kernel *k, uint32_t service, uint8_t kind, uint8_t status, const uint8_t *text, uint32_t length, uint16_t index) {
    uint64_t h;
    if (length != WILDCARD && length > OPERATION_BYTES) return 0;
    entry *e = find_key(k, service, kind, status, text, length, &h);
    if (!e) return 0;
    if (!e->text) {
        if (k->entries >= MAX_ENTRIES) return 0;
        e->text = copy(text, length == WILDCARD ? 0 : length);
        if (!e->text) return 0;
        k->entries++;
        e->hash = h;
        e->length = length;
        e->service = service;
        e->kind = kind;
        e->status = status;
    }
    e->index = index;
    return 1;
}

/* `service` 0: it names none. `slot`: how the caller calls it. */
int kernel_learn_resource(kernel *k, const uint8_t *bytes, uint32_t length, uint32_t service, uint16_t slot) {
    uint64_t h;
    view r = {bytes, bytes + length};
    resource *e = find_resource(k, r, &h);
    if (!e) return 0;
    if (!e->bytes) {
        if (k->resources >= MAX_RESOURCES) return 0;
        e->bytes = copy(bytes, length);
        if (!e->bytes) return 0;
        k->resources++;
        e->hash = h;
        e->length = length;
    }
    e->service = service;
    e->slot = slot;
    return 1;
}

#endif
