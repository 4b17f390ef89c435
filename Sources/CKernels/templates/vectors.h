#ifndef SEQTRAIN_VECTORS_H
#define SEQTRAIN_VECTORS_H

// Vectors of 16 floats and what the kernels compute with them. The compiler cuts them to the registers of the
// instruction set it compiles for: one of AVX-512, two of AVX2, four of SSE or NEON. Every element of a
// vector goes through the same operations, so a number's bits do not depend on its place in a row.

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Vectors never pass a real call: every function that takes them is inlined.
#pragma clang diagnostic ignored "-Wpsabi"

#define INLINE static inline __attribute__((always_inline, unused))

enum { WIDTH = 16 };

typedef float floats __attribute__((ext_vector_type(16)));
typedef float floats8 __attribute__((ext_vector_type(8)));
typedef float floats4 __attribute__((ext_vector_type(4)));
typedef float floats2 __attribute__((ext_vector_type(2)));
typedef double doubles __attribute__((ext_vector_type(8)));
typedef uint32_t words __attribute__((ext_vector_type(16)));
typedef int32_t integers __attribute__((ext_vector_type(16)));
typedef uint64_t long_words __attribute__((ext_vector_type(8)));
typedef uint16_t halves __attribute__((ext_vector_type(16)));

INLINE words as_words(floats x) { return (words)x; }
INLINE floats as_floats(words x) { return (floats)x; }

INLINE floats load(const float *p) {
  floats v;
  memcpy(&v, p, sizeof v);
  return v;
}

INLINE void store(float *p, floats v) { memcpy(p, &v, sizeof v); }

// A part of a vector: its first elements, as many as there are left in a row. Absent elements are loaded as
// zero.

#if ST_AVX512

typedef __mmask16 part;

INLINE part part_of(long left) { return left >= WIDTH ? (part)0xffff : (part)((1u << left) - 1); }
INLINE floats load_part(const float *p, part n) { return (floats)_mm512_maskz_loadu_ps(n, p); }
INLINE void store_part(float *p, floats v, part n) { _mm512_mask_storeu_ps(p, n, (__m512)v); }

/// The elements that `n` leaves out are set to `value`.
INLINE floats fill_absent(floats v, part n, float value) {
  return (floats)_mm512_mask_mov_ps(_mm512_set1_ps(value), n, (__m512)v);
}

#else

typedef long part;

INLINE part part_of(long left) { return left < WIDTH ? left : WIDTH; }

INLINE floats load_part(const float *p, part n) {
  if (n == WIDTH) return load(p);
  float whole[WIDTH] = {0};
  for (long i = 0; i < n; i++) whole[i] = p[i];
  return load(whole);
}

INLINE void store_part(float *p, floats v, part n) {
  if (n == WIDTH) {
    store(p, v);
    return;
  }
  float whole[WIDTH];
  store(whole, v);
  for (long i = 0; i < n; i++) p[i] = whole[i];
}

/// The elements that `n` leaves out are set to `value`.
INLINE floats fill_absent(floats v, part n, float value) {
  if (n == WIDTH) return v;
  float whole[WIDTH];
  store(whole, v);
  for (long i = n; i < WIDTH; i++) whole[i] = value;
  return load(whole);
}

#endif

/// The sum of all elements, in a fixed order of pairs.
INLINE float sum_of(floats v) {
  floats8 eight = v.lo + v.hi;
  floats4 four = eight.lo + eight.hi;
  floats2 two = four.lo + four.hi;
  return two.x + two.y;
}

/// The largest element of `v`, where none is NaN.
INLINE float largest_element(floats v) {
  floats8 eight = v.lo > v.hi ? v.lo : v.hi;
  floats4 four = eight.lo > eight.hi ? eight.lo : eight.hi;
  floats2 two = four.lo > four.hi ? four.lo : four.hi;
  return two.x > two.y ? two.x : two.y;
}

INLINE doubles low_doubles(floats v) { return __builtin_convertvector(v.lo, doubles); }
INLINE doubles high_doubles(floats v) { return __builtin_convertvector(v.hi, doubles); }

