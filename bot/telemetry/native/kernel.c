/* One pass over an OTLP ExportTraceServiceRequest in protobuf, and the folding of its records into sketches.
 *
 * Optional: kernel.py loads it when it was built; without it bot/telemetry/reader.py does the same in Python. What is not plain here
 * (unusual types, malformed bytes, text that is no ASCII, a key not seen before) is not decided here: the span, or the whole request, is
 * handed back to be read in Python, so both ways give the same results by construction. Nothing outside the given buffers is read or
 * written, whatever the bytes are. Layouts: the ctypes structures of layout.py.
 */
#include "span.h"
#include "table.h"

enum { OK = 0, ODD = 1, UNKNOWN_RESOURCES = 2, NO_PLAIN_GZIP = 3, ONLY_COUNTS = 4 };
enum { NO_SERVICE, BAD_ID, BAD_PARENT, NEGATIVE, START_OFF, END_OFF, TOO_MANY, TOO_LARGE, REASONS };
enum { WHOLE_TRACE = 1, FORCED = 2 };
enum { MOST_BEYOND = 1000000 }; /* spans too many, after which a request is no longer worth counting: Python refuses it */

typedef struct { uint32_t ordinal, offset, length; uint16_t note, flags; } pick;
typedef struct { uint32_t ordinal; uint16_t key, note; double start_s, end_s; } row;
typedef struct { uint64_t slot, servers, first_start, last_start, last_server_end; } note;
typedef struct { uint64_t spans, notes, shed, fingerprint; } tally;

/* libdeflate_gzip_decompress_ex of libdeflate.h; 0 is success. */
typedef int (*gunzip)(void *decompressor, const void *in, size_t in_bytes, void *out, size_t out_bytes, size_t *read, size_t *written);

typedef struct {
    double behind_s, ahead_s;
    uint64_t share;
    uint32_t max_spans, max_notes, max_forced, max_span_bytes;
    const uint64_t *slow_ns;
    const uint8_t *watched;
    uint64_t *records;
    row *rows;
    pick *picks;
    pick *misses;
    note *notes;
    tally *told;
    gunzip inflate;
    void *decompressor;
    uint8_t *room;
    uint32_t room_bytes, inflated_bytes;
    uint32_t row_count, pick_count, miss_count;
    uint32_t dropped[REASONS];
    double start_min_s, start_max_s, end_max_s;
} job;

static int zero(const uint8_t *at, uint32_t length) {
    uint8_t any = 0;
    for (uint32_t i = 0; i < length; i++) any |= at[i];
    return !any;
}

static uint64_t big_endian(const uint8_t *at) {
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) value = value << 8 | at[i];
    return value;
}

static int refusal(const job *j, const span *s, uint32_t service) {
    double start_s = (double)s->start / 1e9, end_s = (double)s->end / 1e9;
    if (!service) return NO_SERVICE;
    if (size(s->trace) != 16 || zero(s->trace.at, 16) || size(s->id) != 8 || zero(s->id.at, 8)) return BAD_ID;
    if (size(s->parent) != 0 && size(s->parent) != 8) return BAD_PARENT;
    if (s->end < s->start) return NEGATIVE;
    if (!(j->start_min_s <= start_s && start_s <= j->start_max_s)) return START_OFF;
    if (end_s > j->end_max_s) return END_OFF;
    return -1;
}

static int plain(const uint8_t *at, uint32_t length) {
    uint8_t odd = 0;
    for (uint32_t i = 0; i < length; i++) odd |= at[i] < 0x20 || at[i] > 0x7E;
    return !odd;
}

static uint32_t bucket_of(const kernel *k, uint64_t duration_ns) {
    double value = (double)duration_ns / 1e6;
    uint64_t bits;
    memcpy(&bits, &value, 8);
    int64_t cell = (int64_t)(bits >> 46) - ((int64_t)FIRST_EXPONENT << 6);
    if (cell < 0) return 0;
    if (cell >= CELLS) return (uint32_t)k->buckets - 1;
    int32_t i = k->guess[cell];
    while (i < k->buckets && k->bounds[i] < value) i++;
    return (uint32_t)(i < k->buckets ? i : k->buckets - 1);
}

