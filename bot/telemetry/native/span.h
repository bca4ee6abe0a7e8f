/* The fields of one span that say where it counts (opentelemetry-proto 1.x, trace/v1/trace.proto). What is not as exporters write it, such
 * as a status code sent as text, is not read here: 0 is returned, and a whole decoder has to say. */
#ifndef SPAN_H
#define SPAN_H
#include "protobuf.h"

typedef struct {
    view trace, id, parent, name, old_method, method, route;
    uint64_t start, end;
    int64_t old_code, code;
    int32_t kind, status;
    uint8_t has_old_method, has_method, has_route, has_old_code, has_code;
} span;

static inline int text_value(view value, view *out, uint8_t *has) {
    uint32_t t;
    if (!tag(&value, &t) || t != 0x0A || !block(&value, out) || value.at != value.end) return 0;
    *has = 1;
    return 1;
}

static inline int int_value(view value, int64_t *out, uint8_t *has) {
    uint32_t t;
    uint64_t number;
    if (!tag(&value, &t) || t != 0x18 || !varint(&value, &number) || value.at != value.end) return 0;
    *out = (int64_t)number;
    *has = 1;
    return 1;
}

#define IS(literal) (!memcmp(key, literal, sizeof literal - 1))

static inline int attribute(view a, span *s) {
    view value;
    if (size(a) < 4 || a.at[0] != 0x0A || a.at[1] >= 0x80) return 0;
    uint32_t length = a.at[1];
    const uint8_t *key = a.at + 2;
    if (length + 3 > size(a)) return 0;
    a.at += 2 + length;
    if (*a.at++ != 0x12 || !block(&a, &value) || a.at != a.end) return 0;
    switch (length) {
    case 10: return IS("http.route") ? text_value(value, &s->route, &s->has_route) : 1;
    case 11: return IS("http.method") ? text_value(value, &s->old_method, &s->has_old_method) : 1;
    case 16: return IS("http.status_code") ? int_value(value, &s->old_code, &s->has_old_code) : 1;
    case 19: return IS("http.request.method") ? text_value(value, &s->method, &s->has_method) : 1;
    case 25: return IS("http.response.status_code") ? int_value(value, &s->code, &s->has_code) : 1;
    default: return 1;
    }
}

static inline int status_message(view v, span *s) {
    uint32_t t;
    uint64_t number;
    while (v.at < v.end) {
        if (!tag(&v, &t)) return 0;
        if (t == 0x18) {
            if (!varint(&v, &number)) return 0;
            s->status = (int32_t)(uint32_t)number;
        } else if (!skip(&v, t)) return 0;
    }
    return 1;
}

static inline int read_span(view v, span *s) {
    uint32_t t;
    uint64_t number;
    view inner;
    while (v.at < v.end) {
        if (!tag(&v, &t)) return 0;
        switch (t) {
        case 0x0A: if (!block(&v, &s->trace)) return 0; break;
        case 0x12: if (!block(&v, &s->id)) return 0; break;
        case 0x22: if (!block(&v, &s->parent)) return 0; break;
        case 0x2A: if (!block(&v, &s->name)) return 0; break;
        case 0x30: if (!varint(&v, &number)) return 0; s->kind = (int32_t)(uint32_t)number; break;
        case 0x39: if (!fixed64(&v, &s->start)) return 0; break;
        case 0x41: if (!fixed64(&v, &s->end)) return 0; break;
        case 0x4A: if (!block(&v, &inner) || !attribute(inner, s)) return 0; break;
        case 0x7A: if (!block(&v, &inner) || !status_message(inner, s)) return 0; break;
        default: if (!skip(&v, t)) return 0;
        }
    }
    return 1;
}

#endif
