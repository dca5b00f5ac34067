/* SPDX-License-Identifier: GPL-2.0-or-later */
/* html_parts.h - the files of report_page/ and D3, put in by embed.sh. */
#ifndef PROBE_HTML_PARTS_H
#define PROBE_HTML_PARTS_H

#include <stddef.h>

extern const char html_style[], html_d3_license[], html_d3[], html_charts[],
	html_report[];
extern const size_t html_style_len, html_d3_license_len, html_d3_len,
	html_charts_len, html_report_len;

#endif