/* The key of a span, or -1 when a whole decoder has to say. */
static int32_t key_of(kernel *k, const span *s, uint32_t service, uint8_t kind, uint8_t status) {
    uint8_t buffer[OPERATION_BYTES];
    const view *method = s->has_method ? &s->method : &s->old_method;
    int has_method = s->has_method || s->has_old_method;
    const uint8_t *text = s->name.at;
    uint32_t length = size(s->name);
    int cut = length > TEXT_BYTES;
    if (kind == 2 && has_method && s->has_route && size(*method) && size(s->route)) {
        uint32_t m = size(*method), r = size(s->route);
        if (m > TEXT_BYTES || r > TEXT_BYTES) return -1;
        memcpy(buffer, method->at, m);
        buffer[m] = ' ';
        memcpy(buffer + m + 1, s->route.at, r);
        text = buffer;
        length = m + 1 + r;
        cut = 0;
    }
    if (length > OPERATION_BYTES) return -1;
    uint64_t hash;
    entry *e = find_key(k, service, kind, status, text, length, &hash);
    if (e && e->text) return e->index;
    if (cut || !plain(text, length)) return -1;
    e = find_key(k, service, kind, status, NULL, WILDCARD, &hash);
    return e && e->text ? e->index : -1;
}

static void take(kernel *k, job *j, view raw, const uint8_t *body, uint32_t service, uint32_t n) {
    span s;
    note *about = &j->notes[n];
    memset(&s, 0, sizeof s);
    if (j->told->spans + j->dropped[NO_SERVICE] + j->dropped[BAD_ID] + j->dropped[BAD_PARENT] + j->dropped[NEGATIVE] + j->dropped[START_OFF] +
            j->dropped[END_OFF] + j->dropped[TOO_LARGE] >= j->max_spans) {
        j->dropped[TOO_MANY]++;
        return;
    }
    if (size(raw) > j->max_span_bytes) {
        j->dropped[TOO_LARGE]++;
        return;
    }
    pick here = {(uint32_t)j->told->spans, (uint32_t)(raw.at - body), size(raw), (uint16_t)n, 0};
    int32_t key = -1;
    uint8_t kind = 0, status = 0;
    if (read_span(raw, &s)) {
        int reason = refusal(j, &s, service);
        if (reason >= 0) {
            j->dropped[reason]++;
            return;
        }
        int64_t code = s.has_code ? s.code : s.has_old_code ? s.old_code : 0;
        if (code < 0 || code > 599) code = 0;
        kind = s.kind >= 2 && s.kind <= 5 ? (uint8_t)s.kind : 1;
        status = s.status == 2 || code >= 500 ? 2 : kind == 2 && code >= 400 ? 1 : 0;
        key = key_of(k, &s, service, kind, status);
        j->told->fingerprint += mix(mix(k->seed, big_endian(s.trace.at + 8)), big_endian(s.id.at));
    } else {
        j->told->fingerprint += hash_bytes(k->seed, raw.at, size(raw));
    }
    if (key < 0) {
        j->records[j->told->spans++] = UINT64_MAX;
        j->misses[j->miss_count++] = here;
        return;
    }
    uint64_t duration = s.end - s.start;
    j->records[j->told->spans++] = s.end / 1000000000u << 32 | (uint64_t)key << 16 | bucket_of(k, duration);
    if (kind == 2) {
        if (!about->servers++ || s.start < about->first_start) about->first_start = s.start;
        if (s.start > about->last_start) about->last_start = s.start;
        if (s.end > about->last_server_end) about->last_server_end = s.end;
    }
    if (j->watched[key] && kind == 2) {
        row r = {here.ordinal, (uint16_t)key, (uint16_t)n, (double)s.start / 1e9, (double)s.end / 1e9};
        j->rows[j->row_count++] = r;
    }
    if (big_endian(s.trace.at + 8) * PHI <= j->share) here.flags = WHOLE_TRACE;
    else if (status == 2 || duration > j->slow_ns[key]) {
        if (j->max_forced) {
            j->max_forced--;
            here.flags = FORCED;
        } else j->told->shed++;
    }
    if (here.flags) j->picks[j->pick_count++] = here;
}

