/* SPDX-License-Identifier: Apache-2.0 */
/* Which protocol begins with these bytes. Pure functions. */
#include "probe/stream_internal.h"

static const uint8_t preface[SC_PREFACE_LEN] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/* A load where memcpy would be a call: the library has no builtins. */
typedef uint64_t __attribute__((may_alias, aligned(1))) sc_unaligned64;

#define ONES  0x0101010101010101ull
#define HIGHS 0x8080808080808080ull

#define VERSION 0x2e312f5054544820ull /* " HTTP/1." as a little-endian number */

/* The first line feed in p…end, or end: eight bytes at a time. */
const uint8_t *sc_find_lf(const uint8_t *p, const uint8_t *end)
{
	while (end - p >= 8) {
		uint64_t v = *(const sc_unaligned64 *)p, hit;

		v ^= ONES * '\n';
		hit = (v - ONES) & ~v & HIGHS;
		if (hit)
			return p + (__builtin_ctzll(hit) >> 3);
		p += 8;
	}
	while (p < end && *p != '\n')
		p++;
	return p;
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* Compares as much as there is. */
static enum sc_sniff prefix(const uint8_t *p, uint64_t n, const uint8_t *want, uint64_t len,
			    enum sc_sniff yes)
{
	uint64_t i;

	for (i = 0; i < n && i < len; i++)
		if (p[i] != want[i])
			return SC_SNIFF_NO;
	return n < len ? SC_SNIFF_MORE : yes;
}

/* "HTTP/1.1 200": a status line as far as it is the same in all responses. */
static enum sc_sniff sniff_response(const uint8_t *p, uint64_t n)
{
	enum sc_sniff sniff = prefix(p, n, (const uint8_t *)"HTTP/1.", 7, SC_SNIFF_RESPONSE);

	if (sniff != SC_SNIFF_RESPONSE)
		return sniff;
	if (n < 12)
		return SC_SNIFF_MORE;
	if (!is_digit(p[7]) || p[8] != ' ' || !is_digit(p[9]) || !is_digit(p[10]) || !is_digit(p[11]))
		return SC_SNIFF_NO;
	return SC_SNIFF_RESPONSE;
}

/* A method in capitals, a blank, anything, " HTTP/1.x" before the line's end. */
static enum sc_sniff sniff_request(const uint8_t *p, uint64_t n)
{
	const uint8_t *end = p + n;
	const uint8_t *lf, *q = p;

	while (q < end && ((*q >= 'A' && *q <= 'Z') || *q == '-' || *q == '_'))
		q++;
	if (q - p > 24)
		return SC_SNIFF_NO;
	if (q == end)
		return SC_SNIFF_MORE;
	if (q == p || *q != ' ')
		return SC_SNIFF_NO;
	lf = sc_find_lf(q, end);
	if (lf == end)
		return n < SC_HOLD_SIZE ? SC_SNIFF_MORE : SC_SNIFF_NO;
	if (lf[-1] == '\r')
		lf--;
	if (lf - q < 11 || *(const sc_unaligned64 *)(lf - 9) != VERSION || !is_digit(lf[-1]))
		return SC_SNIFF_NO;
	return SC_SNIFF_REQUEST;
}

enum sc_sniff sc_sniff_http1(const uint8_t *p, uint64_t n)
{
	if (n == 0)
		return SC_SNIFF_MORE;
	if (p[0] == 'H') {
		enum sc_sniff sniff = sniff_response(p, n);

		if (sniff != SC_SNIFF_NO)
			return sniff;
	}
	return sniff_request(p, n);
}

/* A server may send its SETTINGS before it has read the preface: frame type 4, stream 0. */
static bool is_settings(const uint8_t *p, uint64_t n)
{
	return n >= 9 && p[0] == 0 && p[1] == 0 && p[2] % 6 == 0 && p[3] == 4 && p[4] == 0 &&
	       p[5] == 0 && p[6] == 0 && p[7] == 0 && p[8] == 0;
}

static bool valid_frame(const uint8_t *p, uint32_t len)
{
	uint32_t stream = (uint32_t)p[5] << 24 | (uint32_t)p[6] << 16 | (uint32_t)p[7] << 8 | p[8];

	if (len > 16384 || p[3] > 9 || stream >> 31)
		return false;
	switch (p[3]) {
	case 0: /* DATA */
		return stream && !(p[4] & ~0x09);
	case 1: /* HEADERS */
		return stream && len && !(p[4] & ~0x2d);
	case 2: /* PRIORITY */
		return stream && len == 5;
	case 3: /* RST_STREAM */
		return stream && len == 4 && !p[4];
	case 4: /* SETTINGS */
		return !stream && len % 6 == 0 && !(p[4] & ~1);
	case 6: /* PING */
		return !stream && len == 8 && !(p[4] & ~1);
	case 7: /* GOAWAY */
		return !stream && len >= 8;
	case 8: /* WINDOW_UPDATE */
		return len == 4 && !p[4];
	default:
		return stream != 0;
	}
}

/* HTTP/2 joined late: a transfer made of valid frames, one of them HEADERS, ending with the last. */
bool sc_sniff_frames(const uint8_t *p, uint64_t n)
{
	bool headers = false;

	while (n >= 9) {
		uint32_t len = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];

		if (!valid_frame(p, len))
			return false;
		headers |= p[3] == 1;
		if (n < 9 + len)
			return false;
		p += 9 + len;
		n -= 9 + len;
	}
	return n == 0 && headers;
}

/* name:value|type, as AppScope 1.x tells StatsD: ^([^:]+):([\d.]+)\|(c|g|ms|s|h) */
bool sc_sniff_statsd(const uint8_t *p, uint64_t n)
{
	uint64_t i = 0, value;

	if (n > 512)
		n = 512;
	while (i < n && p[i] != ':' && p[i] != '\n' && p[i] != '|' && p[i] >= ' ')
		i++;
	if (i == 0 || i == n || p[i] != ':')
		return false;
	value = ++i;
	if (i < n && (p[i] == '+' || p[i] == '-'))
		i++;
	while (i < n && (is_digit(p[i]) || p[i] == '.' || p[i] == ',' || p[i] == ':'))
		i++;
	if (i == value || i + 1 >= n || p[i] != '|')
		return false;
	i++;
	return p[i] == 'c' || p[i] == 'g' || p[i] == 's' || p[i] == 'h' || p[i] == 'd' ||
	       (p[i] == 'm' && i + 1 < n && p[i + 1] == 's');
}

enum sc_sniff sc_sniff(const uint8_t *p, uint64_t n)
{
	enum sc_sniff sniff;

	if (n == 0)
		return SC_SNIFF_MORE;
	if (p[0] == 'P') {
		sniff = prefix(p, n, preface, SC_PREFACE_LEN, SC_SNIFF_PREFACE);
		if (sniff != SC_SNIFF_NO)
			return sniff;
	}
	sniff = sc_sniff_http1(p, n);
	if (sniff != SC_SNIFF_NO)
		return sniff;
	if (p[0] == 0x16 && (n < 2 || p[1] == 3))
		return SC_SNIFF_TLS;
	if (is_settings(p, n))
		return SC_SNIFF_SETTINGS;
	return sc_sniff_statsd(p, n) ? SC_SNIFF_STATSD : SC_SNIFF_NO;
}