INLINE double sum_of_doubles(doubles v) {
  return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

/// x / y to one unit in the last place, for finite y between 2^-126 and 2^126 in size.
INLINE floats quotient(floats x, floats y) {
#if ST_AVX512
  // 14 bits, doubled by one step of Newton's: a third of the time of a division.
  floats inverse = (floats)_mm512_rcp14_ps((__m512)y);
  floats q = x * inverse;
  return q + inverse * (x - y * q);
#else
  return x / y;
#endif
}

/// exp(x) for |x| <= 87.3, and for x beyond that of the nearer bound.
///
/// exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln 2 / 2, and exp(r) = 1 + r + r^2 p(r), p the polynomial
/// of least relative error (3e-9).
INLINE floats exponential(floats x) {
  // Written so that a NaN stays one.
  x = x > 87.3f ? (floats)87.3f : x;
  x = x < -87.3f ? (floats)-87.3f : x;
  // Adding 1.5 * 2^23 rounds to an integer in the lowest bits; 127 more makes it the exponent's field of 2^n.
  floats biased = x * 0x1.715476p+0f + (0x1.8p+23f + 127);
  floats n = biased - (0x1.8p+23f + 127);
  floats r = x - n * 0.693359375f;  // ln 2 in two parts: the first product is exact
  r = r - n * -2.12194440e-4f;
  floats r2 = r * r;
  floats low = 0x1.555492p-3f * r + 0x1.fffffcp-2f;
  floats high = 0x1.1239f2p-7f * r + 0x1.5558f2p-5f;
  high = 0x1.6a2416p-10f * r2 + high;
  floats p = (high * r2 + low) * r2 + r;
  floats scale = as_floats(as_words(biased) << 23);
  return p * scale + scale;
}

INLINE floats sigmoid(floats x) { return quotient(1.0f, 1.0f + exponential(-x)); }

/// log(1 + u) for u from 0 to 1.
///
/// With s = u / (2 + u), log(1 + u) = 2 atanh(s) = u - s (u - s^2 p(s^2)), p the polynomial of least relative error (5e-9).
INLINE floats logarithm_of_one_plus(floats u) {
  floats s = quotient(u, 2.0f + u), z = s * s;
  floats p = 0x1.1ed836p-2f * z + 0x1.1ebcf6p-2f;
  p = p * z + 0x1.99d20ap-2f;
  p = p * z + 0x1.555502p-1f;
  return u - s * (u - z * p);
}

/// log(1 + exp(x)) within three units in the last place for x >= -87.3, and for x below that of the bound.
INLINE floats softplus(floats x) {
  // Written so that a NaN stays one.
  floats size = x < 0.0f ? -x : x;
  return (x > 0.0f ? x : 0.0f) + logarithm_of_one_plus(exponential(-size));
}

/// tanh(x) = x P(x^2) / Q(x^2), the rational function of least relative error (1.3e-9) up to |x| = 9.02, from
/// where on tanh rounds to one.
INLINE floats hyperbolic_tangent(floats x) {
  x = x > 9.02f ? (floats)9.02f : x;
  x = x < -9.02f ? (floats)-9.02f : x;
  floats u = x * x, u2 = u * u;
  floats p0 = 0.136799327f * u + 1.0f;
  floats p2 = 2.80078811e-05f * u + 0.00386834951f;
  floats p4 = -1.22041056e-11f * u + 3.0585969e-08f;
  floats q0 = 0.470132647f * u + 1.0f;
  floats q2 = 0.000393866889f * u + 0.0272459192f;
  floats p = (p4 * u2 + p2) * u2 + p0;
  floats q = (1.28739518e-06f * u2 + q2) * u2 + q0;
  return quotient(x * p, q);
}

/// Rounded to bfloat16, the nearest, of two equally near the even one.
INLINE floats round_to_bfloat16(floats x) {
  words bits = as_words(x);
  words rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) & 0xffff0000u;
  return x == x ? as_floats(rounded) : x;
}

/// The bits of the nearest bfloat16, as `round_to_bfloat16`. A NaN stays one though its lower bits are lost.
INLINE halves to_bfloat16(floats x) {
  words bits = x == x ? as_words(round_to_bfloat16(x)) : as_words(x) | 0x400000u;
  return __builtin_convertvector(bits >> 16, halves);
}

/// The row of a time-major [T, stride, .] array that is the r-th of the first `lanes` lanes' rows.
INLINE long lane_row(long r, long lanes, long stride) {
  return lanes == stride ? r : r / lanes * stride + r % lanes;
}

#endif