/* The resource of a ResourceSpans: the only one, or an empty one. */
static int resource_of(view v, view *out) {
    uint32_t t;
    int found = 0;
    out->at = out->end = v.at;
    while (v.at < v.end) {
        if (!tag(&v, &t)) return 0;
        if (t == 0x0A) {
            if (found++ || !block(&v, out)) return 0;
        } else if (!skip(&v, t)) return 0;
    }
    return 1;
}

static int each_span(kernel *k, job *j, view v, const uint8_t *body, uint32_t service, uint32_t n) {
    uint32_t t, t2;
    view scope, raw;
    while (v.at < v.end) {
        if (!tag(&v, &t)) return 0;
        if (t != 0x12) {
            if (!skip(&v, t)) return 0;
            continue;
        }
        if (!block(&v, &scope)) return 0;
        while (scope.at < scope.end) {
            if (!tag(&scope, &t2)) return 0;
            if (t2 != 0x12) {
                if (!skip(&scope, t2)) return 0;
            } else {
                if (!block(&scope, &raw)) return 0;
                take(k, j, raw, body, service, n);
                if (j->dropped[TOO_MANY] > MOST_BEYOND) return 0;
            }
        }
    }
    return 1;
}

static int has_more(const job *j) {
    uint32_t more = j->row_count | j->pick_count | j->miss_count;
    for (int i = 0; i < REASONS; i++) more |= j->dropped[i];
    return more != 0;
}

/* OK: the job's outputs are filled. ONLY_COUNTS: the same, and there are no rows, picks or misses, and nothing was dropped. ODD: nothing
 * of them counts, a whole decoder has to read the request. UNKNOWN_RESOURCES: `misses` holds offset and length of each; call again when
 * they are learnt. Buffers: max_spans of each kind, max_notes notes. */
int kernel_read(kernel *k, job *j, const uint8_t *body, uint32_t length, double now_s) {
    view v = {body, body + length}, group, about;
    uint32_t t, n = 0, unknown = 0;
    uint64_t hash;
    memset(j->told, 0, sizeof *j->told);
    memset(j->dropped, 0, sizeof j->dropped);
    j->row_count = j->pick_count = j->miss_count = 0;
    j->start_min_s = now_s - j->behind_s;
    j->start_max_s = j->end_max_s = now_s + j->ahead_s;
    while (v.at < v.end) {
        if (!tag(&v, &t)) return ODD;
        if (t != 0x0A) {
            if (!skip(&v, t)) return ODD;
            continue;
        }
        if (!block(&v, &group) || !resource_of(group, &about) || n++ >= j->max_notes) return ODD;
        resource *r = find_resource(k, about, &hash);
        if (!r) return ODD;
        if (!r->bytes) {
            pick p = {0, (uint32_t)(about.at - body), size(about), 0, 0};
            j->misses[unknown++] = p;
            if (unknown >= j->max_spans) return ODD;
        }
    }
    j->miss_count = unknown;
    if (unknown) return UNKNOWN_RESOURCES;
    v.at = body;
    while (v.at < v.end) {
        if (!tag(&v, &t)) return ODD;
        if (t != 0x0A) {
            if (!skip(&v, t)) return ODD;
            continue;
        }
        if (!block(&v, &group) || !resource_of(group, &about)) return ODD;
        resource *r = find_resource(k, about, &hash);
        if (!r || !r->bytes) return ODD;
        note *m = &j->notes[j->told->notes];
        memset(m, 0, sizeof *m);
        m->slot = r->slot;
        if (!each_span(k, j, group, body, r->service, (uint32_t)j->told->notes++)) return ODD;
    }
    return has_more(j) ? OK : ONLY_COUNTS;
}

/* As kernel_read, of what a gzip body (RFC 1952) holds: one member without optional fields in its header, whole and with nothing behind
 * it, whose content finds room. Anything else is NO_PLAIN_GZIP, and not looked at any further here. */
int kernel_read_gzip(kernel *k, job *j, const uint8_t *body, uint32_t length, double now_s) {
    size_t read = 0, written = 0;
    if (!j->inflate || length < 18 || memcmp(body, "\x1F\x8B\x08\x00", 4)) return NO_PLAIN_GZIP;
    if (j->inflate(j->decompressor, body, length, j->room, j->room_bytes, &read, &written) || read != length) return NO_PLAIN_GZIP;
    j->inflated_bytes = (uint32_t)written;
    return kernel_read(k, j, j->room, j->inflated_bytes, now_s);
}
