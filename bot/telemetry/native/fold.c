/* Records into packed sketches, and two slices into one: bot/telemetry/slices.py says what they are. Trusts its inputs, which are ours. */
#include <stdint.h>
#include <string.h>

#define DIGIT 11
#define RADIX (1u << DIGIT)
#define HEADER 5
#define BUCKETS 2048u

typedef struct { uint32_t second, keys, cells; } part; /* how many keys and how many bytes of cells belong to a second */

static uint64_t order(uint64_t record, uint64_t first) {
    return ((record >> 32) - first) << 27 | (record >> 16 & 0xFFFF) << 11 | (record & 0x7FF);
}

/* Sorts `records` by a radix sort, least significant digit first; `spare` has the same size. */
static void sort(uint64_t *records, uint64_t *spare, uint32_t n) {
    uint64_t first = UINT64_MAX, last = 0;
    uint64_t *original = records;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t second = records[i] >> 32;
        if (second < first) first = second;
        if (second > last) last = second;
    }
    uint64_t top = (last - first) << 27 | 0x7FFFFFF;
    for (unsigned shift = 0; top >> shift; shift += DIGIT) {
        uint32_t starts[RADIX] = {0}, sum = 0;
        for (uint32_t i = 0; i < n; i++) starts[order(records[i], first) >> shift & (RADIX - 1)]++;
        for (uint32_t d = 0; d < RADIX; d++) {
            uint32_t count = starts[d];
            starts[d] = sum;
            sum += count;
        }
        for (uint32_t i = 0; i < n; i++) spare[starts[order(records[i], first) >> shift & (RADIX - 1)]++] = records[i];
        uint64_t *swap = records;
        records = spare;
        spare = swap;
    }
    if (records != original) memcpy(original, records, (size_t)n * sizeof *records);
}

static uint32_t width_of(uint64_t largest) { return largest <= 0xFF ? 1 : largest <= 0xFFFF ? 2 : 4; }

static void put(uint8_t *at, uint32_t width, uint64_t value) {
    if (value > 0xFFFFFFFFu) value = 0xFFFFFFFFu;
    for (uint32_t i = 0; i < width; i++) at[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get(const uint8_t *at, uint32_t width) {
    uint64_t value = 0;
    for (uint32_t i = 0; i < width; i++) value |= (uint64_t)at[i] << 8 * i;
    return value;
}

static void header(uint8_t *at, uint32_t low, uint32_t size, uint32_t width) {
    put(at, 2, low);
    put(at + 2, 2, size);
    at[4] = (uint8_t)width;
}

/* Returns how many records were folded: all, or those that fit into `cells`, at least one key of them when it has 8197 bytes. `parts`,
 * `keys` and `offsets` have room for n. Offsets count from the beginning of each second's cells. */
uint32_t fold_records(uint64_t *records, uint64_t *spare, uint32_t n, part *parts, uint32_t *part_count, uint16_t *keys, uint32_t *offsets,
                      uint8_t *cells, uint32_t capacity) {
    uint32_t at = 0, used = 0, key_count = 0;
    *part_count = 0;
    if (!n) return 0;
    sort(records, spare, n);
    while (at < n) {
        uint64_t group = records[at] >> 16;
        uint32_t end = at, run = 0, largest = 0;
        for (uint64_t last = UINT64_MAX; end < n && records[end] >> 16 == group; end++) {
            run = records[end] == last ? run + 1 : 1;
            last = records[end];
            if (run > largest) largest = run;
        }
        uint32_t low = records[at] & 0x7FF, size = (records[end - 1] & 0x7FF) - low + 1, width = width_of(largest);
        uint32_t bytes = HEADER + size * width, second = (uint32_t)(group >> 16);
        if (bytes > capacity - used) break;
        if (!*part_count || parts[*part_count - 1].second != second) {
            part fresh = {second, 0, 0};
            parts[(*part_count)++] = fresh;
        }
        part *p = &parts[*part_count - 1];
        uint8_t *cell = cells + used;
        header(cell, low, size, width);
        memset(cell + HEADER, 0, size * width);
        for (uint32_t i = at; i < end;) {
            uint32_t same = i;
            while (same < end && records[same] == records[i]) same++;
            put(cell + HEADER + ((records[i] & 0x7FF) - low) * width, width, same - i);
            i = same;
        }
        keys[key_count] = (uint16_t)group;
        offsets[key_count++] = p->cells;
        p->keys++;
        p->cells += bytes;
        used += bytes;
        at = end;
    }
    return at;
}

static uint32_t merge_cells(const uint8_t *a, const uint8_t *b, uint8_t *out) {
    uint64_t sums[BUCKETS];
    uint32_t low_a = (uint32_t)get(a, 2), size_a = (uint32_t)get(a + 2, 2), low_b = (uint32_t)get(b, 2), size_b = (uint32_t)get(b + 2, 2);
    uint32_t low = low_a < low_b ? low_a : low_b, end = low_a + size_a > low_b + size_b ? low_a + size_a : low_b + size_b;
    uint32_t size = end - low;
    uint64_t largest = 0;
    if (end > BUCKETS) return 0;
    memset(sums, 0, size * sizeof *sums);
    for (uint32_t i = 0; i < size_a; i++) sums[low_a - low + i] += get(a + HEADER + i * a[4], a[4]);
    for (uint32_t i = 0; i < size_b; i++) sums[low_b - low + i] += get(b + HEADER + i * b[4], b[4]);
    for (uint32_t i = 0; i < size; i++) if (sums[i] > largest) largest = sums[i];
    uint32_t width = width_of(largest);
    if (out) {
        header(out, low, size, width);
        for (uint32_t i = 0; i < size; i++) put(out + HEADER + i * width, width, sums[i]);
    }
    return HEADER + size * width;
}

static uint32_t cell_size(const uint8_t *cell) { return HEADER + (uint32_t)get(cell + 2, 2) * cell[4]; }

/* Returns the number of keys; `*used` is the size of the cells. With `cells` NULL nothing is written but these two. */
uint32_t merge_slices(const uint16_t *keys_a, const uint32_t *offsets_a, const uint8_t *cells_a, uint32_t n_a, const uint16_t *keys_b,
                      const uint32_t *offsets_b, const uint8_t *cells_b, uint32_t n_b, uint16_t *keys, uint32_t *offsets, uint8_t *cells,
                      uint32_t *used) {
    uint32_t i = 0, k = 0, n = 0, at = 0;
    while (i < n_a || k < n_b) {
        int from_a = k >= n_b || (i < n_a && keys_a[i] <= keys_b[k]), from_b = i >= n_a || (k < n_b && keys_b[k] <= keys_a[i]);
        const uint8_t *a = cells_a + (from_a ? offsets_a[i] : 0), *b = cells_b + (from_b ? offsets_b[k] : 0);
        uint32_t bytes;
        if (cells) {
            keys[n] = from_a ? keys_a[i] : keys_b[k];
            offsets[n] = at;
        }
        if (from_a && from_b) bytes = merge_cells(a, b, cells ? cells + at : NULL);
        else {
            bytes = cell_size(from_a ? a : b);
            if (cells) memcpy(cells + at, from_a ? a : b, bytes);
        }
        at += bytes;
        n++;
        i += (uint32_t)from_a;
        k += (uint32_t)from_b;
    }
    *used = at;
    return n;
}
