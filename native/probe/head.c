/* SPDX-License-Identifier: Apache-2.0 */
/* What framing needs of the head of an HTTP/1 message. Pure functions. */
#include "probe/stream_internal.h"

uint64_t sc_head_end(const uint8_t *p, uint64_t n, uint32_t *scan)
{
	const uint8_t *end = p + n;
	const uint8_t *line = p + *scan;

	/* line: the first byte after a line feed, or p itself. */
	while (line < end) {
		const uint8_t *lf = sc_find_lf(line, end);

		if (lf == end)
			break;
		if (line != p && (lf == line || (lf == line + 1 && *line == '\r')))
			return (uint64_t)(lf + 1 - p);
		line = lf + 1;
	}
	*scan = (uint32_t)(line - p);
	return 0;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* p…end begins with word (lower case), whatever its case. */
static bool has_prefix(const uint8_t *p, const uint8_t *end, const char *word)
{
	for (; *word; word++, p++)
		if (p == end || lower(*p) != (uint8_t)*word)
			return false;
	return true;
}

static const uint8_t *skip_blanks(const uint8_t *p, const uint8_t *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p;
}

static const uint8_t *trim(const uint8_t *p, const uint8_t *end)
{
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return end;
}

/*
 * A length, or a list of the same one. What is malformed or contradicts an earlier one counts as no
 * length; the relay marks it.
 */
static void parse_length(const uint8_t *p, const uint8_t *end, struct sc_head *head)
{
	while (p < end) {
		uint64_t value = 0;
		uint32_t digits = 0;

		p = skip_blanks(p, end);
		while (p < end && *p >= '0' && *p <= '9' && digits++ < 18)
			value = value * 10 + (uint64_t)(*p++ - '0');
		p = skip_blanks(p, end);
		if (digits == 0 || (p < end && *p != ',') ||
		    (head->has_length == 1 && head->length != value) || head->has_length == 2) {
			head->has_length = 2;
			return;
		}
		head->has_length = 1;
		head->length = value;
		if (p < end)
			p++;
	}
}

/* The last coding of the list is "chunked". */
static void parse_coding(const uint8_t *p, const uint8_t *end, struct sc_head *head)
{
	const uint8_t *last = end;

	while (last > p && last[-1] != ',')
		last--;
	last = skip_blanks(last, end);
	head->chunked = end - last == 7 && has_prefix(last, end, "chunked");
}

static void parse_upgrade(const uint8_t *p, const uint8_t *end, struct sc_head *head)
{
	if (has_prefix(p, end, "websocket"))
		head->upgrade = SC_UP_WEBSOCKET;
	else if (end - p == 3 && has_prefix(p, end, "h2c"))
		head->upgrade = SC_UP_H2C;
	else
		head->upgrade = SC_UP_OTHER;
}

static void parse_field(const uint8_t *p, const uint8_t *end, struct sc_head *head)
{
	const uint8_t *value;

	switch (*p | 0x20) {
	case 'c':
		if (has_prefix(p, end, "content-length:")) {
			value = skip_blanks(p + 15, end);
			end = trim(value, end);
			if (value == end)
				head->has_length = 2;
			parse_length(value, end, head);
		}
		break;
	case 't':
		if (has_prefix(p, end, "transfer-encoding:")) {
			value = skip_blanks(p + 18, end);
			parse_coding(value, trim(value, end), head);
		}
		break;
	case 'u':
		if (has_prefix(p, end, "upgrade:")) {
			value = skip_blanks(p + 8, end);
			parse_upgrade(value, trim(value, end), head);
		}
		break;
	}
}

static void parse_start(const uint8_t *p, const uint8_t *end, struct sc_head *head)
{
	switch (sc_sniff_http1(p, (uint64_t)(end - p))) {
	case SC_SNIFF_RESPONSE:
		head->side = SC_SIDE_RESPONSE;
		head->status = (uint16_t)((p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0'));
		break;
	case SC_SNIFF_REQUEST:
		head->side = SC_SIDE_REQUEST;
		if (p[0] == 'H' && p[1] == 'E' && p[4] == ' ')
			head->kind = SC_REQ_HEAD;
		else if (p[0] == 'C' && p[4] == 'E' && p[7] == ' ')
			head->kind = SC_REQ_CONNECT;
		break;
	default:
		break;
	}
}

uint64_t sc_head_parse(const uint8_t *p, uint64_t n, struct sc_head *head)
{
	const uint8_t *end = p + n;
	const uint8_t *lf = sc_find_lf(p, end);

	*head = (struct sc_head){0};
	parse_start(p, lf < end ? lf + 1 : end, head);
	if (head->side == SC_SIDE_UNKNOWN)
		return 0;
	while (lf < end) {
		const uint8_t *line = lf + 1;
		const uint8_t *stop;

		lf = sc_find_lf(line, end);
		stop = lf > line && lf[-1] == '\r' ? lf - 1 : lf;
		if (stop > line) {
			parse_field(line, stop, head);
		} else if (lf < end) {
			if (head->has_length == 2)
				head->has_length = 0;
			return (uint64_t)(lf + 1 - p);
		}
	}
	if (head->has_length == 2)
		head->has_length = 0;
	return 0;
}
