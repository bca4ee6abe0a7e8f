/* Walking protobuf's wire format (https://protobuf.dev/programming-guides/encoding/). Every function returns 0 when the bytes end early or
 * are malformed, and reads nothing outside the view. */
#ifndef PROTOBUF_H
#define PROTOBUF_H
#include <stdint.h>
#include <string.h>

typedef struct { const uint8_t *at, *end; } view;

static inline int varint(view *v, uint64_t *out) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (v->at >= v->end) return 0;
        uint8_t byte = *v->at++;
        if (shift == 63 && byte > 1) return 0;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) { *out = value; return 1; }
    }
    return 0;
}

static inline int tag(view *v, uint32_t *out) {
    uint64_t value;
    if (v->at < v->end && *v->at < 0x80) value = *v->at++;
    else if (!varint(v, &value)) return 0;
    if (value > 0xFFFFFFFFull || value < 8) return 0;
    *out = (uint32_t)value;
    return 1;
}

static inline int block(view *v, view *out) {
    uint64_t length;
    if (v->at < v->end && *v->at < 0x80) length = *v->at++;
    else if (!varint(v, &length)) return 0;
    if (length > (uint64_t)(v->end - v->at)) return 0;
    out->at = v->at;
    out->end = v->at += length;
    return 1;
}

static inline int skip(view *v, uint32_t tag_) {
    uint64_t ignored;
    view inner;
    switch (tag_ & 7) {
    case 0: return varint(v, &ignored);
    case 1: if (v->end - v->at < 8) return 0; v->at += 8; return 1;
    case 2: return block(v, &inner);
    case 5: if (v->end - v->at < 4) return 0; v->at += 4; return 1;
    default: return 0; /* groups: left to a whole decoder */
    }
}

static inline int fixed64(view *v, uint64_t *out) {
    if (v->end - v->at < 8) return 0;
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--) value = value << 8 | v->at[i];
    v->at += 8;
    *out = value;
    return 1;
}

static inline uint32_t size(view v) { return (uint32_t)(v.end - v.at); }

#endif
